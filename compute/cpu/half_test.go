package cpu

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestHalvesSurviveWidening(t *testing.T) {
	for i := range 1 << 16 {
		h := uint16(i)
		f := bf16ToFloat(h)
		if want := h; f == f && floatToBF16(f) != want {
			t.Fatalf("bfloat16 %#04x widens to %v and comes back as %#04x", h, f, floatToBF16(f))
		}
		if back := floatToBF16(f); f != f && (back != h|0x40) {
			t.Fatalf("bfloat16 NaN %#04x comes back as %#04x", h, back)
		}
		f = f16ToFloat(h)
		if back := floatToF16(f); f == f && back != h {
			t.Fatalf("float16 %#04x widens to %v and comes back as %#04x", h, f, back)
		}
		if back := floatToF16(f); f != f && back != h|0x200 {
			t.Fatalf("float16 NaN %#04x comes back as %#04x", h, back)
		}
	}
}

func TestF16ToFloat(t *testing.T) {
	for i := range 1 << 16 {
		exp, man := i>>10&0x1f, float64(i&0x3ff)
		want := math.Ldexp(1024+man, exp-25)
		switch {
		case exp == 0:
			want = math.Ldexp(man, -24)
		case exp == 31 && man == 0:
			want = math.Inf(1)
		case exp == 31:
			want = math.NaN()
		}
		if i&0x8000 != 0 {
			want = -want
		}
		got := float64(f16ToFloat(uint16(i)))
		if got != want && !(math.IsNaN(got) && math.IsNaN(want)) || math.Signbit(got) != math.Signbit(want) && got == got {
			t.Fatalf("float16 %#04x is %v, not %v", i, got, want)
		}
	}
}

// TestRounding compares with a search: of the two halves around a value the nearer one wins, the even one in a tie.
func TestRounding(t *testing.T) {
	kinds := []struct {
		name  string
		inf   uint16
		widen func(uint16) float32
		round func(float32) uint16
	}{
		{"bfloat16", 0x7f80, bf16ToFloat, floatToBF16},
		{"float16", 0x7c00, f16ToFloat, floatToF16},
	}
	for _, k := range kinds {
		check := func(f float32, lo, want uint16) {
			t.Helper()
			if got := k.round(f); got != want {
				t.Fatalf("%s: %v (between %#04x and the next) rounds to %#04x, want %#04x", k.name, f, lo, got, want)
			}
			if got := k.round(-f); got != want|0x8000 {
				t.Fatalf("%s: %v rounds to %#04x, want %#04x", k.name, -f, got, want|0x8000)
			}
		}
		for lo := range k.inf {
			a, b := float64(k.widen(lo)), float64(k.widen(lo+1))
			if lo+1 == k.inf { // infinity stands where the next exponent would begin
				b = 2*a - float64(k.widen(lo-1))
			}
			mid := float32((a + b) / 2) // exact: one more mantissa bit
			even := lo + lo&1
			check(mid, lo, even)
			check(math.Nextafter32(mid, 0), lo, lo)
			check(math.Nextafter32(mid, math.MaxFloat32), lo, lo+1)
		}
		if got := k.round(float32(math.Inf(1))); got != k.inf {
			t.Fatalf("%s: +Inf rounds to %#04x", k.name, got)
		}
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 1 << 20 { // any bit pattern: NaN stays NaN, the sign stays
		f := math.Float32frombits(rng.Uint32())
		for _, k := range kinds {
			h := k.round(f)
			if (f != f) != (k.widen(h) != k.widen(h)) || (math.Float32bits(f)>>31 != uint32(h>>15)) {
				t.Fatalf("%s: %#08x rounds to %#04x", k.name, math.Float32bits(f), h)
			}
		}
	}
}
