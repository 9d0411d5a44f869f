package cpu

import (
	"math"

	"shallow/compute"
)

// attentionKernelsAt are the kernels of a level.
func attentionKernelsAt(l Level) *attentionKernels {
	switch {
	case l >= AVX512BF16:
		return &attentionPairs
	case l >= AVX512:
		return &attention512
	case l >= AVX2:
		return &attentionAVX2
	}
	return &genericAttention
}

var (
	attentionAVX2 = attentionKernels{
		multiply: func(c []float32, ldc int, start []float32, a []uint32, lda int, b []uint32, ldb int, rows, depth, cols, _ int) {
			attendAVX2.multiply(c, ldc, start, a, lda, b, ldb, rows, depth, cols)
		},
		weigh: func(weights []uint32, scores []float32, visible []uint64, peaks, correction, lanes []float32, scale float32, _ int) {
			weighWith(attentionWeightsAVX2, weights, scores, visible, peaks, correction, lanes, scale, 1)
		},
		widenPairs: widenPairsAVX2, roundPairs: roundPairsGeneric, finite: finiteAVX2, scale: scaleAVX2,
	}
	attention512 = attentionKernels{
		multiply: func(c []float32, ldc int, start []float32, a []uint32, lda int, b []uint32, ldb int, rows, depth, cols, _ int) {
			attend512.multiply(c, ldc, start, a, lda, b, ldb, rows, depth, cols)
		},
		weigh: func(weights []uint32, scores []float32, visible []uint64, peaks, correction, lanes []float32, scale float32, _ int) {
			weighWith(attentionWeights512, weights, scores, visible, peaks, correction, lanes, scale, 1)
		},
		widenPairs: widenPairsAVX2, roundPairs: roundPairsGeneric, finite: finiteAVX2, scale: scaleAVX2,
	}
	attentionPairs = attentionKernels{
		pairs: true,
		multiply: func(c []float32, ldc int, start []float32, a []uint32, lda int, b []uint32, ldb int, rows, depth, cols, per int) {
			if per == 1 {
				attend512.multiply(c, ldc, start, a, lda, b, ldb, rows, depth, cols)
				return
			}
			attendPairs.multiply(c, ldc, start, a, lda, b, ldb, rows, depth, cols)
		},
		weigh: func(weights []uint32, scores []float32, visible []uint64, peaks, correction, lanes []float32, scale float32, per int) {
			if per == 1 {
				weighWith(attentionWeights512, weights, scores, visible, peaks, correction, lanes, scale, per)
				return
			}
			weighWith(attentionWeightsPairs512, weights, scores, visible, peaks, correction, lanes, scale, per)
		},
		widenPairs: widenPairsAVX2, roundPairs: roundPairs512, finite: finiteAVX2, scale: scaleAVX2,
	}
)

// attentionBlocks are micro-kernels for 1 to attentionBlock rows: 64 and 32 columns wide where the level has them, and 16. They set
// c[i][j] to start[i]·c[i][j] + Σ_k a[i][k]·b[k][j], or to the sum alone where start is nil.
type attentionBlocks struct {
	columns64, columns32, columns16 [attentionBlock]attentionKernel
}

// widest are the kernels for the most columns of so many that are left.
func (k *attentionBlocks) widest(left int) (kernels *[attentionBlock]attentionKernel, width int) {
	switch {
	case k.columns64[0] != nil && left >= 64:
		return &k.columns64, 64
	case k.columns32[0] != nil && left >= 32:
		return &k.columns32, 32
	}
	return &k.columns16, 16
}

type attentionKernel func(depth int, a *uint32, lda int, b *uint32, ldb int, c *float32, ldc int, start *float32)

var (
	attend512 = attentionBlocks{
		columns64: [attentionBlock]attentionKernel{attend1x64, attend2x64, attend3x64, attend4x64, attend5x64, attend6x64},
		columns32: [attentionBlock]attentionKernel{attend1x32, attend2x32, attend3x32, attend4x32, attend5x32, attend6x32},
		columns16: [attentionBlock]attentionKernel{attend1x16, attend2x16, attend3x16, attend4x16, attend5x16, attend6x16},
	}
	attendPairs = attentionBlocks{
		columns64: [attentionBlock]attentionKernel{attendPairs1x64, attendPairs2x64, attendPairs3x64, attendPairs4x64, attendPairs5x64, attendPairs6x64},
		columns32: [attentionBlock]attentionKernel{attendPairs1x32, attendPairs2x32, attendPairs3x32, attendPairs4x32, attendPairs5x32, attendPairs6x32},
		columns16: [attentionBlock]attentionKernel{attendPairs1x16, attendPairs2x16, attendPairs3x16, attendPairs4x16, attendPairs5x16, attendPairs6x16},
	}
	attendAVX2 = attentionBlocks{
		columns16: [attentionBlock]attentionKernel{attendAVX2_1x16, attendAVX2_2x16, attendAVX2_3x16, attendAVX2_4x16, attendAVX2_5x16, attendAVX2_6x16},
	}
)

// multiply cuts rows and columns into blocks.
func (k *attentionBlocks) multiply(c []float32, ldc int, start []float32, a []uint32, lda int, b []uint32, ldb int, rows, depth, cols int) {
	_, _, _ = c[(rows-1)*ldc+cols-1], a[(rows-1)*lda+depth-1], b[(depth-1)*ldb+cols-1] // what the kernels reach
	for j := 0; j < cols; {
		kernels, width := k.widest(cols - j)
		for i := 0; i < rows; i += attentionBlock {
			n := min(attentionBlock, rows-i)
			var first *float32
			if start != nil {
				first = &start[i : i+n][0]
			}
			kernels[n-1](depth, &a[i*lda], lda, &b[j], ldb, &c[i*ldc+j], ldc, first)
		}
		j += width
	}
}

// weighWith checks what a kernel reaches before it runs.
func weighWith(kernel func(rows int, weights *uint32, scores *float32, visible *uint64, peaks, correction, lanes *float32, scale float32),
	weights []uint32, scores []float32, visible []uint64, peaks, correction, lanes []float32, scale float32, per int) {
	n := len(peaks)
	_, _ = weights[n*compute.PageSize/per-1], scores[n*compute.PageSize-1]
	_, _, _ = visible[n-1], correction[n-1], lanes[n*channelBlock-1]
	kernel(n, &weights[0], &scores[0], &visible[0], &peaks[0], &correction[0], &lanes[0], scale)
}

func widenPairsAVX2(dst []float32, src []uint32, width int) {
	for ; len(src) > 0; src, dst = src[width:], dst[2*width:] {
		_, _ = src[width-1], dst[2*width-1]
		attentionWidenAVX2(width/8, &dst[0], &dst[width], &src[0])
	}
}

func roundPairs512(dst []uint32, src []float32) {
	turns := len(src) / 32
	if turns > 0 {
		_ = dst[16*turns-1]
		attentionRound512(turns, &dst[0], &src[0])
	}
	roundPairsGeneric(dst[16*turns:], src[32*turns:])
}

// finiteAVX2 takes multiples of channelBlock units, as all values of a cache are.
func finiteAVX2(units []uint32, per int) bool {
	mask := math.Float32bits(float32(math.Inf(1)))
	if per == 2 {
		mask |= mask >> 16
	}
	return attentionFiniteAVX2(len(units)/channelBlock, &units[0], mask)
}

func scaleAVX2(dst, src []float32, factor float32) {
	turns := len(dst) / 8
	if turns > 0 {
		_ = src[8*turns-1]
		attentionScaleAVX2(turns, &dst[0], &src[0], factor)
	}
	scaleGeneric(dst[8*turns:], src[8*turns:], factor)
}
