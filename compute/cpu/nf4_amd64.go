package cpu

import "shallow/compute"

// nf4Order takes the words of two halves of a vector to its even and odd words.
var nf4Order = func() (order [32]uint16) {
	for i := range order {
		order[i] = uint16(i/2 + i%2*16)
	}
	return order
}()

// packColumnsNF4 needs scales that begin with the rows, and even numbers of them: other shapes are decoded one by one.
func packColumnsNF4(k *productKernels, dst []uint32, w *weight, row, col, elements, ahead int) int {
	turns := elements / nf4Turn
	if turns == 0 || k.round || (w.offset+col)%compute.NF4Block != 0 || w.stride%compute.NF4Block != 0 {
		return 0
	}
	var scales nf4Scales
	w.scales(&scales, row, col, turns*nf4Turn)
	// Calls by name, for scales to stay on the stack.
	if k.pairs {
		columnsNF4Pairs(&dst[0], 4*k.cols, (*byte)(w.at(row, col)), w.stride/2, turns, ahead/2, &scales[0], &nf4Codes, &nf4Order)
	} else {
		columnsNF4(&dst[0], 4*k.cols, (*byte)(w.at(row, col)), w.stride/2, turns, ahead/2, &scales[0], &nf4Codes, &nf4Order)
	}
	return turns * nf4Turn / k.column(1)
}

// packColumns8NF4 is packColumnsNF4 in AVX2.
func packColumns8NF4(k *productKernels, dst []uint32, w *weight, row, col, elements, ahead int) int {
	const turn = compute.NF4Block
	turns := elements / turn
	if turns == 0 || (w.offset+col)%turn != 0 || w.stride%turn != 0 {
		return 0
	}
	for i := 0; i < 16; i += 8 {
		var scales [blockUnits / turn][8]float32
		for j := range 8 {
			first := (w.offset + (row+i+j)*w.stride + col) / turn
			for b, s := range w.memory.absmax[first : first+turns] {
				scales[b][j] = s
			}
		}
		columns8NF4(&dst[i], 4*k.cols, (*byte)(w.at(row+i, col)), w.stride/2, turns, ahead/2, &scales[0], &nf4Codes)
	}
	return turns * turn
}
