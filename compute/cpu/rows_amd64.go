package cpu

import "unsafe"

// rowsAt picks the kernels of a level.
func rowsAt(l Level) rowKernels {
	switch {
	case l >= AVX512:
		return rows512
	case l >= AVX2:
		return rowsAVX2
	}
	return genericRows
}

func first[T any](s []T) *T { return unsafe.SliceData(s) }

var rows512 = rowKernels{
	widenBF16:  func(dst []float32, src []uint16) { widen(dst, src, 16, widenBF16512, bf16ToFloat) },
	widenF16:   func(dst []float32, src []uint16) { widen(dst, src, 16, widenF16512, f16ToFloat) },
	sumSquares: func(x []float32) float32 { return float32(sumSquares512(first(x), len(x))) },
	normalize:  func(out, x, w []float32, r float32) { normalize512(first(out), first(x), first(w), r, len(x)) },
	rotate:     func(x, cos, sin []float32, headSize int) { rotateHeads(x, cos, sin, headSize, rotate512) },
	silu:       func(out, gate, up []float32) { silu512(first(out), first(gate), first(up), len(out)) },
	dots:       func(a, b []float32) (ab, aa, bb float64) { return dots512(first(a), first(b), len(a)) },
	maximum:    func(x []float32) float32 { return maximum512(first(x), len(x)) },
	sumExp:     func(x []float32, shift float32) float64 { return sumExp512(first(x), shift, len(x)) },

	rotateNeighbours: rotateNeighboursGeneric,
	activate:         activateGeneric,
	tanh:             tanhGeneric,
	sum:              sumGeneric,
	squaresAround:    squaresAroundGeneric,
	affine:           affineGeneric,
	times:            timesGeneric,
	axpy:             axpyGeneric,
}

var rowsAVX2 = rowKernels{
	widenBF16:  func(dst []float32, src []uint16) { widen(dst, src, 8, widenBF16AVX2, bf16ToFloat) },
	widenF16:   func(dst []float32, src []uint16) { widen(dst, src, 8, widenF16AVX2, f16ToFloat) },
	sumSquares: func(x []float32) float32 { return float32(sumSquaresAVX2(first(x), len(x))) },
	normalize:  func(out, x, w []float32, r float32) { normalizeAVX2(first(out), first(x), first(w), r, len(x)) },
	rotate:     func(x, cos, sin []float32, headSize int) { rotateHeads(x, cos, sin, headSize, rotateAVX2) },
	silu:       func(out, gate, up []float32) { siluAVX2(first(out), first(gate), first(up), len(out)) },
	dots:       func(a, b []float32) (ab, aa, bb float64) { return dotsAVX2(first(a), first(b), len(a)) },
	maximum:    func(x []float32) float32 { return maximumAVX2(first(x), len(x)) },
	sumExp:     func(x []float32, shift float32) float64 { return sumExpAVX2(first(x), shift, len(x)) },

	rotateNeighbours: rotateNeighboursGeneric,
	activate:         activateGeneric,
	tanh:             tanhGeneric,
	sum:              sumGeneric,
	squaresAround:    squaresAroundGeneric,
	affine:           affineGeneric,
	times:            timesGeneric,
	axpy:             axpyGeneric,
}

// widen converts whole vectors by a kernel and the rest one by one. Both are exact.
func widen(dst []float32, src []uint16, lanes int, kernel func(*float32, *uint16, int), one func(uint16) float32) {
	n := len(src) / lanes
	if n > 0 {
		kernel(first(dst), first(src), n)
	}
	for i := n * lanes; i < len(src); i++ {
		dst[i] = one(src[i])
	}
}

// rotateHeads turns one head after another.
func rotateHeads(x, cos, sin []float32, headSize int, kernel func(low, high, cos, sin *float32, n int)) {
	for h := 0; h+headSize <= len(x); h += headSize {
		kernel(&x[h], &x[h+len(cos)], first(cos), first(sin), len(cos))
	}
}
