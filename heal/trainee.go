package heal

import (
	"strings"

	"shallow/compute"
	"shallow/decoder"
)

// trainee is what is trained of a model.
type trainee struct {
	adapters   []*decoder.Adapter
	parameters []*decoder.Parameter
	variables  []variable
	peft       *PEFT
}

// newAdapters puts an adapter on the model's device.
func newAdapters(m *decoder.Model, p *PEFT) *trainee {
	t := &trainee{peft: p}
	dev := m.Device
	for _, low := range p.Modules {
		a := low.on(dev)
		a.Dropout = float32(p.Dropout)
		a.DA, a.DB = dev.New(compute.Float32, low.Rank, low.In), dev.New(compute.Float32, low.Out, low.Rank)
		t.adapters = append(t.adapters, a)
		t.variables = append(t.variables,
			variable{name: low.Module + ".lora_A", value: a.A, gradient: a.DA},
			variable{name: low.Module + ".lora_B", value: a.B, gradient: a.DB})
	}
	return t
}

func (t *trainee) release(dev compute.Device) {
	for _, v := range t.variables {
		for _, x := range []compute.Tensor{v.value, v.gradient, v.first, v.second} {
			if x.Given() {
				dev.Release(x.Memory)
			}
		}
	}
}

// write writes what was trained to a directory.
func (t *trainee) write(m *decoder.Model, dir string) error {
	for i, a := range t.adapters {
		low := &t.peft.Modules[i]
		low.A, low.B = make([]float32, low.Rank*low.In), make([]float32, low.Out*low.Rank)
		for _, x := range []struct {
			to   []float32
			from compute.Tensor
		}{{low.A, a.A}, {low.B, a.B}} {
			if err := m.Device.Download(compute.Bytes(x.to), x.from); err != nil {
				return err
			}
		}
	}
	var all []string
	for _, x := range modules(m.Spec) {
		all = append(all, x.name)
	}
	return t.peft.Write(dir, peftName(m), all, m.Spec.Names.Transposed)
}

// peftName gives the name that a module has in the model that PEFT sees: some files leave the prefix away that the family's
// model has.
func peftName(m *decoder.Model) func(string) string {
	base := m.Spec.Names.Base
	s, err := decoder.NewSpec(m.Checkpoint.Config)
	if err != nil || base != "" {
		return func(name string) string { return name }
	}
	return func(name string) string { return s.Names.Base + strings.TrimPrefix(name, base) }
}
