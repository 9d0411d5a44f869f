package cpu

import (
	"math"

	"shallow/compute"
)

// attentionKernels are the inner loops of attention at one level. per is the numbers in a unit: 1 for float32, 2 for pairs of
// bfloat16, which only kernels with pairs multiply. Elsewhere pairs are widened, and queries and weights stay float32.
type attentionKernels struct {
	pairs bool
	// multiply sets c[i][j] to start[i]·c[i][j] + Σ_k a[i][k]·b[k][j], for rows × cols numbers and depth units of k. Without
	// start it begins at zero. The rows of c, a and b are ldc, lda and ldb apart. cols is a multiple of channelBlock.
	multiply func(c []float32, ldc int, start []float32, a []uint32, lda int, b []uint32, ldb int, rows, depth, cols, per int)
	// weigh takes one page's scores of as many rows as peaks has. With m the larger of a row's peak and of its visible
	// scores times scale, correction becomes e^(peak-m), peak m, and weights e^(score·scale-m), or 0 where not visible; lanes,
	// 16 a row, become lanes·correction plus the weights. weights may be the memory of scores where per is 1.
	weigh func(weights []uint32, scores []float32, visible []uint64, peaks, correction, lanes []float32, scale float32, per int)
	// widenPairs splits rows of pairs into two rows of float32 each, the first of a pair to the first row.
	widenPairs func(dst []float32, src []uint32, width int)
	// roundPairs rounds src to pairs; with an odd number the last has a zero beside it.
	roundPairs func(dst []uint32, src []float32)
	// finite reports whether no number in units is infinite or NaN.
	finite func(units []uint32, per int) bool
	// scale is dst = src·factor + 0, which has no negative zeros, for len(dst) numbers.
	scale func(dst, src []float32, factor float32)
}

var genericAttention = attentionKernels{
	multiply:   multiplyGeneric,
	weigh:      weighGeneric,
	widenPairs: widenPairsGeneric,
	roundPairs: roundPairsGeneric,
	finite:     finiteGeneric,
	scale:      scaleGeneric,
}

func multiplyGeneric(c []float32, ldc int, start []float32, a []uint32, lda int, b []uint32, ldb int, rows, depth, cols, _ int) {
	fa, fb := asFloats(a), asFloats(b)
	for i := range rows {
		ci := c[i*ldc : i*ldc+cols]
		if start == nil {
			clear(ci)
		} else {
			for j := range ci {
				ci[j] *= start[i]
			}
		}
		for k, x := range fa[i*lda : i*lda+depth] {
			for j, y := range fb[k*ldb : k*ldb+cols] {
				ci[j] += x * y
			}
		}
	}
}

func weighGeneric(weights []uint32, scores []float32, visible []uint64, peaks, correction, lanes []float32, scale float32, _ int) {
	w := asFloats(weights)
	for i := range peaks {
		m := peaks[i]
		row := scores[i*compute.PageSize : (i+1)*compute.PageSize]
		for j, s := range row {
			if visible[i]>>j&1 == 1 {
				m = max(m, s*scale)
			}
		}
		correction[i] = expGeneric(peaks[i] - m)
		peaks[i] = m
		sums := lanes[i*channelBlock : (i+1)*channelBlock]
		for j := range sums {
			sums[j] *= correction[i]
		}
		for j, s := range row {
			var x float32
			if visible[i]>>j&1 == 1 {
				x = expGeneric(s*scale - m)
			}
			w[i*compute.PageSize+j] = x
			sums[j%channelBlock] += x
		}
	}
}

func widenPairsGeneric(dst []float32, src []uint32, width int) {
	for len(src) > 0 {
		for i, u := range src[:width] {
			dst[i] = math.Float32frombits(u << 16)
			dst[width+i] = math.Float32frombits(u &^ 0xffff)
		}
		src, dst = src[width:], dst[2*width:]
	}
}

func roundPairsGeneric(dst []uint32, src []float32) {
	for i := range src {
		h := uint32(floatToBF16(src[i]))
		if i%2 == 0 {
			dst[i/2] = h
		} else {
			dst[i/2] |= h << 16
		}
	}
}

func finiteGeneric(units []uint32, per int) bool {
	const exponent = 0x7f80
	for _, u := range units {
		if u>>16&exponent == exponent || per == 2 && u&exponent == exponent {
			return false
		}
	}
	return true
}

func scaleGeneric(dst, src []float32, factor float32) {
	for i := range dst {
		dst[i] = src[i]*factor + 0
	}
}
