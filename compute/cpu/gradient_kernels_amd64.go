package cpu

import "shallow/compute"

// gradientsAt are the kernels of a level.
func gradientsAt(l Level) *gradientKernels {
	switch {
	case l >= AVX512:
		return &gradients512
	case l >= AVX2:
		return &gradientsAVX2
	}
	return &genericGradients
}

var gradients512 = gradientKernels{
	normSums: func(dout, x, w []float32, mean, r float32) (gs, gx float64) {
		return normGradientSums512(first(dout), first(x), first(w), mean, r, len(dout))
	},
	norm:    normGradient(normGradient512),
	normAdd: normGradient(normGradientAdd512),
	weightSums: func(sums, dout, x []float32, mean, r float32) {
		weightSums512(first(sums), first(dout), first(x), mean, r, len(dout))
	},
	activate: [activations]func(dx, dout, x []float32){
		compute.SiLU:        activatingGradient(siluGradient512),
		compute.GELU:        activatingGradient(geluGradient512),
		compute.GELUTanh:    activatingGradient(geluTanhGradient512),
		compute.QuickGELU:   activatingGradient(quickGELUGradient512),
		compute.ReLU:        activatingGradient(reluGradient512),
		compute.ReLUSquared: activatingGradient(reluSquaredGradient512),
		compute.Sigmoid:     activatingGradient(sigmoidGradient512),
	},
	gated: [activations]func(dgate, dup, dout, gate, up []float32){
		compute.SiLU:        gatingGradient(siluGatedGradient512),
		compute.GELU:        gatingGradient(geluGatedGradient512),
		compute.GELUTanh:    gatingGradient(geluTanhGatedGradient512),
		compute.QuickGELU:   gatingGradient(quickGELUGatedGradient512),
		compute.ReLU:        gatingGradient(reluGatedGradient512),
		compute.ReLUSquared: gatingGradient(reluSquaredGatedGradient512),
		compute.Sigmoid:     gatingGradient(sigmoidGatedGradient512),
	},
	cap: func(dx, y []float32, inverse float32) { capGradient512(first(dx), first(y), inverse, len(dx)) },
	exps: func(out, x []float32, shift, by, factor float32) {
		scaledExps512(first(out), first(x), shift, by, factor, len(x))
	},
	sumExps: func(x []float32, shift, by float32) float64 { return sumScaledExps512(first(x), shift, by, len(x)) },
	divergence: func(p, from, q []float32, by, shift float64) float64 {
		return divergence512(first(p), first(from), first(q), by, shift, len(p))
	},
	dropout: func(out, x []float32, r *philoxRow, limit uint32, keep float32) {
		dropout512(first(out), first(x), &r.keys[0][0], r.token, r.place, r.microStep, limit, keep, len(x))
	},
	adamW: func(p, m, v, g []float32, s *adamStep) {
		adamW512(first(p), first(m), first(v), first(g), &s.scale, len(p))
	},
	transposed: transposed512.transposed,
	slopes:     slopesWith(attentionSlopes512),
	transpose:  transposeAVX2,
}

var gradientsAVX2 = gradientKernels{
	normSums: func(dout, x, w []float32, mean, r float32) (gs, gx float64) {
		return normGradientSumsAVX2(first(dout), first(x), first(w), mean, r, len(dout))
	},
	norm:    normGradient(normGradientAVX2),
	normAdd: normGradient(normGradientAddAVX2),
	weightSums: func(sums, dout, x []float32, mean, r float32) {
		weightSumsAVX2(first(sums), first(dout), first(x), mean, r, len(dout))
	},
	activate: [activations]func(dx, dout, x []float32){
		compute.SiLU:        activatingGradient(siluGradientAVX2),
		compute.GELU:        activatingGradient(geluGradientAVX2),
		compute.GELUTanh:    activatingGradient(geluTanhGradientAVX2),
		compute.QuickGELU:   activatingGradient(quickGELUGradientAVX2),
		compute.ReLU:        activatingGradient(reluGradientAVX2),
		compute.ReLUSquared: activatingGradient(reluSquaredGradientAVX2),
		compute.Sigmoid:     activatingGradient(sigmoidGradientAVX2),
	},
	gated: [activations]func(dgate, dup, dout, gate, up []float32){
		compute.SiLU:        gatingGradient(siluGatedGradientAVX2),
		compute.GELU:        gatingGradient(geluGatedGradientAVX2),
		compute.GELUTanh:    gatingGradient(geluTanhGatedGradientAVX2),
		compute.QuickGELU:   gatingGradient(quickGELUGatedGradientAVX2),
		compute.ReLU:        gatingGradient(reluGatedGradientAVX2),
		compute.ReLUSquared: gatingGradient(reluSquaredGatedGradientAVX2),
		compute.Sigmoid:     gatingGradient(sigmoidGatedGradientAVX2),
	},
	cap: func(dx, y []float32, inverse float32) { capGradientAVX2(first(dx), first(y), inverse, len(dx)) },
	exps: func(out, x []float32, shift, by, factor float32) {
		scaledExpsAVX2(first(out), first(x), shift, by, factor, len(x))
	},
	sumExps: func(x []float32, shift, by float32) float64 { return sumScaledExpsAVX2(first(x), shift, by, len(x)) },
	divergence: func(p, from, q []float32, by, shift float64) float64 {
		return divergenceAVX2(first(p), first(from), first(q), by, shift, len(p))
	},
	dropout: func(out, x []float32, r *philoxRow, limit uint32, keep float32) {
		dropoutAVX2(first(out), first(x), &r.keys[0][0], r.token, r.place, r.microStep, limit, keep, len(x))
	},
	adamW: func(p, m, v, g []float32, s *adamStep) {
		adamWAVX2(first(p), first(m), first(v), first(g), &s.scale, len(p))
	},
	transposed: transposedAVX2.transposed,
	slopes:     slopesWith(attentionSlopesAVX2),
	transpose:  transposeAVX2,
}

// normGradient gives a kernel slices.
func normGradient(kernel func(dx, dout, x, w *float32, mean, r, shift, along float32, n int)) func(dx, dout, x, w []float32, mean, r, shift, along float32) {
	return func(dx, dout, x, w []float32, mean, r, shift, along float32) {
		kernel(first(dx), first(dout), first(x), first(w), mean, r, shift, along, len(dout))
	}
}

func activatingGradient(kernel func(dx, dout, x *float32, n int)) func(dx, dout, x []float32) {
	return func(dx, dout, x []float32) { kernel(first(dx), first(dout), first(x), len(x)) }
}

func gatingGradient(kernel func(dgate, dup, dout, gate, up *float32, n int)) func(dgate, dup, dout, gate, up []float32) {
	return func(dgate, dup, dout, gate, up []float32) {
		kernel(first(dgate), first(dup), first(dout), first(gate), first(up), len(gate))
	}
}

// transposed512 and transposedAVX2 multiply with a's rows and columns exchanged.
var (
	transposed512 = attentionBlocks{
		columns64: [attentionBlock]attentionKernel{
			attendTransposed1x64, attendTransposed2x64, attendTransposed3x64, attendTransposed4x64, attendTransposed5x64, attendTransposed6x64,
		},
		columns32: [attentionBlock]attentionKernel{
			attendTransposed1x32, attendTransposed2x32, attendTransposed3x32, attendTransposed4x32, attendTransposed5x32, attendTransposed6x32,
		},
		columns16: [attentionBlock]attentionKernel{
			attendTransposed1x16, attendTransposed2x16, attendTransposed3x16, attendTransposed4x16, attendTransposed5x16, attendTransposed6x16,
		},
	}
	transposedAVX2 = attentionBlocks{
		columns16: [attentionBlock]attentionKernel{
			attendTransposedAVX2_1x16, attendTransposedAVX2_2x16, attendTransposedAVX2_3x16,
			attendTransposedAVX2_4x16, attendTransposedAVX2_5x16, attendTransposedAVX2_6x16,
		},
	}
)

// transposed cuts rows and columns into blocks.
func (k *attentionBlocks) transposed(c []float32, ldc int, start []float32, a []uint32, lda int, b []uint32, ldb int, rows, depth, cols int) {
	_, _, _ = c[(rows-1)*ldc+cols-1], a[(depth-1)*lda+rows-1], b[(depth-1)*ldb+cols-1] // what the kernels reach
	for j := 0; j < cols; {
		kernels, width := k.widest(cols - j)
		for i := 0; i < rows; i += attentionBlock {
			n := min(attentionBlock, rows-i)
			var first *float32
			if start != nil {
				first = &start[i : i+n][0]
			}
			kernels[n-1](depth, &a[i], lda, &b[j], ldb, &c[i*ldc+j], ldc, first)
		}
		j += width
	}
}

type slopesKernel = func(rows int, scores, slopes *float32, visible *uint64, lse, delta *float32, scale, bend, outer float32)

// slopesWith checks what a kernel reaches before it runs.
func slopesWith(kernel slopesKernel) func(scores, slopes []float32, visible []uint64, lse, delta []float32, scale, bend, outer float32) {
	return func(scores, slopes []float32, visible []uint64, lse, delta []float32, scale, bend, outer float32) {
		const page = compute.PageSize
		n := len(visible)
		_, _, _, _ = scores[n*page-1], slopes[n*page-1], lse[page-1], delta[page-1]
		kernel(n, &scores[0], &slopes[0], &visible[0], &lse[0], &delta[0], scale, bend, outer)
	}
}

func transposeAVX2(dst []float32, dstStride int, src []float32, srcStride, cols int) {
	_, _ = dst[(cols-1)*dstStride+7], src[7*srcStride+cols-1]
	transposeRowsAVX2(cols/8, &dst[0], dstStride, &src[0], srcStride)
}
