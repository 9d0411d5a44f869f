package cpu

import (
	"fmt"
	"math/rand/v2"
	"testing"

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
			forward, backward := d.Pack(w, in), d.PackBackward(w, in)
			name := fmt.Sprintf("%dx%dx%d/%v-%v", n, m, k, kind[0], in)
			flopsOf(b, d, name+"/forward", flops, func() { d.MatMul(x, in, compute.Product{Out: dout, W: w}) })
			flopsOf(b, d, name+"/backward", flops, func() { d.MatMulBackward(x, in, false, compute.Product{Out: dout, W: w}) })
			if !narrow {
				flopsOf(b, d, name+"/forward-packed", flops, func() { d.MatMul(x, in, compute.Product{Out: dout, W: forward}) })
				flopsOf(b, d, name+"/backward-packed", flops, func() { d.MatMulBackward(x, in, false, compute.Product{Out: dout, W: backward}) })
			}
		}
	}
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

// flopsOf runs an operation of so many floating-point operations.
func flopsOf(b *testing.B, d *Device, name string, flops float64, operation func()) {
	b.Run(name, func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			operation()
		}
		if err := d.Sync(); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(flops*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
	})
}
