package decoder

import "shallow/compute"

// rows is the company in which rows of the residual stream go through a layer: whose they are, where they stand, and
// where their keys and values are kept.
type rows struct {
	batch     compute.Batch
	positions compute.Tensor // Int32 [N, 1], rows of the rotary tables
	ropes     []ropeTable    // of Spec.Ropes
}

// forward takes x [N, D], in place, through the layer.
func (l *Layer) forward(w *workspace, x compute.Tensor, cache compute.Cache, r *rows) {
	dev, s := l.model.Device, l.spec
	w.arena.Reset()

	h := l.normed(w, x, l.attentionNorm)
	q := w.floats(x.Rows, s.H*s.HeadSize)
	k := w.floats(x.Rows, s.K*s.HeadSize)
	v := w.floats(x.Rows, s.K*s.HeadSize)
	dev.MatMul(h, l.in, l.query.to(q), l.key.to(k), l.value.to(v))
	l.encode(k, l.keyNorm, r)
	dev.StoreKV(cache, k, v, r.batch.Slots)

	l.finish(w, x, h, q, cache, r)
}

// forwardSome is forward for a layer behind which only some rows are read: x [N, D] gives keys and values and stays as
// it is, the rows of x that wanted names, some in all, come out in out [W, D]. Each of them is a sequence of its own in
// some.batch. The bits are those that forward would have given them.
func (l *Layer) forwardSome(w *workspace, out, x compute.Tensor, cache compute.Cache, r *rows, wanted compute.Tensor, some *rows) {
	dev, s := l.model.Device, l.spec
	w.arena.Reset()

	h := l.normed(w, x, l.attentionNorm)
	k := w.floats(x.Rows, s.K*s.HeadSize)
	v := w.floats(x.Rows, s.K*s.HeadSize)
	dev.MatMul(h, l.in, l.key.to(k), l.value.to(v))
	l.encode(k, l.keyNorm, r)
	dev.StoreKV(cache, k, v, r.batch.Slots)
	if out.Rows == 0 {
		return
	}

	dev.Gather(out, x, wanted)
	g := w.floats(out.Rows, s.D)
	dev.Gather(g, h, wanted)
	q := w.floats(out.Rows, s.H*s.HeadSize)
	dev.MatMul(g, l.in, l.query.to(q))

	l.finish(w, out, g, q, cache, some)
}

// finish takes x [N, D] from its queries to what leaves the layer. h [N, D] is what attention read of x.
func (l *Layer) finish(w *workspace, x, h, q compute.Tensor, cache compute.Cache, r *rows) {
	dev, s := l.model.Device, l.spec
	l.encode(q, l.queryNorm, r)
	if l.Rope >= 0 && r.ropes[l.Rope].growth.Given() {
		dev.ScaleRows(q, r.ropes[l.Rope].growth, r.positions)
	}
	a := w.floats(q.Rows, q.Cols)
	dev.Attention(a, q, cache, r.batch, compute.AttentionOptions{
		HeadSize: s.HeadSize, Scale: l.AttentionScale, Window: l.Window, SoftCap: s.ScoreCap,
	})
	if s.Parallel { // the feed-forward network does not see what attention adds
		if l.mlpNorm.given() {
			h = l.normed(w, x, l.mlpNorm)
		}
		l.add(w, x, a, l.output, l.attentionOutNorm)
	} else {
		l.add(w, x, a, l.output, l.attentionOutNorm)
		w.arena.Reset()
		h = l.normed(w, x, l.mlpNorm)
	}
	if l.Sparse {
		l.mixExperts(w, x, h)
		return
	}
	l.add(w, x, l.activated(w, h, l.gate, l.up, s.F), l.down, l.mlpOutNorm)
}

// encode norms the heads of q or k, where the family does, and turns them by their positions, in place.
func (l *Layer) encode(q compute.Tensor, norms []normTensors, r *rows) {
	dev, s := l.model.Device, l.spec
	for i, n := range norms {
		part := q
		if len(norms) > 1 {
			part = q.ColRange(i*s.HeadSize, (i+1)*s.HeadSize)
		}
		l.model.norm(part, part, n)
	}
	if l.Rope >= 0 {
		t := r.ropes[l.Rope]
		dev.RoPE(q, t.cos, t.sin, r.positions, s.HeadSize, t.pairs)
	}
}

// normed is the norm of x, or x itself where the family has no norm there.
func (l *Layer) normed(w *workspace, x compute.Tensor, n normTensors) compute.Tensor {
	if !n.given() {
		return x
	}
	h := w.floats(x.Rows, x.Cols)
	l.model.norm(h, x, n)
	return h
}

// norm writes the norm of x to out, which may be x.
func (m *Model) norm(out, x compute.Tensor, n normTensors) {
	s := m.Spec
	if s.Norm == LayerNorm {
		m.Device.LayerNorm(out, x, n.weight, n.bias, s.NormEps, compute.Tensor{})
		return
	}
	m.Device.RMSNorm(out, x, n.weight, s.NormEps, s.NormOffset, compute.Tensor{})
}

// activated is act(gate(h)) · up(h), or act(up(h)) in a family without gates: [N, size].
func (l *Layer) activated(w *workspace, h compute.Tensor, gate, up linear, size int) compute.Tensor {
	dev, s := l.model.Device, l.spec
	u := w.floats(h.Rows, size)
	if !s.Gated {
		dev.MatMul(h, l.in, up.to(u))
		dev.Activate(u, u, s.Activation)
		return u
	}
	g := w.floats(h.Rows, size)
	dev.MatMul(h, l.in, gate.to(g), up.to(u))
	dev.GatedActivation(g, g, u, s.Activation)
	return g
}

// add is x += scale · norm(h·Wᵀ + bias), for families that have the norm and the scale.
func (l *Layer) add(w *workspace, x, h compute.Tensor, p linear, n normTensors) {
	dev, s := l.model.Device, l.spec
	if !n.given() && s.ResidualScale == 1 {
		dev.MatMul(h, l.in, p.onto(x))
		return
	}
	out := w.floats(x.Rows, x.Cols)
	dev.MatMul(h, l.in, p.to(out))
	if n.given() {
		l.model.norm(out, out, n)
	}
	dev.Add(x, out, s.ResidualScale)
}

// mixExperts adds to each row of x what its experts make of the same row of h, in the router's order. The router itself is
// multiplied in float32: a small difference there chooses another expert.
func (l *Layer) mixExperts(w *workspace, x, h compute.Tensor) {
	dev, e := l.model.Device, l.spec.Experts
	n, sorted := x.Rows, x.Rows*e.Chosen
	logits := w.floats(n, e.Count)
	dev.MatMul(h, compute.Float32, l.router.to(logits))
	to := compute.Routing{Weights: w.floats(n, e.Chosen), Places: w.ints(n, e.Chosen), Sources: w.ints(sorted, 1), Offsets: w.ints(e.Count+1, 1)}
	dev.Route(to, logits, e.Normalise)

	rows := w.floats(sorted, h.Cols)
	dev.Gather(rows, h, to.Sources)
	gate, up := w.floats(sorted, e.F), w.floats(sorted, e.F)
	dev.MatMulGrouped(rows, to.Offsets, l.in, compute.GroupedProduct{Out: gate, W: l.expertGate}, compute.GroupedProduct{Out: up, W: l.expertUp})
	dev.GatedActivation(gate, gate, up, l.spec.Activation)
	dev.MatMulGrouped(gate, to.Offsets, l.in, compute.GroupedProduct{Out: rows, W: l.expertDown})
	dev.Combine(x, rows, to)

	if e.SharedF > 0 {
		shared := w.floats(n, h.Cols)
		dev.MatMul(l.activated(w, h, l.sharedGate, l.sharedUp, e.SharedF), l.in, l.sharedDown.to(shared))
		weight := w.floats(n, 1)
		dev.MatMul(h, compute.Float32, l.sharedRouter.to(weight))
		dev.Activate(weight, weight, compute.Sigmoid)
		dev.ScaleRows(shared, weight, compute.Tensor{})
		dev.Add(x, shared, 1)
	}
}
