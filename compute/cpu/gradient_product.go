package cpu

import (
	"slices"

	"shallow/compute"
)

// MatMulBackward is dx = Σ dout·W, one product after another. It is a MatMul by the weight turned round: the panels' columns
// are the weight's columns, and k runs down its rows.
func (d *Device) MatMulBackward(dx compute.Tensor, in compute.Kind, accumulate bool, products ...compute.Product) {
	const op = "MatMulBackward"
	if !d.ok() || !d.fits(op, "dx", dx, dx.Rows, dx.Cols, float32Kind...) {
		return
	}
	for _, q := range products {
		if !d.checkX(op, q.Out, in) || !d.checkTurned(op, dx, in, q) {
			return
		}
	}
	if len(products) == 0 && !accumulate {
		for i := range dx.Rows {
			clear(floatRow(dx, i))
		}
	}
	for i, q := range products {
		p := &d.product
		p.prepare(d, q.Out, in)
		p.segments = append(p.segments, segment{0, dx.Rows, 0})
		o := output{out: floats(dx), stride: dx.Stride}
		if accumulate || i > 0 {
			o.start, o.startStride = o.out, o.stride
		}
		p.outs, p.weights = append(p.outs, o), append(p.weights, turnedWeight(q.W))
		p.run(d, dx.Rows)
	}
}

// checkTurned fails where dout or a weight does not fit dx.
func (d *Device) checkTurned(op string, dx compute.Tensor, in compute.Kind, q compute.Product) bool {
	if !d.fits(op, "dout", q.Out, dx.Rows, q.W.Rows, float32Kind...) {
		return false
	}
	m, ok := q.W.Memory.(*packed)
	if !ok {
		return d.fits(op, "weight", q.W, q.W.Rows, dx.Cols, weightKinds...)
	}
	if !m.turned || m.in != in || m.rows != dx.Cols || m.cols != q.W.Rows || q.W.Offset != 0 || m.units == nil {
		d.fail("%s: a weight [%d, %d] packed for %v, for %v in %v: PackBackward packs it; was it released?", op, m.cols, m.rows, m.in, dx, in)
		return false
	}
	return true
}

// turnedWeight is a weight [M, K] whose columns are what is laid side by side.
func turnedWeight(t compute.Tensor) weight {
	w := weightOf(t)
	w.turned, w.rows, w.cols, w.first = true, t.Cols, t.Rows, 0
	return w
}

// PackBackward lays a weight out in panels, as MatMulBackward would do for every call.
func (d *Device) PackBackward(w compute.Tensor, in compute.Kind) compute.Tensor {
	m := &packed{in: in, rows: w.Cols, cols: w.Rows, turned: true}
	t := compute.Tensor{Memory: m, Kind: w.Kind, Rows: w.Rows, Cols: w.Cols, Stride: w.Cols}
	if !d.ok() || !d.fits("PackBackward", "weight", w, w.Rows, w.Cols, weightKinds...) {
		return t
	}
	if in != compute.Float32 && in != compute.BFloat16 {
		d.fail("PackBackward: %v to be multiplied in %v", w, in)
		return t
	}
	d.packPanels(m, turnedWeight(w))
	return t
}

// PackedBackwardBytes is the memory that PackBackward takes of a weight [rows, cols].
func (d *Device) PackedBackwardBytes(kind compute.Kind, rows, cols int, in compute.Kind) int64 {
	return d.PackedBytes(kind, cols, rows, in)
}

// WeightGradient is dw += doutᵀ·x, a MatMul whose operands are both turned round. Where dw is a few columns wide its transpose
// is computed, for panels would stay empty: the same sums.
func (d *Device) WeightGradient(dw, dbias, dout, x compute.Tensor, in compute.Kind) {
	const op = "WeightGradient"
	if !d.ok() || !d.checkX(op, x, in) || !d.fits(op, "dout", dout, x.Rows, dout.Cols, float32Kind...) ||
		dw.Given() && !d.fits(op, "dw", dw, dout.Cols, x.Cols, float32Kind...) ||
		dbias.Given() && !d.fits(op, "dbias", dbias, 1, dout.Cols, float32Kind...) {
		return
	}
	if dbias.Given() {
		d.addColumns(floatRow(dbias, 0), dout)
	}
	if !dw.Given() || x.Rows == 0 {
		return
	}
	to := output{out: floats(dw), stride: dw.Stride}
	if d.addOuterNear(to, dout, x, in) {
		return
	}
	if k := kernelsOf(d.level, in); 2*roundUp(x.Cols, k.rows) > roundUp(x.Cols, k.cols) {
		d.addOuter(to, dout, x, in)
		return
	}
	p := &d.product
	p.narrow = slices.Grow(p.narrow[:0], dw.Rows*dw.Cols)[:dw.Rows*dw.Cols]
	turned := output{out: p.narrow, stride: dw.Rows}
	d.transpose(turned, to, dw.Rows, dw.Cols)
	d.addOuter(turned, x, dout, in)
	d.transpose(to, turned, dw.Cols, dw.Rows)
}

// addOuter adds aᵀ·b to out [A, B], for a [N, A] and b [N, B]: k runs over rows.
func (d *Device) addOuter(out output, a, b compute.Tensor, in compute.Kind) {
	p := &d.product
	p.prepare(d, a, in)
	p.turned, p.cols, p.units = true, a.Rows, p.kernels.units(a.Rows)
	p.segments = append(p.segments, segment{0, a.Cols, 0})
	out.start, out.startStride = out.out, out.stride
	p.outs, p.weights = append(p.outs, out), append(p.weights, turnedWeight(b))
	p.run(d, a.Cols)
}

// transpose writes rows × cols elements to their transpose, in squares that fit the first-level cache.
func (d *Device) transpose(to, from output, rows, cols int) {
	const square = 32
	d.pool.run((rows+square-1)/square, func(_, block int) {
		lo, hi := block*square, min((block+1)*square, rows)
		for left := 0; left < cols; left += square {
			for j := left; j < min(left+square, cols); j++ {
				for i := lo; i < hi; i++ {
					to.out[j*to.stride+i] = from.out[i*from.stride+j]
				}
			}
		}
	})
}

// addColumns adds the sums of x's columns, over rows in blocks of 512.
func (d *Device) addColumns(sums []float32, x compute.Tensor) {
	d.eachRows(x.Cols, x.Rows, func(lo, hi int) { // one owner for each column
		block := make([]float32, hi-lo)
		for from := 0; from < x.Rows; from += blockUnits {
			clear(block)
			for i := from; i < min(from+blockUnits, x.Rows); i++ {
				d.rows.axpy(block, floatRow(x, i)[lo:hi], 1)
			}
			d.rows.axpy(sums[lo:hi], block, 1)
		}
	})
}
