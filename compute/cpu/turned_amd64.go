package cpu

import (
	"unsafe"

	"shallow/compute"
)

// packTurned512 is productKernels.packTurnedColumns in AVX-512.
func packTurned512(k *productKernels, dst []uint32, w *weight, col, row, units int) int {
	if units == 0 {
		return 0
	}
	to, stride := &dst[0], 4*k.cols
	switch from, apart := (*byte)(w.at(row, col)), w.bytes(w.stride); {
	case w.kind == compute.NF4:
		units = packTurnedNF4(k, to, w, col, row, units)
	case w.kind == compute.Q8_0: // whose scale lies before the codes
		codes := (*byte)(unsafe.Add(unsafe.Pointer(from), 2+(w.offset+col)%compute.Q8Block))
		decode := turnedQ8
		if k.pairs {
			decode = turnedQ8Pairs
		}
		decode(to, stride, codes, apart, units, from, apart, &nf4Codes, &nf4Order)
	case w.kind == compute.Float32 && k.pairs:
		turnedRound(to, stride, from, apart, units, &nf4Order)
	case w.kind == compute.Float32:
		turnedCopy(to, stride, from, apart, units)
	case w.kind == compute.BFloat16 && k.pairs:
		turnedPairs(to, stride, from, apart, units, &nf4Order)
	case w.kind == compute.BFloat16:
		turnedWiden(to, stride, from, apart, units)
	case k.pairs:
		turnedHalfRound(to, stride, from, apart, units, &nf4Order)
	default:
		turnedHalf(to, stride, from, apart, units)
	}
	if k.round && w.kind != compute.BFloat16 && units > 0 {
		columnsToBF16(to, stride, units)
	}
	return units
}

// packTurnedNF4 needs 16 columns to lie in one block, and rows to begin with one: other shapes are decoded one by one.
func packTurnedNF4(k *productKernels, to *uint32, w *weight, col, row, units int) int {
	first := w.offset + row*w.stride + col
	if w.stride%compute.NF4Block != 0 || first%16 != 0 {
		return 0
	}
	from, scale := &w.memory.data[first/2], (*byte)(unsafe.Pointer(&w.memory.absmax[first/compute.NF4Block]))
	scaleStride := w.stride / compute.NF4Block * 4
	if k.pairs {
		turnedNF4Pairs(to, 4*k.cols, from, w.stride/2, units, scale, scaleStride, &nf4Codes, &nf4Order)
	} else {
		turnedNF4(to, 4*k.cols, from, w.stride/2, units, scale, scaleStride, &nf4Codes, &nf4Order)
	}
	return units
}

// packTurnedTiles512 is productKernels.packTurnedTiles in AVX-512.
func packTurnedTiles512(k *productKernels, dst []uint32, apart int, x []float32, stride, rows int) int {
	units := rows / k.column(1)
	switch {
	case units == 0 || k.round:
		return 0
	case k.pairs:
		turnedTilesPairs(&dst[0], 4*apart, &x[0], 4*stride, units, &nf4Order)
	default:
		turnedTiles(&dst[0], 4*apart, &x[0], 4*stride, units, &nf4Order)
	}
	return units
}
