package cpu

import (
	"math"

	"shallow/compute"
)

// CosineDistance is 1 - cos of the angle between rows.
func (d *Device) CosineDistance(out, a, b compute.Tensor) {
	if !d.ok() || !d.fits("CosineDistance", "a", a, a.Rows, a.Cols, float32Kind...) ||
		!d.fits("CosineDistance", "b", b, a.Rows, a.Cols, float32Kind...) ||
		!d.fits("CosineDistance", "out", out, a.Rows, 1, float32Kind...) {
		return
	}
	d.eachRows(a.Rows, a.Cols, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			ab, aa, bb := d.rows.dots(floatRow(a, i), floatRow(b, i))
			// One root of the product: rows that are equal give exactly 0. A value that is not finite and a row of zeros
			// both end in NaN here, which min and max keep.
			floatRow(out, i)[0] = float32(min(2, max(0, 1-ab/math.Sqrt(aa*bb))))
		}
	})
}

// CrossEntropy is -log softmax at the target.
func (d *Device) CrossEntropy(loss, logits, targets compute.Tensor) {
	if !d.ok() || !d.fits("CrossEntropy", "logits", logits, logits.Rows, logits.Cols, float32Kind...) ||
		!d.fits("CrossEntropy", "loss", loss, logits.Rows, 1, float32Kind...) {
		return
	}
	at, ok := d.indices("CrossEntropy", "targets", targets, logits.Rows, math.MinInt32, logits.Cols)
	if !ok {
		return
	}
	d.eachRows(logits.Rows, logits.Cols, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			var l float64
			if t := at[i]; t >= 0 {
				x := floatRow(logits, i)
				top := d.rows.maximum(x)
				l = math.Log(d.rows.sumExp(x, top)) + (float64(top) - float64(x[t]))
			}
			floatRow(loss, i)[0] = float32(l)
		}
	})
}
