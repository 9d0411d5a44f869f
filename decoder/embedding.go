package decoder

import "shallow/compute"

// embedding is what tokens, and positions where they are learned, are looked up in.
type embedding struct {
	model             *Model
	tokens, positions compute.Tensor
	placed            compute.Tensor // [rows, D], scratch for positions
}

// loadEmbedding loads the tables, for at most so many rows at a time. They must be released.
func (m *Model) loadEmbedding(rows int) *embedding {
	e := &embedding{model: m, tokens: m.load(m.Spec.EmbeddingWeight())}
	if m.Spec.Positions > 0 {
		e.positions = m.load(m.Spec.PositionWeight())
		e.placed = m.Device.New(compute.Float32, rows, m.Spec.D)
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
	for _, t := range []compute.Tensor{e.tokens, e.positions, e.placed} {
		if t.Given() {
			e.model.Device.Release(t.Memory)
		}
	}
}
