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

// attach gives the layer's projections their adapters: those whose name is that of the tensor that a projection lies in.
func (l *Layer) attach(adapters []*Adapter) error {
	w := l.spec.weightsOf(l.Index)
	for number, p := range []struct {
		linear *linear
		of     projection
	}{
		{&l.query, w.query}, {&l.key, w.key}, {&l.value, w.value}, {&l.output, w.output}, {&l.gate, w.gate}, {&l.up, w.up}, {&l.down, w.down},
	} {
		for _, a := range adapters {
			if p.of.weight.Name != a.Name+".weight" {
				continue
			}
			outputs, inputs := p.of.weight.length(), p.of.weight.Cols
			if p.of.weight.scattered() && p.of.weight.Of > 0 && !p.of.weight.Transposed {
				return unsupported("an adapter of %s, whose rows are not one stretch,", a.Name)
			}
			if of := p.of.weight.Of; of > 0 {
				outputs = of
			}
			if a.A.Cols != inputs || a.B.Rows != outputs || a.A.Rows != a.B.Cols {
				return fmt.Errorf("decoder: adapter %q is A %v and B %v for %d inputs and %d outputs", a.Name, a.A, a.B, inputs, outputs)
			}
			p.linear.adapter, p.linear.first = a, p.of.weight.First
			a.module = uint32(number)
		}
	}
	return nil
}

// trains reports whether anything of the layer is trained.
func (l *Layer) trains() bool {
	for _, p := range []linear{l.query, l.key, l.value, l.output, l.gate, l.up, l.down} {
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
