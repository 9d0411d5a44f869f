package decoder_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"shallow/compute"
	"shallow/decoder"
)

// BenchmarkTraining is micro-batches of 512 tokens through the model in the directory SHALLOW_MODEL, with an NF4 base and
// adapters of rank 64 on the feed-forward matrices, all activations kept.
func BenchmarkTraining(b *testing.B) {
	dir := os.Getenv("SHALLOW_MODEL")
	if dir == "" {
		b.Skip("SHALLOW_MODEL names no model directory")
	}
	const length, rank = 512, 64
	m := openModel(b, dir, 0, decoder.Options{Base: decoder.NF4})
	var adapters []*decoder.Adapter
	for i := range m.Spec.L {
		for _, w := range m.Spec.LayerWeights(i) {
			if w.Rows == 0 || !strings.Contains(w.Name, "mlp") {
				continue
			}
			a := &decoder.Adapter{Name: strings.TrimSuffix(w.Name, ".weight"), Scale: 1}
			for _, t := range []struct {
				to         *compute.Tensor
				rows, cols int
			}{{&a.A, rank, w.Cols}, {&a.DA, rank, w.Cols}, {&a.B, w.Rows, rank}, {&a.DB, w.Rows, rank}} {
				*t.to = m.Device.New(compute.Float32, t.rows, t.cols)
			}
			adapters = append(adapters, a)
		}
	}
	training, err := m.Train(adapters, nil, decoder.TrainingRoom{Rows: length, Kept: m.Spec.L}, 1)
	if err != nil {
		b.Fatal(err)
	}
	defer training.Release()
	ids, targets := make([]int, length), make([]int32, length)
	for i := range ids {
		ids[i], targets[i] = i%m.Spec.V, int32((i+1)%m.Spec.V)
	}
	var alone time.Duration
	for b.Loop() {
		b.StopTimer()
		alone += productsAlone(b, m, length)
		b.StartTimer()
		if _, err := training.Accumulate(b.Context(), decoder.Batch{Sequences: [][]int{ids}, Targets: [][]int32{targets}, Weight: 1. / length}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(length*b.N)/b.Elapsed().Seconds(), "tokens/s")
	b.ReportMetric(alone.Seconds()/b.Elapsed().Seconds(), "of-products")
}

// productsAlone is how long the products of a micro-batch take with the frozen weights, forward and backward, and nothing else:
// those of one layer, timed and multiplied, and the head's.
func productsAlone(b *testing.B, m *decoder.Model, rows int) time.Duration {
	dev := m.Device
	g := dev.(compute.Gradients)
	in := m.Multiplies()
	both := func(w decoder.Weight, kind compute.Kind) time.Duration {
		var weight compute.Tensor
		if kind == compute.NF4 {
			weight = dev.LoadNF4(w.Rows, w.Cols, make([]byte, w.Rows*w.Cols/2), make([]float32, w.Rows*w.Cols/compute.NF4Block))
		} else {
			weight = dev.New(kind, w.Rows, w.Cols)
		}
		x, out, dx := dev.New(compute.Float32, rows, w.Cols), dev.New(compute.Float32, rows, w.Rows), dev.New(compute.Float32, rows, w.Cols)
		begin := time.Now()
		dev.MatMul(x, in, compute.Product{Out: out, W: weight})
		g.MatMulBackward(dx, in, false, compute.Product{Out: out, W: weight})
		if err := dev.Sync(); err != nil {
			b.Fatal(err)
		}
		took := time.Since(begin)
		for _, t := range []compute.Tensor{weight, x, out, dx} {
			dev.Release(t.Memory)
		}
		return took
	}
	var layer time.Duration
	for _, w := range m.Spec.LayerWeights(0) {
		if w.Rows > 0 {
			layer += both(w, compute.NF4)
		}
	}
	return time.Duration(m.Spec.L)*layer + both(m.Spec.HeadWeight(), compute.BFloat16)
}
