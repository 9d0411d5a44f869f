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
	for _, p := range products {
		w := p.W
		switch {
		case w.Cols != x.Cols || p.Out.Rows != x.Rows || p.Out.Cols != w.Rows || p.Out.Kind != compute.Float32:
			d.fail("MatMul: %v times %v transposed does not fit %v", x, w, p.Out)
		case p.Bias.Given() && (p.Accumulate || p.Bias.Rows != 1 || p.Bias.Cols != w.Rows || p.Bias.Kind == compute.NF4 || p.Bias.Kind == compute.Int32):
			d.fail("MatMul: bias %v for %v (accumulate %v)", p.Bias, p.Out, p.Accumulate)
		case w.Kind == compute.Int32:
			d.fail("MatMul: %v is no weight", w)
		}
		if x.Cols == 0 {
			d.fail("MatMul: %v has no columns", x)
		}
		if m, ok := w.Memory.(*packed); ok && (m.in != in || m.cols != w.Cols) {
			d.fail("MatMul: weight [%d, %d] was packed to be multiplied in %v, not %v", m.rows, m.cols, m.in, in)
		}
	}
	return d.ok()
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

// multiplyPiece computes the outputs of one piece, block of k after block of k.
func (p *product) multiplyPiece(worker, i int) {
	t, kernels := p.pieces[i], p.kernels
	w, o := &p.weights[t.product], &p.outs[t.product]
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
			r := min(kernels.rows, p.hi-p.lo-row)
			a := &p.packed[row*p.units+r*u]
			for j := t.panel; j < t.end; j++ {
				var b *uint32
				if w.packed == nil {
					b = &p.panels[worker][(j-t.panel)*size]
				} else {
					b = &w.packed.units[(j*p.units+u)*cols]
				}
				lo, hi := max(w.first-j*cols, 0), min(w.first+w.rows-j*cols, cols)
				at, mask := j*cols+lo-w.first, uint64(1)<<hi-uint64(1)<<lo
				c, start, startStride := &o.out[(p.lo+row)*o.stride+at], (*float32)(nil), 0
				switch {
				case u > 0:
					start, startStride = c, o.stride
				case o.start != nil:
					start, startStride = &o.start[(p.lo+row)*o.startStride+at], o.startStride
				}
				kernels.tiles[r](n, a, b, c, o.stride, start, startStride, mask, -lo)
			}
		}
	}
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
