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

	h := w.floats(x.Rows, s.D)
	dev.RMSNorm(h, x, l.attentionNorm, s.NormEps, s.NormOffset, compute.Tensor{})
	q := w.floats(x.Rows, s.H*s.HeadSize)
	k := w.floats(x.Rows, s.K*s.HeadSize)
	v := w.floats(x.Rows, s.K*s.HeadSize)
	dev.MatMul(h, l.in, l.query.to(q), l.key.to(k), l.value.to(v))
	l.encode(q, l.queryNorm, r)
	l.encode(k, l.keyNorm, r)
	dev.StoreKV(cache, k, v, r.batch.Slots)

	l.attend(w, x, q, cache, r.batch)
	l.feedForward(w, x)
}

// forwardSome is forward for a layer behind which only some rows are read: x [N, D] gives keys and values and stays as
// it is, the rows of x that wanted names, some in all, come out in out [W, D]. Each of them is a sequence of its own in
// some.batch. The bits are those that forward would have given them.
func (l *Layer) forwardSome(w *workspace, out, x compute.Tensor, cache compute.Cache, r *rows, wanted compute.Tensor, some *rows) {
	dev, s := l.model.Device, l.spec
	w.arena.Reset()

	h := w.floats(x.Rows, s.D)
	dev.RMSNorm(h, x, l.attentionNorm, s.NormEps, s.NormOffset, compute.Tensor{})
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
	l.encode(q, l.queryNorm, some)

	l.attend(w, out, q, cache, some.batch)
	l.feedForward(w, out)
}

// encode norms the heads of q or k, where the family does, and turns them by their positions, in place.
func (l *Layer) encode(q, norm compute.Tensor, r *rows) {
	dev, s := l.model.Device, l.spec
	if norm.Given() {
		dev.RMSNorm(q, q, norm, s.NormEps, s.NormOffset, compute.Tensor{})
	}
	if l.Rope >= 0 {
		t := r.ropes[l.Rope]
		dev.RoPE(q, t.cos, t.sin, r.positions, s.HeadSize, compute.Halves)
	}
}

// attend adds what q [N, H·HeadSize] finds in the cache to x [N, D].
func (l *Layer) attend(w *workspace, x, q compute.Tensor, cache compute.Cache, b compute.Batch) {
	dev, s := l.model.Device, l.spec
	a := w.floats(q.Rows, q.Cols)
	dev.Attention(a, q, cache, b, compute.AttentionOptions{HeadSize: s.HeadSize, Scale: l.AttentionScale, Window: l.Window})
	l.add(w, x, a, l.output)
}

// feedForward adds down(act(gate(norm x)) · up(norm x)) to x [N, D].
func (l *Layer) feedForward(w *workspace, x compute.Tensor) {
	dev, s := l.model.Device, l.spec
	w.arena.Reset()
	h := w.floats(x.Rows, s.D)
	dev.RMSNorm(h, x, l.mlpNorm, s.NormEps, s.NormOffset, compute.Tensor{})
	gate, up := w.floats(x.Rows, s.F), w.floats(x.Rows, s.F)
	dev.MatMul(h, l.in, l.gate.to(gate), l.up.to(up))
	dev.GatedActivation(gate, gate, up, s.Activation)
	l.add(w, x, gate, l.down)
}

// add is x += h·Wᵀ + bias. A bias onto the residual stream is a product with a column of ones.
func (l *Layer) add(w *workspace, x, h compute.Tensor, p linear) {
	dev := l.model.Device
	dev.MatMul(h, l.in, p.onto(x))
	if p.bias.Given() {
		dev.MatMul(w.ones.RowRange(0, x.Rows), compute.Float32, compute.Product{Out: x, W: p.column, Accumulate: true})
	}
}
