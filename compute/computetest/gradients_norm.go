package computetest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"shallow/compute"
)

const normEps = 1e-5

// normForward is a norm of a row in float64: of a group's squares, or with centred of its deviations from the mean.
func normForward(x, weight []float64, offset float64, centred bool) []float64 {
	out := make([]float64, len(x))
	width := len(weight)
	for lo := 0; lo < len(x); lo += width {
		mean, squares := 0.0, 0.0
		for _, v := range x[lo : lo+width] {
			mean += v / float64(width)
		}
		if !centred {
			mean = 0
		}
		for _, v := range x[lo : lo+width] {
			squares += (v - mean) * (v - mean)
		}
		root := 1 / math.Sqrt(squares/float64(width)+float64(float32(normEps)))
		for j, w := range weight {
			out[lo+j] = (x[lo+j] - mean) * root * (offset + w)
		}
	}
	return out
}

func dot(a, b []float64) (sum float64) {
	for i, v := range a {
		sum += v * b[i]
	}
	return sum
}

// normCase is a norm backward in one of its forms.
type normCase struct {
	kind                        compute.Kind
	rows, cols, groups          int
	offset                      float32
	centred, accumulate, onDout bool
	x, dout, before             []float32
	weight                      weights
}

func newNormCase(r *rand.Rand, rows, cols, form int, centred bool) *normCase {
	c := &normCase{
		kind: []compute.Kind{compute.Float32, compute.BFloat16, compute.Float16}[form%3], rows: rows, cols: cols, groups: 1 + form%2*2,
		centred: centred, accumulate: form%4 == 1, onDout: form%4 == 2,
	}
	if form > 1 && !centred {
		c.offset = 1
	}
	n := rows * cols * c.groups
	c.x, c.dout, c.before, c.weight = normals(r, n), normals(r, n), normals(r, n), newWeights(r, c.kind, cols)
	return c
}

// run normalises rows [lo, hi) and takes the norm back. dweight and dbias are none or receive their gradients.
func (c *normCase) run(dev compute.Device, dweight, dbias compute.Tensor, lo, hi int) view {
	width := c.cols * c.groups
	put := func(x []float32) view { return place(dev, hi-lo, width, x[lo*width:hi*width]) }
	x, dout, w := put(c.x), put(c.dout), c.weight.on(dev, 1, c.cols)
	dx, out := put(c.before), place(dev, hi-lo, width, nil)
	if c.onDout {
		dx = dout
	}
	if c.centred {
		moments := place(dev, hi-lo, 2*c.groups, nil)
		dev.LayerNorm(out.Tensor, x.Tensor, w, compute.Tensor{}, normEps, moments.Tensor)
		backward(dev).LayerNormBackward(dx.Tensor, dweight, dbias, dout.Tensor, x.Tensor, w, moments.Tensor, c.accumulate)
		return dx
	}
	rstd := place(dev, hi-lo, c.groups, nil)
	dev.RMSNorm(out.Tensor, x.Tensor, w, normEps, c.offset, rstd.Tensor)
	backward(dev).RMSNormBackward(dx.Tensor, dweight, dout.Tensor, x.Tensor, w, rstd.Tensor, c.offset, c.accumulate)
	return dx
}

// problem is the gradient by the rows: some roundings of the terms, the largest of which is root · weight · dout.
func (c *normCase) problem(name string) problem {
	width := c.cols * c.groups
	return problem{
		name: fmt.Sprintf("%s %v [%d, %d·%d] offset %v accumulate %v", name, c.kind, c.rows, c.groups, c.cols, c.offset, c.accumulate),
		rows: c.rows,
		apply: func(t *testing.T, dev compute.Device, lo, hi int) [][]float32 {
			return c.run(dev, compute.Tensor{}, compute.Tensor{}, lo, hi).read(t)
		},
		want: func(i int) (values, bounds []float64) {
			x, dout := doubles(c.x[i*width:(i+1)*width]), doubles(c.dout[i*width:(i+1)*width])
			for g := 0; g < width; g += c.cols {
				part, dy := x[g:g+c.cols], dout[g:g+c.cols]
				values = append(values, slopes(part, func() float64 { return dot(normForward(part, c.weight.exact, float64(c.offset), c.centred), dy) })...)
				ones := alikeBounds(c.cols, 1)
				root := 0.0 // of the group, from what the norm makes of its largest deviation
				for j, y := range normForward(part, ones, 0, c.centred) {
					deviation := part[j]
					if c.centred {
						deviation -= dot(part, ones) / float64(c.cols)
					}
					if deviation != 0 {
						root = max(root, y/deviation)
					}
				}
				bound := 1e-9
				for j, v := range dy {
					bound = max(bound, 2e-6*max(root, 1)*math.Abs(v)*(math.Abs(float64(c.offset))+math.Abs(c.weight.exact[j])))
				}
				bounds = append(bounds, alikeBounds(c.cols, bound)...)
			}
			if c.accumulate {
				for j := range values {
					values[j] += float64(c.before[i*width+j])
					bounds[j] += rounding * math.Abs(values[j])
				}
			}
			// Differences lose digits where the root is large: the row is nearly constant against eps.
			if c.centred && c.cols == 1 {
				for j := range bounds {
					bounds[j] += 1e-5
				}
			}
			return values, bounds
		},
	}
}

func rmsNormBackward(r *rand.Rand, rows, cols int) (ps []problem) {
	for form := range 6 {
		ps = append(ps, newNormCase(r, rows, cols, form, false).problem("RMSNormBackward"))
	}
	return ps
}

func layerNormBackward(r *rand.Rand, rows, cols int) (ps []problem) {
	for form := range 6 {
		ps = append(ps, newNormCase(r, rows, cols, form, true).problem("LayerNormBackward"))
	}
	return ps
}

// normWeightGradients: sums over all tokens, more than one block of 512 of them, added to what is there.
func normWeightGradients(t *testing.T, open func(t *testing.T, threads int) compute.Device) {
	for n, shape := range [][2]int{{1, 1}, {3, 7}, {511, 3}, {513, 5}, {1100, 17}, {20, 600}} {
		for form := range 6 {
			r := rand.New(rand.NewPCG(uint64(n), uint64(form)))
			c := newNormCase(r, shape[0], shape[1], form, form%2 == 1)
			withBias := c.centred && form != 3
			before := normals(r, 2*c.cols)
			what := fmt.Sprintf("[%d, %d·%d] centred %v bias %v", c.rows, c.groups, c.cols, c.centred, withBias)
			got := everywhere(t, what, open, func(dev compute.Device) []float32 {
				dweight, dbias := place(dev, 1, c.cols, before[:c.cols]), place(dev, 1, c.cols, before[c.cols:])
				var bias compute.Tensor
				if withBias {
					bias = dbias.Tensor
				}
				c.run(dev, dweight.Tensor, bias, 0, c.rows).read(t)
				return append(flat(dweight.read(t)), flat(dbias.read(t))...)
			})
			// The loss is linear in weight and bias: their gradients are what it gives for one of them alone.
			want, sizes := make([]float64, 2*c.cols), 1.0
			ones := alikeBounds(c.cols, 1)
			width := c.cols * c.groups
			for i := range c.rows {
				for j, y := range normForward(doubles(c.x[i*width:(i+1)*width]), ones, 0, c.centred) {
					dy := float64(c.dout[i*width+j])
					want[j%c.cols] += dy * y
					if withBias {
						want[c.cols+j%c.cols] += dy
					}
				}
			}
			sizes += largest(want) + math.Sqrt(float64(c.rows))
			for j := range want {
				want[j] += float64(before[j])
			}
			within(t, what, got, want, 3e-6*sizes)
		}
	}
}
