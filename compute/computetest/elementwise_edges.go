package computetest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"shallow/compute"
)

// places gives one value at every column of rows of every length, for operations whose elements do not know each other.
func places(t *testing.T, dev compute.Device) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 20 {
		gate, up := float32(4*r.NormFloat64()), float32(r.NormFloat64())
		sin, cos := math.Sincos(r.Float64())
		var silu, low, high float32
		first := map[string]float32{}
		for n := 1; n <= 70; n++ {
			fill := func(v float32) []float32 {
				x := make([]float32, n)
				for i := range x {
					x[i] = v
				}
				return x
			}
			out := place(dev, 1, n, nil)
			dev.GatedActivation(out.Tensor, place(dev, 1, n, fill(gate)).Tensor, place(dev, 1, n, fill(up)).Tensor, compute.SiLU)
			turned := place(dev, 1, 2*n, append(fill(gate), fill(up)...))
			dev.RoPE(turned.Tensor, place(dev, 1, n, fill(float32(cos))).Tensor, place(dev, 1, n, fill(float32(sin))).Tensor, column(dev, []int32{0}), 2*n, compute.Halves)
			for act := compute.SiLU; act <= compute.Sigmoid; act++ {
				plain := place(dev, 1, n, fill(gate))
				dev.Activate(plain.Tensor, plain.Tensor, act)
				alike(t, first, fmt.Sprintf("activation %d of %v", act, gate), plain.read(t)[0])
			}
			capped, sum, pairs := place(dev, 1, n, fill(gate)), place(dev, 1, n, fill(gate)), place(dev, 1, 2*n, slices.Repeat([]float32{gate, up}, n))
			dev.SoftCap(capped.Tensor, 5)
			alike(t, first, "SoftCap", capped.read(t)[0])
			dev.Add(sum.Tensor, place(dev, 1, n, fill(up)).Tensor, 0.3)
			alike(t, first, "Add", sum.read(t)[0])
			dev.RoPE(pairs.Tensor, place(dev, 1, n, fill(float32(cos))).Tensor, place(dev, 1, n, fill(float32(sin))).Tensor, column(dev, []int32{0}), 2*n, compute.Neighbours)
			row := pairs.read(t)[0]
			for j := range row {
				alike(t, first, fmt.Sprintf("RoPE of neighbours, %d", j%2), row[j:j+1])
			}
			s, turn := out.read(t)[0], turned.read(t)[0]
			if n == 1 {
				silu, low, high = s[0], turn[0], turn[1]
			}
			for j := range n {
				if s[j] != silu {
					t.Fatalf("GatedActivation: %v, %v gives %v at %d of %d, but %v at 0 of 1", gate, up, s[j], j, n, silu)
				}
				if turn[j] != low || turn[n+j] != high {
					t.Fatalf("RoPE: %v, %v gives %v, %v at %d of %d, but %v, %v at 0 of 1", gate, up, turn[j], turn[n+j], j, n, low, high)
				}
			}
		}
	}
}

// alike fails where an element of a row is not what it was in the first row of that name.
func alike(t *testing.T, first map[string]float32, what string, row []float32) {
	t.Helper()
	for j, v := range row {
		if was, ok := first[what]; !ok {
			first[what] = v
		} else if v != was {
			t.Fatalf("%s: %v at %d of %d, but %v at first", what, v, j, len(row), was)
		}
	}
}

var (
	inf = float32(math.Inf(1))
	nan = float32(math.NaN())
)

// specials are values at the ends of float32, in the first and last column and one within a vector.
func specials(t *testing.T, dev compute.Device) {
	const rows, cols = 3, 37
	at := []int{0, 20, cols - 1}
	same := func(got, want float32) bool { return got == want || got != got && want != want }

	for gate, want := range map[float32]float32{0: 0, inf: inf, -inf: nan, nan: nan, 200: 200, -200: 0, 3e38: 3e38, -3e38: 0, 1e-40: 5e-41} {
		for _, j := range at {
			g, ones := make([]float32, cols), make([]float32, cols)
			for i := range ones {
				g[i], ones[i] = 1, 1
			}
			g[j] = gate
			out := place(dev, 1, cols, nil)
			dev.GatedActivation(out.Tensor, place(dev, 1, cols, g).Tensor, place(dev, 1, cols, ones).Tensor, compute.SiLU)
			for i, v := range out.read(t)[0] {
				if w := float32(0.7310586); i == j && !(same(v, want) || math.Abs(float64(v-want)) < 1e-44) || i != j && math.Abs(float64(v-w)) > 1e-6 {
					t.Errorf("SiLU of %v at %d beside ones: element %d is %v", gate, j, i, v)
				}
			}
		}
	}

	r := rand.New(rand.NewPCG(8, 9))
	for _, bad := range []float32{nan, inf, -inf} {
		for _, j := range at {
			a, b := normals(r, rows*cols), normals(r, rows*cols)
			clean, spoiled := place(dev, rows, 1, nil), place(dev, rows, 1, nil)
			dev.CosineDistance(clean.Tensor, place(dev, rows, cols, a).Tensor, place(dev, rows, cols, b).Tensor)
			a[cols+j] = bad
			dev.CosineDistance(spoiled.Tensor, place(dev, rows, cols, a).Tensor, place(dev, rows, cols, b).Tensor)
			was, is := clean.read(t), spoiled.read(t)
			if is[1][0] == is[1][0] || is[0][0] != was[0][0] || is[2][0] != was[2][0] {
				t.Errorf("CosineDistance with %v in row 1 at %d: %v, without %v", bad, j, is, was)
			}

			x := normals(r, rows*cols)
			x[cols+j] = bad
			out, loss := place(dev, rows, cols, nil), place(dev, rows, 1, nil)
			in := place(dev, rows, cols, x)
			dev.RMSNorm(out.Tensor, in.Tensor, load(dev, compute.Float32, 1, cols, normals(r, cols)), 0, 0, compute.Tensor{})
			dev.CrossEntropy(loss.Tensor, in.Tensor, column(dev, []int32{1, 1, 1}))
			for i, row := range out.read(t) {
				if broken := row[j] != row[j]; broken != (i == 1) {
					t.Errorf("RMSNorm with %v in row 1 at %d: row %d there is %v", bad, j, i, row[j])
				}
			}
			for i, row := range loss.read(t) {
				if broken := row[0] != row[0]; broken != (i == 1 && bad != -inf) {
					t.Errorf("CrossEntropy with %v in row 1 at %d: row %d is %v", bad, j, i, row[0])
				}
			}
		}
	}

	for _, bad := range []float32{nan, inf, -inf} { // a row that is spoiled spoils no other
		for _, j := range at {
			x := normals(r, rows*cols)
			x[cols+j] = bad
			out := place(dev, rows, cols, nil)
			dev.LayerNorm(out.Tensor, place(dev, rows, cols, x).Tensor, load(dev, compute.Float32, 1, cols, normals(r, cols)), compute.Tensor{}, 1e-5, compute.Tensor{})
			for i, row := range out.read(t) {
				for k, v := range row {
					if broken := v != v; broken != (i == 1) {
						t.Errorf("LayerNorm with %v in row 1 at %d: (%d, %d) is %v", bad, j, i, k, v)
					}
				}
			}
		}
	}

	zero := place(dev, 1, cols, make([]float32, cols))
	one := place(dev, 1, 1, nil)
	dev.CosineDistance(one.Tensor, zero.Tensor, place(dev, 1, cols, normals(r, cols)).Tensor)
	if v := one.read(t)[0][0]; v == v {
		t.Errorf("CosineDistance from zeros is %v", v)
	}
	dev.RMSNorm(zero.Tensor, zero.Tensor, load(dev, compute.Float32, 1, cols, normals(r, cols)), 1e-6, 0, compute.Tensor{})
	for j, v := range zero.read(t)[0] {
		if v != 0 {
			t.Errorf("RMSNorm of zeros is %v at %d", v, j)
		}
	}
	masked := make([]float32, cols)
	for j := range masked {
		masked[j] = -inf
	}
	masked[5] = 2
	dev.CrossEntropy(one.Tensor, place(dev, 1, cols, masked).Tensor, column(dev, []int32{5}))
	if v := one.read(t)[0][0]; v != 0 {
		t.Errorf("CrossEntropy of the only logit is %v", v)
	}
	dev.CrossEntropy(one.Tensor, place(dev, 1, cols, masked).Tensor, column(dev, []int32{6}))
	if v := one.read(t)[0][0]; v != inf {
		t.Errorf("CrossEntropy of what cannot be is %v", v)
	}
}

// elementwiseErrors gives what does not fit and expects Sync to say so, and nothing to be written.
func elementwiseErrors(t *testing.T, dev compute.Device) {
	const rows, cols = 3, 24
	f := func(rows, cols int) compute.Tensor { return dev.New(compute.Float32, rows, cols) }
	r := rand.New(rand.NewPCG(3, 4))
	x, y := load(dev, compute.Float32, rows, cols, normals(r, rows*cols)), load(dev, compute.Float32, rows, cols, normals(r, rows*cols))
	w, angles, one := load(dev, compute.Float32, 1, cols, normals(r, cols)), load(dev, compute.Float32, 5, 6, normals(r, 5*6)), f(rows, 1)
	ids := func(v ...int32) compute.Tensor { return column(dev, v) }
	good := ids(0, 1, 2)
	none := compute.Tensor{}
	past := x
	past.Offset = 1
	released := f(rows, cols)
	dev.Release(released.Memory)
	for what, operation := range map[string]func(out compute.Tensor){
		"Embed: an id past the table":              func(out compute.Tensor) { dev.Embed(out, x, ids(0, rows, 1), 1) },
		"Embed: a negative id":                     func(out compute.Tensor) { dev.Embed(out, x, ids(0, -1, 1), 1) },
		"Embed: too few ids":                       func(out compute.Tensor) { dev.Embed(out, x, ids(0, 1), 1) },
		"Embed: ids that are floats":               func(out compute.Tensor) { dev.Embed(out, x, one, 1) },
		"Embed: a table of int32":                  func(out compute.Tensor) { dev.Embed(out, dev.New(compute.Int32, 3, cols), good, 1) },
		"Embed: a narrower table":                  func(out compute.Tensor) { dev.Embed(out, x.ColRange(0, 20), good, 1) },
		"Gather: a row past x":                     func(out compute.Tensor) { dev.Gather(out, x, ids(0, 1, rows)) },
		"Gather: a negative row":                   func(out compute.Tensor) { dev.Gather(out, x, ids(-7, 1, 2)) },
		"Gather: halves":                           func(out compute.Tensor) { dev.Gather(out, dev.New(compute.BFloat16, rows, cols), good) },
		"RMSNorm: a weight that does not fit":      func(out compute.Tensor) { dev.RMSNorm(out, x, f(1, 7), 0, 0, none) },
		"RMSNorm: an empty weight":                 func(out compute.Tensor) { dev.RMSNorm(out, x, f(1, 0), 0, 0, none) },
		"RMSNorm: roots of another shape":          func(out compute.Tensor) { dev.RMSNorm(out, x, w, 0, 0, f(rows, 2)) },
		"RMSNorm: no x":                            func(out compute.Tensor) { dev.RMSNorm(out, none, w, 0, 0, none) },
		"RMSNorm: x past its memory":               func(out compute.Tensor) { dev.RMSNorm(out, past, w, 0, 0, none) },
		"RMSNorm: x released":                      func(out compute.Tensor) { dev.RMSNorm(out, released, w, 0, 0, none) },
		"RoPE: a row past cos":                     func(out compute.Tensor) { dev.RoPE(out, angles, angles, ids(0, 5, 1), 12, compute.Halves) },
		"RoPE: heads of another size":              func(out compute.Tensor) { dev.RoPE(out, angles, angles, good, 13, compute.Halves) },
		"RoPE: more pairs than a head has":         func(out compute.Tensor) { dev.RoPE(out, angles, angles, good, 8, compute.Halves) },
		"RoPE: heads of nothing":                   func(out compute.Tensor) { dev.RoPE(out, angles, angles, good, 0, compute.Halves) },
		"RoPE: sin of another shape":               func(out compute.Tensor) { dev.RoPE(out, angles, f(5, 5), good, 12, compute.Halves) },
		"GatedActivation: no such activation":      func(out compute.Tensor) { dev.GatedActivation(out, x, y, 0) },
		"GatedActivation: up of fewer rows":        func(out compute.Tensor) { dev.GatedActivation(out, x, y.RowRange(0, 2), compute.SiLU) },
		"GatedActivation: the first past the last": func(out compute.Tensor) { dev.GatedActivation(out, x, y, compute.Sigmoid+1) },
		"Activate: no such activation":             func(out compute.Tensor) { dev.Activate(out, x, 0) },
		"Activate: x of fewer columns":             func(out compute.Tensor) { dev.Activate(out, x.ColRange(0, 5), compute.ReLU) },
		"Activate: halves":                         func(out compute.Tensor) { dev.Activate(out, dev.New(compute.BFloat16, rows, cols), compute.ReLU) },
		"LayerNorm: a weight that does not fit":    func(out compute.Tensor) { dev.LayerNorm(out, x, f(1, 7), none, 0, none) },
		"LayerNorm: an empty weight":               func(out compute.Tensor) { dev.LayerNorm(out, x, f(1, 0), none, 0, none) },
		"LayerNorm: a longer bias":                 func(out compute.Tensor) { dev.LayerNorm(out, x, f(1, 12), w, 0, none) },
		"LayerNorm: a weight of NF4":               func(out compute.Tensor) { dev.LayerNorm(out, x, dev.New(compute.NF4, 1, cols), none, 0, none) },
		"LayerNorm: one moment":                    func(out compute.Tensor) { dev.LayerNorm(out, x, w, none, 0, f(rows, 1)) },
		"LayerNorm: x past its memory":             func(out compute.Tensor) { dev.LayerNorm(out, past, w, none, 0, none) },
		"SoftCap: no limit":                        func(out compute.Tensor) { dev.SoftCap(out, 0) },
		"SoftCap: a negative limit":                func(out compute.Tensor) { dev.SoftCap(out, -30) },
		"SoftCap: a limit that is no number":       func(out compute.Tensor) { dev.SoftCap(out, nan) },
		"SoftCap: integers":                        func(out compute.Tensor) { dev.SoftCap(good, 30) },
		"Scale: x released":                        func(out compute.Tensor) { dev.Scale(released, 2) },
		"Add: y of fewer rows":                     func(out compute.Tensor) { dev.Add(out, y.RowRange(0, 2), 1) },
		"Add: y of halves":                         func(out compute.Tensor) { dev.Add(out, dev.New(compute.BFloat16, rows, cols), 1) },
		"ScaleRows: a row past scale":              func(out compute.Tensor) { dev.ScaleRows(out, one, ids(0, rows, 1)) },
		"ScaleRows: a negative row":                func(out compute.Tensor) { dev.ScaleRows(out, one, ids(0, -1, 1)) },
		"ScaleRows: fewer scales":                  func(out compute.Tensor) { dev.ScaleRows(out, one.RowRange(0, 2), none) },
		"ScaleRows: wide scales":                   func(out compute.Tensor) { dev.ScaleRows(out, x, good) },
		"RoPE: no such order":                      func(out compute.Tensor) { dev.RoPE(out, angles, angles, good, 12, 2) },
		"CosineDistance: other columns":            func(out compute.Tensor) { dev.CosineDistance(out.ColRange(0, 1), x, y.ColRange(0, 5)) },
		"CosineDistance: a wide out":               func(out compute.Tensor) { dev.CosineDistance(out, x, y) },
		"CrossEntropy: a target past V":            func(out compute.Tensor) { dev.CrossEntropy(out.ColRange(0, 1), x, ids(0, cols, 1)) },
		"CrossEntropy: too many targets":           func(out compute.Tensor) { dev.CrossEntropy(out.ColRange(0, 1), x, ids(0, 1, 2, 3)) },
	} {
		out := place(dev, rows, cols, make([]float32, rows*cols))
		if err := dev.Sync(); err != nil {
			t.Fatal(err)
		}
		operation(out.Tensor)
		dev.Gather(out.Tensor, x, good) // must not run, so that nobody takes an error's rest for a result
		if dev.Sync() == nil {
			t.Errorf("%s: no error", what)
		}
		for i, row := range out.read(t) {
			for j, v := range row {
				if v != 0 {
					t.Fatalf("%s: wrote %v to (%d, %d)", what, v, i, j)
				}
			}
		}
	}
	out := place(dev, rows, cols, nil)
	dev.Gather(out.Tensor, x, good)
	for _, t := range []compute.Tensor{f(0, cols), f(rows, 0)} { // nothing to do is no error
		dev.GatedActivation(t, t, t, compute.SiLU)
		dev.Gather(t, t, good.RowRange(0, t.Rows))
	}
	if err := dev.Sync(); err != nil {
		t.Errorf("what fits, after what does not: %v", err)
	}
}
