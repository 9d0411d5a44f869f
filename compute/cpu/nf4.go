package cpu

import "shallow/compute"

// nf4Codes are the quantiles of the normal distribution that NF4's codes stand for.
// Source: Dettmers et al., 2023, appendix E.
var nf4Codes = [16]float32{
	-1, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453,
	-0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0,
	0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
	0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1,
}

// widenNF4 writes the elements of m from place at on.
func widenNF4(dst []float32, m *memory, at int) {
	for j := range dst {
		e := at + j
		code := m.data[e/2] >> (4 * (1 - e%2)) & 15
		dst[j] = nf4Codes[code] * m.absmax[e/compute.NF4Block]
	}
}

// nf4Turn is the NF4 elements of a row that the kernels of AVX-512 decode at a time.
const nf4Turn = 2 * compute.NF4Block

// nf4Scales are the scales of 16 rows in a block of k, two blocks of elements a turn.
type nf4Scales [2 * blockUnits / nf4Turn][2][16]float32

// scales collects the scales of rows row to row+15, from column col on. Both are at the beginning of a block.
func (w *weight) scales(to *nf4Scales, row, col, elements int) {
	for i := range 16 {
		first := (w.offset + (row+i)*w.stride + col) / compute.NF4Block
		for j, s := range w.memory.absmax[first : first+elements/compute.NF4Block] {
			to[j/2][j%2][i] = s
		}
	}
}
