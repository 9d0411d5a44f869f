package heal

import (
	"fmt"
	"testing"
	"time"

	"shallow/compute/cpu"
	"shallow/decoder"
)

// BenchmarkScratch is whole steps of a small model that begins from nothing: rows of random tokens, every weight trained.
// internal/reference/scratch.py takes the same steps in PyTorch.
func BenchmarkScratch(b *testing.B) {
	dir := beginning(b, map[string]any{"hidden_size": 128, "intermediate_size": 384, "num_hidden_layers": 16, "vocab_size": 1024, "max_position_embeddings": 512})
	for _, shape := range []struct{ rows, length int }{{32, 256}, {16, 512}, {64, 36}} {
		for _, precision := range []decoder.Precision{decoder.Float32, decoder.BFloat16} {
			b.Run(fmt.Sprintf("%v/%dx%d", precision, shape.rows, shape.length), func(b *testing.B) {
				l := scratchLoop(b, dir, shape.rows, shape.length, precision)
				if _, err := l.step(b.Context()); err != nil { // touches all memory for the first time
					b.Fatal(err)
				}
				best := time.Hour
				for b.Loop() {
					begin := time.Now()
					if _, err := l.step(b.Context()); err != nil {
						b.Fatal(err)
					}
					best = min(best, time.Since(begin))
				}
				tokens := float64(shape.rows * shape.length)
				b.ReportMetric(tokens*float64(b.N)/b.Elapsed().Seconds(), "tokens/s")
				b.ReportMetric(tokens/best.Seconds(), "tokens/s-at-best")
			})
		}
	}
}

// scratchLoop is a training on two threads, before its first step.
func scratchLoop(b *testing.B, dir string, rows, length int, precision decoder.Precision) *loop {
	b.Helper()
	dev, err := cpu.New(cpu.Options{Threads: 2})
	if err != nil {
		b.Fatal(err)
	}
	c, err := decoder.Blank(dir)
	if err != nil {
		b.Fatal(err)
	}
	m, err := decoder.Open(dev, c, decoder.Options{Precision: precision})
	if err != nil {
		b.Fatal(err)
	}
	var documents []Document
	for i := range 4 * rows {
		var d Document
		for j := range length {
			d.IDs = append(d.IDs, int(random(5, 0, uint64(i), uint64(j))%1024))
		}
		documents = append(documents, d)
	}
	data, err := NewData([]Source{{Name: "random", Documents: documents}}, DataOptions{Length: length, Seed: 1})
	if err != nil {
		b.Fatal(err)
	}
	o := Options{Method: Full, FromScratch: true, Batch: rows, Accumulate: 1, Peak: 1e-3, Clip: 1, Decay: 0.1, Beta2: 0.95, Seed: 1, Length: length}
	t, err := o.newTrainee(m)
	if err != nil {
		b.Fatal(err)
	}
	l, err := newLoop(m, t, data, nil, o, nil)
	if err != nil {
		b.Fatal(err)
	}
	if l.training, err = m.Train(nil, t.parameters, l.room(), 1); err != nil {
		b.Fatal(err)
	}
	l.Steps, l.schedule = 1<<30, Schedule{Peak: o.Peak, Warmup: 100, Steps: 1 << 30}
	b.Cleanup(func() {
		l.release()
		m.Close()
		c.Close()
		dev.Close()
	})
	return l
}
