package cpu

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"shallow/compute"
)

// BenchmarkBackward lays dx [N, K] = dout [N, M]·W [M, K] beside MatMul by the same weight, as "NxMxK": D 2048 and F 5632 both
// ways, and the ranks of an adapter.
func BenchmarkBackward(b *testing.B) {
	shapes := [][3]int{{512, 5632, 2048}, {512, 2048, 5632}, {512, 64, 2048}, {512, 2048, 64}, {512, 4, 2048}, {512, 2048, 4}}
	kinds := [][2]compute.Kind{
		{compute.Float32, compute.Float32}, {compute.BFloat16, compute.BFloat16}, {compute.NF4, compute.BFloat16},
		{compute.NF4, compute.Float32}, {compute.Q8_0, compute.BFloat16},
	}
	r := rand.New(rand.NewPCG(1, 2))
	d := openDevice(b, 0, 2) // SHALLOW_CPU says at which level
	for _, s := range shapes {
		n, m, k := s[0], s[1], s[2]
		dout, x := d.New(compute.Float32, n, m), d.New(compute.Float32, n, k)
		d.Upload(dout, compute.Bytes(normals(r, n*m)))
		d.Upload(x, compute.Bytes(normals(r, n*k)))
		flops := 2 * float64(n) * float64(m) * float64(k)
		for _, kind := range kinds {
			narrow := min(m, k) <= 64
			if kind[0] == compute.Q8_0 && k%compute.Q8Block != 0 || narrow && kind[0] != kind[1] {
				continue
			}
			in := kind[1]
			w := randomWeight(d, r, kind[0], m, k)
			name := fmt.Sprintf("%dx%dx%d/%v-%v", n, m, k, kind[0], in)
			compare := func(name string, forward, backward compute.Tensor) {
				besideForward(b, d, name, flops, func() { d.MatMul(x, in, compute.Product{Out: dout, W: forward}) },
					func() { d.MatMulBackward(x, in, false, compute.Product{Out: dout, W: backward}) })
			}
			compare(name, w, w)
			if !narrow {
				compare(name+"-packed", d.Pack(w, in), d.PackBackward(w, in))
			}
		}
	}
}

// besideForward runs both by turns and reports the best of each, for other work on the machine comes and goes.
func besideForward(b *testing.B, d *Device, name string, flops float64, forward, backward func()) {
	b.Run(name, func(b *testing.B) {
		best := [2]time.Duration{math.MaxInt64, math.MaxInt64}
		for b.Loop() {
			for i, operation := range []func(){forward, backward} {
				start := time.Now()
				operation()
				best[i] = min(best[i], time.Since(start))
			}
		}
		if err := d.Sync(); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(flops/float64(best[0]), "forward-GFLOP/s")
		b.ReportMetric(flops/float64(best[1]), "GFLOP/s")
		b.ReportMetric(float64(best[0])/float64(best[1]), "ratio")
	})
}

// BenchmarkWeightGradient adds doutᵀ·x to dw [M, K] over 512 tokens, as "MxK".
func BenchmarkWeightGradient(b *testing.B) {
	const tokens = 512
	r := rand.New(rand.NewPCG(1, 3))
	d := openDevice(b, 0, 2)
	for _, s := range [][2]int{{5632, 2048}, {2048, 5632}, {64, 2048}, {2048, 64}, {4, 2048}, {2048, 4}, {64, 16384}, {16384, 64}} {
		m, k := s[0], s[1]
		dout, x, dw := d.New(compute.Float32, tokens, m), d.New(compute.Float32, tokens, k), d.New(compute.Float32, m, k)
		d.Upload(dout, compute.Bytes(normals(r, tokens*m)))
		d.Upload(x, compute.Bytes(normals(r, tokens*k)))
		for _, in := range []compute.Kind{compute.Float32, compute.BFloat16} {
			flopsOf(b, d, fmt.Sprintf("%dx%d/%v", m, k, in), 2*tokens*float64(m)*float64(k), func() {
				d.WeightGradient(dw, compute.Tensor{}, dout, x, in)
			})
		}
	}
}

// flopsOf reports the best run of an operation of so many floating-point operations.
func flopsOf(b *testing.B, d *Device, name string, flops float64, operation func()) {
	b.Run(name, func(b *testing.B) {
		b.ReportAllocs()
		best := time.Duration(math.MaxInt64)
		for b.Loop() {
			start := time.Now()
			operation()
			best = min(best, time.Since(start))
		}
		if err := d.Sync(); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(flops/float64(best), "GFLOP/s")
	})
}
