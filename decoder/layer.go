package decoder

import (
	"iter"
	"slices"

	"shallow/compute"
)

// Layer is one layer's weights on the device.
type Layer struct {
	Index int // in the checkpoint, whatever was skipped before it

	spec *Spec
	LayerSpec
	in compute.Kind

	attentionNorm, mlpNorm    compute.Tensor // [1, D]
	query, key, value, output linear
	queryNorm, keyNorm        compute.Tensor // [1, HeadSize], or not given
	gate, up, down            linear

	model   *Model
	tensors []compute.Tensor
}

// linear is a projection: a weight [M, K], perhaps packed, and perhaps a bias.
type linear struct {
	weight compute.Tensor
	bias   compute.Tensor // [1, M]
	column compute.Tensor // the bias as [M, 1]
}

// to is the product that fills out, bias included.
func (l linear) to(out compute.Tensor) compute.Product {
	return compute.Product{Out: out, W: l.weight, Bias: l.bias}
}

// onto is the product that is added to out, without the bias.
func (l linear) onto(out compute.Tensor) compute.Product {
	return compute.Product{Out: out, W: l.weight, Accumulate: true}
}

// Layer loads layer i and packs it where Options say so. It must be released.
func (m *Model) Layer(i int) *Layer { return m.layer(i, m.options.Pack) }

func (m *Model) layer(i int, pack bool) *Layer {
	s := m.Spec
	l := &Layer{Index: i, spec: s, LayerSpec: s.Layers[i], in: m.in, model: m}
	loaded := map[string]compute.Tensor{}
	for _, w := range s.LayerWeights(i) {
		t := m.load(w)
		if pack && w.Rows > 0 {
			mapped := t
			t = m.Device.Pack(mapped, m.in)
			m.Device.Release(mapped.Memory)
			// A device that has yet to read the pages reads them from the file again.
			m.Checkpoint.Forget(w.Name)
		}
		loaded[w.Name] = t
		l.tensors = append(l.tensors, t)
	}
	vector := func(name string) compute.Tensor { return loaded[s.LayerName(i, name)+".weight"] }
	matrix := func(name string) linear {
		p := linear{weight: vector(name), bias: loaded[s.LayerName(i, name)+".bias"]}
		if p.bias.Given() {
			p.column = p.bias.Reshape(p.bias.Cols, 1)
		}
		return p
	}
	n := s.Names
	l.attentionNorm, l.mlpNorm = vector(n.AttentionNorm), vector(n.MLPNorm)
	l.queryNorm, l.keyNorm = vector(n.QueryNorm), vector(n.KeyNorm)
	l.query, l.key, l.value, l.output = matrix(n.Query), matrix(n.Key), matrix(n.Value), matrix(n.Output)
	l.gate, l.up, l.down = matrix(n.Gate), matrix(n.Up), matrix(n.Down)
	return l
}

// Release gives the layer's memory back. Pages of the file stay mapped until Forget.
func (l *Layer) Release() {
	for _, t := range l.tensors {
		l.model.Device.Release(t.Memory)
	}
	l.tensors = nil
}

// names are the tensors of layer i in the checkpoint.
func (m *Model) names(i int) []string {
	var names []string
	for _, w := range m.Spec.LayerWeights(i) {
		names = append(names, w.Name)
	}
	return names
}

// Layers loads one layer after another, without those that are dropped, and releases each when the next is asked for.
// The file's pages of the next layer are fetched meanwhile, those of the last one are let go. An error of the device
// ends the iteration.
func (m *Model) Layers(drop []int) iter.Seq2[*Layer, error] {
	var kept []int
	for i := range m.Spec.L {
		if !slices.Contains(drop, i) {
			kept = append(kept, i)
		}
	}
	return func(yield func(*Layer, error) bool) {
		for at, i := range kept {
			l := m.Layer(i)
			if at+1 < len(kept) {
				m.Checkpoint.Prefetch(m.names(kept[at+1])...)
			}
			more := yield(l, nil)
			err := m.Device.Sync()
			l.Release()
			m.Checkpoint.Forget(m.names(i)...)
			if err != nil && more {
				yield(nil, err)
			}
			if err != nil || !more {
				return
			}
		}
	}
}

// LayerBytes is the memory that layer i takes while it is loaded: its pages of the file, and its packed copy.
func (m *Model) LayerBytes(i int) int64 {
	var n int64
	for _, w := range m.Spec.LayerWeights(i) {
		t, _ := m.Checkpoint.Tensor(w.Name)
		n += t.Length
		if m.options.Pack && w.Rows > 0 {
			n += m.Device.PackedBytes(kinds[t.DType], w.Rows, w.Cols, m.in)
		}
	}
	return n
}
