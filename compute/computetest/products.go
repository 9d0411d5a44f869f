package computetest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"shallow/compute"
)

// products holds MatMul against sums in float64 of the operands as they are rounded, for every kind of weight, as it was
// loaded and packed, whole and a range of its rows, from zero, a bias and an old value.
func products(t *testing.T, open func(t *testing.T, threads int) compute.Device) {
	shapes := [][3]int{{1, 1, 1}, {3, 5, 7}, {7, 128, 50}, {9, 513, 50}, {17, 1100, 97}, {21, 1152, 64}, {2, 2112, 131}, {1, 32, 100}, {5, 64, 33}, {6, 96, 49}, {8, 1056, 70}}
	r := rand.New(rand.NewPCG(11, 12))
	for i, s := range shapes {
		for j, kind := range weightKinds {
			if kind == compute.Q8_0 && s[1]%compute.Q8Block != 0 {
				continue
			}
			for _, in := range []compute.Kind{compute.Float32, compute.BFloat16} {
				p := newProductCase(r, s[0], s[1], s[2], kind, in)
				p.start = starts[(i+j)%len(starts)]
				p.problem("").check(t, open)
				p.packed = true
				p.problem(" packed").check(t, open)
				p.lo, p.hi = p.outer/3, p.outer-p.outer/4
				p.problem(" packed, some rows").check(t, open)
				p.packed = false
				p.problem(" some rows").check(t, open)
			}
		}
	}
	t.Run("together", func(t *testing.T) { productsTogether(t, open) })
}

// starts are what an output starts from.
var starts = []string{"zero", "bias", "old value", "bias and old value"}

// productCase is one product of x [rows, inner] with rows lo to hi-1 of a weight [outer, inner].
type productCase struct {
	rows, inner, outer int
	in                 compute.Kind
	lo, hi             int
	packed             bool
	start              string
	x, bias, old       []float32
	w                  weights
}

func newProductCase(r *rand.Rand, rows, inner, outer int, kind, in compute.Kind) productCase {
	return productCase{
		rows: rows, inner: inner, outer: outer, in: in, hi: outer, start: starts[0],
		x: normals(r, rows*inner), bias: normals(r, outer), old: normals(r, rows*outer),
		w: newWeights(r, kind, outer*inner),
	}
}

// product puts the weight, and what the output starts from in rows [lo, hi), on a device.
func (p *productCase) product(dev compute.Device, lo, hi int) (compute.Product, view) {
	width := p.hi - p.lo
	out := place(dev, hi-lo, width, nil)
	q := compute.Product{Out: out.Tensor, W: p.w.on(dev, p.outer, p.inner)}
	if strings.HasPrefix(p.start, "bias") {
		q.Bias = load(dev, compute.Float32, 1, p.outer, p.bias).ColRange(p.lo, p.hi)
	}
	if strings.HasSuffix(p.start, "old value") {
		q.Accumulate = true
		for i := lo; i < hi; i++ {
			dev.Upload(out.RowRange(i-lo, i-lo+1), compute.Bytes(p.old[i*p.outer+p.lo:i*p.outer+p.hi]))
		}
	}
	if p.packed {
		q.W = dev.Pack(q.W, p.in)
	}
	q.W = q.W.RowRange(p.lo, p.hi)
	return q, out
}

func (p *productCase) problem(how string) problem {
	q := *p
	return problem{
		name: fmt.Sprintf("MatMul [%d, %d]·[%d, %d]ᵀ of %v in %v from %s%s", q.rows, q.inner, q.outer, q.inner, q.w.kind, q.in, q.start, how),
		rows: q.rows,
		apply: func(t *testing.T, dev compute.Device, lo, hi int) [][]float32 {
			product, out := q.product(dev, lo, hi)
			x := place(dev, hi-lo, q.inner, q.x[lo*q.inner:hi*q.inner])
			dev.MatMul(x.Tensor, q.in, product)
			return out.read(t)
		},
		want: q.want,
	}
}

// want is row i of the product.
func (p *productCase) want(i int) (values, bounds []float64) {
	for m := p.lo; m < p.hi; m++ {
		sum := 0.0
		switch p.start {
		case "bias":
			sum = float64(p.bias[m])
		case "old value":
			sum = float64(p.old[i*p.outer+m])
		case "bias and old value": // rounded once, whatever the rest is
			sum = float64(p.bias[m] + p.old[i*p.outer+m])
		}
		size := math.Abs(sum)
		for k := range p.inner {
			x, w := p.x[i*p.inner+k], float32(p.w.exact[m*p.inner+k])
			if p.in == compute.BFloat16 {
				x, w = nearestBFloat16(x), nearestBFloat16(w)
			}
			v := float64(x) * float64(w)
			sum, size = sum+v, size+math.Abs(v)
		}
		values, bounds = append(values, sum), append(bounds, 2e-6*size)
	}
	return values, bounds
}

// nearestBFloat16 is the bfloat16 nearest to a finite number, the even one of two.
func nearestBFloat16(f float32) float32 {
	fraction, exponent := math.Frexp(float64(f))
	return float32(math.Ldexp(math.RoundToEven(math.Ldexp(fraction, 8)), exponent-8))
}

// productsTogether multiplies by several weights in one call: the bits are those of a call for each.
func productsTogether(t *testing.T, open func(t *testing.T, threads int) compute.Device) {
	const rows, inner = 10, 700
	r := rand.New(rand.NewPCG(13, 14))
	for _, in := range []compute.Kind{compute.Float32, compute.BFloat16} {
		var cases []productCase
		for i, outer := range []int{96, 33, 1, 200, 70} {
			p := newProductCase(r, rows, inner, outer, compute.BFloat16, in)
			p.start, p.packed = starts[i%len(starts)], i == 3
			cases = append(cases, p)
		}
		for threads := 1; threads <= 3; threads++ {
			dev := open(t, threads)
			var together []compute.Product
			var outs []view
			for _, p := range cases {
				p.x = cases[0].x
				q, out := p.product(dev, 0, rows)
				together, outs = append(together, q), append(outs, out)
			}
			dev.MatMul(place(dev, rows, inner, cases[0].x).Tensor, in, together...)
			for i, p := range cases {
				p.x = cases[0].x
				alone := p.problem("").apply(t, dev, 0, rows)
				for j, row := range outs[i].read(t) {
					for k, v := range row {
						if math.Float32bits(v) != math.Float32bits(alone[j][k]) {
							t.Fatalf("product %d of %d in %v on %d threads: element (%d, %d) is %v, but %v alone", i, len(cases), in, threads, j, k, v, alone[j][k])
						}
					}
				}
			}
		}
	}
}
