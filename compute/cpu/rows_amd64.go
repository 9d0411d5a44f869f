package cpu

import (
	"unsafe"

	"shallow/compute"
)

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
	widenBF16:     func(dst []float32, src []uint16) { widen(dst, src, 16, widenBF16512, bf16ToFloat) },
	widenF16:      func(dst []float32, src []uint16) { widen(dst, src, 16, widenF16512, f16ToFloat) },
	sum:           func(x []float32) float64 { return sum512(first(x), len(x)) },
	sumSquares:    func(x []float32) float64 { return sumSquares512(first(x), len(x)) },
	squaresAround: func(x []float32, mean float32) float64 { return squaresAround512(first(x), mean, len(x)) },
	normalize:     func(out, x, w []float32, r float32) { normalize512(first(out), first(x), first(w), r, len(x)) },
	affine: func(out, x, w, b []float32, mean, r float32) {
		affine512(first(out), first(x), first(w), first(b), mean, r, len(x))
	},
	rotate:           func(x, cos, sin []float32, headSize int) { rotateHeads(x, cos, sin, headSize, rotate512) },
	rotateNeighbours: func(x, cos, sin []float32, headSize int) { rotatePairs(x, cos, sin, headSize, rotateNeighbours512) },
	activate: [activations]func(out, x []float32){
		compute.SiLU:        activating(silu512),
		compute.GELU:        activating(gelu512),
		compute.GELUTanh:    activating(geluTanh512),
		compute.QuickGELU:   activating(quickGELU512),
		compute.ReLU:        activating(relu512),
		compute.ReLUSquared: activating(reluSquared512),
		compute.Sigmoid:     activating(sigmoid512),
	},
	gated: [activations]func(out, gate, up []float32){
		compute.SiLU:        gating(siluGated512),
		compute.GELU:        gating(geluGated512),
		compute.GELUTanh:    gating(geluTanhGated512),
		compute.QuickGELU:   gating(quickGELUGated512),
		compute.ReLU:        gating(reluGated512),
		compute.ReLUSquared: gating(reluSquaredGated512),
		compute.Sigmoid:     gating(sigmoidGated512),
	},
	tanh: func(out, x []float32, scale, limit float32) {
		tanh512(first(out), first(x), scale, scale/limit, limit, len(x))
	},
	times:   func(x []float32, by float32) { times512(first(x), by, len(x)) },
	axpy:    func(x, y []float32, a float32) { axpy512(first(x), first(y), a, len(x)) },
	dots:    func(a, b []float32) (ab, aa, bb float64) { return dots512(first(a), first(b), len(a)) },
	maximum: func(x []float32) float32 { return maximum512(first(x), len(x)) },
	sumExp:  func(x []float32, shift float32) float64 { return sumExp512(first(x), shift, len(x)) },
}

var rowsAVX2 = rowKernels{
	widenBF16:     func(dst []float32, src []uint16) { widen(dst, src, 8, widenBF16AVX2, bf16ToFloat) },
	widenF16:      func(dst []float32, src []uint16) { widen(dst, src, 8, widenF16AVX2, f16ToFloat) },
	sum:           func(x []float32) float64 { return sumAVX2(first(x), len(x)) },
	sumSquares:    func(x []float32) float64 { return sumSquaresAVX2(first(x), len(x)) },
	squaresAround: func(x []float32, mean float32) float64 { return squaresAroundAVX2(first(x), mean, len(x)) },
	normalize:     func(out, x, w []float32, r float32) { normalizeAVX2(first(out), first(x), first(w), r, len(x)) },
	affine: func(out, x, w, b []float32, mean, r float32) {
		affineAVX2(first(out), first(x), first(w), first(b), mean, r, len(x))
	},
	rotate:           func(x, cos, sin []float32, headSize int) { rotateHeads(x, cos, sin, headSize, rotateAVX2) },
	rotateNeighbours: func(x, cos, sin []float32, headSize int) { rotatePairs(x, cos, sin, headSize, rotateNeighboursAVX2) },
	activate: [activations]func(out, x []float32){
		compute.SiLU:        activating(siluAVX2),
		compute.GELU:        activating(geluAVX2),
		compute.GELUTanh:    activating(geluTanhAVX2),
		compute.QuickGELU:   activating(quickGELUAVX2),
		compute.ReLU:        activating(reluAVX2),
		compute.ReLUSquared: activating(reluSquaredAVX2),
		compute.Sigmoid:     activating(sigmoidAVX2),
	},
	gated: [activations]func(out, gate, up []float32){
		compute.SiLU:        gating(siluGatedAVX2),
		compute.GELU:        gating(geluGatedAVX2),
		compute.GELUTanh:    gating(geluTanhGatedAVX2),
		compute.QuickGELU:   gating(quickGELUGatedAVX2),
		compute.ReLU:        gating(reluGatedAVX2),
		compute.ReLUSquared: gating(reluSquaredGatedAVX2),
		compute.Sigmoid:     gating(sigmoidGatedAVX2),
	},
	tanh: func(out, x []float32, scale, limit float32) {
		tanhAVX2(first(out), first(x), scale, scale/limit, limit, len(x))
	},
	times:   func(x []float32, by float32) { timesAVX2(first(x), by, len(x)) },
	axpy:    func(x, y []float32, a float32) { axpyAVX2(first(x), first(y), a, len(x)) },
	dots:    func(a, b []float32) (ab, aa, bb float64) { return dotsAVX2(first(a), first(b), len(a)) },
	maximum: func(x []float32) float32 { return maximumAVX2(first(x), len(x)) },
	sumExp:  func(x []float32, shift float32) float64 { return sumExpAVX2(first(x), shift, len(x)) },
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

// rotatePairs is rotateHeads for pairs that lie side by side.
func rotatePairs(x, cos, sin []float32, headSize int, kernel func(x, cos, sin *float32, n int)) {
	for h := 0; h+headSize <= len(x); h += headSize {
		kernel(&x[h], first(cos), first(sin), 2*len(cos))
	}
}

func activating(kernel func(out, x *float32, n int)) func(out, x []float32) {
	return func(out, x []float32) { kernel(first(out), first(x), len(x)) }
}

func gating(kernel func(out, gate, up *float32, n int)) func(out, gate, up []float32) {
	return func(out, gate, up []float32) { kernel(first(out), first(gate), first(up), len(gate)) }
}
