package cpu

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"shallow/compute"
)

// eachLevel runs a test at each level of this processor.
func eachLevel(t *testing.T, f func(t *testing.T, l Level)) {
	for _, l := range Levels() {
		t.Run(l.String(), func(t *testing.T) { f(t, l) })
	}
}

func openDevice(t testing.TB, l Level, threads int) *Device {
	t.Helper()
	d, err := New(Options{Level: l, Threads: threads})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}

func normals(r *rand.Rand, n int) []float32 {
	s := make([]float32, n)
	for i := range s {
		s[i] = float32(r.NormFloat64())
	}
	return s
}

// randomWeight is a weight [rows, cols] of any kind, whose elements are about 1 in size.
func randomWeight(d *Device, r *rand.Rand, kind compute.Kind, rows, cols int) compute.Tensor {
	switch kind {
	case compute.Float32:
		return d.Load(kind, rows, cols, compute.Bytes(normals(r, rows*cols)))
	case compute.NF4:
		codes := make([]byte, (rows*cols+1)/2)
		for i := range codes {
			codes[i] = byte(r.Uint32())
		}
		absmax := normals(r, (rows*cols+compute.NF4Block-1)/compute.NF4Block)
		return d.LoadNF4(rows, cols, codes, absmax)
	}
	if kind == compute.Q8_0 {
		blocks := make([]byte, kind.Bytes(rows*cols))
		for i := range blocks {
			blocks[i] = byte(r.Uint32())
		}
		for i := 0; i < len(blocks); i += compute.Q8BlockBytes {
			scale := floatToF16(float32(r.NormFloat64() / 64))
			blocks[i], blocks[i+1] = byte(scale), byte(scale>>8)
		}
		return d.Load(kind, rows, cols, blocks)
	}
	halves := make([]uint16, rows*cols)
	for i, f := range normals(r, rows*cols) {
		halves[i] = floatToBF16(f)
		if kind == compute.Float16 {
			halves[i] = floatToF16(f)
		}
	}
	return d.Load(kind, rows, cols, compute.Bytes(halves))
}

// multiplied is the product of x and w as a device computes it, out of tensors with gaps between their rows.
func multiplied(t *testing.T, d *Device, x []float32, cols int, w compute.Tensor, in compute.Kind) []float32 {
	t.Helper()
	n := len(x) / cols
	padded := d.New(compute.Float32, n, cols+3)
	d.Upload(padded.ColRange(2, cols+2), compute.Bytes(x))
	out := d.New(compute.Float32, n, w.Rows+5).ColRange(1, w.Rows+1)
	d.MatMul(padded.ColRange(2, cols+2), in, compute.Product{Out: out, W: w})
	return download(t, d, out)
}

// TestQ8Moves uploads blocks into rows of a view and downloads them again.
func TestQ8Moves(t *testing.T) {
	d := openDevice(t, Best(), 1)
	from := randomWeight(d, rand.New(rand.NewPCG(1, 5)), compute.Q8_0, 3, 64)
	want := make([]byte, compute.Q8_0.Bytes(3*64))
	if err := d.Download(want, from); err != nil {
		t.Fatal(err)
	}
	to := d.New(compute.Q8_0, 5, 128).RowRange(1, 4).ColRange(32, 96)
	d.Upload(to, want)
	got := make([]byte, len(want))
	if err := d.Download(got, to); err != nil || !bytes.Equal(got, want) {
		t.Errorf("blocks came back as others, %v", err)
	}
}

func download(t *testing.T, d *Device, out compute.Tensor) []float32 {
	t.Helper()
	y := make([]float32, out.Rows*out.Cols)
	if err := d.Download(compute.Bytes(y), out); err != nil {
		t.Fatal(err)
	}
	return y
}

// TestProductIsExact holds products against float64 arithmetic on the rounded operands.
func TestProductIsExact(t *testing.T) {
	sizes := [][3]int{{1, 1, 1}, {1, 64, 48}, {3, 7, 5}, {8, 512, 48}, {9, 513, 49}, {17, 1100, 100}, {5, 128, 16}, {23, 2049, 33}, {64, 192, 70}}
	eachLevel(t, func(t *testing.T, l Level) {
		d := openDevice(t, l, 2)
		r := rand.New(rand.NewPCG(1, 2))
		for _, size := range sizes {
			n, k, m := size[0], size[1], size[2]
			for _, kind := range weightKinds {
				if kind == compute.Q8_0 {
					k = roundUp(k, compute.Q8Block)
				}
				w := randomWeight(d, r, kind, m, k)
				x := normals(r, n*k)
				for _, in := range []compute.Kind{compute.Float32, compute.BFloat16} {
					got := multiplied(t, d, x, k, w, in)
					if i, err := worstError(got, x, w, n, k, m, in); err > 2e-6 {
						t.Fatalf("%v %v in %v: output %d is off by %g", size, kind, in, i, err)
					}
				}
			}
		}
	})
}

// worstError is the largest error of an output relative to the sum of its products' sizes.
func worstError(got, x []float32, w compute.Tensor, n, k, m int, in compute.Kind) (at int, worst float64) {
	view := weightOf(w)
	row := make([]float32, k)
	for j := range m {
		view.decode(row, j, 0)
		for i := range n {
			var sum, size float64
			for u, v := range row {
				a := x[i*k+u]
				if in == compute.BFloat16 {
					a, v = bf16ToFloat(floatToBF16(a)), bf16ToFloat(floatToBF16(v))
				}
				sum += float64(a) * float64(v)
				size += math.Abs(float64(a) * float64(v))
			}
			if e := math.Abs(float64(got[i*m+j])-sum) / (size + 1e-30); e > worst || math.IsNaN(e) {
				at, worst = i*m+j, e
				if math.IsNaN(e) {
					return at, math.Inf(1)
				}
			}
		}
	}
	return at, worst
}

// TestProductBitsDependOnOperandsAlone computes the same outputs with other neighbours, threads and layouts.
func TestProductBitsDependOnOperandsAlone(t *testing.T) {
	eachLevel(t, func(t *testing.T, l Level) {
		one, three := openDevice(t, l, 1), openDevice(t, l, 3)
		r := rand.New(rand.NewPCG(3, 4))
		for _, size := range [][3]int{{21, 1152, 133}, {9, 1030, 97}, {130, 700, 20}, {7, 1600, 70}} {
			n, k, m := size[0], size[1], size[2]
			for _, kind := range weightKinds {
				if kind == compute.Q8_0 {
					k = roundUp(k, compute.Q8Block)
				}
				w := randomWeight(one, r, kind, m, k)
				x := normals(r, n*k)
				for _, in := range []compute.Kind{compute.Float32, compute.BFloat16} {
					name := fmt.Sprintf("%v %v in %v", size, kind, in)
					want := multiplied(t, one, x, k, w, in)
					same(t, name+", three threads", multiplied(t, three, x, k, w, in), want)
					same(t, name+", packed", multiplied(t, three, x, k, three.Pack(w, in), in), want)
					for i := range n {
						same(t, fmt.Sprintf("%s, row %d alone", name, i), multiplied(t, one, x[i*k:(i+1)*k], k, w, in), want[i*m:(i+1)*m])
					}
					for _, rows := range [][2]int{{0, 1}, {1, 17}, {5, m}, {m - 1, m}, {16, 19}} {
						for _, v := range []compute.Tensor{w, one.Pack(w, in)} {
							got := multiplied(t, one, x, k, v.RowRange(rows[0], rows[1]), in)
							for i := range n {
								same(t, fmt.Sprintf("%s, columns %v", name, rows), got[i*(rows[1]-rows[0]):][:rows[1]-rows[0]], want[i*m+rows[0]:i*m+rows[1]])
							}
						}
					}
				}
			}
		}
	})
}

func same(t *testing.T, name string, got, want []float32) {
	t.Helper()
	for i := range want {
		if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
			t.Fatalf("%s: output %d is %g, was %g", name, i, got[i], want[i])
		}
	}
}

// TestProductsShareX multiplies by several weights at once, with a bias, added to what was there, and neither.
func TestProductsShareX(t *testing.T) {
	eachLevel(t, func(t *testing.T, l Level) {
		d := openDevice(t, l, 2)
		r := rand.New(rand.NewPCG(5, 6))
		const n, k = 11, 1200
		x := d.Load(compute.Float32, n, k, compute.Bytes(normals(r, n*k)))
		for _, in := range []compute.Kind{compute.Float32, compute.BFloat16} {
			var products []compute.Product
			var before [][]float32
			for i, m := range []int{96, 50, 7} {
				old := normals(r, n*m)
				p := compute.Product{Out: d.New(compute.Float32, n, m), W: randomWeight(d, r, compute.BFloat16, m, k), Accumulate: i == 1}
				d.Upload(p.Out, compute.Bytes(old))
				start := make([]float32, n*m)
				switch i {
				case 0:
					p.Bias = randomWeight(d, r, compute.BFloat16, 1, m)
					b := weightOf(p.Bias)
					for row := range n {
						b.decode(start[row*m:(row+1)*m], 0, 0)
					}
				case 1:
					start = old
				}
				products, before = append(products, p), append(before, start)
			}
			d.MatMul(x, in, products...)
			for i, p := range products {
				got := download(t, d, p.Out)
				alone := d.New(compute.Float32, n, p.Out.Cols)
				d.Upload(alone, compute.Bytes(before[i]))
				d.MatMul(x, in, compute.Product{Out: alone, W: p.W, Accumulate: true})
				same(t, fmt.Sprintf("product %d", i), got, download(t, d, alone))
				plain := d.New(compute.Float32, n, p.Out.Cols)
				d.MatMul(x, in, compute.Product{Out: plain, W: p.W})
				for j, v := range download(t, d, plain) {
					if e := math.Abs(float64(v+before[i][j]) - float64(got[j])); e > 1e-4 {
						t.Fatalf("product %d: output %d is off by %g", i, j, e)
					}
				}
			}
		}
	})
}

func TestProductRefusesWhatDoesNotFit(t *testing.T) {
	x := func(d *Device) compute.Tensor { return d.New(compute.Float32, 2, 8) }
	tests := map[string]func(d *Device){
		"inner size": func(d *Device) {
			d.MatMul(x(d), compute.Float32, compute.Product{Out: d.New(compute.Float32, 2, 3), W: d.New(compute.Float32, 3, 7)})
		},
		"rows of out": func(d *Device) {
			d.MatMul(x(d), compute.Float32, compute.Product{Out: d.New(compute.Float32, 1, 3), W: d.New(compute.Float32, 3, 8)})
		},
		"kind of out": func(d *Device) {
			d.MatMul(x(d), compute.Float32, compute.Product{Out: d.New(compute.BFloat16, 2, 3), W: d.New(compute.Float32, 3, 8)})
		},
		"kind to multiply in": func(d *Device) {
			d.MatMul(x(d), compute.Float16, compute.Product{Out: d.New(compute.Float32, 2, 3), W: d.New(compute.Float32, 3, 8)})
		},
		"integers": func(d *Device) {
			d.MatMul(x(d), compute.Float32, compute.Product{Out: d.New(compute.Float32, 2, 3), W: d.New(compute.Int32, 3, 8)})
		},
		"packed for another kind": func(d *Device) {
			d.MatMul(x(d), compute.Float32, compute.Product{Out: d.New(compute.Float32, 2, 3), W: d.Pack(d.New(compute.Float32, 3, 8), compute.BFloat16)})
		},
	}
	q8 := func(d *Device, cols int) compute.Tensor { return d.New(compute.Q8_0, 3, cols) }
	tests["columns that cut blocks"] = func(d *Device) {
		d.MatMul(d.New(compute.Float32, 2, 32), compute.Float32, compute.Product{Out: d.New(compute.Float32, 2, 3), W: q8(d, 64).ColRange(16, 48)})
	}
	tests["half a block"] = func(d *Device) {
		d.MatMul(d.New(compute.Float32, 2, 48), compute.Float32, compute.Product{Out: d.New(compute.Float32, 2, 3), W: q8(d, 64).ColRange(0, 48)})
	}
	tests["packing what cuts blocks"] = func(d *Device) { d.Pack(q8(d, 64).ColRange(16, 48), compute.Float32) }
	tests["embedding what cuts blocks"] = func(d *Device) {
		d.Embed(d.New(compute.Float32, 1, 32), q8(d, 64).ColRange(16, 48), d.New(compute.Int32, 1, 1), 1)
	}
	tests["rows of no whole blocks"] = func(d *Device) { q8(d, 40) }
	tests["loading rows of no whole blocks"] = func(d *Device) { d.Load(compute.Q8_0, 2, 16, make([]byte, 34)) }
	tests["a bias of blocks"] = func(d *Device) {
		d.MatMul(x(d), compute.Float32, compute.Product{Out: d.New(compute.Float32, 2, 32), W: d.New(compute.Float32, 32, 8), Bias: d.New(compute.Q8_0, 1, 32)})
	}
	tests["a weight that was released"] = func(d *Device) {
		w := d.New(compute.Float32, 3, 8)
		d.Release(w.Memory)
		d.MatMul(x(d), compute.Float32, compute.Product{Out: d.New(compute.Float32, 2, 3), W: w})
	}
	for name, f := range tests {
		d := openDevice(t, Best(), 1)
		f(d)
		if d.Sync() == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestProductRoundsAlike multiplies ones by weights that are hard to round, one in each row, in full tiles and row by row.
func TestProductRoundsAlike(t *testing.T) {
	special := []uint32{
		0x3f80_8000, 0x3f81_8000, 0x3f80_8001, 0x3f80_7fff, 0xbf80_8000, 0x7f7f_ffff, 0xff7f_8000, 0x7f80_0000, 0xff80_0000,
		0x7f80_0001, 0x7fc0_1234, 0xffff_ffff, 0x0080_0000, 0x8000_0000, 0x3f80_0000, 0x7f7f_7fff,
	}
	const rows, cols = 96, 128
	w := make([]float32, rows*cols)
	for j := range rows {
		w[j*cols+j%cols] = math.Float32frombits(special[j%len(special)])
	}
	x := make([]float32, cols)
	for i := range x {
		x[i] = 1
	}
	eachLevel(t, func(t *testing.T, l Level) {
		d := openDevice(t, l, 1)
		weight := d.Load(compute.Float32, rows, cols, compute.Bytes(w))
		for _, in := range []compute.Kind{compute.Float32, compute.BFloat16} {
			whole := multiplied(t, d, x, cols, weight, in)
			for j, got := range whole {
				want := math.Float32frombits(special[j%len(special)])
				if in == compute.BFloat16 {
					want = bf16ToFloat(floatToBF16(want))
				}
				if got != want && (got == got || want == want) {
					t.Errorf("%v: %x is %v, want %v", in, special[j%len(special)], got, want)
				}
				same(t, "alone", multiplied(t, d, x, cols, weight.RowRange(j, j+1), in), whole[j:j+1])
			}
		}
	})
}
