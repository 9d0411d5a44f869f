package decoder

import (
	"fmt"

	"shallow/compute"
	"shallow/nf4"
)

// Base is what the matrices of the layers are held in; norms, embedding and head stay as they are stored.
type Base uint8

// The bases.
const (
	Stored Base = iota // the checkpoint's own kind
	// NF4 is 4 bits, doubly quantized while they are read: QLoRA's frozen base. Auto still goes by what is stored: float32 weights in 4
	// bits are multiplied in float32.
	NF4
)

var baseNames = []string{"stored", "nf4"}

// String is the base's name.
func (b Base) String() string { return baseNames[b] }

// quantizes reports whether a weight is in 4 bits once it is loaded.
func (m *Model) quantizes(w Weight) bool {
	return w.Rows > 0 && (m.options.Base == NF4 && !w.router || nf4.Quantized(m.Checkpoint, w.Name))
}

// quantize puts a weight on the device in 4 bits, as the checkpoint has it or made now. A weight that is not finite is an
// error of the model's.
func (m *Model) quantize(w Weight) compute.Tensor {
	x, err := m.codes(w)
	m.Checkpoint.Forget(w.Name) // its pages, which would count beside the codes
	if err != nil {
		m.failed = err
		return m.Device.New(compute.Float32, w.Rows, w.Cols)
	}
	return m.Device.LoadNF4(x.Rows, x.Cols, x.Codes, x.Absmax)
}

func (m *Model) codes(w Weight) (*nf4.Matrix, error) {
	if nf4.Quantized(m.Checkpoint, w.Name) {
		return nf4.Read(m.Checkpoint, w.Name)
	}
	t, _ := m.Checkpoint.Tensor(w.Name)
	x, err := nf4.Quantize(t.DType, m.bytes(w), w.Rows, w.Cols, nf4.Options{})
	if err == nil {
		x, err = x.Double()
	}
	if err != nil {
		return nil, fmt.Errorf("decoder: %s: tensor %q: %w", t.File, w.Name, err)
	}
	return x, nil
}

// checkQuantized compares the shape of a matrix that the checkpoint has in 4 bits.
func (m *Model) checkQuantized(w Weight) error {
	x, err := nf4.Read(m.Checkpoint, w.Name)
	if err != nil {
		return err
	}
	if w.scattered() {
		return unsupported("%s: tensor %q in 4 bits, not stored as it is multiplied,", m.Checkpoint.Dir, w.Name)
	}
	if want := w.Shape(); x.Rows != want[0] || x.Cols != want[1] {
		return &TensorError{File: m.Checkpoint.Dir, Tensor: w.Name, Want: want, Found: []int{x.Rows, x.Cols}, Note: "config.json and weights do not belong together"}
	}
	return nil
}

// sync waits for the device and gives the first error, of a weight or of an operation.
func (m *Model) sync() error {
	if m.failed != nil {
		return m.failed
	}
	return m.Device.Sync()
}
