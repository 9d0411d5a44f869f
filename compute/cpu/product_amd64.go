package cpu

import (
	"shallow/compute"
)

// levelKernels are the kernels of a level, Float32's and BFloat16's.
func levelKernels(l Level) [2]productKernels {
	switch {
	case l < AVX2:
		return genericKernels()
	case l < AVX512:
		k := productKernels{
			rows: 6, cols: 16,
			tiles:       []tile{nil, tile1x16, tile2x16, tile3x16, tile4x16, tile5x16, tile6x16},
			packColumns: packColumns256, packTile: packTile256,
		}
		rounded := k
		rounded.round, rounded.packColumns = true, rounding(packColumns256)
		return [2]productKernels{k, rounded}
	}
	single := productKernels{
		rows: 8, cols: 48,
		tiles:       []tile{nil, tile1x48, tile2x48, tile3x48, tile4x48, tile5x48, tile6x48, tile7x48, tile8x48},
		packColumns: packColumns512, packTile: packTile512, packTurnedColumns: packTurned512, packTurnedTiles: packTurnedTiles512, direct: direct512,
	}
	double := single
	single.near = [4][]nearTile{
		1: {nil, near1x16, near2x16, near3x16, near4x16, near5x16, near6x16, near7x16, near8x16},
		2: {nil, near1x32, near2x32, near3x32, near4x32, near5x32, near6x32, near7x32, near8x32},
		3: {nil, near1x48, near2x48, near3x48, near4x48, near5x48, near6x48, near7x48, near8x48},
	}
	if double.round, double.packColumns = true, rounding(packColumns512); l >= AVX512BF16 {
		double.round, double.packColumns, double.pairs = false, packColumns512, true
		double.tiles = []tile{nil, tilePairs1x48, tilePairs2x48, tilePairs3x48, tilePairs4x48, tilePairs5x48, tilePairs6x48, tilePairs7x48, tilePairs8x48}
	}
	return [2]productKernels{single, double}
}

type packColumns = func(k *productKernels, dst []uint32, w *weight, row, u, n, ahead int) int

// rounding packs float32 as pack does, and rounds them to bfloat16.
func rounding(pack packColumns) packColumns {
	return func(k *productKernels, dst []uint32, w *weight, row, u, n, ahead int) int {
		units := pack(k, dst, w, row, u, n, ahead)
		if w.kind != compute.BFloat16 && units > 0 {
			columnsToBF16(&dst[0], 4*k.cols, units)
		}
		return units
	}
}

// packColumns512 is productKernels.packColumns in AVX-512.
func packColumns512(k *productKernels, dst []uint32, w *weight, row, u, n, ahead int) int {
	col := k.column(u)
	elements := k.elements(w.cols, u, n)
	if w.kind == compute.NF4 {
		return packColumnsNF4(k, dst, w, row, col, elements, ahead)
	}
	pack, turn := columnsCopy, 16 // elements a turn
	switch {
	case w.kind == compute.BFloat16 && k.pairs:
		turn = 32
	case w.kind == compute.BFloat16:
		pack, turn = columnsWiden, 32
	case w.kind == compute.Float16 && k.pairs:
		pack, turn = columnsHalfRound, 32
	case w.kind == compute.Float16:
		pack, turn = columnsHalf, 32
	case w.kind == compute.Q8_0 && k.pairs:
		pack, turn = columnsQ8Pairs, 32
	case w.kind == compute.Q8_0:
		pack, turn = columnsQ8, 32
	case k.pairs:
		pack, turn = columnsRound, 32
	}
	turns := elements / turn
	if turns > 0 {
		pack(&dst[0], 4*k.cols, (*byte)(w.at(row, col)), w.bytes(w.stride), turns, w.bytes(ahead))
	}
	return turns * turn / k.column(1)
}

// packColumns256 is productKernels.packColumns in AVX2.
func packColumns256(k *productKernels, dst []uint32, w *weight, row, u, n, ahead int) int {
	pack, turn := columns8Copy, 8
	switch w.kind {
	case compute.NF4:
		return packColumns8NF4(k, dst, w, row, u, n, ahead)
	case compute.BFloat16:
		pack, turn = columns8Widen, 16
	case compute.Float16:
		pack = columns8Half
	case compute.Q8_0:
		pack, turn = columns8Q8, compute.Q8Block
	}
	turns := n / turn
	if turns > 0 {
		for i := 0; i < 16; i += 8 {
			pack(&dst[i], 4*k.cols, (*byte)(w.at(row+i, u)), w.bytes(w.stride), turns, w.bytes(turn), w.bytes(ahead))
		}
	}
	return turns * turn
}

// packTile256 is productKernels.packTile in AVX2. It leaves a turn to its caller: what it writes past its end is then
// written over.
func packTile256(k *productKernels, dst []uint32, x []float32, stride, cols int) int {
	turns := (cols - 1) / 8
	if turns == 0 || k.round {
		return 0
	}
	rows6(&dst[0], &x[0], 4*stride, turns)
	return 8 * turns
}

// The direct products in AVX-512.
var (
	directFloat32 = directKernels{by: [5]direct{1: direct1, 2: direct2, 4: direct4}, turn: 16}
	directPairs   = directKernels{by: [5]direct{1: directPairs1, 2: directPairs2, 4: directPairs4}, turn: 32}
	directWiden   = directKernels{by: [5]direct{1: directWiden1, 2: directWiden2, 4: directWiden4}, turn: 32}
	directHalf    = directKernels{by: [5]direct{1: directHalf1, 2: directHalf2, 4: directHalf4}, turn: 32}
	directQ8      = directKernels{by: [5]direct{1: directQ8x1, 2: directQ8x2, 4: directQ8x4}, turn: 32, decodes: true}
	directQ8Pairs = directKernels{by: [5]direct{1: directQ8Pairs1, 2: directQ8Pairs2, 4: directQ8Pairs4}, turn: 32, decodes: true}
)

// direct512 is productKernels.direct in AVX-512.
func direct512(k *productKernels, w *weight) *directKernels {
	var found *directKernels
	switch exact := !k.pairs && !k.round; {
	case w.kind == compute.Float32 && exact:
		found = &directFloat32
	case w.kind == compute.BFloat16 && k.pairs:
		found = &directPairs
	case w.kind == compute.BFloat16:
		found = &directWiden
	case w.kind == compute.Float16 && exact:
		found = &directHalf
	case w.kind == compute.Q8_0 && k.pairs:
		found = &directQ8Pairs
	case w.kind == compute.Q8_0 && exact:
		found = &directQ8
	}
	if found != nil && w.cols%found.turn != 0 {
		return nil
	}
	return found
}

// packTile512 is productKernels.packTile in AVX-512.
func packTile512(k *productKernels, dst []uint32, x []float32, stride, cols int) int {
	switch turns := cols / (32 * k.column(1)); {
	case turns == 0 || k.round:
		return 0
	case k.pairs:
		rows8Pairs(&dst[0], &x[0], 4*stride, turns)
		return 32 * turns
	default:
		rows8(&dst[0], &x[0], 4*stride, turns)
		return 32 * turns
	}
}

// peakLoop runs multiply-adds in registers, and how many operations a turn of it does; nil where there is none.
func peakLoop(l Level, pairs bool) (loop func(n int), flops int) {
	switch {
	case pairs:
		return peakPairs, 24 * 16 * 4
	case l >= AVX512:
		return peakFloat32, 24 * 16 * 2
	case l >= AVX2:
		return peakFloat32x8, 12 * 8 * 2
	}
	return nil, 0
}

// readMemory reads data, whose size is a multiple of 512 bytes.
func readMemory(l Level, data []byte) uint64 {
	if l >= AVX2 {
		return readLines(&data[0], len(data)/512)
	}
	return readGeneric(data)
}
