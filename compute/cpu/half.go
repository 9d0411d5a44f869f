package cpu

import "math"

// bf16ToFloat widens a bfloat16: its bits are the upper half of a float32.
func bf16ToFloat(h uint16) float32 { return math.Float32frombits(uint32(h) << 16) }

// floatToBF16 rounds to nearest, ties to even. NaN stays NaN: its top mantissa bit is set, as VCVTNEPS2BF16 does.
func floatToBF16(f float32) uint16 {
	b := math.Float32bits(f)
	if b&0x7fff_ffff > 0x7f80_0000 {
		return uint16(b>>16) | 0x40
	}
	return uint16((b + 0x7fff + b>>16&1) >> 16)
}

// f16ToFloat widens an IEEE 754 half: 1 sign bit, 5 exponent bits, 10 mantissa bits. NaN is made quiet, as VCVTPH2PS does.
func f16ToFloat(h uint16) float32 {
	sign := uint32(h&0x8000) << 16
	exp, man := uint32(h>>10&0x1f), uint32(h&0x3ff)
	switch {
	case exp == 0: // zero or subnormal: man · 2⁻²⁴ is exact
		return math.Float32frombits(sign | math.Float32bits(float32(man)*0x1p-24))
	case exp == 0x1f && man == 0:
		return math.Float32frombits(sign | 0x7f80_0000)
	case exp == 0x1f:
		return math.Float32frombits(sign | 0x7fc0_0000 | man<<13)
	}
	return math.Float32frombits(sign | (exp+127-15)<<23 | man<<13)
}

// floatToF16 rounds to nearest, ties to even; values past 65504 by half a step or more become infinite.
func floatToF16(f float32) uint16 {
	b := math.Float32bits(f)
	sign := uint16(b >> 16 & 0x8000)
	b &= 0x7fff_ffff
	switch {
	case b > 0x7f80_0000:
		return sign | 0x7e00 | uint16(b>>13&0x3ff)
	case b >= 0x477f_f000:
		return sign | 0x7c00
	case b < 0x3880_0000: // below 2⁻¹⁴: adding 0.5 rounds to a multiple of 2⁻²⁴, which the low mantissa bits then count
		return sign | uint16(math.Float32bits(math.Float32frombits(b)+0.5)-0x3f00_0000)
	}
	b += 0xfff + b>>13&1
	return sign | uint16((b-(127-15)<<23)>>13)
}
