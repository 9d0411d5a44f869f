package cpu

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
	k.unit(dst[:count], low[:count], high[:count])
}

// unit makes units of a row's elements, or pairs of two rows'.
func (k *productKernels) unit(dst []uint32, low, high []float32) {
	if !k.pairs {
		k.scatter(dst, low, 1)
		return
	}
	for i, v := range low {
		dst[i] = uint32(dotOperand(v)) | uint32(dotOperand(high[i]))<<16
	}
}

// packTurnedRows is packRows for x that is read as its transpose: a tile's rows are columns of x. Two tiles at a time are
// left to the first of them.
func (p *product) packTurnedRows(t rowTile) {
	k, done, tall := p.kernels, 0, p.kernels.rows
	second := t.row/tall%2 == 1
	first := t.row
	if second {
		first -= tall
	}
	if k.packTurnedTiles != nil && !k.round && first+2*tall <= p.hi-p.lo {
		if done = p.cols / k.column(1); !second {
			done = k.packTurnedTiles(k, p.packed[first*p.units:], tall*p.units, p.x[p.lo+first:], p.xStride, p.cols)
		}
	}
	var none [maxRows]float32 // below the last row
	for u := done; u < p.units; u++ {
		row := k.column(u)
		low, high := p.x[row*p.xStride+p.lo+t.row:][:t.rows], none[:t.rows]
		if k.pairs && row+1 < p.cols {
			high = p.x[(row+1)*p.xStride+p.lo+t.row:][:t.rows]
		}
		k.unit(p.packed[t.row*p.units+u*t.rows:][:t.rows], low, high)
	}
}

// maxRows is the most rows of a tile.
const maxRows = 8
