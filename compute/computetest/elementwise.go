package computetest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
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
		"Embed": embed, "Gather": gather, "RMSNorm": norm, "RoPE": rope, "GatedActivation": gated,
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

// norm: a sum of squares in float32 whose roundings are random, a root, three products: 1e-6 of each element.
func norm(r *rand.Rand, rows, cols int) (ps []problem) {
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

// rope: two products and a sum, each rounded at most once, of the size of the products.
func rope(r *rand.Rand, rows, cols int) (ps []problem) {
	const positions = 19
	at := make([]int32, rows)
	for i := range at {
		at[i] = int32(r.IntN(positions))
	}
	for _, rest := range []int{0, 5} { // channels of a head that stay
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
			name: fmt.Sprintf("RoPE [%d, %d·%d], %d pairs", rows, heads, headSize, cols),
			rows: rows,
			apply: func(t *testing.T, dev compute.Device, lo, hi int) [][]float32 {
				v := place(dev, hi-lo, width, x[lo*width:hi*width])
				dev.RoPE(v.Tensor, place(dev, positions, cols, cos).Tensor, place(dev, positions, cols, sin).Tensor, column(dev, at[lo:hi]), headSize, compute.Halves)
				return v.read(t)
			},
			want: func(i int) (values, bounds []float64) {
				values, bounds = make([]float64, width), make([]float64, width)
				for j := range width {
					values[j] = float64(x[i*width+j])
				}
				for h := 0; h < width; h += headSize {
					for j := range cols {
						a, b := values[h+j], values[h+cols+j]
						c, s := float64(cos[int(at[i])*cols+j]), float64(sin[int(at[i])*cols+j])
						values[h+j], values[h+cols+j] = a*c-b*s, b*c+a*s
						bounds[h+j] = 2.01 * rounding * (math.Abs(a*c) + math.Abs(b*s))
						bounds[h+cols+j] = 2.01 * rounding * (math.Abs(b*c) + math.Abs(a*s))
					}
				}
				return values, bounds
			},
		})
	}
	return ps
}

// gated: the exponential is good to 2e-7, then three roundings. Where 1 + e⁻ˣ is infinite, 0 stands for what is below 1e-36.
func gated(r *rand.Rand, rows, cols int) (ps []problem) {
	gate, up := normals(r, rows*cols), normals(r, rows*cols)
	for i := range gate {
		gate[i] *= float32(math.Exp(6*r.Float64() - 3)) // to ±80
	}
	for form, name := range []string{"apart", "over gate", "over up"} {
		ps = append(ps, problem{
			name: fmt.Sprintf("GatedActivation [%d, %d] %s", rows, cols, name),
			rows: rows,
			apply: func(t *testing.T, dev compute.Device, lo, hi int) [][]float32 {
				g, u := place(dev, hi-lo, cols, gate[lo*cols:hi*cols]), place(dev, hi-lo, cols, up[lo*cols:hi*cols])
				out := [...]view{place(dev, hi-lo, cols, nil), g, u}[form]
				dev.GatedActivation(out.Tensor, g.Tensor, u.Tensor, compute.SiLU)
				return out.read(t)
			},
			want: func(i int) (values, bounds []float64) {
				for j := range cols {
					g, u := float64(gate[i*cols+j]), float64(up[i*cols+j])
					v := g / (1 + math.Exp(-g)) * u
					values, bounds = append(values, v), append(bounds, 4e-7*math.Abs(v)+1e-36*math.Abs(u))
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
