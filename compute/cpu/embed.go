package cpu

import "shallow/compute"

// Embed looks rows up in a table of any kind of weight. An id outside the table is the device's error, and nothing is written.
func (d *Device) Embed(out, table, ids compute.Tensor, scale float32) {
	if !d.ok() || !d.fits("Embed", "out", out, out.Rows, out.Cols, float32Kind...) ||
		!d.fits("Embed", "table", table, table.Rows, out.Cols, weightKinds...) {
		return
	}
	rows, ok := d.indices("Embed", "ids", ids, out.Rows, 0, table.Rows)
	if !ok {
		return
	}
	d.eachRows(out.Rows, out.Cols, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			dst := floatRow(out, i)
			d.widenRow(dst, table, int(rows[i]))
			if scale != 1 {
				for j := range dst {
					dst[j] *= scale
				}
			}
		}
	})
}

// Copy copies all rows.
func (d *Device) Copy(out, x compute.Tensor) {
	if !d.ok() || !d.fits("Copy", "out", out, out.Rows, out.Cols, compute.Float32) || !d.fits("Copy", "x", x, out.Rows, out.Cols, compute.Float32) {
		return
	}
	d.eachRows(out.Rows, out.Cols, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			copy(floatRow(out, i), floatRow(x, i))
		}
	})
}

// Gather copies rows. A row outside x is the device's error, and nothing is written.
func (d *Device) Gather(out, x, rows compute.Tensor) {
	if !d.ok() || !d.fits("Gather", "out", out, out.Rows, out.Cols, float32Kind...) ||
		!d.fits("Gather", "x", x, x.Rows, out.Cols, float32Kind...) {
		return
	}
	from, ok := d.indices("Gather", "rows", rows, out.Rows, 0, x.Rows)
	if !ok {
		return
	}
	d.eachRows(out.Rows, out.Cols, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			copy(floatRow(out, i), floatRow(x, int(from[i])))
		}
	})
}
