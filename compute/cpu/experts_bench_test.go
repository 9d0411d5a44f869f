package cpu

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"shallow/compute"
)

// BenchmarkExperts multiplies rows [N, 2048], each by 2 of 8 experts [1024, 2048], and as many rows by one such weight
// without experts.
func BenchmarkExperts(b *testing.B) {
	const experts, k, outer, inner = 8, 2, 1024, 2048
	r := rand.New(rand.NewPCG(1, 1))
	for _, rows := range []int{512, 1} {
		for _, kind := range []compute.Kind{compute.Float32, compute.BFloat16} {
			d := openDevice(b, 0, 2)
			n := rows * k
			x, out := d.Load(compute.Float32, n, inner, compute.Bytes(normals(r, n*inner))), d.New(compute.Float32, n, outer)
			logits := d.Load(compute.Float32, rows, experts, compute.Bytes(normals(r, rows*experts)))
			to := compute.Routing{
				Weights: d.New(compute.Float32, rows, k), Places: d.New(compute.Int32, rows, k),
				Sources: d.New(compute.Int32, n, 1), Offsets: d.New(compute.Int32, experts+1, 1),
			}
			d.Route(to, logits, true)
			// More layers than a cache holds.
			var layers [][]compute.Tensor
			for range 8 {
				var ws []compute.Tensor
				for range experts {
					ws = append(ws, randomWeight(d, r, kind, outer, inner))
				}
				layers = append(layers, ws)
			}
			run := func(name string, f func(layer int)) {
				b.Run(fmt.Sprintf("%d rows/%v/%s", rows, kind, name), func(b *testing.B) {
					i := 0
					for b.Loop() {
						f(i % len(layers))
						i++
					}
					if err := d.Sync(); err != nil {
						b.Fatal(err)
					}
					b.ReportMetric(2*float64(n)*outer*inner*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
				})
			}
			run("experts", func(layer int) {
				d.MatMulGrouped(x, to.Offsets, kind, compute.GroupedProduct{Out: out, W: layers[layer]})
			})
			run("dense", func(layer int) {
				if rows > 1 {
					d.MatMul(x, kind, compute.Product{Out: out, W: layers[layer][0]})
					return
				}
				one := x.RowRange(0, 1) // as many weights, all of them once
				d.MatMul(one, kind, compute.Product{Out: out.RowRange(0, 1), W: layers[layer][0]}, compute.Product{Out: out.RowRange(1, 2), W: layers[layer][1]})
			})
		}
	}
	d := openDevice(b, 0, 1)
	logits := d.Load(compute.Float32, 512, 128, compute.Bytes(normals(r, 512*128)))
	to := compute.Routing{
		Weights: d.New(compute.Float32, 512, 8), Places: d.New(compute.Int32, 512, 8),
		Sources: d.New(compute.Int32, 4096, 1), Offsets: d.New(compute.Int32, 129, 1),
	}
	b.Run("Route 512 rows to 8 of 128", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			d.Route(to, logits, true)
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/512, "ns/row")
	})
}
