package cpu

import (
	"unsafe"

	"shallow/compute"
)

// nf4Order takes the words of two halves of a vector to its even and odd words.
var nf4Order = func() (order [32]uint16) {
	for i := range order {
		order[i] = uint16(i/2 + i%2*16)
	}
	return order
}()

// nf4Scales are the scales of 16 rows in a block of k, side by side, block of elements after block.
type nf4Scales [2 * blockUnits / compute.NF4Block][16]float32

// scales collects the scales of rows row to row+15, from column col on. Both are at the beginning of a block.
func (w *weight) scales(to *nf4Scales, row, col, elements int) {
	blocks, done := elements/compute.NF4Block, 0
	first := (w.offset + row*w.stride + col) / compute.NF4Block
	stride := w.stride / compute.NF4Block
	at := func(row, block int) *byte { return (*byte)(unsafe.Pointer(&w.memory.absmax[first+row*stride+block])) }
	for ; done+8 <= blocks; done += 8 {
		for i := 0; i < 16; i += 8 {
			columns8Copy((*uint32)(unsafe.Pointer(&to[done][i])), 64, at(i, done), 4*stride, 1, 32, 0)
		}
	}
	for ; done < blocks; done++ {
		for i := range 16 {
			to[done][i] = w.memory.absmax[first+i*stride+done]
		}
	}
}

// packColumnsNF4 needs scales that begin with the rows, and even numbers of them: other shapes are decoded one by one.
func packColumnsNF4(k *productKernels, dst []uint32, w *weight, row, col, elements, ahead int) int {
	const turn = 2 * compute.NF4Block
	turns := elements / turn
	if turns == 0 || (w.offset+col)%compute.NF4Block != 0 || w.stride%compute.NF4Block != 0 {
		return 0
	}
	var scales nf4Scales
	w.scales(&scales, row, col, turns*turn)
	// Calls by name, for scales to stay on the stack.
	if k.pairs {
		columnsNF4Pairs(&dst[0], 4*k.cols, (*byte)(w.at(row, col)), w.stride/2, turns, ahead/2, &scales[0], &nf4Codes, &nf4Order)
	} else {
		columnsNF4(&dst[0], 4*k.cols, (*byte)(w.at(row, col)), w.stride/2, turns, ahead/2, &scales[0], &nf4Codes, &nf4Order)
	}
	return turns * turn / k.column(1)
}

// packColumns8NF4 is packColumnsNF4 in AVX2.
func packColumns8NF4(k *productKernels, dst []uint32, w *weight, row, col, elements, ahead int) int {
	const turn = compute.NF4Block
	turns := elements / turn
	if turns == 0 || (w.offset+col)%turn != 0 || w.stride%turn != 0 {
		return 0
	}
	var scales nf4Scales
	w.scales(&scales, row, col, turns*turn)
	for i := 0; i < 16; i += 8 {
		columns8NF4(&dst[i], 4*k.cols, (*byte)(w.at(row+i, col)), w.stride/2, turns, ahead/2, &scales[0][i], &nf4Codes)
	}
	return turns * turn
}
