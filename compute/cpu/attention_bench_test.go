package cpu_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"shallow/compute"
	"shallow/compute/cpu"
)

// benchmarkAttention runs the last rows of one sequence of a length, and returns the operation and the
// bytes of keys and values it reads.
func benchmarkAttention(b *testing.B, dev *cpu.Device, kind compute.Kind, length, rows, heads, kvHeads, headSize int, softCap float32) (run func(), bytes int64) {
	r := rand.New(rand.NewPCG(1, 1))
	random := func(rows, cols int) compute.Tensor {
		x := make([]float32, rows*cols)
		for i := range x {
			x[i] = float32(r.NormFloat64())
		}
		t := dev.New(compute.Float32, rows, cols)
		dev.Upload(t, compute.Bytes(x))
		return t
	}
	ints := func(values []int32, cols int) compute.Tensor {
		t := dev.New(compute.Int32, len(values)/cols, cols)
		dev.Upload(t, compute.Bytes(values))
		return t
	}
	pages := (length + compute.PageSize - 1) / compute.PageSize
	slots, table := make([]int32, length), make([]int32, pages)
	for i := range slots {
		slots[i] = int32(i)
	}
	for i := range table {
		table[i] = int32(i)
	}
	cache := dev.NewCache(kind, pages, kvHeads, headSize)
	dev.StoreKV(cache, random(length, kvHeads*headSize), random(length, kvHeads*headSize), ints(slots, 1))
	q, out := random(rows, heads*headSize), dev.New(compute.Float32, rows, heads*headSize)
	batch := compute.Batch{
		Offsets: ints([]int32{0, int32(rows)}, 1), Slots: ints(slots[length-rows:], 1), Lengths: ints([]int32{int32(length)}, 1),
		Table: ints(table, pages), MaxRows: rows, MaxLength: length,
	}
	o := compute.AttentionOptions{HeadSize: headSize, Scale: 0.088, SoftCap: softCap}
	return func() {
		dev.Attention(out, q, cache, batch, o)
		if err := dev.Sync(); err != nil {
			b.Fatal(err)
		}
	}, cache.Bytes()
}

// BenchmarkAttention is causal over 4096 positions, as a model measures, and one row at a time, as it generates.
func BenchmarkAttention(b *testing.B) {
	const length, heads = 4096, 32
	for _, threads := range []int{1, 2} {
		dev, err := cpu.New(cpu.Options{Threads: threads})
		if err != nil {
			b.Fatal(err)
		}
		for _, kind := range []compute.Kind{compute.Float32, compute.BFloat16} {
			for _, kvHeads := range []int{32, 8} {
				name := fmt.Sprintf("threads=%d/%v/kvheads=%d", threads, kind, kvHeads)
				b.Run("causal/"+name, func(b *testing.B) {
					run, _ := benchmarkAttention(b, dev, kind, length, length, heads, kvHeads, 128, 0)
					for b.Loop() {
						run()
					}
					flops := 4 * float64(length) * float64(length+1) / 2 * 128 * heads
					b.ReportMetric(flops*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
				})
				b.Run("one/"+name, func(b *testing.B) {
					run, bytes := benchmarkAttention(b, dev, kind, length, 1, heads, kvHeads, 128, 0)
					for b.Loop() {
						run()
					}
					b.ReportMetric(float64(bytes)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GB/s")
				})
			}
		}
		dev.Close()
	}
}

// BenchmarkAttentionSoftCap is causal over 2048 positions with heads of some sizes, with a soft cap and without.
func BenchmarkAttentionSoftCap(b *testing.B) {
	const length, heads, kvHeads = 2048, 8, 4
	dev, err := cpu.New(cpu.Options{Threads: 1})
	if err != nil {
		b.Fatal(err)
	}
	defer dev.Close()
	for _, kind := range []compute.Kind{compute.Float32, compute.BFloat16} {
		for _, headSize := range []int{20, 64, 128, 256} {
			for _, softCap := range []float32{0, 50} {
				b.Run(fmt.Sprintf("%v/%d/softcap=%v", kind, headSize, softCap), func(b *testing.B) {
					run, _ := benchmarkAttention(b, dev, kind, length, length, heads, kvHeads, headSize, softCap)
					for b.Loop() {
						run()
					}
					flops := 4 * float64(length) * float64(length+1) / 2 * float64(headSize) * heads
					b.ReportMetric(flops*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
				})
			}
		}
	}
}
