package cpu

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"shallow/compute"
)

// TestWeightGradientOfPartsIsThatOfTheWhole computes some rows and columns of a weight's gradient: the bits are the whole one's,
// though few columns are computed as their transpose.
func TestWeightGradientOfPartsIsThatOfTheWhole(t *testing.T) {
	const tokens, rows, cols = 1101, 67, 100
	eachLevel(t, func(t *testing.T, l Level) {
		d := openDevice(t, l, 2)
		r := rand.New(rand.NewPCG(7, 8))
		load := func(rows, cols int) compute.Tensor {
			return d.Load(compute.Float32, rows, cols, compute.Bytes(normals(r, rows*cols)))
		}
		dout, x, old := load(tokens, rows), load(tokens, cols), normals(r, rows*cols)
		gradient := func(in compute.Kind, top, end, left, right int) []float32 {
			dw := d.New(compute.Float32, rows, cols)
			d.Upload(dw, compute.Bytes(old))
			dw = dw.RowRange(top, end).ColRange(left, right)
			d.WeightGradient(dw, compute.Tensor{}, dout.ColRange(top, end), x.ColRange(left, right), in)
			return download(t, d, dw)
		}
		for _, in := range []compute.Kind{compute.Float32, compute.BFloat16} {
			whole := gradient(in, 0, rows, 0, cols)
			for _, part := range [][4]int{{0, rows, 0, 1}, {3, rows, 5, 9}, {0, 16, 0, 16}, {1, 50, 7, 71}, {66, 67, 0, cols}, {8, 40, 50, 98}} {
				got := gradient(in, part[0], part[1], part[2], part[3])
				width := part[3] - part[2]
				for i := part[0]; i < part[1]; i++ {
					same(t, fmt.Sprintf("%v of %v, row %d", in, part, i), got[(i-part[0])*width:][:width], whole[i*cols+part[2]:i*cols+part[3]])
				}
			}
		}
	})
}

// TestBackwardOfNoProductsIsZero and leaves what it would be added to.
func TestBackwardOfNoProductsIsZero(t *testing.T) {
	d := openDevice(t, Best(), 1)
	dx := d.Load(compute.Float32, 1, 3, compute.Bytes([]float32{1, 2, 3}))
	d.MatMulBackward(dx, compute.Float32, true)
	same(t, "added", download(t, d, dx), []float32{1, 2, 3})
	d.MatMulBackward(dx, compute.Float32, false)
	same(t, "written", download(t, d, dx), []float32{0, 0, 0})
}

func TestPackedBackwardBytes(t *testing.T) {
	eachLevel(t, func(t *testing.T, l Level) {
		d := openDevice(t, l, 1)
		for _, in := range []compute.Kind{compute.Float32, compute.BFloat16} {
			w := d.New(compute.BFloat16, 51, 70)
			if got, want := d.PackedBackwardBytes(w.Kind, w.Rows, w.Cols, in), d.PackBackward(w, in).Memory.Bytes(); got != want {
				t.Errorf("in %v: %d bytes announced, %d taken", in, got, want)
			}
		}
	})
}

func TestGradientProductsRefuseWhatDoesNotFit(t *testing.T) {
	const float, half = compute.Float32, compute.BFloat16
	backward := func(in compute.Kind, dout, w func(d *Device) compute.Tensor) func(d *Device) {
		return func(d *Device) {
			d.MatMulBackward(d.New(float, 2, 8), in, false, compute.Product{Out: dout(d), W: w(d)})
		}
	}
	tensor := func(kind compute.Kind, rows, cols int) func(d *Device) compute.Tensor {
		return func(d *Device) compute.Tensor { return d.New(kind, rows, cols) }
	}
	gradient := func(dw, dbias, dout, x func(d *Device) compute.Tensor, in compute.Kind) func(d *Device) {
		return func(d *Device) { d.WeightGradient(dw(d), dbias(d), dout(d), x(d), in) }
	}
	none := func(*Device) compute.Tensor { return compute.Tensor{} }
	dout, w := tensor(float, 2, 3), tensor(float, 3, 8)
	for name, f := range map[string]func(d *Device){
		"rows of dout":        backward(float, tensor(float, 1, 3), w),
		"width of dout":       backward(float, tensor(float, 2, 4), w),
		"kind of dout":        backward(float, tensor(half, 2, 3), w),
		"width of a weight":   backward(float, dout, tensor(float, 3, 7)),
		"integers":            backward(float, dout, tensor(compute.Int32, 3, 8)),
		"kind to multiply in": backward(compute.Float16, dout, w),
		"a dx of halves":      func(d *Device) { d.MatMulBackward(d.New(half, 2, 8), float, false) },
		"packed for MatMul":   backward(float, dout, func(d *Device) compute.Tensor { return d.Pack(w(d), float) }),
		"packed for another":  backward(float, dout, func(d *Device) compute.Tensor { return d.PackBackward(w(d), half) }),
		"some rows, packed":   backward(float, dout, func(d *Device) compute.Tensor { return d.PackBackward(d.New(float, 4, 8), float).RowRange(1, 4) }),
		"packing for float16": func(d *Device) { d.PackBackward(w(d), compute.Float16) },
		"packing integers":    func(d *Device) { d.PackBackward(d.New(compute.Int32, 3, 8), float) },
		"packed for backward": func(d *Device) {
			d.MatMul(d.New(float, 2, 8), float, compute.Product{Out: dout(d), W: d.PackBackward(w(d), float)})
		},
		"a gradient too tall":    gradient(tensor(float, 4, 8), none, dout, tensor(float, 2, 8), float),
		"a gradient of halves":   gradient(tensor(half, 3, 8), none, dout, tensor(float, 2, 8), float),
		"a bias too long":        gradient(w, tensor(float, 1, 4), dout, tensor(float, 2, 8), float),
		"other tokens":           gradient(w, none, dout, tensor(float, 3, 8), float),
		"a gradient in float16":  gradient(w, none, dout, tensor(float, 2, 8), compute.Float16),
		"x that is not float32":  gradient(w, none, dout, tensor(half, 2, 8), float),
		"a weight not there":     backward(float, dout, none),
		"a weight of half lines": backward(float, dout, func(d *Device) compute.Tensor { return d.New(compute.Q8_0, 3, 64).ColRange(16, 24) }),
	} {
		d := openDevice(t, Best(), 1)
		f(d)
		if d.Sync() == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
