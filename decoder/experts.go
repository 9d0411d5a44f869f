package decoder

import "shallow/compute"

// expertTrace is what a mixture of experts leaves behind for its backward pass.
type expertTrace struct {
	to                     compute.Routing
	logits                 compute.Tensor // [N, E], of the router
	rows                   compute.Tensor // [N·k, D], what the experts read
	gate, up, hidden, made compute.Tensor // [N·k, F] and what they make of it, [N·k, D]

	sharedGate, sharedUp, sharedHidden compute.Tensor // [N, SharedF]
	shared, weight                     compute.Tensor // [N, D], [N, 1]: what the shared expert makes, and what it counts
}

// mixExperts adds to each row of x what its experts make of the same row of h, in the router's order. The router itself is
// multiplied in float32: a small difference there chooses another expert.
func (l *Layer) mixExperts(w *workspace, x, h compute.Tensor) {
	dev, e, t := l.model.Device, l.spec.Experts, &w.trace.experts
	n, sorted := x.Rows, x.Rows*e.Chosen
	t.logits = w.floats(n, e.Count)
	dev.MatMul(h, compute.Float32, l.router.to(t.logits))
	t.to = compute.Routing{Weights: w.floats(n, e.Chosen), Places: w.ints(n, e.Chosen), Sources: w.ints(sorted, 1), Offsets: w.ints(e.Count+1, 1)}
	dev.Route(t.to, t.logits, e.Normalise)

	t.rows = w.floats(sorted, h.Cols)
	dev.Gather(t.rows, h, t.to.Sources)
	t.gate, t.up = w.floats(sorted, e.F), w.floats(sorted, e.F)
	dev.MatMulGrouped(t.rows, t.to.Offsets, l.in, compute.GroupedProduct{Out: t.gate, W: l.expertGate}, compute.GroupedProduct{Out: t.up, W: l.expertUp})
	t.hidden = w.fresh(t.gate)
	dev.GatedActivation(t.hidden, t.gate, t.up, l.spec.Activation)
	t.made = w.fresh(t.rows)
	dev.MatMulGrouped(t.hidden, t.to.Offsets, l.in, compute.GroupedProduct{Out: t.made, W: l.expertDown})
	dev.Combine(x, t.made, t.to)

	if e.SharedF > 0 {
		t.shared = w.floats(n, h.Cols)
		t.sharedHidden = l.activated(w, h, l.sharedGate, l.sharedUp, e.SharedF)
		t.sharedGate, t.sharedUp = w.trace.gate, w.trace.up
		l.project(w, t.sharedHidden, output{l.sharedDown, t.shared})
		t.weight = w.floats(n, 1)
		dev.MatMul(h, compute.Float32, l.sharedRouter.to(t.weight))
		dev.Activate(t.weight, t.weight, compute.Sigmoid)
		made := w.copied(t.shared)
		dev.ScaleRows(made, t.weight, compute.Tensor{})
		dev.Add(x, made, 1)
	}
}

// mixExpertsBackward writes the gradient of mixExperts by h to dh.
func (l *Layer) mixExpertsBackward(w *workspace, t *trace, dh, dout compute.Tensor) {
	g, e, x := w.gradients, l.spec.Experts, &t.experts
	n, sorted := dout.Rows, dout.Rows*e.Chosen
	dmade, dweights := w.floats(sorted, dout.Cols), w.floats(n, e.Chosen)
	g.CombineBackward(dmade, dweights, dout, x.made, x.to)
	g.WeightGradientGrouped(l.expertDownGradients, dmade, x.hidden, x.to.Offsets, l.in)
	dhidden, dup := w.floats(sorted, e.F), w.floats(sorted, e.F)
	g.MatMulGroupedBackward(dhidden, x.to.Offsets, l.in, false, compute.GroupedProduct{Out: dmade, W: l.expertDown})
	g.GatedActivationBackward(dhidden, dup, dhidden, x.gate, x.up, l.spec.Activation)
	g.WeightGradientGrouped(l.expertGateGradients, dhidden, x.rows, x.to.Offsets, l.in)
	g.WeightGradientGrouped(l.expertUpGradients, dup, x.rows, x.to.Offsets, l.in)
	drows := dmade
	g.MatMulGroupedBackward(drows, x.to.Offsets, l.in, false, compute.GroupedProduct{Out: dhidden, W: l.expertGate}, compute.GroupedProduct{Out: dup, W: l.expertUp})

	dlogits := w.floats(n, e.Count)
	g.RouteBackward(dlogits, dweights, x.logits, x.to, e.Normalise)
	g.MatMulBackward(dh, compute.Float32, false, compute.Product{Out: dlogits, W: l.router.weight})
	if l.router.dweight.Given() {
		g.WeightGradient(l.router.dweight, compute.Tensor{}, dlogits, t.m, compute.Float32)
	}
	g.EmbedBackward(dh, drows, x.to.Sources, 1)
	if e.SharedF > 0 {
		l.sharedBackward(w, t, dh, dout)
	}
}

// sharedBackward adds the gradient of the expert that sees every token. Its weight is that of a single choice.
func (l *Layer) sharedBackward(w *workspace, t *trace, dh, dout compute.Tensor) {
	dev, g, x := l.model.Device, w.gradients, &t.experts
	n := dout.Rows
	dshared, dweight := w.floats(n, dout.Cols), w.floats(n, 1)
	g.CombineBackward(dshared, dweight, dout, x.shared, compute.Routing{Weights: x.weight, Places: w.tokens, Sources: w.tokens})
	part := w.floats(n, dh.Cols)
	dhidden, dup := w.floats(n, x.sharedUp.Cols), w.floats(n, x.sharedUp.Cols)
	l.projectBackward(w, t, dhidden, x.sharedHidden, output{l.sharedDown, dshared})
	g.GatedActivationBackward(dhidden, dup, dhidden, x.sharedGate, x.sharedUp, l.spec.Activation)
	l.projectBackward(w, t, part, t.m, output{l.sharedGate, dhidden}, output{l.sharedUp, dup})
	dev.Add(dh, part, 1)
	// The derivative of the sigmoid s is s·(1-s).
	slope := w.floats(n, 1)
	dev.Copy(slope, x.weight)
	dev.ScaleRows(slope, x.weight, compute.Tensor{})
	dev.Scale(slope, -1)
	dev.Add(slope, x.weight, 1)
	dev.ScaleRows(dweight, slope, compute.Tensor{})
	g.MatMulBackward(dh, compute.Float32, true, compute.Product{Out: dweight, W: l.sharedRouter.weight})
	if l.sharedRouter.dweight.Given() {
		g.WeightGradient(l.sharedRouter.dweight, compute.Tensor{}, dweight, t.m, compute.Float32)
	}
}
