package cpu_test

import (
	"fmt"
	"slices"
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
		out, ones := tensor(rows, f), tensor(rows, 1)
		dev.Upload(ones, compute.Bytes(slices.Repeat([]float32{1}, rows)))
		for _, op := range []struct {
			name     string
			elements int
			run      func()
		}{
			{"RMSNorm", rows * d, func() { dev.RMSNorm(y, x, norm, 1e-5, 0, compute.Tensor{}) }},
			{"LayerNorm", rows * d, func() { dev.LayerNorm(y, x, norm, norm, 1e-5, compute.Tensor{}) }},
			{"RoPE", rows * d, func() { dev.RoPE(x, cos, sin, ids, headSize, compute.Halves) }},
			{"RoPE neighbours", rows * d, func() { dev.RoPE(x, cos, sin, ids, headSize, compute.Neighbours) }},
			{"GatedActivation SiLU", rows * f, func() { dev.GatedActivation(out, gate, up, compute.SiLU) }},
			{"GatedActivation GELU", rows * f, func() { dev.GatedActivation(out, gate, up, compute.GELU) }},
			{"GatedActivation GELUTanh", rows * f, func() { dev.GatedActivation(out, gate, up, compute.GELUTanh) }},
			{"Activate GELU", rows * f, func() { dev.Activate(out, gate, compute.GELU) }},
			{"Activate GELUTanh", rows * f, func() { dev.Activate(out, gate, compute.GELUTanh) }},
			{"Activate QuickGELU", rows * f, func() { dev.Activate(out, gate, compute.QuickGELU) }},
			{"Activate ReLU", rows * f, func() { dev.Activate(out, gate, compute.ReLU) }},
			{"Activate ReLUSquared", rows * f, func() { dev.Activate(out, gate, compute.ReLUSquared) }},
			{"Activate Sigmoid", rows * f, func() { dev.Activate(out, gate, compute.Sigmoid) }},
			{"SoftCap", rows * v, func() { dev.SoftCap(logits, 30) }},
			{"Add", rows * d, func() { dev.Add(y, x, 1e-9) }},
			{"Scale", rows * d, func() { dev.Scale(y, 1) }},
			{"ScaleRows", rows * d, func() { dev.ScaleRows(y, ones, compute.Tensor{}) }},
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
