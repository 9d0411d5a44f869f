package decoder_test

import (
	"os"
	"strings"
	"testing"

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
	for b.Loop() {
		if _, err := training.Accumulate(b.Context(), decoder.Batch{Sequences: [][]int{ids}, Targets: [][]int32{targets}, Weight: 1. / length}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(length*b.N)/b.Elapsed().Seconds(), "tokens/s")
}
