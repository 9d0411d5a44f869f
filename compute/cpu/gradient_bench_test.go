package cpu_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"shallow/compute"
	"shallow/compute/cpu"
)

// BenchmarkGradientAttention counts the five products of a causal sequence's tiles, those of the queries and keys that see each other.
func BenchmarkGradientAttention(b *testing.B) {
	for _, threads := range []int{1, 2} {
		dev, err := cpu.New(cpu.Options{Threads: threads})
		if err != nil {
			b.Fatal(err)
		}
		for _, length := range []int{512, 2048} {
			for _, headSize := range []int{64, 128} {
				const heads, kvHeads = 8, 2
				b.Run(fmt.Sprintf("threads=%d/rows=%d/head=%d", threads, length, headSize), func(b *testing.B) {
					r := rand.New(rand.NewPCG(1, 1))
					random := func(cols int) compute.Tensor {
						x := make([]float32, length*cols)
						for i := range x {
							x[i] = float32(r.NormFloat64())
						}
						t := dev.New(compute.Float32, length, cols)
						dev.Upload(t, compute.Bytes(x))
						return t
					}
					wide, narrow := heads*headSize, kvHeads*headSize
					q, k, v, out, dout, lse := random(wide), random(narrow), random(narrow), random(wide), random(wide), random(heads)
					dev.Add(lse, lse, 7)
					dq, dk, dv := random(wide), random(narrow), random(narrow)
					ints := func(x ...int32) compute.Tensor {
						t := dev.New(compute.Int32, len(x), 1)
						dev.Upload(t, compute.Bytes(x))
						return t
					}
					batch := compute.Batch{Offsets: ints(0, int32(length)), Lengths: ints(int32(length)), MaxRows: length, MaxLength: length}
					o := compute.AttentionOptions{HeadSize: headSize, Scale: 0.1, LogSumExp: lse}
					b.ReportAllocs()
					for b.Loop() {
						dev.AttentionBackward(dq, dk, dv, dout, out, q, k, v, batch, o)
					}
					if err := dev.Sync(); err != nil {
						b.Fatal(err)
					}
					flops := 10 * float64(length) * float64(length+1) / 2 * float64(headSize) * heads
					b.ReportMetric(flops*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
				})
			}
		}
		dev.Close()
	}
}

// BenchmarkGradient takes 512 rows of a model with D 2048, F 5632 and V 32000, on one thread. An element's bytes are those read and
// written.
func BenchmarkGradient(b *testing.B) {
	const rows, d, f, v = 512, 2048, 5632, 32000
	for _, level := range cpu.Levels() {
		dev, err := cpu.New(cpu.Options{Threads: 1, Level: level})
		if err != nil {
			b.Fatal(err)
		}
		tensor := func(rows, cols int) compute.Tensor {
			x := make([]float32, rows*cols)
			for i := range x {
				x[i] = float32(i%101)/50 - 0.99
			}
			t := dev.New(compute.Float32, rows, cols)
			dev.Upload(t, compute.Bytes(x))
			return t
		}
		const logitRows = 64
		var none compute.Tensor
		ids, few := dev.New(compute.Int32, rows, 1), dev.New(compute.Int32, logitRows, 1)
		x, y, norm, grad, column, moments := tensor(rows, d), tensor(rows, d), tensor(1, d), tensor(1, d), tensor(rows, 1), tensor(rows, 2)
		gate, up, dout, other := tensor(rows, f), tensor(rows, f), tensor(rows, f), tensor(rows, f)
		logits, teacher, ws := tensor(logitRows, v), tensor(logitRows, v), tensor(logitRows, 1)
		dev.Scale(other, 0.001)
		step := compute.AdamWStep{T: 5, Rate: 1e-4, Beta1: 0.9, Beta2: 0.999, Eps: 1e-8}
		for _, op := range []struct {
			name            string
			elements, bytes int
			run             func()
		}{
			{"RMSNorm", rows * d, 12, func() { dev.RMSNormBackward(y, none, y, x, norm, column, 0, false) }},
			{"RMSNormAdd", rows * d, 16, func() { dev.RMSNormBackward(y, none, x, x, norm, column, 0, true) }},
			{"RMSNormWeight", rows * d, 20, func() { dev.RMSNormBackward(y, grad, y, x, norm, column, 0, false) }},
			{"LayerNorm", rows * d, 20, func() { dev.LayerNormBackward(y, grad, grad, y, x, norm, moments, false) }},
			{"GatedSiLU", rows * f, 20, func() { dev.GatedActivationBackward(dout, other, dout, gate, up, compute.SiLU) }},
			{"GatedGELU", rows * f, 20, func() { dev.GatedActivationBackward(dout, other, dout, gate, up, compute.GELU) }},
			{"GatedGELUTanh", rows * f, 20, func() { dev.GatedActivationBackward(dout, other, dout, gate, up, compute.GELUTanh) }},
			{"ReLU", rows * f, 12, func() { dev.ActivateBackward(dout, dout, gate, compute.ReLU) }},
			{"SoftCap", rows * f, 12, func() { dev.SoftCapBackward(dout, gate, 3) }},
			{"Embed", rows * d, 12, func() { dev.EmbedBackward(y, x, ids, 1) }},
			{"CrossEntropy", logitRows * v, 16, func() { dev.CrossEntropyBackward(logits, few, ws) }},
			{"Divergence", logitRows * v, 24, func() { dev.Divergence(ws, logits, teacher, ws, 1) }},
			{"Dropout", rows * f, 8, func() { dev.Dropout(other, gate, ids, compute.DropoutKey{}, 0.05) }},
			{"SumSquares", rows * f, 4, func() { _, _ = dev.SumSquares(gate) }},
			{"AdamW", rows * f, 28, func() { dev.AdamW(gate, up, other, dout, 1, step) }},
		} {
			b.Run(fmt.Sprintf("%v/%s", level, op.name), func(b *testing.B) {
				for b.Loop() {
					op.run()
				}
				if err := dev.Sync(); err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(b.N)*float64(op.elements*op.bytes)/b.Elapsed().Seconds()/1e9, "GB/s")
			})
		}
		dev.Close()
	}
}
