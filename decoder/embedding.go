package decoder

import "shallow/compute"

// embedding is what tokens, and positions where they are learned, are looked up in.
type embedding struct {
	model             *Model
	tokens, positions compute.Tensor
	placed            compute.Tensor // [rows, D], scratch for positions
	loaded            []compute.Tensor
}

// loadEmbedding loads the tables, for at most so many rows at a time. They must be released.
func (m *Model) loadEmbedding(rows int) *embedding {
	e := &embedding{model: m}
	load := func(w Weight) compute.Tensor {
		if p := m.trained[w.Name]; p != nil {
			return p.Value
		}
		t := m.load(w)
		e.loaded = append(e.loaded, t)
		return t
	}
	e.tokens = load(m.Spec.EmbeddingWeight())
	if m.Spec.Positions > 0 {
		e.positions = load(m.Spec.PositionWeight())
		e.placed = m.Device.New(compute.Float32, rows, m.Spec.D)
		e.loaded = append(e.loaded, e.placed)
	}
	return e
}

// embed writes what layer 0 reads of tokens at positions, both Int32 [N, 1], to x [N, D].
func (e *embedding) embed(x, tokens, positions compute.Tensor) {
	dev := e.model.Device
	dev.Embed(x, e.tokens, tokens, e.model.Spec.EmbeddingScale)
	if !e.positions.Given() {
		return
	}
	for lo := 0; lo < x.Rows; lo += e.placed.Rows {
		hi := min(lo+e.placed.Rows, x.Rows)
		placed := e.placed.RowRange(0, hi-lo)
		dev.Embed(placed, e.positions, positions.RowRange(lo, hi), 1)
		dev.Add(x.RowRange(lo, hi), placed, 1)
	}
}

func (e *embedding) release() {
	for _, t := range e.loaded {
		e.model.Device.Release(t.Memory)
	}
}

// backward adds the gradients of trained tables, from dx, the gradient by what layer 0 reads.
func (e *embedding) backward(g compute.Gradients, dx, tokens, positions compute.Tensor) {
	s := e.model.Spec
	if p := e.model.trained[s.EmbeddingWeight().Name]; p != nil {
		g.EmbedBackward(p.Gradient, dx, tokens, s.EmbeddingScale)
	}
	if p := e.model.trained[s.PositionWeight().Name]; p != nil {
		g.EmbedBackward(p.Gradient, dx, positions, 1)
	}
}
