package decoder

import (
	"fmt"

	"shallow/compute"
)

// Adapter is a low-rank addition to a projection of K inputs and M outputs: y += Scale · B·A·x.
// Source: Hu et al., 2021 (LoRA).
type Adapter struct {
	Name    string         // of the module: the weight's name without ".weight"
	A, B    compute.Tensor // Float32 [r, K], [M, r]
	DA, DB  compute.Tensor // their gradients
	Scale   float32
	Dropout float32 // probability with which an input of A is zeroed while training

	module uint32 // its number within the layer, for the dropout mask
}

// adapt adds to out what p's adapter makes of h, if it has one.
func (l *Layer) adapt(w *workspace, h compute.Tensor, p linear, out compute.Tensor) {
	a := p.adapter
	if a == nil {
		return
	}
	dev := l.model.Device
	u := w.floats(h.Rows, a.A.Rows)
	dev.MatMul(l.dropped(w, h, a), l.in, compute.Product{Out: u, W: a.A})
	dev.Scale(u, a.Scale)
	dev.MatMul(u, l.in, compute.Product{Out: out, W: p.b(out.Cols), Accumulate: true})
	if w.keep {
		w.trace.adapters = append(w.trace.adapters, adapterTrace{p.adapter, p.first, u})
	}
}

// b is the rows of B that belong to this projection of so many outputs.
func (p linear) b(outputs int) compute.Tensor {
	return p.adapter.B.RowRange(p.first, p.first+outputs)
}

// dropped is h with some elements zeroed and the others longer, while training with dropout, or h itself.
func (l *Layer) dropped(w *workspace, h compute.Tensor, a *Adapter) compute.Tensor {
	if !w.keep || a.Dropout == 0 {
		return h
	}
	x := compute.Tensor{Memory: w.dropped.Memory, Kind: compute.Float32, Rows: h.Rows, Cols: h.Cols, Stride: h.Cols}
	w.gradients.Dropout(x, h, w.tokens, l.dropoutKey(w, a), a.Dropout)
	return x
}

func (l *Layer) dropoutKey(w *workspace, a *Adapter) compute.DropoutKey {
	key := w.dropout
	key.Layer, key.Module = uint32(l.Index), a.module
	return key
}

// Adapt lets the model's layers use adapters from now on; none takes them away. Each must fit the tensor that it is named
// after, and belong to a layer's projection.
func (m *Model) Adapt(adapters []*Adapter) error {
	for _, a := range adapters {
		found := false
		for i := range m.Spec.L {
			for _, p := range m.Spec.adaptable(i) {
				if p.weight.Name != a.Name+".weight" {
					continue
				}
				if err := a.check(p.weight); err != nil {
					return err
				}
				found = true
			}
		}
		if !found {
			return fmt.Errorf("decoder: adapter %q belongs to no projection of a layer of this model: was it made for another one?", a.Name)
		}
	}
	m.adapters = adapters
	return nil
}

// check compares an adapter's shapes with the weight that it adds to, or with the stored tensor of which that is a part.
func (a *Adapter) check(w Weight) error {
	if w.scattered() && !w.Transposed {
		return unsupported("an adapter of %s, whose rows are not one stretch,", a.Name)
	}
	outputs := w.Rows
	if w.Of > 0 {
		outputs = w.Of
	}
	if a.A.Cols != w.Cols || a.B.Rows != outputs || a.A.Rows != a.B.Cols {
		return fmt.Errorf("decoder: adapter %q is A %v and B %v for %d inputs and %d outputs", a.Name, a.A, a.B, w.Cols, outputs)
	}
	return nil
}

// adaptable are the projections of a layer that can have adapters, in the order of their numbers; some may be none.
func (s *Spec) adaptable(i int) [7]projection {
	w := s.weightsOf(i)
	return [7]projection{w.query, w.key, w.value, w.output, w.gate, w.up, w.down}
}

// AdaptableWeights are the matrices of layer i that can have adapters: all but those of experts and routers.
func (s *Spec) AdaptableWeights(i int) []Weight {
	var weights []Weight
	for _, p := range s.adaptable(i) {
		if p.weight.Name != "" {
			weights = append(weights, p.weight)
		}
	}
	return weights
}

// attach gives the layer's projections the model's adapters.
func (l *Layer) attach() {
	if len(l.model.adapters) == 0 {
		return
	}
	linears := [7]*linear{&l.query, &l.key, &l.value, &l.output, &l.gate, &l.up, &l.down}
	for number, p := range l.spec.adaptable(l.Index) {
		for _, a := range l.model.adapters {
			if p.weight.Name == a.Name+".weight" {
				linears[number].adapter, linears[number].first = a, p.weight.First
				a.module = uint32(number)
			}
		}
	}
}

// trains reports whether anything of the layer is trained.
func (l *Layer) trains() bool {
	for _, p := range []linear{l.query, l.key, l.value, l.output, l.gate, l.up, l.down, l.router, l.sharedRouter, l.sharedGate, l.sharedUp, l.sharedDown} {
		if p.adapter != nil || p.dweight.Given() || p.dbias.Given() {
			return true
		}
	}
	norms := append(append([]normTensors{l.attentionNorm, l.attentionOutNorm, l.mlpNorm, l.mlpOutNorm}, l.queryNorm...), l.keyNorm...)
	for _, n := range norms {
		if n.dweight.Given() || n.dbias.Given() {
			return true
		}
	}
	return false
}

// layerRanks is the most that the ranks of one layer's adapters add up to, an adapter of a fused tensor counted for each part.
func (m *Model) layerRanks() (most int) {
	for i := range m.Spec.L {
		sum := 0
		for _, p := range m.Spec.adaptable(i) {
			for _, a := range m.adapters {
				if p.weight.Name == a.Name+".weight" {
					sum += a.A.Rows
				}
			}
		}
		most = max(most, sum)
	}
	return most
}
