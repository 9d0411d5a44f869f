package nf4

import "math"

// Float32 writes elements first to first+len(dst)-1, counted row after row. They must be the matrix's.
func (m *Matrix) Float32(dst []float32, first int) {
	decode(m, dst, first, func(v float32) float32 { return v })
}

// BFloat16 is Float32 rounded to bfloat16, to the nearest and of two the even one.
func (m *Matrix) BFloat16(dst []uint16, first int) { decode(m, dst, first, bfloat16) }

// decode computes a block's 16 values once, a product each, and looks its elements up.
func decode[T float32 | uint16](m *Matrix, dst []T, first int, round func(float32) T) {
	var table [16]T
	for len(dst) > 0 {
		b := first / Block
		for code, v := range values {
			table[code] = round(v * m.Absmax[b])
		}
		n := min(len(dst), (b+1)*Block-first)
		for i := range dst[:n] {
			e := first + i
			dst[i] = table[m.Codes[e/2]>>(4*(1-e%2))&15]
		}
		dst, first = dst[n:], first+n
	}
}

// bfloat16 rounds a finite number.
func bfloat16(v float32) uint16 {
	bits := math.Float32bits(v)
	return uint16((bits + 0x7fff + bits>>16&1) >> 16)
}
