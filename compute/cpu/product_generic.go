package cpu

import (
	"math"
	"unsafe"
)

// genericKernels are the portable ones. BFloat16 is float32 arithmetic on rounded values.
func genericKernels() [2]productKernels {
	const rows = 4
	k := productKernels{rows: rows, cols: 16}
	for r := range rows + 1 {
		k.tiles = append(k.tiles, tileGeneric(r))
	}
	rounded := k
	rounded.round = true
	return [2]productKernels{k, rounded}
}

// tileGeneric is a tile of r × 16 outputs, four columns at a time. The products are rounded before they are added, so that
// no compiler fuses some of them.
func tileGeneric(r int) tile {
	const cols = 16
	return func(k int, a, b *uint32, c *float32, stride int, start *float32, startStride int, mask uint64, shift int) {
		xs := unsafe.Slice((*float32)(unsafe.Pointer(a)), k*r)
		ws := unsafe.Slice((*float32)(unsafe.Pointer(b)), k*cols)
		var sums [cols]float32
		for i := range r {
			for j := 0; j < cols; j += 4 {
				var s0, s1, s2, s3 float32
				for u, v := i, j; u < len(xs); u, v = u+r, v+cols {
					x, w := xs[u], ws[v:v+4:v+4]
					s0 += float32(x * w[0])
					s1 += float32(x * w[1])
					s2 += float32(x * w[2])
					s3 += float32(x * w[3])
				}
				sums[j], sums[j+1], sums[j+2], sums[j+3] = s0, s1, s2, s3
			}
			for j, s := range sums {
				if mask>>j&1 == 0 {
					continue
				}
				at := j + shift
				if start != nil {
					s += *at32(start, i*startStride+at)
				}
				*at32(c, i*stride+at) = s
			}
		}
	}
}

func at32(p *float32, i int) *float32 {
	return (*float32)(unsafe.Add(unsafe.Pointer(p), 4*i))
}

// scatter writes a row's elements as units, stride apart. An odd last element is paired with zero.
func (k *productKernels) scatter(dst []uint32, row []float32, stride int) {
	switch {
	case k.pairs:
		for i := 0; i < len(row); i += 2 {
			v := uint32(dotOperand(row[i]))
			if i+1 < len(row) {
				v |= uint32(dotOperand(row[i+1])) << 16
			}
			dst[i/2*stride] = v
		}
	case k.round:
		for i, v := range row {
			dst[i*stride] = uint32(floatToBF16(v)) << 16
		}
	default:
		for i, v := range row {
			dst[i*stride] = math.Float32bits(v)
		}
	}
}

// dotOperand rounds as the bfloat16 instructions do: to nearest even, and subnormal numbers to zero.
func dotOperand(f float32) uint16 {
	if b := math.Float32bits(f); b&0x7f80_0000 == 0 {
		return uint16(b>>16) & 0x8000
	}
	return floatToBF16(f)
}
