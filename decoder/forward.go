package decoder

import "shallow/compute"

// rows is the company in which rows of the residual stream go through a layer: whose they are, where they stand, and
// where their keys and values are kept.
type rows struct {
	batch     compute.Batch
	positions compute.Tensor // Int32 [N, 1], rows of the rotary tables
	ropes     []ropeTable    // of Spec.Ropes

	// Slots of keys and values that belong to several sequences and lie in a page that they do not share: Int32 [C, 1].
	copies, copied compute.Tensor
}

// store puts keys and values into the cache.
func (r *rows) store(dev compute.Device, cache compute.Cache, k, v compute.Tensor) {
	dev.StoreKV(cache, k, v, r.batch.Slots)
	if r.copies.Given() {
		dev.CopyKV(cache, r.copies, r.copied)
	}
}

// forward takes x [N, D], in place, through the layer.
func (l *Layer) forward(w *workspace, x compute.Tensor, cache compute.Cache, r *rows) {
	s, t := l.spec, &w.trace
	w.begin()

	t.h = l.normed(w, w.copied(x), l.attentionNorm, &t.attentionNorm)
	q := w.floats(x.Rows, s.H*s.HeadSize)
	k := w.floats(x.Rows, s.K*s.HeadSize)
	t.v = w.floats(x.Rows, s.K*s.HeadSize)
	l.project(w, t.h, output{l.query, q}, output{l.key, k}, output{l.value, t.v})
	t.k = l.encode(w, k, l.keyNorm, &t.keyNorm, r)
	r.store(l.model.Device, cache, t.k, t.v)

	l.finish(w, x, t.h, q, cache, r)
}

// forwardSome is forward for a layer behind which only some rows are read: x [N, D] gives keys and values and stays as
// it is, the rows of x that wanted names, some in all, come out in out [W, D]. Each of them is a sequence of its own in
// some.batch. The bits are those that forward would have given them.
func (l *Layer) forwardSome(w *workspace, out, x compute.Tensor, cache compute.Cache, r *rows, wanted compute.Tensor, some *rows) {
	dev, s, t := l.model.Device, l.spec, &w.trace
	w.begin()

	h := l.normed(w, x, l.attentionNorm, &t.attentionNorm)
	k := w.floats(x.Rows, s.K*s.HeadSize)
	v := w.floats(x.Rows, s.K*s.HeadSize)
	l.project(w, h, output{l.key, k}, output{l.value, v})
	r.store(dev, cache, l.encode(w, k, l.keyNorm, &t.keyNorm, r), v)
	if out.Rows == 0 {
		return
	}

	dev.Gather(out, x, wanted)
	g := w.floats(out.Rows, s.D)
	dev.Gather(g, h, wanted)
	q := w.floats(out.Rows, s.H*s.HeadSize)
	l.project(w, g, output{l.query, q})

	l.finish(w, out, g, q, cache, some)
}

// finish takes x [N, D] from its queries to what leaves the layer. h [N, D] is what attention read of x.
func (l *Layer) finish(w *workspace, x, h, q compute.Tensor, cache compute.Cache, r *rows) {
	dev, s, t := l.model.Device, l.spec, &w.trace
	t.q = l.encode(w, q, l.queryNorm, &t.queryNorm, r)
	if growth := l.growth(r); growth.Given() {
		dev.ScaleRows(t.q, growth, r.positions)
	}
	t.a = w.floats(q.Rows, q.Cols)
	if w.keep {
		t.lse = w.floats(q.Rows, s.H)
	}
	dev.Attention(t.a, t.q, cache, r.batch, l.attentionOptions(t.lse))
	switch {
	case !s.Parallel:
		l.add(w, x, t.a, l.output, l.attentionOutNorm, &t.attentionOutNorm)
		w.begin()
		h = l.normed(w, w.copied(x), l.mlpNorm, &t.mlpNorm)
	case l.mlpNorm.given(): // the feed-forward network does not see what attention adds
		h = l.normed(w, w.copied(x), l.mlpNorm, &t.mlpNorm)
		l.add(w, x, t.a, l.output, l.attentionOutNorm, &t.attentionOutNorm)
	default:
		l.add(w, x, t.a, l.output, l.attentionOutNorm, &t.attentionOutNorm)
	}
	t.m = h
	if l.Sparse {
		l.mixExperts(w, x, h)
		return
	}
	t.hidden = l.activated(w, h, l.gate, l.up, s.F)
	l.add(w, x, t.hidden, l.down, l.mlpOutNorm, &t.mlpOutNorm)
}

// growth is what queries are multiplied by at each row of the rotary tables, if they are.
func (l *Layer) growth(r *rows) (none compute.Tensor) {
	if l.Rope < 0 {
		return none
	}
	return r.ropes[l.Rope].growth
}

func (l *Layer) attentionOptions(logSumExp compute.Tensor) compute.AttentionOptions {
	return compute.AttentionOptions{
		HeadSize: l.spec.HeadSize, Scale: l.AttentionScale, Window: l.Window, SoftCap: l.spec.ScoreCap, LogSumExp: logSumExp,
	}
}

// encode gives q or k, its heads normed where the family does so, turned by their positions.
func (l *Layer) encode(w *workspace, q compute.Tensor, norms []normTensors, traces *[]normTrace, r *rows) compute.Tensor {
	dev, s := l.model.Device, l.spec
	out := q
	if len(norms) > 0 {
		out = w.fresh(q)
		*traces = (*traces)[:0]
	}
	for i, n := range norms {
		lo, hi := 0, q.Cols
		if len(norms) > 1 {
			lo, hi = i*s.HeadSize, (i+1)*s.HeadSize
		}
		t := normTrace{x: q.ColRange(lo, hi), stats: l.model.statistics(w, q.Rows, hi-lo, n)}
		l.model.norm(out.ColRange(lo, hi), t.x, n, t.stats)
		if w.keep {
			*traces = append(*traces, t)
		}
	}
	if l.Rope >= 0 {
		t := r.ropes[l.Rope]
		dev.RoPE(out, t.cos, t.sin, r.positions, s.HeadSize, t.pairs)
	}
	return out
}

// normed is the norm of x, or x itself where the family has no norm there.
func (l *Layer) normed(w *workspace, x compute.Tensor, n normTensors, t *normTrace) compute.Tensor {
	if !n.given() {
		return x
	}
	h := w.floats(x.Rows, x.Cols)
	*t = normTrace{x: x, stats: l.model.statistics(w, x.Rows, x.Cols, n)}
	l.model.norm(h, x, n, t.stats)
	return h
}

// norm writes the norm of x to out, which may be x, and its means and reciprocal roots to stats, if given.
func (m *Model) norm(out, x compute.Tensor, n normTensors, stats compute.Tensor) {
	s := m.Spec
	if s.Norm == LayerNorm {
		m.Device.LayerNorm(out, x, n.weight, n.bias, s.NormEps, stats)
		return
	}
	m.Device.RMSNorm(out, x, n.weight, s.NormEps, s.NormOffset, stats)
}

// activated is act(gate(h)) · up(h), or act(up(h)) in a family without gates: [N, size].
func (l *Layer) activated(w *workspace, h compute.Tensor, gate, up linear, size int) compute.Tensor {
	dev, s, t := l.model.Device, l.spec, &w.trace
	t.up = w.floats(h.Rows, size)
	if !s.Gated {
		l.project(w, h, output{up, t.up})
		out := w.fresh(t.up)
		dev.Activate(out, t.up, s.Activation)
		return out
	}
	t.gate = w.floats(h.Rows, size)
	l.project(w, h, output{gate, t.gate}, output{up, t.up})
	out := w.fresh(t.gate)
	dev.GatedActivation(out, t.gate, t.up, s.Activation)
	return out
}

// add is x += scale · norm(h·Wᵀ + bias), for families that have the norm and the scale.
func (l *Layer) add(w *workspace, x, h compute.Tensor, p linear, n normTensors, t *normTrace) {
	dev, s := l.model.Device, l.spec
	if !n.given() && s.ResidualScale == 1 {
		dev.MatMul(h, l.in, p.onto(x))
		l.adapt(w, h, p, x)
		return
	}
	out := w.floats(x.Rows, x.Cols)
	l.project(w, h, output{p, out})
	if n.given() {
		normed := w.fresh(out)
		*t = normTrace{x: out, stats: l.model.statistics(w, x.Rows, x.Cols, n)}
		l.model.norm(normed, out, n, t.stats)
		out = normed
	}
	dev.Add(x, out, s.ResidualScale)
}

// output is a projection and where it goes.
type output struct {
	linear
	out compute.Tensor
}

// project multiplies h by up to three projections in one pass over it.
func (l *Layer) project(w *workspace, h compute.Tensor, outputs ...output) {
	var products [3]compute.Product
	for i, o := range outputs {
		products[i] = o.to(o.out)
	}
	l.model.Device.MatMul(h, l.in, products[:len(outputs)]...)
	for _, o := range outputs {
		l.adapt(w, h, o.linear, o.out)
	}
}
