package cpu

// maxPanels is how many panels of weights a thread works through at a time, for a block of k: they stay in its cache.
const maxPanels = 4

// piece is the work a thread takes at a time: rows lo to hi-1 of the packed ones, all of the segment [first, last), times
// panels up to end of one weight.
type piece struct {
	out, weight int
	first, last int
	lo, hi      int
	panel, end  int
}

// cut lays out the tiles of the packed rows, and makes pieces small enough that the threads end together.
func (p *product) cut(threads int) {
	p.tiles, p.pieces = p.tiles[:0], p.pieces[:0]
	panels := 0
	for _, s := range p.segments {
		first, last := p.within(s)
		for row := first; row < last; row += p.kernels.rows {
			p.tiles = append(p.tiles, rowTile{row, min(p.kernels.rows, last-row)})
		}
		for o := range p.outs {
			if lo, hi := p.panelRange(s.weights + o); first < last {
				panels += hi - lo
			}
		}
	}
	if panels == 0 {
		return
	}
	wide, cuts := min(max(panels/(8*threads), 1), maxPanels), 1
	if threads > 1 && panels < 4*threads { // few columns: cut rows too
		cuts = (4*threads + panels - 1) / panels
	}
	for _, s := range p.segments {
		first, last := p.within(s)
		tall := roundUp((last-first+cuts-1)/cuts, 4*p.kernels.rows)
		for top := first; top < last; top += tall {
			for o := range p.outs {
				lo, hi := p.panelRange(s.weights + o)
				for j := lo; j < hi; j += wide {
					p.pieces = append(p.pieces, piece{o, s.weights + o, first, last, top, min(top+tall, last), j, min(j+wide, hi)})
				}
			}
		}
	}
}

// within is the rows of a segment that are packed, counted from the first packed one.
func (p *product) within(s segment) (first, last int) {
	return max(s.lo, p.lo) - p.lo, min(s.hi, p.hi) - p.lo
}

// panelRange is the panels that weight i's rows lie in.
func (p *product) panelRange(i int) (lo, hi int) {
	w, cols := &p.weights[i], p.kernels.cols
	return w.first / cols, (w.first + w.rows + cols - 1) / cols
}

// multiplyPiece computes the outputs of one piece.
func (p *product) multiplyPiece(worker, i int) {
	t := p.pieces[i]
	w := &p.weights[t.weight]
	if rows := t.hi - t.lo; rows <= directRows && w.packed == nil && !w.turned && p.kernels.direct != nil {
		k := p.kernels.direct(p.kernels, w)
		if k != nil && (!k.decodes || directSize[rows] == rows) {
			p.multiplyDirectly(worker, t, k)
			return
		}
	}
	p.multiplyPanels(worker, t)
}

// multiplyPanels computes a piece's outputs block of k after block of k: first the panels, then all rows with them.
func (p *product) multiplyPanels(worker int, t piece) {
	kernels, w := p.kernels, &p.weights[t.weight]
	cols := kernels.cols
	size := cols * blockUnits
	if w.packed == nil {
		p.panels[worker] = grow(p.panels[worker], maxPanels*size)
	}
	for u := 0; u < p.units; u += blockUnits {
		n := min(blockUnits, p.units-u)
		if w.packed == nil {
			for j := t.panel; j < t.end; j++ {
				next, nextUnit := j+1, u
				if next == t.end {
					next, nextUnit = t.panel, u+n
				}
				kernels.packWeights(p.panels[worker][(j-t.panel)*size:], w, j*cols, u, n, next*cols, nextUnit)
			}
		}
		for row := t.lo; row < t.hi; row += kernels.rows {
			for j := t.panel; j < t.end; j++ {
				b := w.panel(j, u, cols, p.units)
				if b == nil {
					b = &p.panels[worker][(j-t.panel)*size]
				}
				p.tile(t, row, u, n, b, j*cols-w.first, min(w.rows+w.first-j*cols, cols))
			}
		}
	}
}

// multiplyDirectly computes a piece's outputs 16 at a time without packing the weight.
func (p *product) multiplyDirectly(worker int, t piece, direct *directKernels) {
	kernels, w, o := p.kernels, &p.weights[t.weight], &p.outs[t.out]
	end := min(t.end*kernels.cols, w.rows)
	col := t.panel * kernels.cols
	for ; col+16 <= end; col += 16 {
		for u := 0; u < p.units; u += blockUnits {
			n := min(blockUnits, p.units-u)
			first, elements := kernels.column(u), kernels.elements(w.cols, u, n)
			ahead := elements
			if u+n == p.units {
				ahead = 16*w.stride - first
			}
			for row := t.lo; row < t.hi; {
				in := (row - t.first) % kernels.rows
				tall := min(kernels.rows, t.last-(row-in)) // rows side by side
				r := directSize[min(t.hi-row, tall-in)]
				c, start, startStride := o.at(p.lo+row, col, u == 0)
				a := &p.packed[(row-in)*p.units+u*tall+in]
				direct.by[r](elements/direct.turn, a, 4*tall, (*byte)(w.at(col, first)), w.bytes(w.stride), w.bytes(ahead), c, o.stride, start, startStride)
				row += r
			}
		}
	}
	if col < end {
		p.panels[worker] = grow(p.panels[worker], maxPanels*kernels.cols*blockUnits)
		for u := 0; u < p.units; u += blockUnits {
			n := min(blockUnits, p.units-u)
			kernels.packWeights(p.panels[worker], w, col, u, n, col, u+n)
			for row := t.lo; row < t.hi; row += kernels.rows {
				p.tile(t, row, u, n, &p.panels[worker][0], col, end-col)
			}
		}
	}
}

// directRows is up to how many rows are multiplied without packing the weight; directSize is how many of them at a time.
const directRows = 8

var directSize = [directRows + 1]int{0, 1, 2, 2, 4, 4, 4, 4, 4}

// tile adds the block of n units from u on to one tile of rows. b is the panel, whose columns below end go to the
// outputs from column col on; where col is negative, the first ones are left out.
func (p *product) tile(t piece, row, u, n int, b *uint32, col, end int) {
	o := &p.outs[t.out]
	r := min(p.kernels.rows, t.last-row)
	skip := max(-col, 0)
	c, start, startStride := o.at(p.lo+row, col+skip, u == 0)
	mask := uint64(1)<<end - uint64(1)<<skip
	p.kernels.tiles[r](n, &p.packed[row*p.units+r*u], b, c, o.stride, start, startStride, mask, -skip)
}

// at is where an output goes, and what it starts from at its first block of k and at later ones.
func (o *output) at(row, col int, first bool) (c, start *float32, startStride int) {
	c = &o.out[row*o.stride+col]
	switch {
	case !first:
		return c, c, o.stride
	case o.start != nil:
		return c, &o.start[row*o.startStride+col], o.startStride
	}
	return c, nil, 0
}

// packRows lays one tile's rows of x side by side, unit after unit, without padding where rows are missing.
func (p *product) packRows(t rowTile) {
	if p.turned {
		p.packTurnedRows(t)
		return
	}
	p.kernels.packRows(p.packed[t.row*p.units:], p.x[(p.lo+t.row)*p.xStride:], p.xStride, t.rows, p.cols)
}

// grow is s with room for n elements that begin at a cache line; what s held is lost when it was too small.
func grow(s []uint32, n int) []uint32 {
	if len(s) < n {
		s = asSlice[uint32](alignedBytes(4 * n))
	}
	return s
}

func roundUp(n, unit int) int { return (n + unit - 1) / unit * unit }
