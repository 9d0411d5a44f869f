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
