package cpu

import (
	"sort"

	"shallow/compute"
)

// RouteBackward is the gradient of Route by the logits.
func (d *Device) RouteBackward(dlogits, dweights, logits compute.Tensor, from compute.Routing, normalise bool) {
	const op = "RouteBackward"
	n, experts, k := logits.Rows, logits.Cols, from.Weights.Cols
	if !d.ok() || !d.fits(op, "logits", logits, n, experts, compute.Float32) || !d.fits(op, "dlogits", dlogits, n, experts, compute.Float32) ||
		!d.fits(op, "dweights", dweights, n, k, compute.Float32) || !d.fits(op, "weights", from.Weights, n, k, compute.Float32) ||
		!d.fits(op, "places", from.Places, n, k, compute.Int32) || !d.fits(op, "offsets", from.Offsets, experts+1, 1, compute.Int32) {
		return
	}
	places, offsets := int32s(from.Places), int32s(from.Offsets)
	chosen := make([]int32, n*k)
	for c := range chosen {
		place := places[c/k*from.Places.Stride+c%k]
		e := sort.Search(experts, func(e int) bool { return offsets[(e+1)*from.Offsets.Stride] > place })
		if e == experts || place < offsets[0] {
			d.fail("%s: places[%d, %d] is %d, which no expert has", op, c/k, c%k, place)
			return
		}
		chosen[c] = int32(e)
	}
	kernels := gradientsAt(d.level)
	d.eachRows(n, 4*experts, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			to, dw, w := floatRow(dlogits, i), floatRow(dweights, i), floatRow(from.Weights, i)
			mean := 0.0 // of the gradient, by the weights
			for j, v := range w {
				mean += float64(v) * float64(dw[j])
			}
			if normalise { // a softmax over the chosen alone
				clear(to)
			} else {
				x := floatRow(logits, i)
				top := d.rows.maximum(x)
				kernels.exps(to, x, top, 1, float32(-mean/d.rows.sumExp(x, top)))
			}
			for j, e := range chosen[i*k : (i+1)*k] {
				to[e] = float32(float64(w[j]) * (float64(dw[j]) - mean))
			}
		}
	})
}

// CombineBackward is the gradient of Combine by y and by the weights.
func (d *Device) CombineBackward(dy, dweights, dout, y compute.Tensor, from compute.Routing) {
	const op = "CombineBackward"
	n, k := dout.Rows, from.Weights.Cols
	if !d.ok() || !d.fits(op, "dout", dout, n, dout.Cols, compute.Float32) || !d.fits(op, "y", y, n*k, dout.Cols, compute.Float32) ||
		!d.fits(op, "dy", dy, n*k, dout.Cols, compute.Float32) || !d.fits(op, "weights", from.Weights, n, k, compute.Float32) ||
		dweights.Given() && !d.fits(op, "dweights", dweights, n, k, compute.Float32) || !d.fits(op, "places", from.Places, n, k, compute.Int32) {
		return
	}
	places := int32s(from.Places)
	taken := make([]bool, n*k)
	for c := range taken {
		p := int(places[c/k*from.Places.Stride+c%k])
		if p < 0 || p >= n*k || taken[p] {
			d.fail("%s: places[%d, %d] is %d, not in [0, %d) or there twice", op, c/k, c%k, p, n*k)
			return
		}
		taken[p] = true
	}
	d.eachRows(n, 2*k*dout.Cols, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			for j, w := range floatRow(from.Weights, i) {
				p := int(places[i*from.Places.Stride+j])
				to := floatRow(dy, p)
				if dweights.Given() {
					ab, _, _ := d.rows.dots(floatRow(dout, i), floatRow(y, p))
					floatRow(dweights, i)[j] = float32(ab)
				}
				copy(to, floatRow(dout, i))
				d.rows.times(to, w)
			}
		}
	})
}

// MatMulGroupedBackward multiplies each expert's rows by its weights turned round.
func (d *Device) MatMulGroupedBackward(dx, offsets compute.Tensor, in compute.Kind, accumulate bool, products ...compute.GroupedProduct) {
	const op = "MatMulGroupedBackward"
	if !d.ok() || len(products) == 0 || !d.fits(op, "dx", dx, dx.Rows, dx.Cols, compute.Float32) {
		return
	}
	experts := len(products[0].W)
	for _, q := range products {
		if len(q.W) != experts {
			d.fail("%s: weights of %d experts beside those of %d", op, len(q.W), experts)
			return
		}
		if !d.fits(op, "dout", q.Out, dx.Rows, q.Out.Cols, compute.Float32) {
			return
		}
	}
	of := make([]compute.Product, len(products))
	d.eachExpert(op, offsets, experts, dx.Rows, func(e, lo, hi int) {
		for i, q := range products {
			of[i] = compute.Product{Out: q.Out.RowRange(lo, hi), W: q.W[e]}
		}
		d.MatMulBackward(dx.RowRange(lo, hi), in, accumulate, of...)
	})
}

// WeightGradientGrouped adds each expert's rows to the gradient of its weights.
func (d *Device) WeightGradientGrouped(dw []compute.Tensor, dout, x, offsets compute.Tensor, in compute.Kind) {
	const op = "WeightGradientGrouped"
	if !d.ok() || !d.fits(op, "x", x, x.Rows, x.Cols, compute.Float32) || !d.fits(op, "dout", dout, x.Rows, dout.Cols, compute.Float32) {
		return
	}
	d.eachExpert(op, offsets, len(dw), x.Rows, func(e, lo, hi int) {
		if dw[e].Given() {
			d.WeightGradient(dw[e], compute.Tensor{}, dout.RowRange(lo, hi), x.RowRange(lo, hi), in)
		}
	})
}

// eachExpert runs body for every expert that has rows.
func (d *Device) eachExpert(op string, offsets compute.Tensor, experts, rows int, body func(e, lo, hi int)) {
	if !d.fits(op, "offsets", offsets, experts+1, 1, compute.Int32) {
		return
	}
	at := int32s(offsets)
	for e := range experts {
		if lo, hi := int(at[e*offsets.Stride]), int(at[(e+1)*offsets.Stride]); lo < 0 || hi < lo || hi > rows {
			d.fail("%s: expert %d has rows [%d, %d) of %d", op, e, lo, hi, rows)
			return
		}
	}
	for e := range experts {
		if lo, hi := int(at[e*offsets.Stride]), int(at[(e+1)*offsets.Stride]); lo < hi && d.ok() {
			body(e, lo, hi)
		}
	}
}
