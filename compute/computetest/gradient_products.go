package computetest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"shallow/compute"
)

// gradientProducts holds MatMulBackward and WeightGradient against sums in float64 of the operands as they are rounded: that
// they are the derivatives of a product follows from its being linear in both.
func gradientProducts(t *testing.T, open func(t *testing.T, threads int) compute.Device) {
	if _, ok := open(t, 1).(compute.Gradients); !ok {
		t.Skip("no gradients")
	}
	r := rand.New(rand.NewPCG(21, 22))
	// [rows, M, K]: k runs over M, more than a block of it too.
	for i, s := range [][3]int{{1, 1, 1}, {3, 5, 7}, {7, 128, 64}, {9, 513, 50}, {17, 1100, 97}, {2, 1025, 192}, {21, 33, 131}, {8, 96, 48}} {
		for _, kind := range weightKinds {
			if kind == compute.Q8_0 && s[2]%compute.Q8Block != 0 {
				continue
			}
			for _, in := range []compute.Kind{compute.Float32, compute.BFloat16} {
				p := backwardCase{rows: s[0], m: s[1], k: s[2], in: in, accumulate: i%2 == 1, old: normals(r, s[0]*s[2])}
				for range 1 + i%3 {
					p.dout, p.w = append(p.dout, normals(r, s[0]*s[1])), append(p.w, newWeights(r, kind, s[1]*s[2]))
				}
				p.problem().check(t, open)
				p.packed = true
				p.problem().check(t, open)
			}
		}
	}
	for _, s := range [][3]int{{1, 1, 1}, {5, 3, 7}, {33, 70, 17}, {33, 17, 70}, {600, 4, 50}, {1030, 50, 4}, {1100, 20, 20}} {
		for _, in := range []compute.Kind{compute.Float32, compute.BFloat16} {
			weightGradient(t, open, r, s[0], s[1], s[2], in)
		}
	}
}

// backwardCase is the gradient by x [rows, k] of products with weights [m, k].
type backwardCase struct {
	rows, m, k         int
	in                 compute.Kind
	accumulate, packed bool
	old                []float32
	dout               [][]float32
	w                  []weights
}

func (p *backwardCase) problem() problem {
	q := *p
	return problem{
		name: fmt.Sprintf("MatMulBackward [%d, %d]·[%d, %d] of %d %v in %v, packed %v, added %v", q.rows, q.m, q.m, q.k, len(q.w), q.w[0].kind, q.in, q.packed, q.accumulate),
		rows: q.rows,
		apply: func(t *testing.T, dev compute.Device, lo, hi int) [][]float32 {
			g := dev.(compute.Gradients)
			dx := place(dev, hi-lo, q.k, q.old[lo*q.k:hi*q.k])
			var products []compute.Product
			for i, w := range q.w {
				dout := place(dev, hi-lo, q.m, q.dout[i][lo*q.m:hi*q.m])
				on := w.on(dev, q.m, q.k)
				if q.packed {
					on = g.PackBackward(on, q.in)
				}
				products = append(products, compute.Product{Out: dout.Tensor, W: on})
			}
			g.MatMulBackward(dx.Tensor, q.in, q.accumulate, products...)
			return dx.read(t)
		},
		want: func(i int) (values, bounds []float64) {
			for j := range q.k {
				sum := 0.0
				if q.accumulate {
					sum = float64(q.old[i*q.k+j])
				}
				size := math.Abs(sum)
				for n, w := range q.w {
					for m := range q.m {
						a, b := q.dout[n][i*q.m+m], float32(w.exact[m*q.k+j])
						if q.in == compute.BFloat16 {
							a, b = nearestBFloat16(a), nearestBFloat16(b)
						}
						v := float64(a) * float64(b)
						sum, size = sum+v, size+math.Abs(v)
					}
				}
				values, bounds = append(values, sum), append(bounds, 2e-6*size)
			}
			return values, bounds
		},
	}
}

// weightGradient adds the gradients of a weight and a bias to what is there, on one to three threads.
func weightGradient(t *testing.T, open func(t *testing.T, threads int) compute.Device, r *rand.Rand, tokens, m, k int, in compute.Kind) {
	t.Helper()
	name := fmt.Sprintf("WeightGradient of [%d, %d] over %d tokens in %v", m, k, tokens, in)
	dout, x, old, oldBias := normals(r, tokens*m), normals(r, tokens*k), normals(r, m*k), normals(r, m)
	var first [][]float32
	for threads := 1; threads <= 3; threads++ {
		dev := open(t, threads)
		dw, dbias := place(dev, m, k, old), place(dev, 1, m, oldBias)
		dev.(compute.Gradients).WeightGradient(dw.Tensor, dbias.Tensor, place(dev, tokens, m, dout).Tensor, place(dev, tokens, k, x).Tensor, in)
		rows := append(dw.read(t), dbias.read(t)...)
		if first == nil {
			first = rows
		}
		for i, row := range rows {
			for j, v := range row {
				if math.Float32bits(v) != math.Float32bits(first[i][j]) {
					t.Fatalf("%s: element (%d, %d) is %v on %d threads, %v on one", name, i, j, v, threads, first[i][j])
				}
			}
		}
	}
	near := func(what string, got float32, want, size float64) {
		if math.Abs(float64(got)-want) > 3e-6*size {
			t.Fatalf("%s: %s is %v, want %v, give or take %.2g", name, what, got, want, 3e-6*size)
		}
	}
	for i := range m {
		sum := float64(oldBias[i])
		size := math.Abs(sum)
		for n := range tokens {
			sum, size = sum+float64(dout[n*m+i]), size+math.Abs(float64(dout[n*m+i]))
		}
		near(fmt.Sprintf("bias %d", i), first[m][i], sum, size)
		for j := range k {
			sum := float64(old[i*k+j])
			size := math.Abs(sum)
			for n := range tokens {
				a, b := dout[n*m+i], x[n*k+j]
				if in == compute.BFloat16 {
					a, b = nearestBFloat16(a), nearestBFloat16(b)
				}
				v := float64(a) * float64(b)
				sum, size = sum+v, size+math.Abs(v)
			}
			near(fmt.Sprintf("element (%d, %d)", i, j), first[i][j], sum, size)
		}
	}
}
