package cpu

import "shallow/compute"

// Add is x += scale · y.
func (d *Device) Add(x, y compute.Tensor, scale float32) {
	if !d.ok() || !d.fits("Add", "x", x, x.Rows, x.Cols, float32Kind...) || !d.fits("Add", "y", y, x.Rows, x.Cols, float32Kind...) {
		return
	}
	d.eachRows(x.Rows, x.Cols, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			d.rows.axpy(floatRow(x, i), floatRow(y, i), scale)
		}
	})
}

// Scale is x *= by.
func (d *Device) Scale(x compute.Tensor, by float32) {
	if !d.ok() || !d.fits("Scale", "x", x, x.Rows, x.Cols, float32Kind...) {
		return
	}
	d.eachRows(x.Rows, x.Cols, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			d.rows.times(floatRow(x, i), by)
		}
	})
}

// ScaleRows multiplies each row by its own number.
func (d *Device) ScaleRows(x, scale, rows compute.Tensor) {
	if !d.ok() || !d.fits("ScaleRows", "x", x, x.Rows, x.Cols, float32Kind...) ||
		!d.fits("ScaleRows", "scale", scale, scale.Rows, 1, float32Kind...) {
		return
	}
	var at []int32
	if rows.Given() {
		var ok bool
		if at, ok = d.indices("ScaleRows", "rows", rows, x.Rows, 0, scale.Rows); !ok {
			return
		}
	} else if scale.Rows != x.Rows {
		d.fail("ScaleRows: %v for %v", scale, x)
		return
	}
	d.eachRows(x.Rows, x.Cols, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			from := i
			if at != nil {
				from = int(at[i])
			}
			d.rows.times(floatRow(x, i), floatRow(scale, from)[0])
		}
	})
}

// SoftCap is x = limit · tanh(x / limit).
func (d *Device) SoftCap(x compute.Tensor, limit float32) {
	if !d.ok() || !d.fits("SoftCap", "x", x, x.Rows, x.Cols, float32Kind...) {
		return
	}
	if !(limit > 0) {
		d.fail("SoftCap: a limit of %g", limit)
		return
	}
	d.eachRows(x.Rows, x.Cols, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			row := floatRow(x, i)
			d.rows.tanh(row, row, 1, limit)
		}
	})
}
