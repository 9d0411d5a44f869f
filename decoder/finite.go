package decoder

import (
	"encoding/binary"
	"fmt"

	"shallow/checkpoint"
	"shallow/compute"
)

// NonFiniteError says where the residual stream first holds a value that is no finite number, and why if a weight is
// to blame.
type NonFiniteError struct {
	Layer              int // that the state leaves; -1 is the embedding, L stands for logits
	Sequence, Position int
	File, Tensor       string // of the first weight of the layer that is not finite; empty where all are

	layers int
}

func (e *NonFiniteError) Error() string {
	subject := fmt.Sprintf("the state that leaves layer %d is", e.Layer)
	switch {
	case e.Layer < 0:
		subject = "the embedding is"
	case e.Layer == e.layers:
		subject = "the logits are"
	}
	what := fmt.Sprintf("decoder: %s not finite at token %d of sequence %d", subject, e.Position, e.Sequence)
	if e.Tensor == "" {
		return what + ": all weights are, so the activations are too large"
	}
	return fmt.Sprintf("%s: %s: tensor %q holds a value that is not finite", what, e.File, e.Tensor)
}

// Finite gives a *NonFiniteError where X holds a value that is not finite. layer is the one X has just left, -1 for none.
// It copies X to the host: ask when something else, as a distance that is NaN, gives reason to.
func (g *Group) Finite(layer int) error {
	const block = 1024
	d := g.x.Cols
	host := make([]float32, min(block, g.x.Rows)*d)
	for lo := 0; lo < g.x.Rows; lo += block {
		hi := min(lo+block, g.x.Rows)
		part := host[:(hi-lo)*d]
		if err := g.model.Device.Download(compute.Bytes(part), g.x.RowRange(lo, hi)); err != nil {
			return err
		}
		for i, v := range part {
			if v-v != 0 {
				return g.nonFinite(layer, lo+i/d)
			}
		}
	}
	return nil
}

// finiteLogits is Finite for the logits [N, V] of all rows.
func (g *Group) finiteLogits(logits []float32) error {
	s := g.model.Spec
	for i, v := range logits {
		if v-v != 0 {
			return g.nonFinite(s.L, i/s.V)
		}
	}
	return nil
}

func (g *Group) nonFinite(layer, row int) error {
	e := &NonFiniteError{Layer: layer, layers: g.model.Spec.L}
	for g.plan.offsets[e.Sequence+1] <= row {
		e.Sequence++
	}
	e.Position = row - g.plan.offsets[e.Sequence]
	s := g.model.Spec
	var weights []Weight
	switch {
	case layer < 0:
		weights = []Weight{s.EmbeddingWeight(), s.PositionWeight()}
	case layer < s.L:
		weights = s.LayerWeights(layer)
	default:
		weights = []Weight{s.finalNorm().weight, s.finalNorm().bias, s.HeadWeight(), s.headBias()}
	}
	for _, w := range weights {
		if t, ok := g.model.Checkpoint.Tensor(w.Name); ok && kinds[t.DType] != 0 && !finite(t) {
			e.File, e.Tensor = t.File, t.Name
			break
		}
	}
	return e
}

// finite reports whether all of a tensor's elements are: none has an exponent of ones only.
func finite(t checkpoint.Tensor) bool {
	b := t.Bytes()
	switch t.DType {
	case checkpoint.F32:
		return finiteEvery(b, 4, func(b []byte) bool { return binary.LittleEndian.Uint32(b)&0x7f800000 != 0x7f800000 })
	case checkpoint.BF16:
		return finiteEvery(b, 2, func(b []byte) bool { return binary.LittleEndian.Uint16(b)&0x7f80 != 0x7f80 })
	case checkpoint.Q8_0: // a block's scale comes first
		return finiteEvery(b, compute.Q8BlockBytes, finiteHalf)
	}
	return finiteEvery(b, 2, finiteHalf)
}

func finiteHalf(b []byte) bool { return binary.LittleEndian.Uint16(b)&0x7c00 != 0x7c00 }

// finiteEvery reports whether what begins every so many bytes is finite.
func finiteEvery(b []byte, size int, one func([]byte) bool) bool {
	for ; len(b) >= size; b = b[size:] {
		if !one(b) {
			return false
		}
	}
	return true
}
