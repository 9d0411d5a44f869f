package cpu

import (
	"math"

	"shallow/compute"
)

// RMSNorm divides groups of a row by their root mean square.
func (d *Device) RMSNorm(out, x, weight compute.Tensor, eps, offset float32, rstd compute.Tensor) {
	if !d.ok() || !d.fits("RMSNorm", "x", x, x.Rows, x.Cols, float32Kind...) ||
		!d.fits("RMSNorm", "out", out, x.Rows, x.Cols, float32Kind...) ||
		!d.fits("RMSNorm", "weight", weight, 1, weight.Cols, floatKinds...) {
		return
	}
	width := weight.Cols
	if width == 0 || x.Cols%width != 0 {
		d.fail("RMSNorm: %d columns are no multiple of the weight's %d", x.Cols, width)
		return
	}
	groups := x.Cols / width
	if rstd.Given() && !d.fits("RMSNorm", "rstd", rstd, x.Rows, groups, float32Kind...) {
		return
	}
	w := make([]float32, width)
	d.widenRow(w, weight, 0)
	if offset != 0 {
		for j := range w {
			w[j] += offset
		}
	}
	d.eachRows(x.Rows, x.Cols, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			from, to := floatRow(x, i), floatRow(out, i)
			for g := range groups {
				a, b := g*width, (g+1)*width
				r := reciprocalRoot(d.rows.sumSquares(from[a:b]), width, eps)
				d.rows.normalize(to[a:b], from[a:b], w, r)
				if rstd.Given() {
					floatRow(rstd, i)[g] = r
				}
			}
		}
	})
}

func reciprocalRoot(sum float64, n int, eps float32) float32 {
	return float32(1 / math.Sqrt(sum/float64(n)+float64(eps)))
}

// LayerNorm centres groups of a row and divides them by their standard deviation.
func (d *Device) LayerNorm(out, x, weight, bias compute.Tensor, eps float32, moments compute.Tensor) {
	const op = "LayerNorm"
	if !d.ok() || !d.fits(op, "x", x, x.Rows, x.Cols, float32Kind...) ||
		!d.fits(op, "out", out, x.Rows, x.Cols, float32Kind...) ||
		!d.fits(op, "weight", weight, 1, weight.Cols, floatKinds...) ||
		bias.Given() && !d.fits(op, "bias", bias, 1, weight.Cols, floatKinds...) {
		return
	}
	width := weight.Cols
	if width == 0 || x.Cols%width != 0 {
		d.fail("LayerNorm: %d columns are no multiple of the weight's %d", x.Cols, width)
		return
	}
	groups := x.Cols / width
	if moments.Given() && !d.fits(op, "moments", moments, x.Rows, 2*groups, float32Kind...) {
		return
	}
	w := make([]float32, width)
	d.widenRow(w, weight, 0)
	b := make([]float32, width)
	if bias.Given() {
		d.widenRow(b, bias, 0)
	}
	d.eachRows(x.Rows, x.Cols, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			from, to := floatRow(x, i), floatRow(out, i)
			for g := range groups {
				part := from[g*width : (g+1)*width]
				mean := float32(d.rows.sum(part) / float64(width))
				r := reciprocalRoot(d.rows.squaresAround(part, mean), width, eps)
				d.rows.affine(to[g*width:(g+1)*width], part, w, b, mean, r)
				if moments.Given() {
					m := floatRow(moments, i)
					m[2*g], m[2*g+1] = mean, r
				}
			}
		}
	})
}
