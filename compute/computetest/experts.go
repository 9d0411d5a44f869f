package computetest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"shallow/compute"
)

// experts holds Route, MatMulGrouped and Combine to what they say.
func experts(t *testing.T, open func(t *testing.T, threads int) compute.Device) {
	t.Run("Route", func(t *testing.T) { routes(t, open) })
	t.Run("Route of NaN", func(t *testing.T) { routesOfNaN(t, open(t, 1)) })
	t.Run("MatMulGrouped", func(t *testing.T) { grouped(t, open) })
	t.Run("Combine", func(t *testing.T) { combined(t, open) })
	t.Run("errors", func(t *testing.T) { expertErrors(t, open(t, 1)) })
}

// routed is what Route wrote, on the host.
type routed struct {
	weights          [][]float32
	places           [][]int32
	sources, offsets []int32
}

// newRouting makes room for a Routing inside wider tensors.
func newRouting(dev compute.Device, rows, experts, k int) compute.Routing {
	ints := func(rows, cols int) compute.Tensor { return dev.New(compute.Int32, rows, cols+3).ColRange(2, 2+cols) }
	return compute.Routing{Weights: place(dev, rows, k, nil).Tensor, Places: ints(rows, k), Sources: ints(rows*k, 1), Offsets: ints(experts+1, 1)}
}

func route(t *testing.T, dev compute.Device, logits []float32, experts, k int, normalise bool) routed {
	t.Helper()
	rows := len(logits) / experts
	to := newRouting(dev, rows, experts, k)
	dev.Route(to, place(dev, rows, experts, logits).Tensor, normalise)
	weights := make([]float32, rows*k)
	places, r := make([]int32, rows*k), routed{sources: make([]int32, rows*k), offsets: make([]int32, experts+1)}
	for _, err := range []error{
		dev.Download(compute.Bytes(weights), to.Weights), dev.Download(compute.Bytes(places), to.Places),
		dev.Download(compute.Bytes(r.sources), to.Sources), dev.Download(compute.Bytes(r.offsets), to.Offsets),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for i := range rows {
		r.weights, r.places = append(r.weights, weights[i*k:(i+1)*k]), append(r.places, places[i*k:(i+1)*k])
	}
	return r
}

// chosen is the experts of every row, after a look at whether the sorted rows are what they should be.
func (r routed) chosen(t *testing.T, what string) [][]int {
	t.Helper()
	n := len(r.sources)
	if last := len(r.offsets) - 1; r.offsets[0] != 0 || int(r.offsets[last]) != n || !slices.IsSorted(r.offsets) {
		t.Fatalf("%s: offsets %v for %d sorted rows", what, r.offsets, n)
	}
	expert := make([]int, n)
	for e := range len(r.offsets) - 1 {
		lo, hi := r.offsets[e], r.offsets[e+1]
		if !slices.IsSorted(r.sources[lo:hi]) {
			t.Fatalf("%s: rows %v of expert %d are not in order", what, r.sources[lo:hi], e)
		}
		for p := lo; p < hi; p++ {
			expert[p] = e
		}
	}
	taken, all := make([]bool, n), make([][]int, len(r.places))
	for i, places := range r.places {
		for _, p := range places {
			if p < 0 || int(p) >= n || taken[p] || int(r.sources[p]) != i {
				t.Fatalf("%s: row %d has places %v, sources %v", what, i, places, r.sources)
			}
			taken[p] = true
			all[i] = append(all[i], expert[p])
		}
	}
	return all
}

// routes compares choices with a sort, with many ties, and weights with a softmax in float64.
func routes(t *testing.T, open func(t *testing.T, threads int) compute.Device) {
	r := rand.New(rand.NewPCG(21, 22))
	for _, s := range [][3]int{{1, 1, 1}, {5, 3, 3}, {9, 8, 2}, {300, 60, 4}, {40, 128, 8}, {7, 17, 1}, {1, 64, 64}} {
		rows, experts, k := s[0], s[1], s[2]
		logits := normals(r, rows*experts)
		for i := range logits {
			switch i / experts % 3 {
			case 1:
				logits[i] = float32(math.Round(float64(logits[i]))) // ties
			case 2:
				logits[i] *= 30
			}
		}
		for _, normalise := range []bool{false, true} {
			what := fmt.Sprintf("%d of %d experts for %d rows, normalise %v", k, experts, rows, normalise)
			got := route(t, open(t, 1), logits, experts, k, normalise)
			chosen := got.chosen(t, what)
			for i := range rows {
				row := logits[i*experts : (i+1)*experts]
				order := make([]int, experts)
				for e := range order {
					order[e] = e
				}
				slices.SortStableFunc(order, func(a, b int) int { return -compareFloats(row[a], row[b]) })
				if !slices.Equal(chosen[i], order[:k]) {
					t.Fatalf("%s: row %d goes to %v, want %v", what, i, chosen[i], order[:k])
				}
				sum, among := 0.0, row
				if normalise {
					among = nil
					for _, e := range order[:k] {
						among = append(among, row[e])
					}
				}
				for _, v := range among {
					sum += math.Exp(float64(v) - float64(row[order[0]]))
				}
				for j, e := range order[:k] {
					want := math.Exp(float64(row[e])-float64(row[order[0]])) / sum
					// the difference of two logits is rounded once
					bound := want*(5e-7+rounding*math.Abs(float64(row[e]))+rounding*math.Abs(float64(row[order[0]]))) + 1e-37
					if w := float64(got.weights[i][j]); !(math.Abs(w-want) <= bound) {
						t.Fatalf("%s: weight %d of row %d is %v, want %v", what, j, i, w, want)
					}
				}
			}
			again := route(t, open(t, 3), logits, experts, k, normalise)
			again.chosen(t, what)
			alone := route(t, open(t, 2), logits[(rows-1)*experts:], experts, k, normalise)
			if !slices.Equal(alone.weights[0], got.weights[rows-1]) || !slices.Equal(alone.chosen(t, what)[0], chosen[rows-1]) {
				t.Fatalf("%s: the last row alone has weights %v, experts %v", what, alone.weights[0], alone.chosen(t, what)[0])
			}
			for i := range rows {
				if !slices.Equal(again.weights[i], got.weights[i]) || !slices.Equal(again.places[i], got.places[i]) {
					t.Fatalf("%s: row %d differs on three threads", what, i)
				}
			}
		}
	}
}

func compareFloats(a, b float32) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// routesOfNaN gives logits that are not finite: each row still has k experts, and shows it in its weights alone.
func routesOfNaN(t *testing.T, dev compute.Device) {
	logits := []float32{
		nan, 1, 2, nan, 0,
		nan, nan, nan, nan, nan,
		-inf, -inf, -inf, -inf, -inf,
		1, -inf, 2, -inf, 3,
		0, inf, 1, inf, 2,
		3, 2, 1, 0, -1,
	}
	for _, normalise := range []bool{false, true} {
		for k := 1; k <= 5; k++ {
			what := fmt.Sprintf("%d experts, normalise %v", k, normalise)
			got := route(t, dev, logits, 5, k, normalise)
			want := [][]int{{2, 1, 4, 0, 3}, {0, 1, 2, 3, 4}, {0, 1, 2, 3, 4}, {4, 2, 0, 1, 3}, {1, 3, 4, 2, 0}, {0, 1, 2, 3, 4}}
			for i, chosen := range got.chosen(t, what) {
				if !slices.Equal(chosen, want[i][:k]) {
					t.Errorf("%s: row %d goes to %v, want %v", what, i, chosen, want[i][:k])
				}
				broken := slices.ContainsFunc(got.weights[i], func(w float32) bool { return w != w })
				if broken != slices.Contains([]int{0, 1, 2, 4}, i) {
					t.Errorf("%s: weights of row %d are %v", what, i, got.weights[i])
				}
			}
		}
	}
}

// grouped compares the bits of each expert's rows with those of a MatMul of each row.
func grouped(t *testing.T, open func(t *testing.T, threads int) compute.Device) {
	r := rand.New(rand.NewPCG(23, 24))
	for n, counts := range [][]int{{1}, {0, 1, 0}, {3, 0, 17, 8, 1, 0, 9}, {0, 0, 130, 2}, {5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5}} {
		rows, inner := 0, []int{32, 544, 1056}[n%3]
		offsets := []int32{0}
		for _, c := range counts {
			rows += c
			offsets = append(offsets, int32(rows))
		}
		outers := []int{50, 97}
		x := normals(r, rows*inner)
		for _, kind := range weightKinds {
			for _, in := range []compute.Kind{compute.Float32, compute.BFloat16} {
				for threads := 1; threads <= 3; threads++ {
					dev := open(t, threads)
					what := fmt.Sprintf("%v rows of %d experts, %v in %v, %d threads", counts, len(counts), kind, in, threads)
					on := place(dev, rows, inner, x)
					var products []compute.GroupedProduct
					var outs []view
					for i, outer := range outers {
						out := place(dev, rows, outer, nil)
						p := compute.GroupedProduct{Out: out.Tensor}
						for e := range counts {
							w := newWeights(r, kind, outer*inner).on(dev, outer, inner)
							if (e+i+threads)%3 == 0 {
								w = dev.Pack(w, in)
							}
							p.W = append(p.W, w)
						}
						products, outs = append(products, p), append(outs, out)
					}
					dev.MatMulGrouped(on.Tensor, column(dev, offsets), in, products...)
					for i, out := range outs {
						got := out.read(t)
						for e := range counts {
							for row := int(offsets[e]); row < int(offsets[e+1]); row++ {
								alone := place(dev, 1, outers[i], nil)
								dev.MatMul(on.RowRange(row, row+1), in, compute.Product{Out: alone.Tensor, W: products[i].W[e]})
								sameAttention(t, fmt.Sprintf("%s: product %d, row %d", what, i, row), got[row], alone.read(t)[0])
							}
						}
					}
				}
			}
		}
	}
	// Rows of no expert stay as they are.
	dev := open(t, 2)
	w, out := load(dev, compute.Float32, 1, 1, []float32{2}), load(dev, compute.Float32, 4, 1, []float32{7, 7, 7, 7})
	dev.MatMulGrouped(load(dev, compute.Float32, 4, 1, []float32{1, 2, 3, 4}), column(dev, []int32{1, 2, 3}), compute.Float32,
		compute.GroupedProduct{Out: out, W: []compute.Tensor{w, w}})
	got := make([]float32, 4)
	if err := dev.Download(compute.Bytes(got), out); err != nil || !slices.Equal(got, []float32{7, 4, 6, 7}) {
		t.Errorf("rows 1 and 2 of 4 times 2 are %v, %v", got, err)
	}
}

// combined compares with sums in float64, and sees that they are added in the router's order.
func combined(t *testing.T, open func(t *testing.T, threads int) compute.Device) {
	r := rand.New(rand.NewPCG(25, 26))
	for _, s := range [][3]int{{1, 1, 1}, {5, 7, 2}, {33, 1003, 4}, {700, 96, 8}} {
		rows, cols, k := s[0], s[1], s[2]
		x, y, weights := normals(r, rows*cols), normals(r, rows*k*cols), normals(r, rows*k)
		places := make([]int32, rows*k)
		for i, p := range r.Perm(rows * k) {
			places[i] = int32(p)
		}
		problem{
			name: fmt.Sprintf("Combine [%d, %d] of %d", rows, cols, k),
			rows: rows,
			apply: func(t *testing.T, dev compute.Device, lo, hi int) [][]float32 {
				v := place(dev, hi-lo, cols, x[lo*cols:hi*cols])
				from := newRouting(dev, hi-lo, 1, k)
				dev.Upload(from.Weights, compute.Bytes(weights[lo*k:hi*k]))
				// The rows of y that are asked for, in an order of their own.
				n := (hi - lo) * k
				mine, at := make([]float32, n*cols), make([]int32, n)
				for j := range n {
					at[j] = int32(n - 1 - j)
					copy(mine[int(at[j])*cols:][:cols], y[int(places[lo*k+j])*cols:])
				}
				dev.Upload(from.Places, compute.Bytes(at))
				dev.Combine(v.Tensor, place(dev, n, cols, mine).Tensor, from)
				return v.read(t)
			},
			want: func(i int) (values, bounds []float64) {
				for c := range cols {
					sum := float64(x[i*cols+c])
					size := math.Abs(sum)
					for j := range k {
						v := float64(weights[i*k+j]) * float64(y[int(places[i*k+j])*cols+c])
						sum, size = sum+v, size+math.Abs(v)
					}
					values, bounds = append(values, sum), append(bounds, float64(2*k)*rounding*size)
				}
				return values, bounds
			},
		}.check(t, open)
	}
	dev := open(t, 1)
	x, from := place(dev, 1, 20, make([]float32, 20)), newRouting(dev, 1, 3, 3)
	dev.Upload(from.Weights, compute.Bytes([]float32{1, 1, 1}))
	dev.Upload(from.Places, compute.Bytes([]int32{2, 0, 1}))
	y := slices.Concat(slices.Repeat([]float32{-1e9}, 20), slices.Repeat([]float32{1}, 20), slices.Repeat([]float32{1e9}, 20))
	dev.Combine(x.Tensor, place(dev, 3, 20, y).Tensor, from)
	for j, v := range x.read(t)[0] {
		if v != 1 {
			t.Errorf("Combine: 1e9, -1e9 and 1 in this order are %v at %d", v, j)
		}
	}
}

// expertErrors gives what does not fit and expects Sync to say so.
func expertErrors(t *testing.T, dev compute.Device) {
	const rows, experts, k, cols = 3, 4, 2, 8
	f := func(rows, cols int) compute.Tensor { return dev.New(compute.Float32, rows, cols) }
	ints := func(rows, cols int) compute.Tensor { return dev.New(compute.Int32, rows, cols) }
	route := func(change func(to *compute.Routing, logits *compute.Tensor)) func() {
		return func() {
			to, logits := newRouting(dev, rows, experts, k), f(rows, experts)
			change(&to, &logits)
			dev.Route(to, logits, true)
		}
	}
	multiply := func(in compute.Kind, offsets []int32, change func(x *compute.Tensor, p *compute.GroupedProduct)) func() {
		return func() {
			x, p := f(rows, cols), compute.GroupedProduct{Out: f(rows, 5), W: []compute.Tensor{f(5, cols), f(5, cols)}}
			change(&x, &p)
			dev.MatMulGrouped(x, column(dev, offsets), in, p)
		}
	}
	combine := func(change func(x, y *compute.Tensor, from *compute.Routing)) func() {
		return func() {
			x, y, from := f(rows, cols), f(rows*k, cols), newRouting(dev, rows, experts, k)
			change(&x, &y, &from)
			dev.Combine(x, y, from)
		}
	}
	type (
		T = *compute.Tensor
		R = *compute.Routing
		P = *compute.GroupedProduct
	)
	good := []int32{0, 1, 3}
	for what, operation := range map[string]func(){
		"Route: more experts than there are":     route(func(to R, logits T) { *logits = f(rows, 1); to.Offsets = ints(2, 1) }),
		"Route: no experts":                      route(func(to R, _ T) { *to = newRouting(dev, rows, experts, 0) }),
		"Route: logits of fewer rows":            route(func(_ R, logits T) { *logits = f(rows-1, experts) }),
		"Route: places of another width":         route(func(to R, _ T) { to.Places = ints(rows, k+1) }),
		"Route: places that are floats":          route(func(to R, _ T) { to.Places = f(rows, k) }),
		"Route: too few sources":                 route(func(to R, _ T) { to.Sources = ints(rows, 1) }),
		"Route: offsets of another number":       route(func(to R, _ T) { to.Offsets = ints(experts, 1) }),
		"MatMulGrouped: offsets that descend":    multiply(compute.Float32, []int32{0, 2, 1}, func(T, P) {}),
		"MatMulGrouped: offsets past x":          multiply(compute.Float32, []int32{0, 2, 4}, func(T, P) {}),
		"MatMulGrouped: negative offsets":        multiply(compute.Float32, []int32{-1, 2, 3}, func(T, P) {}),
		"MatMulGrouped: too few offsets":         multiply(compute.Float32, []int32{0, 3}, func(T, P) {}),
		"MatMulGrouped: a kind that is no kind":  multiply(compute.Float16, good, func(T, P) {}),
		"MatMulGrouped: x of halves":             multiply(compute.Float32, good, func(x T, _ P) { *x = dev.New(compute.BFloat16, rows, cols) }),
		"MatMulGrouped: another inner size":      multiply(compute.Float32, good, func(x T, _ P) { *x = f(rows, cols-1) }),
		"MatMulGrouped: one expert's outer size": multiply(compute.Float32, good, func(_ T, p P) { p.W[1] = f(4, cols) }),
		"MatMulGrouped: out of fewer rows":       multiply(compute.Float32, good, func(_ T, p P) { p.Out = f(rows-1, 5) }),
		"MatMulGrouped: weights of integers":     multiply(compute.Float32, good, func(_ T, p P) { p.W[0] = ints(5, cols) }),
		"MatMulGrouped: packed for another kind": multiply(compute.Float32, good, func(_ T, p P) { p.W[0] = dev.Pack(p.W[0], compute.BFloat16) }),
		"MatMulGrouped: a weight of no expert":   multiply(compute.Float32, good, func(_ T, p P) { p.W[0] = compute.Tensor{} }),
		"MatMulGrouped: projections of fewer": func() {
			x := f(rows, cols)
			w := f(5, cols)
			dev.MatMulGrouped(x, column(dev, good), compute.Float32, compute.GroupedProduct{Out: f(rows, 5), W: []compute.Tensor{w, w}}, compute.GroupedProduct{Out: f(rows, 5), W: []compute.Tensor{w}})
		},
		"Combine: places past y":             combine(func(_, _ T, from R) { dev.Upload(from.Places, compute.Bytes([]int32{0, 1, 2, 3, 4, rows * k})) }),
		"Combine: negative places":           combine(func(_, _ T, from R) { dev.Upload(from.Places, compute.Bytes([]int32{0, -1, 2, 3, 4, 5})) }),
		"Combine: y of fewer rows":           combine(func(_, y T, _ R) { *y = f(rows, cols) }),
		"Combine: y of another width":        combine(func(_, y T, _ R) { *y = f(rows*k, cols+1) }),
		"Combine: weights of another number": combine(func(_, _ T, from R) { from.Weights = f(rows, k+1) }),
		"Combine: places of another number":  combine(func(_, _ T, from R) { from.Places = ints(rows+1, k) }),
	} {
		operation()
		if dev.Sync() == nil {
			t.Errorf("%s: no error", what)
		}
	}
	route(func(R, T) {})()
	multiply(compute.Float32, good, func(T, P) {})()
	combine(func(_, _ T, _ R) {})()
	dev.Route(newRouting(dev, 0, experts, k), f(0, experts), true) // nothing to do is no error
	dev.MatMulGrouped(f(0, cols), column(dev, []int32{0, 0}), compute.Float32, compute.GroupedProduct{Out: f(0, 5), W: []compute.Tensor{f(5, cols)}})
	dev.Combine(f(0, cols), f(0, cols), newRouting(dev, 0, experts, k))
	if err := dev.Sync(); err != nil {
		t.Errorf("what fits, after what does not: %v", err)
	}
}
