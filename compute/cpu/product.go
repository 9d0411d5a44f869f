package cpu

import "shallow/compute"

// blockUnits is the number of units of k in one chain of multiply-adds: see package compute.
const blockUnits = 512

// packedRowsBytes bounds the copy of x that one sweep over the weights reads.
const packedRowsBytes = 32 << 20

// product is the state of one MatMul, kept on the Device so that the next call allocates nothing.
type product struct {
	kernels  *productKernels
	units    int // of k
	x        []float32
	xStride  int
	cols     int  // of x
	turned   bool // x is read as its transpose, cols is the number of its rows
	segments []segment
	weights  []weight
	outs     []output
	lo, hi   int       // rows of x that are packed
	tiles    []rowTile // these rows, as they are packed
	packed   []uint32  // in panels [units][rows of a tile]
	pieces   []piece
	panels   [][]uint32
	narrow   []float32 // the transpose of an output that is a few columns wide

	packTile, multiply  func(worker, i int)
	packPanel, takeRows func(worker, i int)
}

// segment is rows lo to hi-1 of x, which are multiplied by a weight for each output, the first of them number weights.
type segment struct{ lo, hi, weights int }

// rowTile is rows that are packed side by side, counted from the first packed one.
type rowTile struct{ row, rows int }

// output is where one product goes.
type output struct {
	out, start          []float32
	stride, startStride int
}

// MatMul computes x·Wᵀ for every product: see [compute.Operations].
//
// x is rounded and laid out in panels first, the rows of a tile side by side, unit after unit; so is each weight, block
// by block, unless Pack did it before. A tile of outputs then stays in registers for a block of k. Threads take pieces of
// columns, and of rows where there are few columns, never of k.
func (d *Device) MatMul(x compute.Tensor, in compute.Kind, products ...compute.Product) {
	if !d.ok() || !d.checkX("MatMul", x, in) {
		return
	}
	for _, q := range products {
		if !d.checkProduct("MatMul", x, in, q.Out, q.W) || q.Bias.Given() && !d.fits("MatMul", "bias", q.Bias, 1, q.W.Rows, floatKinds...) {
			return
		}
	}
	p := &d.product
	p.prepare(d, x, in)
	p.segments = append(p.segments, segment{0, x.Rows, 0})
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
			d.widenRow(o.start, q.Bias, 0)
		}
		p.outs = append(p.outs, o)
		p.weights = append(p.weights, weightOf(q.W))
	}
	p.run(d, x.Rows)
}

// MatMulGrouped multiplies each expert's rows by its weights, all of them in one go.
func (d *Device) MatMulGrouped(x, offsets compute.Tensor, in compute.Kind, products ...compute.GroupedProduct) {
	const op = "MatMulGrouped"
	if !d.ok() || len(products) == 0 || !d.checkX(op, x, in) {
		return
	}
	experts := len(products[0].W)
	if !d.fits(op, "offsets", offsets, experts+1, 1, compute.Int32) {
		return
	}
	for _, q := range products {
		if len(q.W) != experts {
			d.fail("MatMulGrouped: weights of %d experts beside those of %d", len(q.W), experts)
			return
		}
		for _, w := range q.W {
			if !d.checkProduct(op, x, in, q.Out, w) {
				return
			}
		}
	}
	at := int32s(offsets)
	for e := range experts {
		if lo, hi := int(at[e*offsets.Stride]), int(at[(e+1)*offsets.Stride]); lo < 0 || hi < lo || hi > x.Rows {
			d.fail("MatMulGrouped: expert %d has rows [%d, %d) of %d", e, lo, hi, x.Rows)
			return
		}
	}
	p := &d.product
	p.prepare(d, x, in)
	for _, q := range products {
		p.outs = append(p.outs, output{out: floats(q.Out), stride: q.Out.Stride})
	}
	for e := range experts {
		if lo, hi := int(at[e*offsets.Stride]), int(at[(e+1)*offsets.Stride]); lo < hi {
			p.segments = append(p.segments, segment{lo, hi, len(p.weights)})
			for _, q := range products {
				p.weights = append(p.weights, weightOf(q.W[e]))
			}
		}
	}
	p.run(d, x.Rows)
}

// checkX fails where x is not what is multiplied.
func (d *Device) checkX(op string, x compute.Tensor, in compute.Kind) bool {
	if in != compute.Float32 && in != compute.BFloat16 {
		d.fail("%s: %v multiplied in %v: it is float32 or bfloat16", op, x, in)
	} else if x.Cols == 0 {
		d.fail("%s: %v has no columns", op, x)
	}
	return d.ok() && d.fits(op, "x", x, x.Rows, x.Cols, float32Kind...)
}

// checkProduct fails where out or a weight does not fit x.
func (d *Device) checkProduct(op string, x compute.Tensor, in compute.Kind, out, w compute.Tensor) bool {
	if !d.fits(op, "out", out, x.Rows, w.Rows, float32Kind...) {
		return false
	}
	m, ok := w.Memory.(*packed)
	if !ok {
		return d.fits(op, "weight", w, w.Rows, x.Cols, weightKinds...)
	}
	if m.turned || m.in != in || m.cols != x.Cols || w.Cols != x.Cols || w.Offset < 0 || w.Offset+w.Rows*w.Cols > m.rows*m.cols || m.units == nil {
		d.fail("%s: %v of a weight [%d, %d] packed for %v, times %v in %v; was it released?", op, w, m.rows, m.cols, m.in, x, in)
		return false
	}
	return true
}

// prepare notes what the threads need to know of x.
func (p *product) prepare(d *Device, x compute.Tensor, in compute.Kind) {
	p.kernels = kernelsOf(d.level, in)
	p.units = p.kernels.units(x.Cols)
	p.x, p.xStride, p.cols, p.turned = floats(x), x.Stride, x.Cols, false
	for len(p.panels) < d.pool.threads {
		p.panels = append(p.panels, nil)
	}
	if p.multiply == nil {
		p.packTile = func(_, i int) { p.packRows(p.tiles[i]) }
		p.multiply = p.multiplyPiece
		p.packPanel, p.takeRows = p.packNear, p.multiplyNear
	}
}

// run packs as many rows of x at a time as one sweep takes, and multiplies them.
func (p *product) run(d *Device, rows int) {
	defer p.forget()
	if p.isNear(rows) {
		p.runNear(d, rows)
		return
	}
	tile := p.kernels.rows
	sweep := max(256, packedRowsBytes/4/max(p.units, 1))
	sweeps := max(1, (rows+sweep-1)/sweep)
	sweep = roundUp((rows+sweeps-1)/sweeps, tile)
	for lo := 0; lo < rows; lo += sweep {
		p.lo, p.hi = lo, min(lo+sweep, rows)
		p.packed = grow(p.packed, (p.hi-lo)*p.units)
		p.cut(d.pool.threads)
		if (p.hi-lo)*p.units < 1<<15 {
			for i := range p.tiles {
				p.packTile(0, i)
			}
		} else {
			d.pool.run(len(p.tiles), p.packTile)
		}
		d.pool.run(len(p.pieces), p.multiply)
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
	p.segments, p.outs, p.weights, p.x = p.segments[:0], p.outs[:0], p.weights[:0], nil
}
