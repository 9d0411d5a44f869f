package decoder

import (
	"context"

	"shallow/compute"
)

// Loss is that of Accumulate on tokens to predict, without gradients and without dropout.
func (t *Training) Loss(ctx context.Context, b Batch) (float64, error) {
	r, err := t.start(b.Sequences, nil)
	if err != nil {
		return 0, err
	}
	defer r.end()
	targets, weights, err := b.predictions(r.plan.lengths)
	if err != nil {
		return 0, err
	}
	for i := range t.layers {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		r.infer(i)
	}
	losses, err := t.head.Losses(r.x, targets)
	if err != nil {
		return 0, err
	}
	var sum float64
	for i, l := range losses {
		sum += float64(l) * float64(weights[i])
	}
	return sum, t.model.sync()
}

// infer takes x through a layer as it computes when it is not trained.
func (r *microBatch) infer(i int) {
	w := r.work
	w.arena, w.keep = r.training.scratch, false
	w.arena.Reset()
	r.training.layers[i].forward(w, r.x, w.cache, r.rows)
}

// Finite gives a *NonFiniteError where the residual stream of sequences stops being finite; nil where all of it is.
func (t *Training) Finite(ctx context.Context, sequences [][]int) error {
	r, err := t.start(sequences, nil)
	if err != nil {
		return err
	}
	defer r.end()
	g := &Group{model: t.model, sequences: sequences, plan: r.plan, x: r.x}
	for i := -1; i < len(t.layers); i++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		if i >= 0 {
			r.infer(i)
		}
		if err := g.Finite(i); err != nil {
			return err
		}
	}
	logits, err := t.head.Logits(r.x)
	if err != nil {
		return err
	}
	return g.finiteLogits(logits)
}

// TrainingBytes is the memory of a training of adapters in such room: weights, activations and states, without the
// adapters, their gradients and moments.
func (m *Model) TrainingBytes(adapters []*Adapter, room TrainingRoom) int64 {
	before := m.adapters
	m.adapters = adapters
	defer func() { m.adapters = before }()
	s := m.Spec
	kept := min(room.Kept, s.L)
	layers := kept
	if kept < s.L {
		layers++ // computed again
	}
	n := int64(layers)*traceBytes(m, room.Rows) + backwardBytes(m, room.Rows)
	n += compute.Float32.Bytes(room.Rows * ((2+s.L-kept)*s.D + max(s.D, s.F, s.H*s.HeadSize)))
	n += compute.Float32.Bytes(headRows(s, m.options.Rows) * (s.D + s.V))
	return n + m.heldBytes(room.Rows)
}

// heldBytes is what the weights take: as they are stored, or in 4 bits; of an embedding that is no head, the rows that so many
// tokens look up.
func (m *Model) heldBytes(rows int) (n int64) {
	count := func(w Weight) {
		kind, err := m.check(w)
		if err != nil {
			return
		}
		if m.quantizes(w) {
			kind = compute.NF4
		}
		n += kind.Bytes(int(w.Elements()))
	}
	for i := range m.Spec.L {
		for _, w := range m.Spec.LayerWeights(i) {
			count(w)
		}
	}
	for _, w := range m.Spec.outsideWeights() {
		if !m.Spec.Tied && w.Name == m.Spec.EmbeddingWeight().Name {
			w.Rows = min(w.Rows, rows)
			n += compute.Float32.Bytes(int(w.Elements()))
			continue
		}
		count(w)
	}
	return n
}
