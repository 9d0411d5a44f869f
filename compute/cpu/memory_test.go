package cpu_test

import (
	"testing"

	"shallow/compute"
	"shallow/compute/cpu"
)

// TestPackedMemoryIsUsedAgain packs one weight where another of the size was: nothing of that may show.
func TestPackedMemoryIsUsedAgain(t *testing.T) {
	dev, err := cpu.New(cpu.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer dev.Close()
	const rows, cols = 37, 51 // no multiples of a tile, so that panels have room to spare
	weight := func(v float32) compute.Tensor {
		values := make([]float32, rows*cols)
		for i := range values {
			values[i] = v * float32(i%7)
		}
		return dev.Load(compute.Float32, rows, cols, compute.Bytes(values))
	}
	x := dev.New(compute.Float32, 3, cols)
	ones := make([]float32, 3*cols)
	for i := range ones {
		ones[i] = 1
	}
	dev.Upload(x, compute.Bytes(ones))
	run := func(w compute.Tensor) []float32 {
		out := dev.New(compute.Float32, 3, rows)
		dev.MatMul(x, compute.Float32, compute.Product{Out: out, W: w})
		got := make([]float32, 3*rows)
		if err := dev.Download(compute.Bytes(got), out); err != nil {
			t.Fatal(err)
		}
		return got
	}
	first := dev.Pack(weight(5), compute.Float32)
	dev.Release(first.Memory)
	allocated := testing.AllocsPerRun(10, func() {
		again := dev.Pack(weight(1), compute.Float32)
		dev.Release(again.Memory)
	})
	second := dev.Pack(weight(1), compute.Float32)
	want, got := run(weight(1)), run(second)
	for i := range got {
		if got[i] != want[i] {
			t.Fatalf("element %d is %v packed, %v not", i, got[i], want[i])
		}
	}
	if allocated > 12 {
		t.Errorf("%v allocations", allocated)
	}
}
