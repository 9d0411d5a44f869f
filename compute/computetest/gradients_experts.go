package computetest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"shallow/compute"
)

// expertLayer is a mixture of experts with one matrix each: x [N, D] goes by logits [N, E] to k of them, whose rows [N, M] are combined.
type expertLayer struct {
	rows, cols, experts, k, out int
	normalise                   bool
	x, logits, dout             []float32
	weights                     [][]float32 // [E] [M, D]
}

// loss is Σ dout · out in float64. The choice of experts is that of the logits as they are.
func (l *expertLayer) loss(x, logits []float64, weights [][]float64) (loss float64) {
	for i := range l.rows {
		row := logits[i*l.experts : (i+1)*l.experts]
		order := make([]int, l.experts)
		for e := range order {
			order[e] = e
		}
		slices.SortStableFunc(order, func(a, b int) int { return compareFloats(float32(row[b]), float32(row[a])) })
		sum := 0.0
		for rank, e := range order {
			if rank < l.k || !l.normalise {
				sum += math.Exp(row[e])
			}
		}
		for _, e := range order[:l.k] {
			for m := range l.out {
				y := dot(weights[e][m*l.cols:(m+1)*l.cols], x[i*l.cols:(i+1)*l.cols])
				loss += math.Exp(row[e]) / sum * y * float64(l.dout[i*l.out+m])
			}
		}
	}
	return loss
}

// gradients runs the layer and takes it back: the gradients by the logits, by x and by the experts' weights, one after another.
func (l *expertLayer) gradients(t *testing.T, dev compute.Device) (dlogits, dx, dweights []float32) {
	t.Helper()
	n := l.rows * l.k
	to := newRouting(dev, l.rows, l.experts, l.k)
	logits := place(dev, l.rows, l.experts, l.logits)
	dev.Route(to, logits.Tensor, l.normalise)
	x, sorted, y := place(dev, l.rows, l.cols, l.x), place(dev, n, l.cols, nil), place(dev, n, l.out, nil)
	dev.Gather(sorted.Tensor, x.Tensor, to.Sources)
	forward := compute.GroupedProduct{Out: y.Tensor}
	var dws []view
	var dw []compute.Tensor
	for _, w := range l.weights {
		forward.W = append(forward.W, load(dev, compute.Float32, l.out, l.cols, w))
		dws = append(dws, place(dev, l.out, l.cols, make([]float32, l.out*l.cols)))
		dw = append(dw, dws[len(dws)-1].Tensor)
	}
	dev.MatMulGrouped(sorted.Tensor, to.Offsets, compute.Float32, forward)

	g := backward(dev)
	dy, dr, dl := y, place(dev, l.rows, l.k, nil), place(dev, l.rows, l.experts, nil)
	g.CombineBackward(dy.Tensor, dr.Tensor, place(dev, l.rows, l.out, l.dout).Tensor, y.Tensor, to)
	g.RouteBackward(dl.Tensor, dr.Tensor, logits.Tensor, to, l.normalise)
	g.WeightGradientGrouped(dw, dy.Tensor, sorted.Tensor, to.Offsets, compute.Float32)
	forward.Out = dy.Tensor
	dsorted, back := place(dev, n, l.cols, nil), place(dev, l.rows, l.cols, make([]float32, l.rows*l.cols))
	g.MatMulGroupedBackward(dsorted.Tensor, to.Offsets, compute.Float32, false, forward)
	g.EmbedBackward(back.Tensor, dsorted.Tensor, to.Sources, 1)
	for _, w := range dws {
		dweights = append(dweights, flat(w.read(t))...)
	}
	return flat(dl.read(t)), flat(back.read(t)), dweights
}

// expertGradients holds all four operations, as a layer needs them, to differences by its inputs.
func expertGradients(t *testing.T, open func(t *testing.T, threads int) compute.Device) {
	for n, l := range []*expertLayer{
		{rows: 1, cols: 3, experts: 1, k: 1, out: 2}, {rows: 9, cols: 5, experts: 4, k: 2, out: 7, normalise: true},
		{rows: 9, cols: 5, experts: 4, k: 2, out: 7}, {rows: 23, cols: 17, experts: 9, k: 3, out: 4}, {rows: 5, cols: 8, experts: 17, k: 1, out: 3},
	} {
		r := rand.New(rand.NewPCG(uint64(n), 5))
		l.x, l.logits, l.dout = normals(r, l.rows*l.cols), normals(r, l.rows*l.experts), normals(r, l.rows*l.out)
		for i := range l.rows { // apart by more than the differences' steps
			for e, place := range r.Perm(l.experts) {
				l.logits[i*l.experts+e] = float32(place)*0.3 - 1
			}
		}
		var weights [][]float64
		for range l.experts {
			w := normals(r, l.out*l.cols)
			l.weights, weights = append(l.weights, w), append(weights, doubles(w))
		}
		x, logits := doubles(l.x), doubles(l.logits)
		loss := func() float64 { return l.loss(x, logits, weights) }
		what := fmt.Sprintf("%d rows to %d of %d experts, normalise %v", l.rows, l.k, l.experts, l.normalise)
		var parts [3]int
		all := everywhere(t, what, open, func(dev compute.Device) []float32 {
			dlogits, dx, dw := l.gradients(t, dev)
			parts = [3]int{len(dlogits), len(dx), len(dw)}
			return slices.Concat(dlogits, dx, dw)
		})
		const bound = 2e-5
		within(t, what+": logits", all[:parts[0]], slopes(logits, loss), bound)
		within(t, what+": x", all[parts[0]:][:parts[1]], slopes(x, loss), bound)
		dw := all[parts[0]+parts[1]:]
		for e, w := range weights {
			within(t, fmt.Sprintf("%s: weight %d", what, e), dw[e*len(w):(e+1)*len(w)], slopes(w, loss), bound)
		}
	}
	expertGradientErrors(t, open(t, 2))
}

func expertGradientErrors(t *testing.T, dev compute.Device) {
	g := backward(dev)
	ints := func(cols int, x ...int32) compute.Tensor { return attentionInts(dev, x, len(x)/cols, cols) }
	float := func(rows, cols int) compute.Tensor { return dev.New(compute.Float32, rows, cols) }
	good := compute.Routing{Weights: float(2, 2), Places: ints(2, 0, 2, 1, 3), Sources: ints(1, 0, 1, 0, 1), Offsets: ints(1, 0, 2, 4, 4)}
	far, twice, short := good, good, good
	far.Places, twice.Places, short.Offsets = ints(2, 0, 2, 1, 4), ints(2, 0, 2, 1, 2), ints(1, 0, 2, 3, 3)
	w := []compute.Tensor{float(3, 5), float(3, 5), float(3, 5)}
	for what, operation := range map[string]func(){
		"a place of no expert":      func() { g.RouteBackward(float(2, 3), float(2, 2), float(2, 3), short, false) },
		"logits of two experts":     func() { g.RouteBackward(float(2, 2), float(2, 2), float(2, 2), good, false) },
		"weights of one choice":     func() { g.RouteBackward(float(2, 3), float(2, 1), float(2, 3), good, true) },
		"a place past the rows":     func() { g.CombineBackward(float(4, 3), float(2, 2), float(2, 3), float(4, 3), far) },
		"a place that comes twice":  func() { g.CombineBackward(float(4, 3), float(2, 2), float(2, 3), float(4, 3), twice) },
		"rows of another width":     func() { g.CombineBackward(float(4, 3), float(2, 2), float(2, 4), float(4, 3), good) },
		"offsets of two experts":    func() { g.WeightGradientGrouped(w, float(4, 3), float(4, 5), ints(1, 0, 2, 4), compute.Float32) },
		"an expert past the rows":   func() { g.WeightGradientGrouped(w, float(4, 3), float(4, 5), ints(1, 0, 2, 4, 5), compute.Float32) },
		"a weight of another width": func() { g.WeightGradientGrouped(w, float(4, 3), float(4, 6), good.Offsets, compute.Float32) },
		"offsets that descend": func() {
			g.MatMulGroupedBackward(float(4, 5), ints(1, 0, 3, 2, 4), compute.Float32, false, compute.GroupedProduct{Out: float(4, 3), W: w})
		},
		"gradients of too few rows": func() {
			g.MatMulGroupedBackward(float(4, 5), good.Offsets, compute.Float32, false, compute.GroupedProduct{Out: float(3, 3), W: w})
		},
		"weights of unequal many": func() {
			g.MatMulGroupedBackward(float(4, 5), good.Offsets, compute.Float32, false, compute.GroupedProduct{Out: float(4, 3), W: w}, compute.GroupedProduct{Out: float(4, 3), W: w[:2]})
		},
		"gradients of another product": func() {
			g.MatMulGroupedBackward(float(4, 5), good.Offsets, compute.Float32, false, compute.GroupedProduct{Out: float(4, 4), W: w})
		},
	} {
		operation()
		if dev.Sync() == nil {
			t.Errorf("%s: no error", what)
		}
	}
}
