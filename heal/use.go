package heal

import (
	"fmt"

	"shallow/compute"
	"shallow/decoder"
)

// Use lets a model compute with the adapter of a directory from now on, and gives the hash of its numbers. release takes
// it away again and gives its memory back.
func Use(m *decoder.Model, dir string) (hash string, release func(), err error) {
	p, err := ReadPEFT(dir)
	if err != nil {
		return "", nil, err
	}
	if err := p.fit(modules(m.Spec)); err != nil {
		return "", nil, fmt.Errorf("%w (%s)", err, dir)
	}
	var adapters []*decoder.Adapter
	give := func() {
		for _, a := range adapters {
			m.Device.Release(a.A.Memory)
			m.Device.Release(a.B.Memory)
		}
	}
	for i := range p.Modules {
		adapters = append(adapters, p.Modules[i].on(m.Device))
	}
	if err := m.Adapt(adapters); err != nil {
		give()
		return "", nil, err
	}
	return p.hash(), func() {
		_ = m.Adapt(nil)
		give()
	}, nil
}

// on puts the adapter on a device.
func (l *LowRank) on(dev compute.Device) *decoder.Adapter {
	upload := func(x []float32, rows, cols int) compute.Tensor {
		to := dev.New(compute.Float32, rows, cols)
		dev.Upload(to, compute.Bytes(x))
		return to
	}
	return &decoder.Adapter{Name: l.Module, Scale: l.Scale, A: upload(l.A, l.Rank, l.In), B: upload(l.B, l.Out, l.Rank)}
}
