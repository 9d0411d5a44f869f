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
	NF4                // 4 bits, doubly quantized while they are read: QLoRA's frozen base
)

var baseNames = []string{"stored", "nf4"}

// String is the base's name.
func (b Base) String() string { return baseNames[b] }

// quantizes reports whether a weight is turned into 4 bits when it is loaded.
func (m *Model) quantizes(w Weight) bool { return m.options.Base == NF4 && w.Rows > 0 && !w.router }

// quantize puts a weight on the device in 4 bits. A weight that is not finite is an error of the model's.
func (m *Model) quantize(w Weight) compute.Tensor {
	t, _ := m.Checkpoint.Tensor(w.Name)
	x, err := nf4.Quantize(t.DType, m.bytes(w), w.Rows, w.Cols, nf4.Options{})
	if err == nil {
		x, err = x.Double()
	}
	if err != nil {
		m.failed = fmt.Errorf("decoder: %s: tensor %q: %w", t.File, w.Name, err)
		return m.Device.New(compute.Float32, w.Rows, w.Cols)
	}
	return m.Device.LoadNF4(x.Rows, x.Cols, x.Codes, x.Absmax)
}

// sync waits for the device and gives the first error, of a weight or of an operation.
func (m *Model) sync() error {
	if m.failed != nil {
		return m.failed
	}
	return m.Device.Sync()
}
