package computetest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"shallow/compute"
)

// rmsNorm: a sum of squares in float32 whose roundings are random, a root, three products: 1e-6 of each element.
func rmsNorm(r *rand.Rand, rows, cols int) (ps []problem) {
	for _, kind := range []compute.Kind{compute.Float32, compute.BFloat16, compute.Float16} {
		for _, groups := range []int{1, 3} {
			for form, offset := range []float32{0, 1} {
				width := cols * groups
				x, w := normals(r, rows*width), newWeights(r, kind, cols)
				const eps = 1e-5
				ps = append(ps, problem{
					name: fmt.Sprintf("RMSNorm %v [%d, %d·%d] offset %v", kind, rows, groups, cols, offset),
					rows: rows,
					apply: func(t *testing.T, dev compute.Device, lo, hi int) [][]float32 {
						in := place(dev, hi-lo, width, x[lo*width:hi*width])
						out, roots := in, place(dev, hi-lo, groups, nil)
						if form == 0 {
							out = place(dev, hi-lo, width, nil)
						}
						dev.RMSNorm(out.Tensor, in.Tensor, w.on(dev, 1, cols), eps, offset, roots.Tensor)
						rows := out.read(t)
						for i, r := range roots.read(t) {
							rows[i] = append(slices.Clone(rows[i]), r...)
						}
						return rows
					},
					want: func(i int) (values, bounds []float64) {
						var roots []float64
						for g := range groups {
							row := x[i*width+g*cols : i*width+(g+1)*cols]
							sum := 0.0
							for _, v := range row {
								sum += float64(v) * float64(v)
							}
							root := 1 / math.Sqrt(sum/float64(cols)+float64(float32(eps)))
							for j, v := range row {
								values = append(values, float64(v)*root*(float64(offset)+w.exact[j]))
							}
							roots = append(roots, root)
						}
						values = append(values, roots...)
						for _, v := range values {
							bounds = append(bounds, 1e-6*math.Abs(v))
						}
						// offset + weight is rounded: what the sum loses near zero is an error of the offset's size.
						for j := range width {
							bounds[j] += float64(offset) * rounding * math.Abs(float64(x[i*width+j])) * roots[j/cols]
						}
						return values, bounds
					},
				})
			}
		}
	}
	return ps
}

// layerNorm: the mean is rounded once, and that error, beside the deviation, shifts the row; then five roundings.
func layerNorm(r *rand.Rand, rows, cols int) (ps []problem) {
	const eps = 1e-5
	for form := range 6 {
		kind := []compute.Kind{compute.Float32, compute.BFloat16, compute.Float16}[form%3]
		groups, inPlace, withBias, withMoments := 1+form%2*2, form < 3, form != 4, form != 5
		mean, deviation := []float32{0, 1, -30, 1000, 1e4, 1e-3}[form], []float32{1, 2, 0.01, 1, 1, 1e-3}[form]
		width := cols * groups
		x, w, b := normals(r, rows*width), newWeights(r, kind, cols), newWeights(r, kind, cols)
		for i := range x {
			x[i] = mean + deviation*x[i]
		}
		ps = append(ps, problem{
			name: fmt.Sprintf("LayerNorm %v [%d, %d·%d] around %v ± %v, bias %v", kind, rows, groups, cols, mean, deviation, withBias),
			rows: rows,
			apply: func(t *testing.T, dev compute.Device, lo, hi int) [][]float32 {
				in := place(dev, hi-lo, width, x[lo*width:hi*width])
				out := in
				if !inPlace {
					out = place(dev, hi-lo, width, nil)
				}
				var bias, moments compute.Tensor
				if withBias {
					bias = b.on(dev, 1, cols)
				}
				var places view
				if withMoments {
					places = place(dev, hi-lo, 2*groups, nil)
					moments = places.Tensor
				}
				dev.LayerNorm(out.Tensor, in.Tensor, w.on(dev, 1, cols), bias, eps, moments)
				rows := out.read(t)
				if withMoments {
					for i, m := range places.read(t) {
						rows[i] = append(slices.Clone(rows[i]), m...)
					}
				}
				return rows
			},
			want: func(i int) (values, bounds []float64) {
				var moments, momentBounds []float64
				for g := range groups {
					row := x[i*width+g*cols : i*width+(g+1)*cols]
					mean, squares := 0.0, 0.0
					for _, v := range row {
						mean += float64(v) / float64(cols)
					}
					for _, v := range row {
						squares += (float64(v) - mean) * (float64(v) - mean)
					}
					root := 1 / math.Sqrt(squares/float64(cols)+float64(float32(eps)))
					shift := 1.01*rounding*math.Abs(mean) + 1e-45
					rootBound := root * (4*rounding + shift*root*shift*root)
					for j, v := range row {
						z := (float64(v) - mean) * root * w.exact[j]
						value, bound := z, math.Abs(z)*(4*rounding+rootBound/root)+shift*root*math.Abs(w.exact[j])
						if withBias {
							value += b.exact[j]
						}
						values, bounds = append(values, value), append(bounds, bound+1.01*rounding*math.Abs(value))
					}
					moments, momentBounds = append(moments, mean, root), append(momentBounds, shift, rootBound)
				}
				if withMoments {
					values, bounds = append(values, moments...), append(bounds, momentBounds...)
				}
				return values, bounds
			},
		})
	}
	return ps
}
