package decoder

import (
	"fmt"

	"shallow/checkpoint"
	"shallow/compute"
	"shallow/nf4"
)

// Parameter is a stored tensor that is trained: its value in float32, as the file lays it out, and its gradient. A vector is
// one row.
type Parameter struct {
	Name            string
	Shape           []int
	Value, Gradient compute.Tensor
}

// Parameters loads the stored tensors that want names to be trained. They must be released.
func (m *Model) Parameters(want func(name string) bool) ([]*Parameter, error) {
	weights := m.Spec.outsideWeights()
	for i := range m.Spec.L {
		weights = append(weights, m.Spec.LayerWeights(i)...)
	}
	var parameters []*Parameter
	seen := map[string]bool{}
	for _, w := range weights {
		if seen[w.Name] || !want(w.Name) {
			continue
		}
		seen[w.Name] = true
		if w.Rows > 0 && nf4.Quantized(m.Checkpoint, w.Name) {
			return nil, unsupported("training of %q, which is stored in 4 bits,", w.Name)
		}
		if w.scattered() {
			return nil, unsupported("training of %q, which is not stored as it is multiplied,", w.Name)
		}
		t, _ := m.Checkpoint.Tensor(w.Name)
		rows, cols := 1, t.Elements()
		if len(t.Shape) == 2 {
			rows, cols = t.Shape[0], t.Shape[1]
		}
		p := &Parameter{Name: w.Name, Shape: t.Shape, Value: m.Device.New(compute.Float32, rows, cols), Gradient: m.Device.New(compute.Float32, rows, cols)}
		parameters = append(parameters, p)
		if err := m.widen(p.Value, t); err != nil {
			return nil, err
		}
	}
	return parameters, nil
}

// widen copies a stored tensor to the device in float32.
func (m *Model) widen(to compute.Tensor, t checkpoint.Tensor) error {
	stored := m.Device.Load(kinds[t.DType], to.Rows, to.Cols, t.Bytes())
	rows := make([]int32, to.Rows)
	for i := range rows {
		rows[i] = int32(i)
	}
	at := m.uploadInts(rows)
	m.Device.Embed(to, stored, at, 1)
	err := m.Device.Sync()
	m.Device.Release(stored.Memory)
	m.Device.Release(at.Memory)
	m.Checkpoint.Forget(t.Name)
	if err != nil {
		return fmt.Errorf("decoder: tensor %q: %w", t.Name, err)
	}
	return nil
}

// view is the weight's part of a trained tensor.
func (w Weight) view(t compute.Tensor) compute.Tensor {
	switch {
	case w.Of == 0:
		return t
	case w.Rows == 0:
		return t.ColRange(w.First, w.First+w.Cols)
	}
	return t.RowRange(w.First, w.First+w.Rows)
}
