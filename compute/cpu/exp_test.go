package cpu

import (
	"math"
	"testing"
)

// TestExp holds the exponential of every level, the assembly's as the sum of one element.
func TestExp(t *testing.T) {
	for _, level := range Levels() {
		kernels := rowsAt(level)
		one := make([]float32, 1)
		t.Run(level.String(), func(t *testing.T) {
			testExp(t, func(x float32) float32 {
				one[0] = x
				return float32(kernels.sumExp(one, 0))
			})
		})
	}
}

// testExp walks through all of the float32 line in small steps, and through the ends in the smallest.
func testExp(t *testing.T, exp func(float32) float32) {
	const bound = 2e-7 // of the value: two roundings of float32 and the polynomial
	check := func(x float32) {
		got, want := float64(exp(x)), math.Exp(float64(x))
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
	for bits := uint32(0); bits < 0x7f80_0000; bits += 1009 {
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
	if got := exp(float32(math.NaN())); got == got {
		t.Errorf("exp(NaN) is %v", got)
	}
	if got := exp(0); got != 1 {
		t.Errorf("exp(0) is %v", got)
	}
}
