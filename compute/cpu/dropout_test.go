package cpu

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

// TestPhilox holds the generator to the known answers of its authors' Random123.
func TestPhilox(t *testing.T) {
	const all = 0xffffffff
	for _, c := range []struct {
		counter [4]uint32
		key     [2]uint32
		want    [4]uint32
	}{
		{[4]uint32{}, [2]uint32{}, [4]uint32{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
		{[4]uint32{all, all, all, all}, [2]uint32{all, all}, [4]uint32{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
		{[4]uint32{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, [2]uint32{0xa4093822, 0x299f31d0}, [4]uint32{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
	} {
		if got := philox(c.counter, c.key); got != c.want {
			t.Errorf("philox(%x, %x) is %x, want %x", c.counter, c.key, got, c.want)
		}
	}
}

// TestDropoutLevels: the mask is the same at every level, whatever the number of columns.
func TestDropoutLevels(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for n := 1; n < 150; n++ {
		x, want := make([]float32, n), make([]float32, n)
		for i := range x {
			x[i] = float32(random.NormFloat64())
		}
		r := philoxRow{token: random.Uint32(), place: random.Uint32(), microStep: random.Uint32(), key: [2]uint32{random.Uint32(), random.Uint32()}}
		r.expand()
		limit := random.Uint32()
		dropoutGeneric(want, x, &r, limit, 1.5)
		for _, level := range Levels() {
			got := make([]float32, n+1)
			got[n] = 7
			gradientsAt(level).dropout(got[:n], x, &r, limit, 1.5)
			for i, w := range append(want[:n:n], 7) {
				if got[i] != w {
					t.Fatalf("%v, %d columns: element %d is %v, want %v", level, n, i, got[i], w)
				}
			}
		}
	}
}

// TestMultiplyAdd compares with exact arithmetic, near ties too.
func TestMultiplyAdd(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 200000 {
		a, b := math.Float32frombits(r.Uint32()&0x807fffff|0x3f800000), math.Float32frombits(r.Uint32()&0x807fffff|0x3f800000)
		c := math.Float32frombits(r.Uint32()&0x807ff000 | (100+r.Uint32()%60)<<23)
		exact := new(big.Float).SetPrec(300).Mul(big.NewFloat(float64(a)), big.NewFloat(float64(b)))
		want, _ := exact.Add(exact, big.NewFloat(float64(c))).Float32()
		if got := multiplyAdd(a, b, c); got != want {
			t.Fatalf("%v·%v + %v is %v, want %v", a, b, c, got, want)
		}
	}
}
