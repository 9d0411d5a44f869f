package cpu

import "math"

// The exponential of every level is 2ⁿ·p(r) with n = round(x·log₂e), r = x - n·ln2 and
//
//	p(r) = 1 + r + r²·(e0 + e1·r + e2·r² + e3·r³ + e4·r⁴),
//
// e0 to e4 through the Chebyshev nodes of |r| ≤ ln2/2: 1.1e-8 from eʳ. Below expLow, where eˣ is no normal number, it is 0.
const (
	expE0 = 0x1p-1
	expE1 = 0x1.5554dcp-3
	expE2 = 0x1.555518p-5
	expE3 = 0x1.120be2p-7
	expE4 = 0x1.6d117cp-10

	expLow = -0x1.5d589ep+6 // the least float32 above ln 2⁻¹²⁶
)

// expGeneric is eˣ with a relative error of at most 1e-7: 0 below expLow, infinite past the largest float32.
func expGeneric(x float32) float32 {
	switch {
	case x < expLow:
		return 0
	case x > 89:
		return float32(math.Inf(1))
	case x != x:
		return x
	}
	const toInteger = 0x1.8p52 // adding it leaves a float64 no bits below 1
	n := float64(x)*math.Log2E + toInteger
	power := math.Float64bits(n) << 52 // n in the exponent's place
	r := float64(x) - (n-toInteger)*math.Ln2
	p := 1 + r*(1+r*(expE0+r*(expE1+r*(expE2+r*(expE3+r*expE4)))))
	return float32(math.Float64frombits(math.Float64bits(p) + power))
}
