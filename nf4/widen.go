package nf4

import (
	"encoding/binary"
	"math"

	"shallow/checkpoint"
)

// A widener reads little-endian elements of one type into float32, which holds them all exactly. It also gives their
// largest magnitude, and whether all of them are finite.
type widener func(dst []float32, src []byte) (absmax float32, finite bool)

var wideners = map[checkpoint.DType]widener{checkpoint.F32: widenF32, checkpoint.BF16: widenBF16, checkpoint.F16: widenF16}

// Without their sign, floating-point numbers are ordered as the integers of the same bits; infinities and what is no number
// come last.

func widenF32(dst []float32, src []byte) (absmax float32, finite bool) {
	const sign, infinity = 1 << 31, 0x7f800000
	src = src[:4*len(dst)]
	var top, top1, top2, top3 uint32
	i := 0
	for ; i+4 <= len(dst); i += 4 {
		d, s := dst[i:i+4:i+4], src[4*i:4*i+16:4*i+16]
		a, b := binary.LittleEndian.Uint32(s), binary.LittleEndian.Uint32(s[4:])
		c, e := binary.LittleEndian.Uint32(s[8:]), binary.LittleEndian.Uint32(s[12:])
		top, top1, top2, top3 = max(top, a&^sign), max(top1, b&^sign), max(top2, c&^sign), max(top3, e&^sign)
		d[0], d[1], d[2], d[3] = math.Float32frombits(a), math.Float32frombits(b), math.Float32frombits(c), math.Float32frombits(e)
	}
	for ; i < len(dst); i++ {
		bits := binary.LittleEndian.Uint32(src[4*i:])
		top = max(top, bits&^sign)
		dst[i] = math.Float32frombits(bits)
	}
	top = max(top, top1, top2, top3)
	return math.Float32frombits(top), top < infinity
}

func widenBF16(dst []float32, src []byte) (absmax float32, finite bool) {
	const sign, infinity = 1 << 31, 0x7f800000
	src = src[:2*len(dst)]
	var top uint32
	for i := range dst {
		bits := uint32(binary.LittleEndian.Uint16(src[2*i:])) << 16
		top = max(top, bits&^sign)
		dst[i] = math.Float32frombits(bits)
	}
	return math.Float32frombits(top), top < infinity
}

// widenF16 lets a multiplication move the exponent: subnormal numbers come out right too.
func widenF16(dst []float32, src []byte) (absmax float32, finite bool) {
	const sign, infinity = 1 << 15, 0x7c00
	src = src[:2*len(dst)]
	var top uint32
	for i := range dst {
		bits := uint32(binary.LittleEndian.Uint16(src[2*i:]))
		top = max(top, bits&^sign)
		dst[i] = math.Float32frombits(bits&sign<<16|bits&^sign<<13) * 0x1p112
	}
	if top >= infinity {
		for i := range dst {
			if binary.LittleEndian.Uint16(src[2*i:])&infinity == infinity {
				dst[i] = float32(math.NaN())
			}
		}
	}
	return math.Float32frombits(top<<13) * 0x1p112, top < infinity
}
