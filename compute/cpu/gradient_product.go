package cpu

import "shallow/compute"

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

// WeightGradient is dw += doutᵀ·x, by turning the narrower of the two so that its columns are rows to be multiplied.
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
	if dout.Cols <= x.Cols {
		d.multiplyTurned(dw, dout, x, in, true)
		return
	}
	product := d.New(compute.Float32, x.Cols, dout.Cols)
	d.multiplyTurned(product, x, dout, in, false)
	d.eachRows(dw.Rows, dw.Cols, func(lo, hi int) {
		from := floats(product)
		for i := lo; i < hi; i++ {
			to := floatRow(dw, i)
			for j := range to {
				to[j] += from[j*product.Stride+i]
			}
		}
	})
}

// multiplyTurned is out [A, B], or its old value, plus aᵀ·b for a [N, A] and b [N, B]: k runs over rows.
func (d *Device) multiplyTurned(out, a, b compute.Tensor, in compute.Kind, accumulate bool) {
	rows := d.New(compute.Float32, a.Cols, a.Rows)
	d.transpose(rows, a)
	p := &d.product
	p.prepare(d, rows, in)
	p.segments = append(p.segments, segment{0, rows.Rows, 0})
	o := output{out: floats(out), stride: out.Stride}
	if accumulate {
		o.start, o.startStride = o.out, o.stride
	}
	p.outs, p.weights = append(p.outs, o), append(p.weights, turnedWeight(b))
	p.run(d, rows.Rows)
}

// transpose writes x [N, C] to out [C, N], in squares that fit the first-level cache.
func (d *Device) transpose(out, x compute.Tensor) {
	const square = 32
	to, from := floats(out), floats(x)
	d.pool.run((x.Cols+square-1)/square, func(_, block int) {
		for i := 0; i < x.Rows; i += square {
			for j := block * square; j < min((block+1)*square, x.Cols); j++ {
				row := to[j*out.Stride:]
				for k := i; k < min(i+square, x.Rows); k++ {
					row[k] = from[k*x.Stride+j]
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
