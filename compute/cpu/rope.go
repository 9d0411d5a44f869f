package cpu

import "shallow/compute"

// RoPE turns pairs of channels by the angles of their row's position.
func (d *Device) RoPE(x, cos, sin, rows compute.Tensor, headSize int, pairs compute.Pairs) {
	if !d.ok() || !d.fits("RoPE", "x", x, x.Rows, x.Cols, float32Kind...) ||
		!d.fits("RoPE", "cos", cos, cos.Rows, cos.Cols, float32Kind...) ||
		!d.fits("RoPE", "sin", sin, cos.Rows, cos.Cols, float32Kind...) {
		return
	}
	if headSize <= 0 || x.Cols%headSize != 0 || 2*cos.Cols > headSize {
		d.fail("RoPE: %d pairs of channels in heads of %d, %d columns", cos.Cols, headSize, x.Cols)
		return
	}
	if pairs > compute.Neighbours {
		d.fail("RoPE: no order of pairs %d", pairs)
		return
	}
	at, ok := d.indices("RoPE", "rows", rows, x.Rows, 0, cos.Rows)
	if !ok || cos.Cols == 0 {
		return
	}
	rotate := d.rows.rotate
	if pairs == compute.Neighbours {
		rotate = d.rows.rotateNeighbours
	}
	d.eachRows(x.Rows, x.Cols, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			p := int(at[i])
			rotate(floatRow(x, i), floatRow(cos, p), floatRow(sin, p), headSize)
		}
	})
}
