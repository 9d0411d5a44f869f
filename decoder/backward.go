package decoder

import "shallow/compute"

// backward turns dx [N, D], the gradient by what leaves the layer, into that by what enters it, in place, and adds the
// gradients of what is trained. t is what the layer's forward pass kept; r has rotations that turn back.
func (l *Layer) backward(w *workspace, t *trace, dx compute.Tensor, r *rows) {
	dev, s, g := l.model.Device, l.spec, w.gradients
	w.arena.Reset()
	dout := dx
	if s.Parallel { // both halves read the same x
		dout = w.floats(dx.Rows, dx.Cols)
		dev.Copy(dout, dx)
	}

	dm := w.floats(dx.Rows, s.D)
	switch {
	case l.Sparse:
		l.mixExpertsBackward(w, t, dm, dout)
	case s.Gated:
		dhidden := l.addBackward(w, t, dout, l.down, t.hidden, l.mlpOutNorm, t.mlpOutNorm)
		dup := w.floats(dx.Rows, s.F)
		g.GatedActivationBackward(dhidden, dup, dhidden, t.gate, t.up, s.Activation)
		l.projectBackward(w, t, dm, t.m, output{l.gate, dhidden}, output{l.up, dup})
	default:
		dhidden := l.addBackward(w, t, dout, l.down, t.hidden, l.mlpOutNorm, t.mlpOutNorm)
		g.ActivateBackward(dhidden, dhidden, t.up, s.Activation)
		l.projectBackward(w, t, dm, t.m, output{l.up, dhidden})
	}
	shared := s.Parallel && !l.mlpNorm.given()
	if !shared {
		l.normBackward(w, dx, dm, l.mlpNorm, t.mlpNorm)
	}
	if !s.Parallel {
		w.arena.Reset()
	}

	da := l.addBackward(w, t, dout, l.output, t.a, l.attentionOutNorm, t.attentionOutNorm)
	dq, dk, dv := w.floats(dx.Rows, t.q.Cols), w.floats(dx.Rows, t.k.Cols), w.floats(dx.Rows, t.v.Cols)
	g.AttentionBackward(dq, dk, dv, da, t.a, t.q, t.k, t.v, r.batch, l.attentionOptions(t.lse))
	if growth := l.growth(r); growth.Given() {
		dev.ScaleRows(dq, growth, r.positions)
	}
	l.decode(w, dq, l.queryNorm, t.queryNorm, r)
	l.decode(w, dk, l.keyNorm, t.keyNorm, r)
	dh := w.floats(dx.Rows, s.D)
	l.projectBackward(w, t, dh, t.h, output{l.query, dq}, output{l.key, dk}, output{l.value, dv})
	if shared {
		dev.Add(dh, dm, 1)
	}
	l.normBackward(w, dx, dh, l.attentionNorm, t.attentionNorm)
}

// decode is the gradient of encode, in place.
func (l *Layer) decode(w *workspace, dq compute.Tensor, norms []normTensors, traces []normTrace, r *rows) {
	if l.Rope >= 0 {
		t := r.ropes[l.Rope]
		l.model.Device.RoPE(dq, t.cos, t.sin, r.positions, l.spec.HeadSize, t.pairs)
	}
	for i, n := range norms {
		part := dq
		if len(norms) > 1 {
			part = dq.ColRange(i*l.spec.HeadSize, (i+1)*l.spec.HeadSize)
		}
		l.model.normBackward(w, part, part, n, traces[i], false)
	}
}

// normBackward adds to dx the gradient of a norm by what it read, or dout itself where there is no norm.
func (l *Layer) normBackward(w *workspace, dx, dout compute.Tensor, n normTensors, t normTrace) {
	if !n.given() {
		l.model.Device.Add(dx, dout, 1)
		return
	}
	l.model.normBackward(w, dx, dout, n, t, true)
}

func (m *Model) normBackward(w *workspace, dx, dout compute.Tensor, n normTensors, t normTrace, accumulate bool) {
	if m.Spec.Norm == LayerNorm {
		w.gradients.LayerNormBackward(dx, n.dweight, n.dbias, dout, t.x, n.weight, t.stats, accumulate)
		return
	}
	w.gradients.RMSNormBackward(dx, n.dweight, dout, t.x, n.weight, t.stats, m.Spec.NormOffset, accumulate)
}

// addBackward is the gradient of add by h.
func (l *Layer) addBackward(w *workspace, t *trace, dx compute.Tensor, p linear, h compute.Tensor, n normTensors, nt normTrace) compute.Tensor {
	dev, s := l.model.Device, l.spec
	dout := dx
	if n.given() || s.ResidualScale != 1 {
		dout = w.floats(dx.Rows, dx.Cols)
		dev.Copy(dout, dx)
		dev.Scale(dout, s.ResidualScale)
	}
	if n.given() {
		l.model.normBackward(w, dout, dout, n, nt, false)
	}
	dh := w.floats(h.Rows, h.Cols)
	l.projectBackward(w, t, dh, h, output{p, dout})
	return dh
}

// projectBackward writes the gradient of project by h to dh and adds those of weights and adapters. Each output's out is
// its gradient.
func (l *Layer) projectBackward(w *workspace, t *trace, dh, h compute.Tensor, outputs ...output) {
	var products [3]compute.Product
	for i, o := range outputs {
		products[i] = compute.Product{Out: o.out, W: o.weight}
	}
	w.gradients.MatMulBackward(dh, l.in, false, products[:len(outputs)]...)
	for _, o := range outputs {
		if o.dweight.Given() || o.dbias.Given() {
			w.gradients.WeightGradient(o.dweight, o.dbias, o.out, h, l.in)
		}
		if o.adapter != nil {
			l.adaptBackward(w, t, dh, h, o)
		}
	}
}

// adaptBackward adds an adapter's gradients, and its share of the gradient by h to dh.
func (l *Layer) adaptBackward(w *workspace, t *trace, dh, h compute.Tensor, o output) {
	dev, g, a := l.model.Device, w.gradients, o.adapter
	b, db := o.b(o.out.Cols), a.DB.RowRange(o.first, o.first+o.out.Cols)
	g.WeightGradient(db, compute.Tensor{}, o.out, t.adapted(o.linear), l.in)
	du := w.floats(h.Rows, a.A.Rows)
	g.MatMulBackward(du, l.in, false, compute.Product{Out: o.out, W: b})
	dev.Scale(du, a.Scale)
	g.WeightGradient(a.DA, compute.Tensor{}, du, l.dropped(w, h, a), l.in)
	if a.Dropout == 0 {
		g.MatMulBackward(dh, l.in, true, compute.Product{Out: du, W: a.A})
		return
	}
	through := compute.Tensor{Memory: w.dropped.Memory, Kind: compute.Float32, Rows: h.Rows, Cols: h.Cols, Stride: h.Cols}
	g.MatMulBackward(through, l.in, false, compute.Product{Out: du, W: a.A})
	g.Dropout(through, through, w.tokens, l.dropoutKey(w, a), a.Dropout)
	dev.Add(dh, through, 1)
}
