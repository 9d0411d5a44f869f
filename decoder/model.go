package decoder

import (
	"fmt"
	"maps"
	"slices"

	"shallow/checkpoint"
	"shallow/compute"
	"shallow/nf4"
)

// Model is a checkpoint on a device. Its methods, and those of what it makes, are for one goroutine at a time.
type Model struct {
	Spec       *Spec
	Checkpoint *checkpoint.Checkpoint
	Device     compute.Device

	options   Options
	in        compute.Kind // in which the layers' products are multiplied
	headIn    compute.Kind // in which the head's are
	cacheKind compute.Kind
	work      workspace
	trained   map[string]*Parameter // by the stored tensor's name
	adapters  []*Adapter
	failed    error // why a weight could not be quantized
}

// Options say how a Model computes. The zero value is right for most uses.
type Options struct {
	Precision Precision
	// Pack copies each layer's matrices into the layout that the device multiplies fastest. It pays when a layer sees
	// more than a few hundred rows, and takes as much memory again as the layer.
	Pack bool
	// Base is what the layers' matrices are held in.
	Base Base
	// Rows is how many rows go through a layer at a time; 0 is DefaultRows. Results do not depend on it, scratch memory does.
	Rows int
}

// DefaultRows is enough rows to hide what it costs to read a layer's weights.
const DefaultRows = 1024

// Open reads the spec of a checkpoint and checks that every tensor is there in its shape. The checkpoint and the device
// must stay open while the model is used.
func Open(dev compute.Device, c *checkpoint.Checkpoint, o Options) (*Model, error) {
	s, err := NewSpec(c.Config)
	if err != nil {
		return nil, err
	}
	s.place(func(name string) bool {
		_, ok := c.Tensor(name)
		return ok
	})
	if o.Rows <= 0 {
		o.Rows = DefaultRows
	}
	m := &Model{Spec: s, Checkpoint: c, Device: dev, options: o}
	used := map[compute.Kind]bool{}
	for i := range s.L {
		for _, w := range s.LayerWeights(i) {
			kind, err := m.check(w)
			if err != nil {
				return nil, err
			}
			if w.Rows > 0 {
				used[kind] = true
			}
		}
	}
	for _, w := range s.outsideWeights() {
		if _, err := m.check(w); err != nil {
			return nil, err
		}
	}
	head, err := m.check(s.HeadWeight())
	if err != nil {
		return nil, err
	}
	m.in = o.Precision.multiply(dev, slices.Collect(maps.Keys(used)))
	m.headIn = o.Precision.multiply(dev, []compute.Kind{head})
	m.cacheKind = m.in
	return m, nil
}

// String says how the model computes, as "cpu avx512bf16, 2 threads, products in bfloat16".
func (m *Model) String() string { return fmt.Sprintf("%v, products in %v", m.Device, m.in) }

// Multiplies is the kind in which the layers' products are multiplied; keys and values are cached in the same kind.
func (m *Model) Multiplies() compute.Kind { return m.in }

// Close gives back the scratch memory. The checkpoint and the device stay open.
func (m *Model) Close() { m.work.release(m.Device) }

// check finds a weight in the checkpoint and compares its shape.
func (m *Model) check(w Weight) (compute.Kind, error) {
	t, ok := m.Checkpoint.Tensor(w.Name)
	if !ok {
		return 0, &TensorError{File: m.Checkpoint.Dir, Tensor: w.Name, Want: w.Shape(), Note: "the download is incomplete, or config.json belongs to another model"}
	}
	if w.Rows > 0 && nf4.Quantized(m.Checkpoint, w.Name) {
		return compute.NF4, m.checkQuantized(w)
	}
	if want := w.Shape(); !slices.Equal(t.Shape, want) {
		return 0, &TensorError{File: t.File, Tensor: w.Name, Want: want, Found: append([]int{}, t.Shape...), Note: "config.json and weights do not belong together"}
	}
	kind, ok := kinds[t.DType]
	if !ok {
		return 0, unsupported("%s: tensor %q of type %s", t.File, w.Name, t.DType)
	}
	return kind, nil
}

// kinds are the element types that weights may have.
var kinds = map[checkpoint.DType]compute.Kind{
	checkpoint.F32:  compute.Float32,
	checkpoint.BF16: compute.BFloat16,
	checkpoint.F16:  compute.Float16,
	checkpoint.Q8_0: compute.Q8_0,
}
