package cpu_test

import (
	"fmt"
	"testing"

	"shallow/compute"
	"shallow/compute/cpu"
)

// BenchmarkElementwise takes 512 rows of a model with D 2048, F 5632, 32 heads of 64 and V 32000, on one thread.
func BenchmarkElementwise(b *testing.B) {
	const rows, d, f, v, headSize = 512, 2048, 5632, 32000, 64
	for _, level := range cpu.Levels() {
		dev, err := cpu.New(cpu.Options{Threads: 1, Level: level})
		if err != nil {
			b.Fatal(err)
		}
		tensor := func(rows, cols int) compute.Tensor {
			x := make([]float32, rows*cols)
			for i := range x {
				x[i] = float32(i%101)/50 - 1
			}
			t := dev.New(compute.Float32, rows, cols)
			dev.Upload(t, compute.Bytes(x))
			return t
		}
		ids := dev.New(compute.Int32, rows, 1)
		x, y, norm, gate, up := tensor(rows, d), tensor(rows, d), tensor(1, d), tensor(rows, f), tensor(rows, f)
		cos, sin, logits, column := tensor(rows, headSize/2), tensor(rows, headSize/2), tensor(rows, v), tensor(rows, 1)
		for _, op := range []struct {
			name     string
			elements int
			run      func()
		}{
			{"RMSNorm", rows * d, func() { dev.RMSNorm(y, x, norm, 1e-5, 0, compute.Tensor{}) }},
			{"RoPE", rows * d, func() { dev.RoPE(x, cos, sin, ids, headSize, compute.Halves) }},
			{"GatedActivation", rows * f, func() { dev.GatedActivation(up, gate, up, compute.SiLU) }},
			{"CosineDistance", rows * d, func() { dev.CosineDistance(column, x, y) }},
			{"CrossEntropy", rows * v, func() { dev.CrossEntropy(column, logits, ids) }},
			{"Gather", rows * d, func() { dev.Gather(y, x, ids) }},
		} {
			b.Run(fmt.Sprintf("%v/%s", level, op.name), func(b *testing.B) {
				for b.Loop() {
					op.run()
				}
				if err := dev.Sync(); err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*op.elements), "ns/element")
			})
		}
		dev.Close()
	}
}
