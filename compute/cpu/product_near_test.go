package cpu

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"shallow/compute"
)

// TestNearProductsAreThoseOfParts multiplies rows that are taken through small weights as they are, and again a few at a time, which
// are laid side by side: the bits are the same.
func TestNearProductsAreThoseOfParts(t *testing.T) {
	eachLevel(t, func(t *testing.T, l Level) {
		for _, size := range []struct{ n, k, m int }{{64, 1, 16}, {65, 100, 48}, {131, 513, 80}, {200, 1100, 112}, {70, 32, 1024}} {
			d := openDevice(t, l, 3)
			r := rand.New(rand.NewPCG(3, 4))
			spaced := func(rows, cols int) compute.Tensor {
				x := d.New(compute.Float32, rows, cols+7).ColRange(3, cols+3)
				d.Upload(x, compute.Bytes(normals(r, rows*cols)))
				return x
			}
			x, w, other, bias := spaced(size.n, size.k), spaced(size.m, size.k), spaced(2*size.m, size.k), spaced(1, size.m)
			dout, old := spaced(size.n, size.m), spaced(size.n, size.k)
			check := func(what string, into compute.Tensor, run func(out compute.Tensor, lo, hi int)) {
				t.Helper()
				before := download(t, d, into)
				run(into, 0, size.n)
				whole := download(t, d, into)
				d.Upload(into, compute.Bytes(before))
				for lo := 0; lo < size.n; lo += 21 {
					hi := min(lo+21, size.n)
					run(into.RowRange(lo, hi), lo, hi)
				}
				same(t, fmt.Sprintf("%s of %v", what, size), whole, download(t, d, into))
			}
			wide := d.New(compute.Float32, size.n, 2*size.m)
			check("product", spaced(size.n, size.m), func(out compute.Tensor, lo, hi int) {
				d.MatMul(x.RowRange(lo, hi), compute.Float32, compute.Product{Out: out, W: w, Bias: bias}, compute.Product{Out: wide.RowRange(lo, hi), W: other})
			})
			check("sum", spaced(size.n, size.m), func(out compute.Tensor, lo, hi int) {
				d.MatMul(x.RowRange(lo, hi), compute.Float32, compute.Product{Out: out, W: w, Accumulate: true})
			})
			check("gradient", old, func(out compute.Tensor, lo, hi int) {
				d.MatMulBackward(out, compute.Float32, true, compute.Product{Out: dout.RowRange(lo, hi), W: w}, compute.Product{Out: wide.RowRange(lo, hi), W: other})
			})
			if err := d.Sync(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// TestNearWeightGradientIsThatOfParts: columns that fill vectors are those of a gradient with one column more, which does not.
func TestNearWeightGradientIsThatOfParts(t *testing.T) {
	eachLevel(t, func(t *testing.T, l Level) {
		for _, size := range []struct{ n, m, k int }{{1, 1, 16}, {513, 67, 48}, {1100, 40, 112}, {600, 100, 512}} {
			d := openDevice(t, l, 2)
			r := rand.New(rand.NewPCG(5, 6))
			load := func(rows, cols int) compute.Tensor {
				return d.Load(compute.Float32, rows, cols, compute.Bytes(normals(r, rows*cols)))
			}
			dout, x, old := load(size.n, size.m), load(size.n, size.k+1), normals(r, size.m*(size.k+1))
			gradient := func(cols int) []float32 {
				dw := d.New(compute.Float32, size.m, size.k+1)
				d.Upload(dw, compute.Bytes(old))
				d.WeightGradient(dw.ColRange(0, cols), compute.Tensor{}, dout, x.ColRange(0, cols), compute.Float32)
				return download(t, d, dw.ColRange(0, size.k))
			}
			same(t, fmt.Sprint(size), gradient(size.k), gradient(size.k+1))
		}
	})
}
