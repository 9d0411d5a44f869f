package decoder

import (
	"fmt"

	"shallow/compute"
)

// microBatch is sequences on their way through a training's layers, and back.
type microBatch struct {
	training *Training
	work     *workspace
	arena    compute.Arena // that the workspace had before
	plan     *plan
	rows     *rows
	back     *rows // with rotations that turn back
	ids      compute.Tensor
	x, dx    compute.Tensor // [N, D]
	first    int            // the layer that x enters at the start
	traces   []trace
}

// start embeds sequences, or begins with what enters the first layer that is trained. It must be ended.
func (t *Training) start(sequences [][]int, entering []float32) (*microBatch, error) {
	m, s := t.model, t.model.Spec
	lengths, ids, err := m.tokens(sequences)
	if err != nil {
		return nil, err
	}
	n := len(ids)
	if n > t.room.Rows {
		return nil, fmt.Errorf("decoder: a micro-batch of %d tokens in room for %d", n, t.room.Rows)
	}
	if entering != nil && len(entering) != n*s.D {
		return nil, fmt.Errorf("decoder: %d numbers enter the first trained layer for %d tokens of %d", len(entering), n, s.D)
	}
	w := &m.work
	p := m.newPlan(lengths, [][]span{whole(lengths)})
	w.reserve(m, 1, p.pages)
	w.gradients, w.tokens, w.dropped = t.gradients, t.tokens.RowRange(0, n), t.dropped
	r := &microBatch{training: t, work: w, arena: w.arena, plan: p, rows: &p.chunks[0].rows, ids: m.uploadInts(ids),
		x: t.x.RowRange(0, n), dx: t.dx.RowRange(0, n), traces: make([]trace, s.L)}
	r.back = r.rows.turnedBack(m)
	if entering != nil {
		r.first = max(t.lowest, 0)
		m.Device.Upload(r.x, compute.Bytes(entering))
	} else {
		t.embedding.embed(r.x, r.ids, r.rows.positions)
	}
	return r, nil
}

// end gives the micro-batch's memory back.
func (r *microBatch) end() {
	dev := r.training.model.Device
	r.back.releaseRopes(dev)
	dev.Release(r.ids.Memory)
	r.plan.release(dev)
	r.work.arena, r.work.keep, r.work.trace = r.arena, false, trace{}
}

// pass takes x through a layer of which nothing is kept.
func (r *microBatch) pass(i int) {
	t, w := r.training, r.work
	w.arena, w.keep = t.again, true // as in training: with dropout
	w.arena.Reset()
	t.layers[i].forward(w, r.x, w.cache, r.rows)
	w.trace = trace{}
}

// forward takes x through a layer whose backward pass comes later.
func (r *microBatch) forward(i int) {
	t := r.training
	switch at := i - (t.model.Spec.L - t.room.Kept); {
	case i < t.lowest:
		r.pass(i)
	case at >= 0:
		r.keep(i, t.arenas[at])
	default:
		t.model.Device.Copy(t.states[i].RowRange(0, r.x.Rows), r.x)
		r.pass(i)
	}
}

// keep takes x through a layer and keeps what its backward pass needs in an arena.
func (r *microBatch) keep(i int, arena compute.Arena) {
	w := r.work
	w.arena, w.keep, w.trace = arena, true, trace{}
	arena.Reset()
	r.training.layers[i].forward(w, r.x, w.cache, r.rows)
	r.traces[i], w.trace = w.trace, trace{}
}

// backward takes dx back through a layer.
func (r *microBatch) backward(i int) {
	t, w := r.training, r.work
	if i < t.model.Spec.L-t.room.Kept {
		t.model.Device.Copy(r.x, t.states[i].RowRange(0, r.x.Rows))
		r.keep(i, t.again)
	}
	w.arena, w.keep = t.scratch, true
	t.layers[i].backward(w, &r.traces[i], r.dx, r.back)
}

// whole is a chunk of whole sequences.
func whole(lengths []int) []span {
	var spans []span
	for s, n := range lengths {
		spans = append(spans, span{s, 0, n})
	}
	return spans
}

// loss gives the loss of where x has come and writes its gradient to dx.
func (r *microBatch) loss(b Batch, targets []int32, weights []float32) (float64, error) {
	if b.Match == nil {
		return r.predict(b, targets, weights)
	}
	dev, g := r.training.model.Device, r.training.gradients
	dev.Copy(r.dx, r.x)
	dev.Add(r.dx, b.Match.States, -1)
	sum, err := g.SumSquares(r.dx)
	dev.Scale(r.dx, 2*b.Weight)
	return sum * float64(b.Weight), err
}

// predict gives the loss of the logits behind x, the states that left the last layer, and writes the gradient to dx, a few
// rows of logits at a time.
func (r *microBatch) predict(b Batch, targets []int32, weights []float32) (float64, error) {
	t, w, x := r.training, r.work, r.x
	m, s, h, g := t.model, t.model.Spec, t.head, t.gradients
	dev := m.Device
	at, ws := m.uploadInts(targets), m.upload(weights, len(weights), 1)
	losses := dev.New(compute.Float32, x.Rows, 1)
	defer func() {
		for _, x := range []compute.Tensor{at, ws, losses} {
			dev.Release(x.Memory)
		}
	}()
	for lo := 0; lo < x.Rows; lo += h.rows {
		hi := min(lo+h.rows, x.Rows)
		part, n := x.RowRange(lo, hi), hi-lo
		w.arena, w.keep = t.scratch, true
		w.arena.Reset()
		stats := m.statistics(w, n, s.D, h.norm)
		normed := w.floats(n, s.D)
		m.norm(normed, part, h.norm, stats)
		logits := w.floats(n, s.V)
		h.logits(logits, normed)
		var capped compute.Tensor
		if s.LogitCap != 0 {
			capped = w.copied(logits)
		}
		if d := b.Distill; d != nil {
			g.Divergence(losses.RowRange(lo, hi), logits, d.Head.apply(d.States.RowRange(lo, hi)), ws.RowRange(lo, hi), d.Temperature)
		} else {
			dev.CrossEntropy(losses.RowRange(lo, hi), logits, at.RowRange(lo, hi))
			g.CrossEntropyBackward(logits, at.RowRange(lo, hi), ws.RowRange(lo, hi))
		}
		if s.LogitCap != 0 {
			g.SoftCapBackward(logits, capped, s.LogitCap)
		}
		if s.LogitScale != 1 {
			dev.Scale(logits, s.LogitScale)
		}
		if h.dweight.Given() || h.dbias.Given() {
			g.WeightGradient(h.dweight, h.dbias, logits, normed, m.headIn)
		}
		g.MatMulBackward(normed, m.headIn, false, compute.Product{Out: logits, W: h.weight})
		m.normBackward(w, r.dx.RowRange(lo, hi), normed, h.norm, normTrace{part, stats}, false)
	}
	each := make([]float32, x.Rows)
	if err := dev.Download(compute.Bytes(each), losses); err != nil {
		return 0, err
	}
	var sum float64
	for i, l := range each {
		sum += float64(l) * float64(weights[i])
	}
	return sum, nil
}

// turnedBack is the rows with rotations the other way round.
func (r *rows) turnedBack(m *Model) *rows {
	back := *r
	back.ropes = nil
	for _, t := range r.ropes {
		sin := m.Device.New(compute.Float32, t.sin.Rows, t.sin.Cols)
		m.Device.Add(sin, t.sin, -1)
		t.sin = sin
		back.ropes = append(back.ropes, t)
	}
	return &back
}

func (r *rows) releaseRopes(dev compute.Device) {
	for _, t := range r.ropes {
		dev.Release(t.sin.Memory)
	}
}
