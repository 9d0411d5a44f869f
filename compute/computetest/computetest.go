// Package computetest holds a [compute.Device] to its contract: every operation against plain float64 arithmetic, over
// kinds and shapes that fit no tile, inside views, and its bits against one another: rows alone and in a batch, on any
// number of threads. A device's own test calls [Run].
package computetest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"shallow/compute"
)

// Run tests the devices that open starts. A device that has no notion of threads may ignore their number. open ends
// what it started in t.Cleanup.
func Run(t *testing.T, open func(t *testing.T, threads int) compute.Device) {
	t.Run("elementwise", func(t *testing.T) { elementwise(t, open) })
	t.Run("products", func(t *testing.T) { products(t, open) })
	t.Run("attention", func(t *testing.T) { attention(t, open) })
	t.Run("experts", func(t *testing.T) { experts(t, open) })
	t.Run("gradients", func(t *testing.T) { gradients(t, open) })
	t.Run("gradient products", func(t *testing.T) { gradientProducts(t, open) })
}

// problem is an operation with inputs, whose result can be computed row by row.
type problem struct {
	name string
	rows int
	// apply computes rows [lo, hi) alone and returns each row of the result.
	apply func(t *testing.T, dev compute.Device, lo, hi int) [][]float32
	// want is row i in float64, and how far each element may be from it.
	want func(i int) (values, bounds []float64)
}

// check solves p on one thread, compares it with what is wanted, and then all other ways to solve it with the first.
func (p problem) check(t *testing.T, open func(t *testing.T, threads int) compute.Device) {
	t.Helper()
	first := p.apply(t, open(t, 1), 0, p.rows)
	for i, row := range first {
		want, bounds := p.want(i)
		if len(row) != len(want) {
			t.Fatalf("%s: row %d has %d elements, want %d", p.name, i, len(row), len(want))
		}
		for j, w := range want {
			got := float64(row[j])
			if got == w || math.IsNaN(got) && math.IsNaN(w) {
				continue
			}
			if !(math.Abs(got-w) <= bounds[j]) {
				t.Fatalf("%s: element (%d, %d) is %v, want %v, give or take %.2g", p.name, i, j, got, w, bounds[j])
			}
		}
	}
	same := func(what string, lo int, rows [][]float32) {
		t.Helper()
		for i, row := range rows {
			for j, v := range row {
				if w := first[lo+i][j]; math.Float32bits(v) != math.Float32bits(w) {
					t.Fatalf("%s: element (%d, %d) is %v %s, but %v at first", p.name, lo+i, j, v, what, w)
				}
			}
		}
	}
	for threads := 2; threads <= 3; threads++ {
		dev := open(t, threads)
		same(fmt.Sprintf("on %d threads", threads), 0, p.apply(t, dev, 0, p.rows))
		for lo := 0; lo < p.rows; lo += 1 + p.rows/5 {
			same("alone", lo, p.apply(t, dev, lo, lo+1))
			hi := min(p.rows, lo+1+p.rows/3)
			same(fmt.Sprintf("among rows [%d, %d)", lo, hi), lo, p.apply(t, dev, lo, hi))
		}
	}
}

// guard surrounds views: a NaN that no operation makes, to be found again where it was.
var guard = math.Float32frombits(0x7fc1_2345)

// view is a Float32 tensor inside a larger one that is full of guards.
type view struct {
	compute.Tensor
	around compute.Tensor
	dev    compute.Device
}

// The room around a view: odd, so that its rows begin at no vector's boundary.
const (
	roomLeft, roomRight = 3, 2
	roomAbove           = 1
)

// place makes a view of values, a row after another.
func place(dev compute.Device, rows, cols int, values []float32) view {
	around := dev.New(compute.Float32, rows+2*roomAbove, roomLeft+cols+roomRight)
	guards := make([]float32, around.Rows*around.Cols)
	for i := range guards {
		guards[i] = guard
	}
	dev.Upload(around, compute.Bytes(guards))
	v := view{around.RowRange(roomAbove, roomAbove+rows).ColRange(roomLeft, roomLeft+cols), around, dev}
	if values != nil {
		dev.Upload(v.Tensor, compute.Bytes(values))
	}
	return v
}

// read returns the view's rows, and fails where something around it was written to.
func (v view) read(t *testing.T) [][]float32 {
	t.Helper()
	all := make([]float32, v.around.Rows*v.around.Cols)
	if err := v.dev.Download(compute.Bytes(all), v.around); err != nil {
		t.Fatal(err)
	}
	rows := make([][]float32, v.Rows)
	for i := range v.around.Rows {
		row := all[i*v.around.Cols : (i+1)*v.around.Cols]
		inside := i >= roomAbove && i < roomAbove+v.Rows
		for j, x := range row {
			if (!inside || j < roomLeft || j >= roomLeft+v.Cols) && math.Float32bits(x) != math.Float32bits(guard) {
				t.Fatalf("(%d, %d), outside of %v, was written to: %v", i-roomAbove, j-roomLeft, v.Tensor, x)
			}
		}
		if inside {
			rows[i-roomAbove] = row[roomLeft : roomLeft+v.Cols]
		}
	}
	return rows
}

// load makes a tensor of host memory.
func load[T int32 | uint16 | float32](dev compute.Device, kind compute.Kind, rows, cols int, values []T) compute.Tensor {
	t := dev.New(kind, rows, cols)
	dev.Upload(t, compute.Bytes(values))
	return t
}

// column makes an Int32 [N, 1] inside a wider tensor.
func column(dev compute.Device, values []int32) compute.Tensor {
	wide := make([]int32, 3*len(values))
	for i, v := range values {
		wide[3*i], wide[3*i+1], wide[3*i+2] = math.MinInt32, v, math.MaxInt32
	}
	return load(dev, compute.Int32, len(values), 3, wide).ColRange(1, 2)
}

func normals(r *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

// weights are n random weights of a kind: what they are on the device, and in float64.
type weights struct {
	kind   compute.Kind
	floats []float32
	halves []uint16
	codes  []byte // of NF4; blocks of Q8_0
	absmax []float32
	exact  []float64
}

// weightKinds are all kinds of weights.
var weightKinds = []compute.Kind{compute.Float32, compute.BFloat16, compute.Float16, compute.NF4, compute.Q8_0}

func newWeights(r *rand.Rand, kind compute.Kind, n int) weights {
	w := weights{kind: kind, exact: make([]float64, n)}
	switch kind {
	case compute.Float32:
		w.floats = normals(r, n)
		for i, f := range w.floats {
			w.exact[i] = float64(f)
		}
	case compute.BFloat16:
		w.halves = make([]uint16, n)
		for i := range w.halves {
			w.halves[i] = uint16(math.Float32bits(float32(r.NormFloat64())) >> 16)
			w.exact[i] = float64(math.Float32frombits(uint32(w.halves[i]) << 16))
		}
	case compute.Float16:
		w.halves = make([]uint16, n)
		for i := range w.halves {
			sign, exp, man := r.IntN(2), r.IntN(19), r.IntN(1024) // 2⁻²⁴ to 15.99
			w.halves[i] = uint16(sign<<15 | exp<<10 | man)
			w.exact[i] = math.Ldexp(float64(1024+man), exp-25)
			if exp == 0 {
				w.exact[i] = math.Ldexp(float64(man), -24)
			}
			if sign == 1 {
				w.exact[i] = -w.exact[i]
			}
		}
	case compute.NF4:
		w.codes = make([]byte, (n+1)/2)
		w.absmax = make([]float32, (n+compute.NF4Block-1)/compute.NF4Block)
		for i := range w.absmax {
			w.absmax[i] = float32(math.Abs(r.NormFloat64()))
		}
		for i := range n {
			code := r.IntN(16)
			w.codes[i/2] |= byte(code << (4 * (1 - i%2)))
			w.exact[i] = nf4Quantiles[code] * float64(w.absmax[i/compute.NF4Block])
		}
	case compute.Q8_0:
		scales := newWeights(r, compute.Float16, n/compute.Q8Block)
		for b, s := range scales.halves {
			w.codes = append(w.codes, byte(s), byte(s>>8))
			for i := range compute.Q8Block {
				code := int8(r.IntN(256) - 128)
				w.codes = append(w.codes, byte(code))
				w.exact[b*compute.Q8Block+i] = scales.exact[b] * float64(code)
			}
		}
	}
	return w
}

// nf4Quantiles are the values of NF4's codes, from Dettmers et al., 2023, appendix E.
var nf4Quantiles = [16]float64{
	-1, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334,
	-0.09105003625154495, 0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
	0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1,
}

// on puts the weights on a device as rows × cols.
func (w weights) on(dev compute.Device, rows, cols int) compute.Tensor {
	switch w.kind {
	case compute.Float32:
		return load(dev, w.kind, rows, cols, w.floats)
	case compute.NF4:
		return dev.LoadNF4(rows, cols, w.codes, w.absmax)
	case compute.Q8_0: // at an odd address
		return dev.Load(w.kind, rows, cols, append(make([]byte, 1, 1+len(w.codes)), w.codes...)[1:])
	}
	return load(dev, w.kind, rows, cols, w.halves)
}
