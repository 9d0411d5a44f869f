package cpu

import (
	"math"
	"testing"
)

// TestExp walks through all of the float32 line in small steps, and through the ends in the smallest.
func TestExp(t *testing.T) {
	const bound = 2e-7 // of the value: two roundings of float32 and the polynomial
	check := func(x float32) {
		got, want := float64(expGeneric(x)), math.Exp(float64(x))
		switch {
		case x < expLow:
			if got != 0 {
				t.Fatalf("exp(%v) is %v, want 0", x, got)
			}
		case want > math.MaxFloat32:
			if !math.IsInf(got, 1) {
				t.Fatalf("exp(%v) is %v, want +Inf", x, got)
			}
		case !(math.Abs(got-want) <= bound*want):
			t.Fatalf("exp(%v) is %v, want %v", x, got, want)
		}
	}
	for bits := uint32(0); bits < 0x7f80_0000; bits += 331 {
		x := math.Float32frombits(bits)
		check(x)
		check(-x)
	}
	for _, end := range []float32{expLow, 88.722839, 0} {
		lo, hi := end, end
		for range 1000 {
			check(lo)
			check(hi)
			lo, hi = math.Nextafter32(lo, float32(math.Inf(-1))), math.Nextafter32(hi, float32(math.Inf(1)))
		}
	}
	check(float32(math.Inf(1)))
	check(float32(math.Inf(-1)))
	if got := expGeneric(float32(math.NaN())); got == got {
		t.Errorf("exp(NaN) is %v", got)
	}
	if got := expGeneric(0); got != 1 {
		t.Errorf("exp(0) is %v", got)
	}
}
