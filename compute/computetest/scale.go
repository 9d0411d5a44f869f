package computetest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"shallow/compute"
)

// add: a product and a sum.
func add(r *rand.Rand, rows, cols int) (ps []problem) {
	for _, by := range []float32{1, -0.22, 0} {
		x, y := normals(r, rows*cols), normals(r, rows*cols)
		ps = append(ps, problem{
			name: fmt.Sprintf("Add [%d, %d] times %v", rows, cols, by),
			rows: rows,
			apply: func(t *testing.T, dev compute.Device, lo, hi int) [][]float32 {
				v := place(dev, hi-lo, cols, x[lo*cols:hi*cols])
				dev.Add(v.Tensor, place(dev, hi-lo, cols, y[lo*cols:hi*cols]).Tensor, by)
				return v.read(t)
			},
			want: func(i int) (values, bounds []float64) {
				for j := i * cols; j < (i+1)*cols; j++ {
					product := float64(by) * float64(y[j])
					v := float64(x[j]) + product
					values, bounds = append(values, v), append(bounds, 1.01*rounding*(math.Abs(v)+math.Abs(product)))
				}
				return values, bounds
			},
		})
	}
	return ps
}

// scale: one rounding.
func scale(r *rand.Rand, rows, cols int) []problem {
	x, by := activationInputs(r, rows*cols), float32(r.NormFloat64())
	return []problem{{
		name: fmt.Sprintf("Scale [%d, %d]", rows, cols),
		rows: rows,
		apply: func(t *testing.T, dev compute.Device, lo, hi int) [][]float32 {
			v := place(dev, hi-lo, cols, x[lo*cols:hi*cols])
			dev.Scale(v.Tensor, by)
			return v.read(t)
		},
		want: func(i int) (values, bounds []float64) {
			for _, v := range x[i*cols : (i+1)*cols] {
				values, bounds = append(values, float64(v*by)), append(bounds, 0)
			}
			return values, bounds
		},
	}}
}

// scaleRows: one rounding. The numbers lie in a column of a wider tensor, chosen by rows or in order.
func scaleRows(r *rand.Rand, rows, cols int) (ps []problem) {
	const places = 13
	x, table, at := normals(r, rows*cols), normals(r, max(rows, places)), make([]int32, rows)
	for i := range at {
		at[i] = int32(r.IntN(places))
	}
	for _, chosen := range []bool{false, true} {
		ps = append(ps, problem{
			name: fmt.Sprintf("ScaleRows [%d, %d] by rows %v", rows, cols, chosen),
			rows: rows,
			apply: func(t *testing.T, dev compute.Device, lo, hi int) [][]float32 {
				v := place(dev, hi-lo, cols, x[lo*cols:hi*cols])
				if chosen {
					dev.ScaleRows(v.Tensor, place(dev, places, 1, table[:places]).Tensor, column(dev, at[lo:hi]))
				} else {
					dev.ScaleRows(v.Tensor, place(dev, hi-lo, 1, table[lo:hi]).Tensor, compute.Tensor{})
				}
				return v.read(t)
			},
			want: func(i int) (values, bounds []float64) {
				by := table[i]
				if chosen {
					by = table[at[i]]
				}
				for _, v := range x[i*cols : (i+1)*cols] {
					values, bounds = append(values, float64(v*by)), append(bounds, 0)
				}
				return values, bounds
			},
		})
	}
	return ps
}
