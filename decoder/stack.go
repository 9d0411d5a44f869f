package decoder

import "slices"

// Stack is all layers of a model in memory, and its head.
type Stack struct {
	model     *Model
	layers    []*Layer
	embedding *embedding
	head      *Head
}

// Resident loads all layers that are not dropped. Weights are used where the file is mapped, or packed. The stack must
// be released.
func (m *Model) Resident(drop []int, pack bool) (*Stack, error) {
	s := &Stack{model: m, embedding: m.loadEmbedding(m.options.Rows), head: m.head(pack, 0)}
	for i := range m.Spec.L {
		if !slices.Contains(drop, i) {
			s.layers = append(s.layers, m.layer(i, pack))
		}
	}
	if err := m.sync(); err != nil {
		s.Release()
		return nil, err
	}
	return s, nil
}

// Release gives the layers' memory back.
func (s *Stack) Release() {
	for _, l := range s.layers {
		l.Release()
	}
	s.embedding.release()
	s.head.Release()
}

// Spec is what the model is.
func (s *Stack) Spec() *Spec { return s.model.Spec }

// Bytes is what one decoding step reads of the weights: all layers, the final norm, the head.
func (s *Stack) Bytes() int64 {
	n := s.head.weightBytes()
	for _, l := range s.layers {
		for _, t := range l.tensors {
			n += t.Memory.Bytes()
		}
	}
	return n
}
