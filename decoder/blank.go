package decoder

import "shallow/checkpoint"

// Blank opens a model directory that has no weights, only a config.json that says which it would have: all are zero. Their type
// is the one that config.json names, else float32.
func Blank(dir string) (*checkpoint.Checkpoint, error) {
	return checkpoint.Blank(dir, func(config *checkpoint.Config) ([]checkpoint.Tensor, error) {
		s, err := NewSpec(config)
		if err != nil {
			return nil, err
		}
		dtype := checkpoint.F32
		if name := config.ElementType(); name != "" {
			if dtype = checkpoint.ElementType(name); dtype == "" {
				return nil, unsupported("config.json: weights of type %q", name)
			}
		}
		weights := s.outsideWeights()
		for i := range s.L {
			weights = append(weights, s.LayerWeights(i)...)
		}
		var tensors []checkpoint.Tensor
		seen := map[string]bool{}
		for _, w := range weights {
			if !seen[w.Name] {
				seen[w.Name] = true
				tensors = append(tensors, checkpoint.Tensor{Name: w.Name, DType: dtype, Shape: w.Shape()})
			}
		}
		return tensors, nil
	})
}
