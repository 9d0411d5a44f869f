package decoder

import (
	"fmt"

	"shallow/compute"
)

// Held gives the elements of a stored matrix of a layer as the model's layers hold them, in the order of the file: widened, or
// through 4 bits where that is the base.
func (m *Model) Held(name string) ([]float32, error) {
	t, ok := m.Checkpoint.Tensor(name)
	if !ok {
		return nil, fmt.Errorf("decoder: the model has no tensor %q", name)
	}
	out := make([]float32, t.Elements())
	found := false
	for i := range m.Spec.L {
		for _, w := range m.Spec.LayerWeights(i) {
			if w.Name != name || w.Rows == 0 {
				continue
			}
			if found = true; m.quantizes(w) && w.Of > 0 && !w.scattered() {
				return m.values(Weight{Name: name, Rows: w.Of, Cols: w.Cols}) // as one, which is how layers quantize it
			}
			values, err := m.values(w)
			if err != nil {
				return nil, err
			}
			w.scatter(out, values)
		}
	}
	if !found {
		return nil, fmt.Errorf("decoder: tensor %q is no matrix of a layer", name)
	}
	return out, nil
}

// values are the weight's elements, row after row.
func (m *Model) values(w Weight) ([]float32, error) {
	dev := m.Device
	var held compute.Tensor
	if m.quantizes(w) {
		held = m.quantize(w)
	} else {
		held = m.load(w)
	}
	rows := make([]int32, w.Rows)
	for i := range rows {
		rows[i] = int32(i)
	}
	at, wide := m.uploadInts(rows), dev.New(compute.Float32, w.Rows, w.Cols)
	defer func() {
		for _, x := range []compute.Tensor{held, at, wide} {
			dev.Release(x.Memory)
		}
		m.Checkpoint.Forget(w.Name)
	}()
	dev.Embed(wide, held, at, 1)
	values := make([]float32, w.Rows*w.Cols)
	if err := dev.Download(compute.Bytes(values), wide); err != nil {
		return nil, err
	}
	return values, m.sync()
}

// scatter puts the weight's elements, row after row, where the stored tensor has them: the inverse of how they are loaded.
func (w Weight) scatter(to, values []float32) {
	if w.Rows == 0 {
		w.Rows, w.Cols = w.Cols, 1
	}
	for r := range w.Rows {
		at := r
		if w.Of > 0 {
			at = w.First + r/w.Run*w.Every + r%w.Run
		}
		row := values[r*w.Cols : (r+1)*w.Cols]
		if !w.Transposed {
			copy(to[at*w.Cols:], row)
			continue
		}
		stride := w.Rows
		if w.Of > 0 {
			stride = w.Of
		}
		for c, v := range row {
			to[c*stride+at] = v
		}
	}
}

// Base is what the layers' matrices are held in.
func (m *Model) Base() Base { return m.options.Base }
