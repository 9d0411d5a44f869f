package decoder

import "shallow/compute"

// trace is what a layer's forward pass leaves behind for its backward pass. Where nothing is kept it holds tensors that the
// layer uses again at once.
type trace struct {
	attentionNorm, attentionOutNorm, mlpNorm, mlpOutNorm normTrace
	queryNorm, keyNorm                                   []normTrace

	h       compute.Tensor // [N, D], what queries, keys and values are made of
	q, k, v compute.Tensor // as attention sees them
	a, lse  compute.Tensor // what attention gives, and its log-sum-exp

	m                compute.Tensor // [N, D], what the feed-forward network reads
	gate, up, hidden compute.Tensor // [N, F], before the activation and after

	experts expertTrace

	adapters []adapterTrace
}

// adapterTrace is what an adapter's A gives, scaled [N, r], on its way into the outputs from first on.
type adapterTrace struct {
	adapter *Adapter
	first   int
	u       compute.Tensor
}

// adapted is what the adapter of a projection gave.
func (t *trace) adapted(p linear) (none compute.Tensor) {
	for _, a := range t.adapters {
		if a.adapter == p.adapter && a.first == p.first {
			return a.u
		}
	}
	return none
}

// normTrace is what a norm read, and its means and reciprocal roots.
type normTrace struct{ x, stats compute.Tensor }

// copied is a copy of x where the forward pass keeps what backward needs, and x itself where it does not.
func (w *workspace) copied(x compute.Tensor) compute.Tensor {
	if !w.keep {
		return x
	}
	c := w.floats(x.Rows, x.Cols)
	w.device.Copy(c, x)
	return c
}

// fresh is room for what is made of x, or x itself where it need not stay.
func (w *workspace) fresh(x compute.Tensor) compute.Tensor {
	if !w.keep {
		return x
	}
	return w.floats(x.Rows, x.Cols)
}

// begin takes the arena back for a layer's next half, unless its tensors are kept.
func (w *workspace) begin() {
	if !w.keep {
		w.arena.Reset()
	}
}

// statistics is room for the means and reciprocal roots of a norm, where they are kept.
func (m *Model) statistics(w *workspace, rows, cols int, n normTensors) (none compute.Tensor) {
	if !w.keep {
		return none
	}
	groups := cols / n.weight.Cols
	if m.Spec.Norm == LayerNorm {
		groups *= 2
	}
	return w.floats(rows, groups)
}
