package cpu

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"shallow/compute"
)

// BenchmarkProduct multiplies x [N, K] by a weight [M, K] of a 1.1 B and an 8 B model, as "NxKxM".
func BenchmarkProduct(b *testing.B) {
	shapes := [][3]int{{512, 2048, 5632}, {512, 5632, 2048}, {512, 4096, 14336}, {64, 2048, 5632}, {1, 2048, 5632}, {8, 2048, 5632}}
	r := rand.New(rand.NewPCG(1, 1))
	for _, threads := range []int{1, 2} {
		for _, s := range shapes {
			n, k, m := s[0], s[1], s[2]
			d := openDevice(b, 0, threads) // SHALLOW_CPU says at which level
			x := d.Load(compute.Float32, n, k, compute.Bytes(normals(r, n*k)))
			out := d.New(compute.Float32, n, m)
			for _, c := range []struct {
				weights, in compute.Kind
				pack        bool
			}{
				{compute.Float32, compute.Float32, false}, {compute.Float32, compute.Float32, true},
				{compute.BFloat16, compute.BFloat16, false}, {compute.BFloat16, compute.BFloat16, true},
				{compute.BFloat16, compute.Float32, false}, {compute.Float16, compute.Float32, false},
				{compute.NF4, compute.BFloat16, false}, {compute.NF4, compute.Float32, false},
				{compute.Q8_0, compute.Float32, false}, {compute.Q8_0, compute.BFloat16, false},
			} {
				name := fmt.Sprintf("threads=%d/%dx%dx%d/%v-%v", threads, n, k, m, c.weights, c.in)
				if c.pack {
					name += "-packed"
				}
				b.Run(name, func(b *testing.B) {
					// More weights than a cache holds, as with the layers of a model.
					ws := make([]compute.Tensor, max(1, 512<<20/(4*k*m)))
					for i := range ws {
						ws[i] = randomWeight(d, r, c.weights, m, k)
						if c.pack {
							ws[i] = d.Pack(ws[i], c.in)
						}
					}
					i := 0
					for b.Loop() {
						d.MatMul(x, c.in, compute.Product{Out: out, W: ws[i%len(ws)]})
						i++
					}
					if err := d.Sync(); err != nil {
						b.Fatal(err)
					}
					seconds := b.Elapsed().Seconds() / float64(b.N)
					b.ReportMetric(2*float64(n)*float64(k)*float64(m)/seconds/1e9, "GFLOP/s")
					if n <= 8 {
						b.ReportMetric(float64(ws[0].Memory.Bytes())/seconds/1e9, "GB/s")
					}
				})
			}
		}
	}
}
