package computetest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"shallow/compute"
)

// shapes are [rows, columns] around every vector's width, and some with work for several threads.
var shapes = [][2]int{
	{1, 1}, {2, 2}, {3, 3}, {1, 4}, {5, 7}, {2, 8}, {3, 9}, {1, 15}, {4, 16}, {3, 17}, {2, 31}, {1, 33}, {3, 63}, {2, 64}, {3, 65},
	{1, 100}, {2, 127}, {2, 129}, {1, 257}, {3, 1000}, {1, 2048}, {60, 1003}, {700, 96}, {7, 5632},
}

// rounding is the largest relative error of one float32 operation.
const rounding = 0x1p-24

func elementwise(t *testing.T, open func(t *testing.T, threads int) compute.Device) {
	for name, problems := range map[string]func(r *rand.Rand, rows, cols int) []problem{
		"Embed": embed, "Gather": gather, "RMSNorm": rmsNorm, "LayerNorm": layerNorm, "RoPE": rope,
		"GatedActivation": gated, "Activate": activate, "SoftCap": softCap, "Add": add, "Scale": scale, "ScaleRows": scaleRows,
		"CosineDistance": cosine, "CrossEntropy": crossEntropy,
	} {
		t.Run(name, func(t *testing.T) {
			for i, s := range shapes {
				for _, p := range problems(rand.New(rand.NewPCG(uint64(i), 7)), s[0], s[1]) {
					p.check(t, open)
				}
			}
		})
	}
	t.Run("places", func(t *testing.T) { places(t, open(t, 1)) })
	t.Run("special values", func(t *testing.T) { specials(t, open(t, 2)) })
	t.Run("errors", func(t *testing.T) { elementwiseErrors(t, open(t, 2)) })
}

// embed: a table's element is exact in float32, NF4's is a product; the scale is one more.
func embed(r *rand.Rand, rows, cols int) (ps []problem) {
	const vocabulary, before = 37, 3 // rows of the table, and rows before it
	ids := make([]int32, rows)
	for i := range ids {
		ids[i] = int32(r.IntN(vocabulary))
	}
	for _, kind := range weightKinds {
		if kind == compute.Q8_0 && cols%compute.Q8Block != 0 {
			continue
		}
		table := newWeights(r, kind, (before+vocabulary)*cols)
		for _, scale := range []float32{1, 45.254834} {
			ps = append(ps, problem{
				name: fmt.Sprintf("Embed %v [%d, %d] times %v", kind, rows, cols, scale),
				rows: rows,
				apply: func(t *testing.T, dev compute.Device, lo, hi int) [][]float32 {
					out := place(dev, hi-lo, cols, nil)
					whole := table.on(dev, before+vocabulary, cols)
					dev.Embed(out.Tensor, whole.RowRange(before, before+vocabulary), column(dev, ids[lo:hi]), scale)
					return out.read(t)
				},
				want: func(i int) (values, bounds []float64) {
					at := (before + int(ids[i])) * cols
					for _, v := range table.exact[at : at+cols] {
						v *= float64(scale)
						values, bounds = append(values, v), append(bounds, 2.01*rounding*math.Abs(v))
					}
					return values, bounds
				},
			})
		}
	}
	return ps
}

// gather: a copy is exact.
func gather(r *rand.Rand, rows, cols int) []problem {
	const from = 23
	x, at := normals(r, from*cols), make([]int32, rows)
	for i := range at {
		at[i] = int32(r.IntN(from))
	}
	return []problem{{
		name: fmt.Sprintf("Gather [%d, %d]", rows, cols),
		rows: rows,
		apply: func(t *testing.T, dev compute.Device, lo, hi int) [][]float32 {
			out := place(dev, hi-lo, cols, nil)
			dev.Gather(out.Tensor, place(dev, from, cols, x).Tensor, column(dev, at[lo:hi]))
			return out.read(t)
		},
		want: func(i int) (values, bounds []float64) {
			for _, v := range x[int(at[i])*cols : (int(at[i])+1)*cols] {
				values, bounds = append(values, float64(v)), append(bounds, 0)
			}
			return values, bounds
		},
	}}
}

// rope: two products and a sum, each rounded at most once, of the size of the products.
func rope(r *rand.Rand, rows, cols int) (ps []problem) {
	const positions = 19
	at := make([]int32, rows)
	for i := range at {
		at[i] = int32(r.IntN(positions))
	}
	for form := range 4 {
		rest, pairs := form/2*5, compute.Pairs(form%2) // channels of a head that stay
		headSize, heads := 2*cols+rest, 1+r.IntN(3)
		if cols > 200 {
			heads = 1
		}
		width := heads * headSize
		x, cos, sin := normals(r, rows*width), make([]float32, positions*cols), make([]float32, positions*cols)
		for i := range cos {
			s, c := math.Sincos(r.Float64() * 100)
			cos[i], sin[i] = float32(c), float32(s)
		}
		ps = append(ps, problem{
			name: fmt.Sprintf("RoPE [%d, %d·%d], %d pairs of order %d", rows, heads, headSize, cols, pairs),
			rows: rows,
			apply: func(t *testing.T, dev compute.Device, lo, hi int) [][]float32 {
				v := place(dev, hi-lo, width, x[lo*width:hi*width])
				dev.RoPE(v.Tensor, place(dev, positions, cols, cos).Tensor, place(dev, positions, cols, sin).Tensor, column(dev, at[lo:hi]), headSize, pairs)
				return v.read(t)
			},
			want: func(i int) (values, bounds []float64) {
				values, bounds = make([]float64, width), make([]float64, width)
				for j := range width {
					values[j] = float64(x[i*width+j])
				}
				for h := 0; h < width; h += headSize {
					for j := range cols {
						low, high := h+j, h+cols+j
						if pairs == compute.Neighbours {
							low, high = h+2*j, h+2*j+1
						}
						a, b := values[low], values[high]
						c, s := float64(cos[int(at[i])*cols+j]), float64(sin[int(at[i])*cols+j])
						values[low], values[high] = a*c-b*s, b*c+a*s
						bounds[low] = 2.01 * rounding * (math.Abs(a*c) + math.Abs(b*s))
						bounds[high] = 2.01 * rounding * (math.Abs(b*c) + math.Abs(a*s))
					}
				}
				return values, bounds
			},
		})
	}
	return ps
}

// cosine: sums in float64 are good to 1e-13, then one rounding. Rows are far apart, almost parallel, equal and opposite.
func cosine(r *rand.Rand, rows, cols int) []problem {
	a, b := normals(r, rows*cols), normals(r, rows*cols)
	for i := range a {
		switch i / cols % 4 {
		case 1:
			b[i] = a[i] * (1 + b[i]*1e-3)
		case 2:
			b[i] = a[i]
		case 3:
			b[i] = -3 * a[i]
		}
	}
	return []problem{{
		name: fmt.Sprintf("CosineDistance [%d, %d]", rows, cols),
		rows: rows,
		apply: func(t *testing.T, dev compute.Device, lo, hi int) [][]float32 {
			out := place(dev, hi-lo, 1, nil)
			dev.CosineDistance(out.Tensor, place(dev, hi-lo, cols, a[lo*cols:hi*cols]).Tensor, place(dev, hi-lo, cols, b[lo*cols:hi*cols]).Tensor)
			return out.read(t)
		},
		want: func(i int) (values, bounds []float64) {
			var ab, aa, bb float64
			for j := range cols {
				x, y := float64(a[i*cols+j]), float64(b[i*cols+j])
				ab, aa, bb = ab+x*y, aa+x*x, bb+y*y
			}
			v := 1 - ab/(math.Sqrt(aa)*math.Sqrt(bb))
			return []float64{v}, []float64{1e-13 + rounding*math.Abs(v)}
		},
	}}
}

// crossEntropy: the exponent of each term is rounded once, the terms that count have small ones: 1e-6, then one rounding.
func crossEntropy(r *rand.Rand, rows, cols int) []problem {
	logits, targets := normals(r, rows*cols), make([]int32, rows)
	for i := range rows {
		targets[i] = int32(r.IntN(cols+1) - 1)
		shift, spread := float32(100*r.NormFloat64()), float32(1+8*r.Float64())
		for j := range cols {
			logits[i*cols+j] = shift + spread*logits[i*cols+j]
		}
	}
	return []problem{{
		name: fmt.Sprintf("CrossEntropy [%d, %d]", rows, cols),
		rows: rows,
		apply: func(t *testing.T, dev compute.Device, lo, hi int) [][]float32 {
			loss := place(dev, hi-lo, 1, nil)
			dev.CrossEntropy(loss.Tensor, place(dev, hi-lo, cols, logits[lo*cols:hi*cols]).Tensor, column(dev, targets[lo:hi]))
			return loss.read(t)
		},
		want: func(i int) (values, bounds []float64) {
			if targets[i] < 0 {
				return []float64{0}, []float64{0}
			}
			row := logits[i*cols : (i+1)*cols]
			target, sum := float64(row[targets[i]]), 0.0
			for _, v := range row {
				sum += math.Exp(float64(v) - target)
			}
			v := math.Log(sum)
			return []float64{v}, []float64{1e-6 + 2*rounding*v}
		},
	}}
}
