package cpu

import "shallow/compute"

// blockUnits is the number of units of k in one chain of multiply-adds: see package compute.
const blockUnits = 512

// packedRowsBytes bounds the copy of x that one sweep over the weights reads.
const packedRowsBytes = 32 << 20

// product is the state of one MatMul, kept on the Device so that the next call allocates nothing.
type product struct {
	kernels *productKernels
	units   int // of k
	x       []float32
	xStride int
	cols    int // of x
	weights []weight
	outs    []output
	pieces  []piece
	lo, hi  int      // rows of x that are packed
	packed  []uint32 // these rows, in panels [units][tile rows]
	panels  [][]uint32

	packRows, multiply func(worker, i int)
}

// output is where one product goes.
type output struct {
	out, start          []float32
	stride, startStride int
}

// piece is the work a thread takes at a time: rows lo to hi-1 of the packed ones times panels up to end of one weight.
type piece struct {
	product    int
	lo, hi     int
	panel, end int
}

// MatMul computes x·Wᵀ for every product: see [compute.Operations].
//
// x is rounded and laid out in panels first, the rows of a tile side by side, unit after unit; so is each weight, block
// by block, unless Pack did it before. A tile of outputs then stays in registers for a block of k. Threads take pieces of
// columns, and of rows where there are few columns, never of k.
func (d *Device) MatMul(x compute.Tensor, in compute.Kind, products ...compute.Product) {
	if !d.ok() || !d.checkProducts(x, in, products) || x.Rows == 0 {
		return
	}
	p := &d.product
	p.prepare(d, x, in, products)
	defer p.forget()
	tile := p.kernels.rows
	sweep := max(256, packedRowsBytes/4/max(p.units, 1))
	sweeps := (x.Rows + sweep - 1) / sweep
	sweep = roundUp((x.Rows+sweeps-1)/sweeps, tile)
	for lo := 0; lo < x.Rows; lo += sweep {
		p.lo, p.hi = lo, min(lo+sweep, x.Rows)
		rows := p.hi - lo
		p.packed = grow(p.packed, rows*p.units)
		panels := (rows + tile - 1) / tile
		if rows*p.units < 1<<15 {
			for i := range panels {
				p.packRows(0, i)
			}
		} else {
			d.pool.run(panels, p.packRows)
		}
		p.cut(rows, d.pool.threads)
		d.pool.run(len(p.pieces), p.multiply)
	}
}

// checkProducts fails where shapes or kinds do not fit.
func (d *Device) checkProducts(x compute.Tensor, in compute.Kind, products []compute.Product) bool {
	if x.Kind != compute.Float32 || (in != compute.Float32 && in != compute.BFloat16) {
		d.fail("MatMul: %v multiplied in %v: x must be float32, and is multiplied in float32 or bfloat16", x, in)
		return false
	}
	if x.Cols == 0 {
		d.fail("MatMul: %v has no columns", x)
	}
	if !d.ok() || !d.fits("MatMul", "x", x, x.Rows, x.Cols, float32Kind...) {
		return false
	}
	for _, p := range products {
		w := p.W
		if !d.fits("MatMul", "out", p.Out, x.Rows, w.Rows, float32Kind...) ||
			p.Bias.Given() && !d.fits("MatMul", "bias", p.Bias, 1, w.Rows, floatKinds...) {
			return false
		}
		m, ok := w.Memory.(*packed)
		switch {
		case !ok:
			d.fits("MatMul", "weight", w, w.Rows, x.Cols, weightKinds...)
		case m.in != in || m.cols != x.Cols || w.Cols != x.Cols || w.Offset < 0 || w.Offset+w.Rows*w.Cols > m.rows*m.cols || m.units == nil:
			d.fail("MatMul: %v of a weight [%d, %d] packed for %v, times %v in %v; was it released?", w, m.rows, m.cols, m.in, x, in)
		}
		if !d.ok() {
			return false
		}
	}
	return true
}

// prepare notes what the threads need to know.
func (p *product) prepare(d *Device, x compute.Tensor, in compute.Kind, products []compute.Product) {
	p.kernels = kernelsOf(d.level, in)
	p.units = p.kernels.units(x.Cols)
	p.x, p.xStride, p.cols = floats(x), x.Stride, x.Cols
	for _, q := range products {
		o := output{out: floats(q.Out), stride: q.Out.Stride}
		switch {
		case q.Accumulate:
			o.start, o.startStride = o.out, o.stride
			if q.Bias.Given() {
				d.addBias(q.Out, q.Bias)
			}
		case q.Bias.Given():
			o.start = make([]float32, q.Bias.Cols)
			b := weightOf(q.Bias)
			b.decode(o.start, 0, 0)
		}
		p.outs = append(p.outs, o)
		p.weights = append(p.weights, weightOf(q.W))
	}
	for len(p.panels) < d.pool.threads {
		p.panels = append(p.panels, nil)
	}
	if p.packRows == nil {
		p.packRows = func(_, i int) { p.packPanel(i) }
		p.multiply = p.multiplyPiece
	}
}

// addBias adds a row to every row of out.
func (d *Device) addBias(out, bias compute.Tensor) {
	b := make([]float32, bias.Cols)
	d.widenRow(b, bias, 0)
	d.eachRows(out.Rows, out.Cols, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			d.rows.axpy(floatRow(out, i), b, 1)
		}
	})
}

// forget lets go of the tensors, so that they can be freed.
func (p *product) forget() {
	clear(p.outs)
	clear(p.weights)
	p.outs, p.weights, p.x = p.outs[:0], p.weights[:0], nil
}

// maxPanels is how many panels of weights a thread works through at a time, for a block of k: they stay in its cache.
const maxPanels = 4

// cut makes pieces small enough that the threads end together.
func (p *product) cut(rows, threads int) {
	p.pieces = p.pieces[:0]
	panels := 0
	for i := range p.weights {
		lo, hi := p.panelRange(i)
		panels += hi - lo
	}
	if panels == 0 {
		return
	}
	wide := min(max(panels/(8*threads), 1), maxPanels)
	tall := rows
	if threads > 1 && panels < 4*threads { // few columns: cut rows too
		cuts := (4*threads + panels - 1) / panels
		tall = roundUp((rows+cuts-1)/cuts, 4*p.kernels.rows)
	}
	for top := 0; top < rows; top += tall {
		for i := range p.weights {
			lo, hi := p.panelRange(i)
			for j := lo; j < hi; j += wide {
				p.pieces = append(p.pieces, piece{product: i, lo: top, hi: min(top+tall, rows), panel: j, end: min(j+wide, hi)})
			}
		}
	}
}

// panelRange is the panels that weight i's rows lie in.
func (p *product) panelRange(i int) (lo, hi int) {
	w, cols := &p.weights[i], p.kernels.cols
	return w.first / cols, (w.first + w.rows + cols - 1) / cols
}

// multiplyPiece computes the outputs of one piece.
func (p *product) multiplyPiece(worker, i int) {
	t := p.pieces[i]
	w := &p.weights[t.product]
	if t.hi-t.lo <= directRows && w.packed == nil && p.kernels.direct != nil {
		if kernels, turn := p.kernels.direct(p.kernels, w); kernels != nil {
			p.multiplyDirectly(worker, t, kernels, turn)
			return
		}
	}
	p.multiplyPanels(worker, t)
}

// multiplyPanels computes a piece's outputs block of k after block of k: first the panels, then all rows with them.
func (p *product) multiplyPanels(worker int, t piece) {
	kernels, w := p.kernels, &p.weights[t.product]
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
				p.tile(t.product, row, u, n, b, j*cols-w.first, min(w.rows+w.first-j*cols, cols))
			}
		}
	}
}

// multiplyDirectly computes a piece's outputs 16 at a time without packing the weight.
func (p *product) multiplyDirectly(worker int, t piece, by *[5]direct, turn int) {
	kernels, w, o := p.kernels, &p.weights[t.product], &p.outs[t.product]
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
				tall := min(kernels.rows, p.hi-p.lo-row/kernels.rows*kernels.rows) // rows side by side
				in := row % kernels.rows
				r := directSize[min(t.hi-row, tall-in)]
				c, start, startStride := o.at(p.lo+row, col, u == 0)
				a := &p.packed[(row-in)*p.units+u*tall+in]
				by[r](elements/turn, a, 4*tall, (*byte)(w.at(col, first)), w.bytes(w.stride), w.bytes(ahead), c, o.stride, start, startStride)
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
				p.tile(t.product, row, u, n, &p.panels[worker][0], col, end-col)
			}
		}
	}
}

// directRows is up to how many rows are multiplied without packing the weight; directSize is how many of them at a time.
const directRows = 8

var directSize = [directRows + 1]int{0, 1, 2, 2, 4, 4, 4, 4, 4}

// tile adds the block of n units from u on to one tile of rows. b is the panel, whose columns below end go to the
// outputs from column col on; where col is negative, the first ones are left out.
func (p *product) tile(product, row, u, n int, b *uint32, col, end int) {
	o := &p.outs[product]
	r := min(p.kernels.rows, p.hi-p.lo-row)
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

// packPanel lays one tile's rows of x side by side, unit after unit, without padding where rows are missing.
func (p *product) packPanel(i int) {
	row := i * p.kernels.rows
	r := min(p.kernels.rows, p.hi-p.lo-row)
	p.kernels.packRows(p.packed[row*p.units:], p.x[(p.lo+row)*p.xStride:], p.xStride, r, p.cols)
}

// grow is s with room for n elements that begin at a cache line; what s held is lost when it was too small.
func grow(s []uint32, n int) []uint32 {
	if len(s) < n {
		s = asSlice[uint32](alignedBytes(4 * n))
	}
	return s
}

func roundUp(n, unit int) int { return (n + unit - 1) / unit * unit }
