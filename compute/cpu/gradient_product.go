package cpu

import "shallow/compute"

// MatMulBackward is dx = Σ dout·W.
func (d *Device) MatMulBackward(dx compute.Tensor, in compute.Kind, accumulate bool, products ...compute.Product) {
	if !d.ok() || !d.fits("MatMulBackward", "dx", dx, dx.Rows, dx.Cols, compute.Float32) {
		return
	}
	for _, p := range products {
		if !d.fits("MatMulBackward", "dout", p.Out, dx.Rows, p.W.Rows, compute.Float32) || p.W.Cols != dx.Cols {
			d.fail("MatMulBackward: %v times %v does not fit %v", p.Out, p.W, dx)
			return
		}
	}
	d.eachRows(dx.Rows, dx.Cols*64, func(lo, hi int) {
		row := make([]float32, dx.Cols)
		for i := lo; i < hi && !accumulate; i++ {
			clear(floatRow(dx, i))
		}
		for _, p := range products {
			for m := range p.W.Rows {
				d.widenRow(row, p.W, m)
				for i := lo; i < hi; i++ {
					d.rows.axpy(floatRow(dx, i), row, floatRow(p.Out, i)[m])
				}
			}
		}
	})
}

// PackBackward leaves the weight as it is.
func (d *Device) PackBackward(w compute.Tensor, _ compute.Kind) compute.Tensor { return w }

// WeightGradient is dw += doutᵀ·x.
func (d *Device) WeightGradient(dw, dbias, dout, x compute.Tensor, in compute.Kind) {
	const op = "WeightGradient"
	if !d.ok() || !d.fits(op, "x", x, x.Rows, x.Cols, compute.Float32) || !d.fits(op, "dout", dout, x.Rows, dout.Cols, compute.Float32) ||
		dw.Given() && !d.fits(op, "dw", dw, dout.Cols, x.Cols, compute.Float32) ||
		dbias.Given() && !d.fits(op, "dbias", dbias, 1, dout.Cols, compute.Float32) {
		return
	}
	d.eachRows(dout.Cols, x.Cols*x.Rows, func(lo, hi int) {
		for m := lo; m < hi; m++ {
			for i := range x.Rows {
				g := floatRow(dout, i)[m]
				if dw.Given() {
					d.rows.axpy(floatRow(dw, m), floatRow(x, i), g)
				}
				if dbias.Given() {
					floatRow(dbias, 0)[m] += g
				}
			}
		}
	})
}
