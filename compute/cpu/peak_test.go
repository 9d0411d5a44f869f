package cpu

import (
	"fmt"
	"testing"

	"shallow/compute"
)

// BenchmarkLimits reports what bounds products: arithmetic in registers, and memory.
func BenchmarkLimits(b *testing.B) {
	for _, threads := range []int{1, 2} {
		b.Run(fmt.Sprintf("threads=%d", threads), func(b *testing.B) {
			d := openDevice(b, Best(), threads)
			for b.Loop() {
				b.ReportMetric(d.Peak(compute.Float32), "GFLOP/s-float32")
				b.ReportMetric(d.Peak(compute.BFloat16), "GFLOP/s-bfloat16")
				b.ReportMetric(d.ReadBandwidth(), "GB/s")
			}
		})
	}
}

func TestReadersSeeEveryByte(t *testing.T) {
	data := alignedBytes(4096)
	for i := 0; i < len(data); i += 97 {
		data[i] = 0x40
		for _, l := range Levels() {
			if bits := readMemory(l, data); bits == 0 {
				t.Errorf("%v: byte %d was not read", l, i)
			}
		}
		data[i] = 0
	}
}

func TestLimitsArePositive(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a second")
	}
	for _, l := range Levels() {
		d := openDevice(t, l, 1)
		for _, in := range []compute.Kind{compute.Float32, compute.BFloat16} {
			if p := d.Peak(in); p < 0.1 || p > 1e4 {
				t.Errorf("%v, %v: %.1f GFLOP/s on one thread", l, in, p)
			}
		}
		if r := d.ReadBandwidth(); r < 0.1 || r > 1e3 {
			t.Errorf("%v: %.1f GB/s on one thread", l, r)
		}
	}
}
