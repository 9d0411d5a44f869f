package cpu

import (
	"cmp"
	"slices"

	"shallow/compute"
)

// Route chooses experts and sorts the chosen rows by them.
func (d *Device) Route(to compute.Routing, logits compute.Tensor, normalise bool) {
	const op = "Route"
	n, experts, k := logits.Rows, logits.Cols, to.Weights.Cols
	if !d.ok() || !d.fits(op, "logits", logits, n, experts, compute.Float32) ||
		!d.fits(op, "weights", to.Weights, n, k, compute.Float32) ||
		!d.fits(op, "places", to.Places, n, k, compute.Int32) ||
		!d.fits(op, "sources", to.Sources, n*k, 1, compute.Int32) ||
		!d.fits(op, "offsets", to.Offsets, experts+1, 1, compute.Int32) {
		return
	}
	if k < 1 || k > experts {
		d.fail("Route: %d of %d experts", k, experts)
		return
	}
	chosen := make([]int32, n*k)
	d.eachRows(n, 8*experts, func(lo, hi int) {
		order := make([]int32, experts)
		for i := lo; i < hi; i++ {
			d.choose(floatRow(logits, i), order, chosen[i*k:(i+1)*k], floatRow(to.Weights, i), normalise)
		}
	})
	offsets, sources, places := int32s(to.Offsets), int32s(to.Sources), int32s(to.Places)
	next := make([]int32, experts+1)
	for _, e := range chosen {
		next[e+1]++
	}
	for e := range experts {
		next[e+1] += next[e]
	}
	for e, at := range next {
		offsets[e*to.Offsets.Stride] = at
	}
	for c, e := range chosen {
		sources[int(next[e])*to.Sources.Stride] = int32(c / k)
		places[c/k*to.Places.Stride+c%k] = next[e]
		next[e]++
	}
}

// choose writes the numbers and weights of one row's experts. order is scratch for all experts.
func (d *Device) choose(logits []float32, order, chosen []int32, weights []float32, normalise bool) {
	for e := range order {
		order[e] = int32(e)
	}
	slices.SortStableFunc(order, func(a, b int32) int { return cmp.Compare(logits[b], logits[a]) })
	copy(chosen, order)
	top := logits[order[0]]
	sum := d.rows.sumExp(logits, top)
	if normalise {
		sum = 0
		for _, e := range chosen {
			sum += float64(expGeneric(logits[e] - top))
		}
	}
	for j, e := range chosen {
		weights[j] = float32(float64(expGeneric(logits[e]-top)) / sum)
	}
}

// MatMulGrouped multiplies each expert's rows.
func (d *Device) MatMulGrouped(x, offsets compute.Tensor, in compute.Kind, products ...compute.GroupedProduct) {
	if !d.ok() || len(products) == 0 {
		return
	}
	experts := len(products[0].W)
	if !d.fits("MatMulGrouped", "offsets", offsets, experts+1, 1, compute.Int32) {
		return
	}
	at := int32s(offsets)
	each := make([]compute.Product, len(products))
	for e := range experts {
		lo, hi := int(at[e*offsets.Stride]), int(at[(e+1)*offsets.Stride])
		if lo < 0 || hi < lo || hi > x.Rows {
			d.fail("MatMulGrouped: expert %d has rows [%d, %d) of %d", e, lo, hi, x.Rows)
			return
		}
		for i, p := range products {
			if len(p.W) != experts || p.Out.Rows != x.Rows {
				d.fail("MatMulGrouped: %d experts and %v for %d experts and %v", len(p.W), p.Out, experts, x)
				return
			}
			each[i] = compute.Product{Out: p.Out.RowRange(lo, hi), W: p.W[e]}
		}
		if hi > lo {
			d.MatMul(x.RowRange(lo, hi), in, each...)
		}
	}
}

// Combine adds the experts' rows to those they come from.
func (d *Device) Combine(x, y compute.Tensor, from compute.Routing) {
	const op = "Combine"
	k := from.Weights.Cols
	if !d.ok() || !d.fits(op, "x", x, x.Rows, x.Cols, compute.Float32) ||
		!d.fits(op, "y", y, x.Rows*k, x.Cols, compute.Float32) ||
		!d.fits(op, "weights", from.Weights, x.Rows, k, compute.Float32) ||
		!d.fits(op, "places", from.Places, x.Rows, k, compute.Int32) {
		return
	}
	places := int32s(from.Places)
	for i := range x.Rows * k {
		if p := places[i/k*from.Places.Stride+i%k]; int(p) < 0 || int(p) >= y.Rows {
			d.fail("Combine: places[%d, %d] is %d, not in [0, %d)", i/k, i%k, p, y.Rows)
			return
		}
	}
	d.eachRows(x.Rows, x.Cols*k, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			weights := floatRow(from.Weights, i)
			for j := range k {
				d.rows.axpy(floatRow(x, i), floatRow(y, int(places[i*from.Places.Stride+j])), weights[j])
			}
		}
	})
}
