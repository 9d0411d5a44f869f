package cpu

import "shallow/compute"

// rowKernels are the inner loops of the element-wise operations at one level. Slices of one call have the same length
// unless said. What a kernel computes for an element depends on that element alone, never on its place in the row; what it
// computes for a row depends on the row and its length alone.
type rowKernels struct {
	widenBF16, widenF16 func(dst []float32, src []uint16)
	// sum is Σx, sumSquares Σx² and squaresAround Σ(x-mean)².
	sum, sumSquares func(x []float32) float64
	squaresAround   func(x []float32, mean float32) float64
	// normalize writes x·r·w. out may be x.
	normalize func(out, x, w []float32, r float32)
	// affine writes (x-mean)·r·w + b. out may be x.
	affine func(out, x, w, b []float32, mean, r float32)
	// rotate turns each headSize elements of x by the angles of cos and sin, as RoPE says; rotateNeighbours does so with
	// pairs that lie side by side. len(sin) is len(cos).
	rotate, rotateNeighbours func(x, cos, sin []float32, headSize int)
	// activate writes act(x), gated act(gate)·up, by [compute.Activation]. out may be any of the others.
	activate [activations]func(out, x []float32)
	gated    [activations]func(out, gate, up []float32)
	// tanh writes limit·tanh(x·scale/limit). out may be x.
	tanh func(out, x []float32, scale, limit float32)
	// times multiplies x, and axpy adds a·y to it.
	times func(x []float32, by float32)
	axpy  func(x, y []float32, a float32)
	// dots are a·b, a·a and b·b in float64.
	dots func(a, b []float32) (ab, aa, bb float64)
	// maximum is the largest element; it may miss a NaN.
	maximum func(x []float32) float32
	// sumExp is Σexp(x-shift), added in float64.
	sumExp func(x []float32, shift float32) float64
}

// activations is the number of activations and one, for they count from 1.
const activations = compute.Sigmoid + 1

var genericRows = rowKernels{
	widenBF16: widenBF16Generic, widenF16: widenF16Generic,
	sum: sumGeneric, sumSquares: sumSquaresGeneric, squaresAround: squaresAroundGeneric,
	normalize: normalizeGeneric, affine: affineGeneric,
	rotate: rotateGeneric, rotateNeighbours: rotateNeighboursGeneric,
	activate: activateGeneric, gated: gatedGeneric, tanh: tanhGeneric,
	times: timesGeneric, axpy: axpyGeneric,
	dots: dotsGeneric, maximum: maximumGeneric, sumExp: sumExpGeneric,
}
