package cpu

import (
	"time"
	"unsafe"

	"shallow/compute"
)

// Peak is how many billion multiplications and additions a second the device's threads do together in registers alone,
// when they multiply in a kind: what no product can pass. The portable level times a product that fits the cache instead.
func (d *Device) Peak(in compute.Kind) (gflops float64) {
	loop, flops := peakLoop(d.level, kernelsOf(d.level, in).pairs)
	if loop == nil {
		return d.peakOfProduct(in)
	}
	const turns = 1 << 21
	seconds := best(5, func() {
		d.pool.run(d.Threads(), func(_, _ int) { loop(turns) })
	})
	return float64(d.Threads()) * turns * float64(flops) / seconds / 1e9
}

func (d *Device) peakOfProduct(in compute.Kind) (gflops float64) {
	const n, k, m = 64, 512, 256
	x, out := d.New(compute.Float32, n, k), d.New(compute.Float32, n, m)
	w := d.Pack(d.New(compute.Float32, m, k), in)
	return 2 * n * k * m / best(5, func() { d.MatMul(x, in, compute.Product{Out: out, W: w}) }) / 1e9
}

// ReadBandwidth is how many billion bytes a second the device's threads read together from memory that is in no cache:
// what bounds products of one row. It takes a quarter of a gigabyte of memory while it runs.
func (d *Device) ReadBandwidth() (gigabytes float64) {
	const size, piece = 256 << 20, 1 << 20
	data := alignedBytes(size)
	for i := 0; i < size; i += 4096 {
		data[i] = 1 // make the page be there
	}
	seconds := best(5, func() {
		d.pool.run(size/piece, func(_, i int) { readMemory(d.level, data[i*piece:(i+1)*piece]) })
	})
	return size / seconds / 1e9
}

// readGeneric reads words and returns their or.
func readGeneric(data []byte) (bits uint64) {
	words := unsafe.Slice((*[8]uint64)(unsafe.Pointer(&data[0])), len(data)/64)
	for i := range words {
		w := &words[i]
		bits |= w[0] | w[1] | w[2] | w[3] | w[4] | w[5] | w[6] | w[7]
	}
	return bits
}

// best is the shortest of some runs, in seconds.
func best(runs int, f func()) float64 {
	shortest := time.Duration(1<<63 - 1)
	for range runs {
		start := time.Now()
		f()
		shortest = min(shortest, time.Since(start))
	}
	return max(shortest.Seconds(), 1e-9)
}
