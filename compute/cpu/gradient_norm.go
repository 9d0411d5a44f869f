package cpu

import "shallow/compute"

// RMSNormBackward is the gradient of RMSNorm.
func (d *Device) RMSNormBackward(dx, dweight, dout, x, weight, rstd compute.Tensor, offset float32, accumulate bool) {
	const op = "RMSNormBackward"
	width := weight.Cols
	if !d.ok() || !d.normFits(op, dx, dout, x, weight) || !d.fits(op, "rstd", rstd, x.Rows, x.Cols/width, compute.Float32) ||
		dweight.Given() && !d.fits(op, "dweight", dweight, 1, width, compute.Float32) {
		return
	}
	if dweight.Given() { // before dx, which may be dout
		d.normWeights(dweight, compute.Tensor{}, dout, x, rstd, 1)
	}
	w := d.widened(weight, offset)
	d.eachRows(x.Rows, x.Cols, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			for g, r := range floatRow(rstd, i) {
				a, b := g*width, (g+1)*width
				normBackward(floatRow(dx, i)[a:b], floatRow(dout, i)[a:b], floatRow(x, i)[a:b], w, 0, r, false, accumulate)
			}
		}
	})
}

// LayerNormBackward is the gradient of LayerNorm.
func (d *Device) LayerNormBackward(dx, dweight, dbias, dout, x, weight, moments compute.Tensor, accumulate bool) {
	const op = "LayerNormBackward"
	width := weight.Cols
	if !d.ok() || !d.normFits(op, dx, dout, x, weight) || !d.fits(op, "moments", moments, x.Rows, 2*x.Cols/width, compute.Float32) ||
		dweight.Given() && !d.fits(op, "dweight", dweight, 1, width, compute.Float32) ||
		dbias.Given() && !d.fits(op, "dbias", dbias, 1, width, compute.Float32) {
		return
	}
	if dweight.Given() || dbias.Given() {
		d.normWeights(dweight, dbias, dout, x, moments, 2)
	}
	w := d.widened(weight, 0)
	d.eachRows(x.Rows, x.Cols, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			m := floatRow(moments, i)
			for g := range len(m) / 2 {
				a, b := g*width, (g+1)*width
				normBackward(floatRow(dx, i)[a:b], floatRow(dout, i)[a:b], floatRow(x, i)[a:b], w, m[2*g], m[2*g+1], true, accumulate)
			}
		}
	})
}

func (d *Device) normFits(op string, dx, dout, x, weight compute.Tensor) bool {
	if !d.fits(op, "x", x, x.Rows, x.Cols, compute.Float32) || !d.fits(op, "dout", dout, x.Rows, x.Cols, compute.Float32) ||
		!d.fits(op, "dx", dx, x.Rows, x.Cols, compute.Float32) ||
		!d.fits(op, "weight", weight, 1, weight.Cols, compute.Float32, compute.BFloat16, compute.Float16) {
		return false
	}
	if weight.Cols == 0 || x.Cols%weight.Cols != 0 {
		d.fail("%s: %d columns are no multiple of the weight's %d", op, x.Cols, weight.Cols)
		return false
	}
	return true
}

// widened is a row of weights in float32, plus offset.
func (d *Device) widened(weight compute.Tensor, offset float32) []float32 {
	w := make([]float32, weight.Cols)
	d.widenRow(w, weight, 0)
	if offset != 0 {
		for j := range w {
			w[j] += offset
		}
	}
	return w
}

// normBackward is the gradient of one group: dx = r · (g - [mean g] - x̂ · mean(g · x̂)), with g = dout · w.
func normBackward(dx, dout, x, w []float32, mean, r float32, centred, accumulate bool) {
	var gs, gx float64
	for j, v := range dout {
		g := float64(v) * float64(w[j])
		gs += g
		gx += g * float64((x[j]-mean)*r)
	}
	n := float64(len(x))
	shift, along := float32(0), float32(gx/n)
	if centred {
		shift = float32(gs / n)
	}
	for j, v := range dout {
		grad := r * (v*w[j] - shift - (x[j]-mean)*r*along)
		if accumulate {
			grad += dx[j]
		}
		dx[j] = grad
	}
}

// normWeights adds the gradients of a norm's weight and bias. statistics holds, for each group, its reciprocal root behind
// per-1 other numbers, of which the first is its mean.
func (d *Device) normWeights(dweight, dbias, dout, x, statistics compute.Tensor, per int) {
	width := max(dweight.Cols, dbias.Cols)
	groups := x.Cols / width
	d.eachRows(width, x.Rows*groups, func(lo, hi int) { // one owner for each column
		sums, shifts := make([]float64, hi-lo), make([]float64, hi-lo)
		for i := range x.Rows {
			s, dy, xs := floatRow(statistics, i), floatRow(dout, i), floatRow(x, i)
			for g := range groups {
				mean, r := float32(0), s[per*g+per-1]
				if per == 2 {
					mean = s[2*g]
				}
				for j := lo; j < hi; j++ {
					v := dy[g*width+j]
					sums[j-lo] += float64(v * (xs[g*width+j] - mean) * r)
					shifts[j-lo] += float64(v)
				}
			}
		}
		for j := lo; j < hi; j++ {
			if dweight.Given() {
				floatRow(dweight, 0)[j] += float32(sums[j-lo])
			}
			if dbias.Given() {
				floatRow(dbias, 0)[j] += float32(shifts[j-lo])
			}
		}
	})
}
