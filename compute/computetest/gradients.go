package computetest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"shallow/compute"
)

// gradientShapes are [rows, columns], small enough for differences by every element.
var gradientShapes = [][2]int{{1, 1}, {2, 3}, {3, 16}, {3, 17}, {5, 33}, {2, 64}, {4, 100}, {3, 257}, {40, 131}}

// gradients holds the operations of [compute.Gradients], where the device has them, to differences of the forward operation in float64.
func gradients(t *testing.T, open func(t *testing.T, threads int) compute.Device) {
	if _, ok := open(t, 1).(compute.Gradients); !ok {
		t.Skip("no gradients")
	}
	for name, problems := range map[string]func(r *rand.Rand, rows, cols int) []problem{
		"RMSNormBackward": rmsNormBackward, "LayerNormBackward": layerNormBackward, "GatedActivationBackward": gatedBackward,
		"ActivateBackward": activateBackward, "SoftCapBackward": softCapBackward, "CrossEntropyBackward": crossEntropyBackward,
		"Divergence": divergence, "Dropout": dropout, "AdamW": adamW,
	} {
		t.Run(name, func(t *testing.T) {
			for i, s := range gradientShapes {
				for _, p := range problems(rand.New(rand.NewPCG(uint64(i), 9)), s[0], s[1]) {
					p.check(t, open)
				}
			}
		})
	}
	t.Run("dropout masks", func(t *testing.T) { dropoutMasks(t, open(t, 2)) })
	t.Run("norm weights", func(t *testing.T) { normWeightGradients(t, open) })
	t.Run("EmbedBackward", func(t *testing.T) { embedBackward(t, open) })
	t.Run("SumSquares", func(t *testing.T) { sumSquares(t, open) })
	t.Run("AttentionBackward", func(t *testing.T) { attentionBackward(t, open) })
	t.Run("experts", func(t *testing.T) { expertGradients(t, open) })
	t.Run("errors", func(t *testing.T) { gradientErrors(t, open(t, 2)) })
}

// backward is the device's gradients.
func backward(dev compute.Device) compute.Gradients { return dev.(compute.Gradients) }

// slopes is the gradient of loss at x by differences of the fourth order: 1e-11 of what it is, for numbers and losses around 1.
func slopes(x []float64, loss func() float64) []float64 {
	const h = 1e-3
	out := make([]float64, len(x))
	for i, at := range x {
		value := func(shift float64) float64 {
			x[i] = at + shift
			return loss()
		}
		out[i] = (8*(value(h)-value(-h)) - (value(2*h) - value(-2*h))) / (12 * h)
		x[i] = at
	}
	return out
}

// doubles are the same numbers in float64.
func doubles(x []float32) []float64 {
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = float64(v)
	}
	return out
}

// largest is the largest magnitude.
func largest(x []float64) (m float64) {
	for _, v := range x {
		m = max(m, math.Abs(v))
	}
	return m
}

// alikeBounds are n times the same bound.
func alikeBounds(n int, bound float64) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = bound
	}
	return out
}

// join puts row i of one result behind row i of another.
func join(a, b [][]float32) [][]float32 {
	rows := make([][]float32, len(a))
	for i := range a {
		rows[i] = append(append([]float32(nil), a[i]...), b[i]...)
	}
	return rows
}

// everywhere runs a reduction on some numbers of threads, whose bits must agree, and returns what it gives.
func everywhere(t *testing.T, what string, open func(t *testing.T, threads int) compute.Device, run func(dev compute.Device) []float32) []float32 {
	t.Helper()
	first := run(open(t, 1))
	for _, threads := range []int{2, 3, 5} {
		sameAttention(t, fmt.Sprintf("%s on %d threads", what, threads), run(open(t, threads)), first)
	}
	return first
}

// within fails where got is further than a bound from want.
func within(t *testing.T, what string, got []float32, want []float64, bound float64) {
	t.Helper()
	for i, w := range want {
		if !(math.Abs(float64(got[i])-w) <= bound) {
			t.Fatalf("%s: element %d is %v, want %v, give or take %.2g", what, i, got[i], w, bound)
		}
	}
}

// flat is the rows of a view one after another.
func flat(rows [][]float32) (all []float32) {
	for _, r := range rows {
		all = append(all, r...)
	}
	return all
}

// gradientErrors holds that what does not fit is refused and named, and that the device goes on.
func gradientErrors(t *testing.T, dev compute.Device) {
	g := backward(dev)
	a, b, row, column := dev.New(compute.Float32, 4, 8), dev.New(compute.Float32, 4, 9), dev.New(compute.Float32, 1, 8), dev.New(compute.Float32, 4, 1)
	two, half := dev.New(compute.Float32, 4, 2), dev.New(compute.BFloat16, 4, 8)
	ints := func(x ...int32) compute.Tensor { return attentionInts(dev, x, len(x), 1) }
	var none compute.Tensor
	batch := func(offsets ...int32) compute.Batch {
		return compute.Batch{Offsets: ints(offsets...), Lengths: attentionInts(dev, make([]int32, len(offsets)-1), len(offsets)-1, 1), MaxRows: 4, MaxLength: 4}
	}
	attend := func(k compute.Tensor, b compute.Batch, o compute.AttentionOptions) func() {
		return func() { g.AttentionBackward(a, k, k, a, a, a, k, k, b, o) }
	}
	good := compute.AttentionOptions{HeadSize: 4, Scale: 1, LogSumExp: two}
	with := func(change func(o *compute.AttentionOptions)) compute.AttentionOptions {
		o := good
		change(&o)
		return o
	}
	step := compute.AdamWStep{T: 1, Rate: 1, Beta1: 0.9, Beta2: 0.999}
	for what, operation := range map[string]func(){
		"a table of another width":       func() { g.EmbedBackward(b, a, ints(0, 1, 2, 3), 1) },
		"an id past the table":           func() { g.EmbedBackward(a, a, ints(0, 1, 2, 4), 1) },
		"a negative id":                  func() { g.EmbedBackward(a, a, ints(0, 1, 2, -1), 1) },
		"too few ids":                    func() { g.EmbedBackward(a, a, ints(0, 1, 2), 1) },
		"an RMS norm of another width":   func() { g.RMSNormBackward(a, none, a, b, row, column, 0, false) },
		"a weight that does not divide":  func() { g.RMSNormBackward(b, none, b, b, row, column, 0, false) },
		"roots of two groups":            func() { g.RMSNormBackward(a, none, a, a, row, two, 0, false) },
		"a weight gradient too long":     func() { g.RMSNormBackward(a, dev.New(compute.Float32, 1, 9), a, a, row, column, 0, false) },
		"moments without means":          func() { g.LayerNormBackward(a, none, none, a, a, row, column, false) },
		"a bias gradient of two rows":    func() { g.LayerNormBackward(a, none, dev.New(compute.Float32, 2, 8), a, a, row, two, false) },
		"gates of another width":         func() { g.GatedActivationBackward(a, a, a, b, a, compute.SiLU) },
		"an activation that is not":      func() { g.GatedActivationBackward(a, a, a, a, a, 99) },
		"an activation in bfloat16":      func() { g.ActivateBackward(a, a, half, compute.SiLU) },
		"activation 0":                   func() { g.ActivateBackward(a, a, a, 0) },
		"a soft cap of 0":                func() { g.SoftCapBackward(a, a, 0) },
		"a soft cap that is no number":   func() { g.SoftCapBackward(a, a, nan) },
		"capped values of another width": func() { g.SoftCapBackward(a, b, 1) },
		"a target past the vocabulary":   func() { g.CrossEntropyBackward(a, ints(0, 1, 2, 8), column) },
		"weights of two columns":         func() { g.CrossEntropyBackward(a, ints(0, 1, 2, 3), two) },
		"a teacher of another width":     func() { g.Divergence(column, a, b, column, 1) },
		"a temperature of 0":             func() { g.Divergence(column, a, a, column, 0) },
		"a probability of 1":             func() { g.Dropout(a, a, ints(0, 1, 2, 3), compute.DropoutKey{}, 1) },
		"a negative probability":         func() { g.Dropout(a, a, ints(0, 1, 2, 3), compute.DropoutKey{}, -0.1) },
		"too few tokens":                 func() { g.Dropout(a, a, ints(0, 1, 2), compute.DropoutKey{}, 0.1) },
		"a sum of squares of halves":     func() { _, _ = g.SumSquares(half); g.SoftCapBackward(a, a, 0) },
		"moments of another shape":       func() { g.AdamW(a, b, a, a, 1, step) },
		"step 0":                         func() { g.AdamW(a, a, a, a, 1, compute.AdamWStep{}) },
		"keys of another width":          attend(b, batch(0, 4), good),
		"heads of three":                 attend(a, batch(0, 4), with(func(o *compute.AttentionOptions) { o.HeadSize = 3 })),
		"a negative window":              attend(a, batch(0, 4), with(func(o *compute.AttentionOptions) { o.Window = -1 })),
		"a cap that is no number":        attend(a, batch(0, 4), with(func(o *compute.AttentionOptions) { o.SoftCap = nan })),
		"no log-sum-exp":                 attend(a, batch(0, 4), with(func(o *compute.AttentionOptions) { o.LogSumExp = none })),
		"a sequence past the rows":       attend(a, batch(0, 5), good),
		"a sequence that ends early":     attend(a, batch(0, 3, 2), good),
	} {
		operation()
		if dev.Sync() == nil {
			t.Errorf("%s: no error", what)
		}
	}
	if _, err := g.SumSquares(half); err == nil {
		t.Errorf("a sum of squares of bfloat16: no error")
	}
	attend(a, batch(0, 1, 4), good)()
	if err := dev.Sync(); err != nil {
		t.Errorf("what fits, after what does not: %v", err)
	}
}
