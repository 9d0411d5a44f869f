package cpu

import "shallow/compute"

// gradientKernels are the inner loops of the gradients at one level. Slices of one call have the same length unless said. As in
// [rowKernels], what a kernel computes for an element depends on that element alone, and what for a row on the row alone.
type gradientKernels struct {
	// normSums are Σg and Σg·x̂ with g = dout·w and x̂ = (x-mean)·r.
	normSums func(dout, x, w []float32, mean, r float32) (gs, gx float64)
	// norm writes r·(dout·w - shift - x̂·along) to dx, normAdd adds it. dx may be dout.
	norm, normAdd func(dx, dout, x, w []float32, mean, r, shift, along float32)
	// weightSums is sums += dout·(x-mean)·r.
	weightSums func(sums, dout, x []float32, mean, r float32)
	// activate is dx = dout·act'(x); gated is dgate = dout·up·act'(gate) and dup = dout·act(gate). Outputs may be inputs.
	activate [activations]func(dx, dout, x []float32)
	gated    [activations]func(dgate, dup, dout, gate, up []float32)
	// cap is dx *= 1 - (y·inverse)².
	cap func(dx, y []float32, inverse float32)
	// exps writes factor·e^((x-shift)·by), sumExps adds e^((x-shift)·by) up in float64. out may be x.
	exps    func(out, x []float32, shift, by, factor float32)
	sumExps func(x []float32, shift, by float32) float64
	// divergence is Σ p·((from-q)·by + shift) in float64.
	divergence func(p, from, q []float32, by, shift float64) float64
	// dropout writes x·keep, or 0 where the channel's number is below limit.
	dropout func(out, x []float32, r *philoxRow, limit uint32, keep float32)
	// adamW is one step.
	adamW func(p, m, v, g []float32, s *adamStep)

	// transposed is attentionKernels.multiply with a's rows and columns exchanged: c[i][j] is start[i]·c[i][j] + Σ_k a[k][i]·b[k][j].
	transposed func(c []float32, ldc int, start []float32, a []uint32, lda int, b []uint32, ldb int, rows, depth, cols int)
	// slopes takes rows of a tile of attention, one key each, one column a query. With s = score·scale, it makes a score into p =
	// e^(s-lse), and the gradient by p in slopes into that by the score before scale: (slope - delta)·p·(1 - s²·bend)·outer. Both
	// are 0 where not visible.
	slopes func(scores, slopes []float32, visible []uint64, lse, delta []float32, scale, bend, outer float32)
	// transpose makes rows of src, of which there are 8, columns of dst; their length is cols, a multiple of 8.
	transpose func(dst []float32, dstStride int, src []float32, srcStride, cols int)
}

// adamStep is a step's settings in the order in which the kernels read them.
type adamStep struct {
	scale, keep, fresh1, beta2, fresh2, rate, root, eps float32
}

var genericGradients = gradientKernels{
	normSums: normSumsGeneric, norm: normGradientGeneric(false), normAdd: normGradientGeneric(true), weightSums: weightSumsGeneric,
	activate: activateGradients, gated: gatedGradients, cap: capGradientGeneric,
	exps: expsGeneric, sumExps: sumExpsGeneric, divergence: divergenceGeneric, dropout: dropoutGeneric, adamW: adamWGeneric,
	transposed: transposedGeneric, slopes: slopesGeneric, transpose: transposeGeneric,
}

// activateGradients and gatedGradients are the gradients of the activations by number.
var activateGradients, gatedGradients = func() (activate [activations]func(dx, dout, x []float32), gated [activations]func(dgate, dup, dout, gate, up []float32)) {
	for a := compute.SiLU; a < activations; a++ {
		act := activationsGeneric[a]
		activate[a] = func(dx, dout, x []float32) {
			for j, y := range dout {
				dx[j] = y * float32(slope(float64(x[j]), a))
			}
		}
		gated[a] = func(dgate, dup, dout, gate, up []float32) {
			for j, y := range dout {
				dgate[j], dup[j] = y*up[j]*float32(slope(float64(gate[j]), a)), y*act(gate[j])
			}
		}
	}
	return activate, gated
}()
