package decoder

import (
	"iter"
	"slices"

	"shallow/compute"
	"shallow/nf4"
)

// Layer is one layer's weights on the device.
type Layer struct {
	Index int // in the checkpoint, whatever was skipped before it

	spec *Spec
	LayerSpec
	in compute.Kind

	attentionNorm, attentionOutNorm, mlpNorm, mlpOutNorm normTensors
	query, key, value, output                            linear
	queryNorm, keyNorm                                   []normTensors

	gate, up, down                   linear
	router, sharedRouter             linear
	expertGate, expertUp, expertDown []compute.Tensor

	expertGateGradients, expertUpGradients, expertDownGradients []compute.Tensor
	sharedGate, sharedUp, sharedDown                            linear

	model   *Model
	tensors []compute.Tensor
}

// linear is a projection: a weight [M, K], perhaps packed, and perhaps a bias [1, M]; their gradients where they are
// trained, and an adapter, which may be that of several projections: its outputs from first on belong to this one.
type linear struct {
	weight, bias   compute.Tensor
	dweight, dbias compute.Tensor
	adapter        *Adapter
	first          int
}

// normTensors are the weight [1, C] of a norm, and perhaps its bias; their gradients where they are trained.
type normTensors struct{ weight, bias, dweight, dbias compute.Tensor }

func (n normTensors) given() bool { return n.weight.Given() }

// to is the product that fills out, bias included.
func (l linear) to(out compute.Tensor) compute.Product {
	return compute.Product{Out: out, W: l.weight, Bias: l.bias}
}

// onto is the product that is added to out.
func (l linear) onto(out compute.Tensor) compute.Product {
	return compute.Product{Out: out, W: l.weight, Bias: l.bias, Accumulate: true}
}

// Layer loads layer i and packs it where Options say so. It must be released.
func (m *Model) Layer(i int) *Layer { return m.layer(i, m.options.Pack) }

func (m *Model) layer(i int, pack bool) *Layer {
	l := &Layer{Index: i, spec: m.Spec, LayerSpec: m.Spec.Layers[i], in: m.in, model: m}
	whole := map[string]compute.Tensor{} // stored tensors in 4 bits, of which weights may be parts
	quantized := func(w Weight) compute.Tensor {
		if w.scattered() || w.Of == 0 {
			t := m.quantize(w)
			l.tensors = append(l.tensors, t)
			return t
		}
		t, ok := whole[w.Name]
		if !ok {
			t = m.quantize(Weight{Name: w.Name, Rows: w.Of, Cols: w.Cols})
			whole[w.Name] = t
			l.tensors = append(l.tensors, t)
		}
		return w.view(t)
	}
	load := func(w Weight, pack bool) (value, gradient compute.Tensor) {
		if w.Name == "" {
			return value, gradient
		}
		if p := m.trained[w.parameter()]; p != nil {
			return w.view(p.Value), w.view(p.Gradient)
		}
		if m.quantizes(w) {
			if value = quantized(w); pack {
				value = m.Device.Pack(value, m.in)
				l.tensors = append(l.tensors, value)
			}
			return value, gradient
		}
		value = m.load(w)
		if pack {
			mapped := value
			value = m.Device.Pack(mapped, m.in)
			m.Device.Release(mapped.Memory)
		}
		l.tensors = append(l.tensors, value)
		return value, gradient
	}
	vectors := func(n norm) (t normTensors) {
		t.weight, t.dweight = load(n.weight, false)
		t.bias, t.dbias = load(n.bias, false)
		return t
	}
	linears := func(p projection, pack bool) (t linear) {
		t.weight, t.dweight = load(p.weight, pack)
		t.bias, t.dbias = load(p.bias, false)
		return t
	}
	matrix := func(p projection) linear { return linears(p, pack) }
	small := func(p projection) linear { return linears(p, false) }

	w := m.Spec.weightsOf(i)
	l.attentionNorm, l.attentionOutNorm = vectors(w.attentionNorm), vectors(w.attentionOutNorm)
	l.mlpNorm, l.mlpOutNorm = vectors(w.mlpNorm), vectors(w.mlpOutNorm)
	l.query, l.key, l.value, l.output = matrix(w.query), matrix(w.key), matrix(w.value), matrix(w.output)
	for _, n := range w.queryNorm {
		l.queryNorm = append(l.queryNorm, vectors(n))
	}
	for _, n := range w.keyNorm {
		l.keyNorm = append(l.keyNorm, vectors(n))
	}
	l.gate, l.up, l.down = matrix(w.gate), matrix(w.up), matrix(w.down)
	l.router, l.sharedRouter = small(w.router), small(w.sharedRouter)
	for x := range w.expertGate {
		gate, up, down := matrix(w.expertGate[x]), matrix(w.expertUp[x]), matrix(w.expertDown[x])
		l.expertGate, l.expertGateGradients = append(l.expertGate, gate.weight), append(l.expertGateGradients, gate.dweight)
		l.expertUp, l.expertUpGradients = append(l.expertUp, up.weight), append(l.expertUpGradients, up.dweight)
		l.expertDown, l.expertDownGradients = append(l.expertDown, down.weight), append(l.expertDownGradients, down.dweight)
	}
	l.sharedGate, l.sharedUp, l.sharedDown = matrix(w.sharedGate), matrix(w.sharedUp), matrix(w.sharedDown)
	l.attach()
	if pack {
		// A device that has yet to read the pages reads them from the file again.
		m.Checkpoint.Forget(m.LayerTensors(i)...)
	}
	return l
}

// Release gives the layer's memory back. Pages of the file stay mapped until Forget.
func (l *Layer) Release() {
	for _, t := range l.tensors {
		l.model.Device.Release(t.Memory)
	}
	l.tensors = nil
}

// LayerTensors are the names of the stored tensors that layer i's weights lie in, each once.
func (m *Model) LayerTensors(i int) []string {
	var names []string
	for _, w := range m.Spec.LayerWeights(i) {
		if nf4.Quantized(m.Checkpoint, w.Name) {
			names = append(names, nf4.Companions(m.Checkpoint, w.Name)...)
			continue
		}
		names = append(names, w.Name)
	}
	slices.Sort(names)
	return slices.Compact(names)
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
				m.Checkpoint.Prefetch(m.LayerTensors(kept[at+1])...)
			}
			more := m.failed == nil && yield(l, nil)
			err := m.sync()
			l.Release()
			m.Checkpoint.Forget(m.LayerTensors(i)...)
			if err != nil && (more || m.failed != nil) {
				yield(nil, err)
			}
			if err != nil || !more {
				return
			}
		}
	}
}

// LayerBytes is the memory that layer i takes while it is loaded: its pages of the file, copies of what has to be laid out
// anew, and its packed copy.
func (m *Model) LayerBytes(i int) int64 {
	var n int64
	for _, name := range m.LayerTensors(i) {
		t, _ := m.Checkpoint.Tensor(name)
		n += t.Length
	}
	for _, w := range m.Spec.LayerWeights(i) {
		t, _ := m.Checkpoint.Tensor(w.Name)
		kind := kinds[t.DType]
		switch {
		case m.quantizes(w):
			n += compute.NF4.Bytes(int(w.Elements()))
		case w.scattered():
			n += kind.Bytes(int(w.Elements()))
		}
		if m.options.Pack && w.Rows > 0 {
			n += m.Device.PackedBytes(kind, w.Rows, w.Cols, m.in)
		}
	}
	return n
}
