package cpu

import "math"

// packTurned lays n units of a panel of a turned weight's columns side by side: dst[i][j] is unit u+i of column col+j, zero
// past the last column. A unit is an element of row u+i, or two of rows 2(u+i) and 2(u+i)+1.
func (k *productKernels) packTurned(dst []uint32, w *weight, col, u, n int) {
	for j := 0; j < k.cols; j += 16 {
		count, done := max(min(w.rows-col-j, 16), 0), 0
		if count == 16 && k.packTurnedColumns != nil {
			done = k.packTurnedColumns(k, dst[j:], w, col+j, k.column(u), k.elements(w.cols, u, n)/k.column(1))
		}
		for i := done; i < n; i++ {
			k.turnUnit(dst[i*k.cols+j:][:16], w, col+j, k.column(u+i), count)
		}
	}
}

// turnUnit writes the unit that begins at a row, of count columns from col on; what is left of dst becomes zero.
func (k *productKernels) turnUnit(dst []uint32, w *weight, col, row, count int) {
	clear(dst)
	if count == 0 {
		return
	}
	var low, high [16]float32
	w.decode(low[:count], row, col)
	if k.pairs && row+1 < w.cols {
		w.decode(high[:count], row+1, col)
	}
	for i := range count {
		switch {
		case k.pairs:
			dst[i] = uint32(floatToBF16(low[i])) | uint32(floatToBF16(high[i]))<<16
		case k.round:
			dst[i] = uint32(floatToBF16(low[i])) << 16
		default:
			dst[i] = math.Float32bits(low[i])
		}
	}
}
