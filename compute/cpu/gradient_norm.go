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
	d.normRows(dx, dout, x, rstd, d.widened(weight, offset), 1, accumulate)
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
	d.normRows(dx, dout, x, moments, d.widened(weight, 0), 2, accumulate)
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

// normRows is the gradient by the rows: dx = r · (g - [mean g] - x̂ · mean(g · x̂)) in each group, with g = dout · w. statistics holds,
// for each group, its reciprocal root behind per-1 other numbers, of which the first is its mean.
func (d *Device) normRows(dx, dout, x, statistics compute.Tensor, w []float32, per int, accumulate bool) {
	kernels := gradientsAt(d.level)
	kernel, width := kernels.norm, len(w)
	if accumulate {
		kernel = kernels.normAdd
	}
	n := float64(width)
	d.eachRows(x.Rows, x.Cols, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			s, to, dy, from := floatRow(statistics, i), floatRow(dx, i), floatRow(dout, i), floatRow(x, i)
			for a := 0; a < len(from); a, s = a+width, s[per:] {
				b, mean, r := a+width, float32(0), s[per-1]
				if per == 2 {
					mean = s[0]
				}
				gs, gx := kernels.normSums(dy[a:b], from[a:b], w, mean, r)
				shift := float32(0)
				if per == 2 {
					shift = float32(gs / n)
				}
				kernel(to[a:b], dy[a:b], from[a:b], w, mean, r, shift, float32(gx/n))
			}
		}
	})
}

// tokenBlock is how many tokens are summed by themselves before they are added to the gradient of a weight.
const tokenBlock = 512

// normWeights adds the gradients of a norm's weight and bias: chains of the groups of 512 tokens, one block after another.
// One owner takes all tokens of a stripe of columns. statistics is as in normRows.
func (d *Device) normWeights(dweight, dbias, dout, x, statistics compute.Tensor, per int) {
	kernels := gradientsAt(d.level)
	width := max(dweight.Cols, dbias.Cols)
	const stripe = 128
	d.pool.run((width+stripe-1)/stripe, func(_, n int) {
		var sums, shifts [stripe]float32
		lo, hi := n*stripe, min((n+1)*stripe, width)
		for block := 0; block < x.Rows; block += tokenBlock {
			clear(sums[:])
			clear(shifts[:])
			for i := block; i < min(block+tokenBlock, x.Rows); i++ {
				s, dy, from := floatRow(statistics, i), floatRow(dout, i), floatRow(x, i)
				for a := 0; a < len(from); a, s = a+width, s[per:] {
					mean, r := float32(0), s[per-1]
					if per == 2 {
						mean = s[0]
					}
					if dweight.Given() {
						kernels.weightSums(sums[:hi-lo], dy[a+lo:a+hi], from[a+lo:a+hi], mean, r)
					}
					if dbias.Given() {
						d.rows.axpy(shifts[:hi-lo], dy[a+lo:a+hi], 1)
					}
				}
			}
			if dweight.Given() {
				d.rows.axpy(floatRow(dweight, 0)[lo:hi], sums[:hi-lo], 1)
			}
			if dbias.Given() {
				d.rows.axpy(floatRow(dbias, 0)[lo:hi], shifts[:hi-lo], 1)
			}
		}
	})
}
