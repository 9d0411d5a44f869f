package decoder

import (
	"fmt"

	"shallow/compute"
	"shallow/nf4"
)

// Parameter is a stored tensor that is trained, or a part of one that is not stored as it is multiplied: its value in
// float32 and its gradient. A vector is one row.
type Parameter struct {
	Name            string // of its own: the stored tensor's, and behind a # which part
	Stored          string // the stored tensor
	Vector          bool
	Value, Gradient compute.Tensor

	weight Weight
}

// parameter is the name of the parameter that a weight is, or lies in.
func (w Weight) parameter() string {
	if w.scattered() && w.Of > 0 {
		return fmt.Sprintf("%s#%d", w.Name, w.First)
	}
	return w.Name
}

// Parameters loads the stored tensors that want names to be trained. They must be released.
func (m *Model) Parameters(want func(stored string) bool) ([]*Parameter, error) {
	weights := m.Spec.outsideWeights()
	for i := range m.Spec.L {
		weights = append(weights, m.Spec.LayerWeights(i)...)
	}
	var parameters []*Parameter
	seen := map[string]bool{}
	for _, w := range weights {
		name := w.parameter()
		if seen[name] || !want(w.Name) {
			continue
		}
		seen[name] = true
		if w.Rows > 0 && nf4.Quantized(m.Checkpoint, w.Name) {
			return nil, unsupported("training of %q, which is stored in 4 bits,", w.Name)
		}
		if !w.scattered() && w.Of > 0 { // the whole tensor, of which weights are views
			w = w.whole()
		}
		p := &Parameter{Name: name, Stored: w.Name, Vector: w.Rows == 0, weight: w}
		p.Value = m.Device.New(compute.Float32, max(w.Rows, 1), w.Cols)
		p.Gradient = m.Device.New(compute.Float32, max(w.Rows, 1), w.Cols)
		parameters = append(parameters, p)
		if err := m.widen(p.Value, w); err != nil {
			return nil, err
		}
	}
	return parameters, nil
}

// whole is the stored tensor that a weight is a part of.
func (w Weight) whole() Weight {
	if w.Rows == 0 {
		return Weight{Name: w.Name, Cols: w.Of}
	}
	return Weight{Name: w.Name, Rows: w.Of, Cols: w.Cols}
}

// Trained gives the elements of a stored tensor as parameters have them now, in the order of the file.
func (m *Model) Trained(stored string, parameters []*Parameter) ([]float32, error) {
	t, ok := m.Checkpoint.Tensor(stored)
	if !ok {
		return nil, fmt.Errorf("decoder: the model has no tensor %q", stored)
	}
	out := make([]float32, t.Elements())
	for _, p := range parameters {
		if p.Stored != stored {
			continue
		}
		values := make([]float32, p.Value.Rows*p.Value.Cols)
		if err := m.Device.Download(compute.Bytes(values), p.Value); err != nil {
			return nil, err
		}
		p.weight.scatter(out, values)
	}
	return out, nil
}

// widen copies a weight to the device in float32.
func (m *Model) widen(to compute.Tensor, w Weight) error {
	stored := m.load(w)
	rows := make([]int32, to.Rows)
	for i := range rows {
		rows[i] = int32(i)
	}
	at := m.uploadInts(rows)
	m.Device.Embed(to, stored, at, 1)
	err := m.Device.Sync()
	m.Device.Release(stored.Memory)
	m.Device.Release(at.Memory)
	m.Checkpoint.Forget(w.Name)
	if err != nil {
		return fmt.Errorf("decoder: tensor %q: %w", w.Name, err)
	}
	return nil
}

// view is the weight's part of a trained tensor.
func (w Weight) view(t compute.Tensor) compute.Tensor {
	switch {
	case w.Of == 0 || w.scattered():
		return t
	case w.Rows == 0:
		return t.ColRange(w.First, w.First+w.Cols)
	}
	return t.RowRange(w.First, w.First+w.Rows)
}
