package cpu

import "shallow/compute"

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
		for i := lo; i < hi; i++ {
			d.choose(floatRow(logits, i), chosen[i*k:(i+1)*k], floatRow(to.Weights, i), normalise)
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

// choose writes the numbers and weights of one row's experts. A NaN comes after all numbers, and makes all weights NaN.
func (d *Device) choose(logits []float32, chosen []int32, weights []float32, normalise bool) {
	before := func(a, b float32) bool { return a > b || a == a && b != b }
	have := 0
	for e, v := range logits {
		if have == len(chosen) {
			if !before(v, logits[chosen[have-1]]) {
				continue
			}
			have--
		}
		at := have
		for ; at > 0 && before(v, logits[chosen[at-1]]); at-- {
			chosen[at] = chosen[at-1]
		}
		chosen[at] = int32(e)
		have++
	}
	top := logits[chosen[0]]
	sum := d.rows.sumExp(logits, top)
	if normalise && sum == sum {
		sum = 0
		for _, e := range chosen {
			sum += float64(expGeneric(logits[e] - top))
		}
	}
	for j, e := range chosen {
		weights[j] = float32(float64(expGeneric(logits[e]-top)) / sum)
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
