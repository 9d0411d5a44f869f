package decoder

import (
	"fmt"

	"shallow/compute"
)

// Head is the final norm and the projection to the vocabulary.
type Head struct {
	model  *Model
	norm   normTensors
	linear // [V, D]
	loaded []compute.Tensor
	rows   int // states at a time
	arena  compute.Arena
}

// headBytes bounds the logits that are in memory at once.
const headBytes = 32 << 20

// Head loads the final norm and the head, packed where Options say so. It must be released.
func (m *Model) Head() *Head { return m.head(m.options.Pack, 0) }

// head loads the head for calls of at most rows states; 0 is as many as headBytes hold.
func (m *Model) head(pack bool, rows int) *Head {
	s := m.Spec
	h := &Head{model: m, rows: rows}
	load := func(w Weight) (value, gradient compute.Tensor) {
		if w.Name == "" {
			return value, gradient
		}
		if p := m.trained[w.Name]; p != nil {
			return p.Value, p.Gradient
		}
		value = m.load(w)
		h.loaded = append(h.loaded, value)
		return value, gradient
	}
	n := s.finalNorm()
	h.norm.weight, h.norm.dweight = load(n.weight)
	h.norm.bias, h.norm.dbias = load(n.bias)
	h.bias, h.dbias = load(s.headBias())
	h.weight, h.dweight = load(s.HeadWeight())
	if rows == 0 {
		h.rows = headRows(s, m.options.Rows)
	}
	if last := len(h.loaded) - 1; pack && m.trained[s.HeadWeight().Name] == nil {
		mapped := h.weight
		h.weight = m.Device.Pack(mapped, m.headIn)
		h.loaded[last] = h.weight
		m.Device.Release(mapped.Memory)
	}
	h.arena = m.Device.NewArena(compute.Float32.Bytes(h.rows*(s.D+s.V)) + 2*arenaAlignment)
	return h
}

// headRows is how many rows of logits are in memory at once.
func headRows(s *Spec, rows int) int { return min(max(headBytes/(4*s.V), 16), rows) }

// Release gives the head's memory back and lets its pages of the file go.
func (h *Head) Release() {
	h.arena.Release()
	for _, t := range h.loaded {
		h.model.Device.Release(t.Memory)
	}
	h.model.Checkpoint.Forget(h.model.Spec.HeadWeight().Name)
}

// weightBytes is what the head's weights take.
func (h *Head) weightBytes() (n int64) {
	for _, t := range h.loaded {
		n += t.Memory.Bytes()
	}
	return n
}

// Bytes is the memory that the head takes: its pages of the file, its packed copy, and the logits of one call.
func (h *Head) Bytes() int64 {
	s := h.model.Spec
	return h.weightBytes() + compute.Float32.Bytes(h.rows*(s.D+s.V))
}

// apply gives the logits [n, V] of at most h.rows states x [n, D]. They live until the next call.
func (h *Head) apply(x compute.Tensor) compute.Tensor {
	m, s := h.model, h.model.Spec
	h.arena.Reset()
	normed := h.arena.New(compute.Float32, x.Rows, s.D)
	m.norm(normed, x, h.norm, compute.Tensor{})
	logits := h.arena.New(compute.Float32, x.Rows, s.V)
	h.logits(logits, normed)
	return logits
}

// logits are those of normed states.
func (h *Head) logits(logits, normed compute.Tensor) {
	m, s := h.model, h.model.Spec
	m.Device.MatMul(normed, m.headIn, h.to(logits))
	if s.LogitScale != 1 {
		m.Device.Scale(logits, s.LogitScale)
	}
	if s.LogitCap != 0 {
		m.Device.SoftCap(logits, s.LogitCap)
	}
}

// Logits gives the logits of states x [n, D] that left the last layer: n·V numbers, row after row.
func (h *Head) Logits(x compute.Tensor) ([]float32, error) {
	v := h.model.Spec.V
	out := make([]float32, x.Rows*v)
	for lo := 0; lo < x.Rows; lo += h.rows {
		hi := min(lo+h.rows, x.Rows)
		if err := h.model.Device.Download(compute.Bytes(out[lo*v:hi*v]), h.apply(x.RowRange(lo, hi))); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Losses gives -log of the probability of targets[i] behind state i of x [n, D], in nats; 0 where a target is negative.
func (h *Head) Losses(x compute.Tensor, targets []int32) ([]float32, error) {
	m := h.model
	if len(targets) != x.Rows {
		return nil, fmt.Errorf("decoder: %d targets for %d states", len(targets), x.Rows)
	}
	at, losses := m.uploadInts(targets), m.Device.New(compute.Float32, x.Rows, 1)
	defer m.Device.Release(at.Memory)
	defer m.Device.Release(losses.Memory)
	for lo := 0; lo < x.Rows; lo += h.rows {
		hi := min(lo+h.rows, x.Rows)
		m.Device.CrossEntropy(losses.RowRange(lo, hi), h.apply(x.RowRange(lo, hi)), at.RowRange(lo, hi))
	}
	out := make([]float32, x.Rows)
	return out, m.Device.Download(compute.Bytes(out), losses)
}

// Logits gives the logits of some rows of X, len(rows)·V numbers; of all rows where rows is nil.
func (g *Group) Logits(h *Head, rows []int) ([]float32, error) {
	if rows == nil {
		return h.Logits(g.x)
	}
	dev := g.model.Device
	index := make([]int32, len(rows))
	for i, r := range rows {
		index[i] = int32(r)
	}
	at, x := g.model.uploadInts(index), dev.New(compute.Float32, len(rows), g.x.Cols)
	defer dev.Release(at.Memory)
	defer dev.Release(x.Memory)
	dev.Gather(x, g.x, at)
	return h.Logits(x)
}

// Losses gives each row's loss on the token that follows it in its sequence, in nats; 0 for a sequence's last row.
func (g *Group) Losses(h *Head) ([]float32, error) { return h.Losses(g.x, g.NextTokens()) }

// NextTokens is, for each row of X, the token that follows in its sequence, or -1 behind the last.
func (g *Group) NextTokens() []int32 {
	next := make([]int32, 0, g.Rows())
	for _, seq := range g.sequences {
		for _, id := range seq[1:] {
			next = append(next, int32(id))
		}
		next = append(next, -1)
	}
	return next
}
