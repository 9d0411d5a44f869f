package nf4

import (
	"encoding/binary"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"shallow/checkpoint"
)

func littleEndian(x []float32) []byte { return floatOutput("", x).Data }

func normal(n int, seed uint64) []float32 {
	r := rand.New(rand.NewPCG(seed, 1))
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64() * 0.02)
	}
	return x
}

// codePlain counts midpoints below a value, one after another.
func codePlain(v float32) (code byte) {
	for _, mid := range midpoints {
		if mid < v {
			code++
		}
	}
	return code
}

func TestCodes(t *testing.T) {
	check := func(v float32) {
		if got, want := codeOf(v), codePlain(v); got != want {
			t.Fatalf("code of %v is %d, want %d", v, got, want)
		}
	}
	edges := append(append(values[:], midpoints[:]...), 0, float32(math.Copysign(0, -1)), 1e-45, -1e-45)
	for i := -16; i <= 16; i++ {
		edges = append(edges, float32(i)/16)
	}
	for _, v := range edges {
		check(v)
		check(math.Nextafter32(v, 2)) // a little beyond 1 occurs: a reciprocal is rounded
		check(math.Nextafter32(v, -2))
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 200_000 {
		check(2*r.Float32() - 1)
	}
	pieces := map[int]bool{}
	for _, mid := range midpoints {
		pieces[binOf(mid)] = true
	}
	if len(pieces) != len(midpoints) {
		t.Errorf("%d midpoints lie in %d pieces", len(midpoints), len(pieces))
	}
}

// TestNarrowTypes: elements of 16 bits are quantized as their float32 twins are, all 65536 of them.
func TestNarrowTypes(t *testing.T) {
	for _, dtype := range []checkpoint.DType{checkpoint.BF16, checkpoint.F16} {
		var narrow []byte
		var wide []float32
		for bits := range 1 << 16 {
			if v, finite := exact(dtype, uint16(bits)); finite {
				narrow = binary.LittleEndian.AppendUint16(narrow, uint16(bits))
				wide = append(wide, v)
			} else if _, err := Quantize(dtype, binary.LittleEndian.AppendUint16(nil, uint16(bits)), 1, 1, Options{}); err == nil {
				t.Fatalf("%s %04x is quantized", dtype, bits)
			}
		}
		rows := len(wide) / 32
		got, err := Quantize(dtype, narrow, rows, 32, Options{})
		if err != nil {
			t.Fatal(err)
		}
		want, err := Quantize(checkpoint.F32, littleEndian(wide), rows, 32, Options{})
		if err != nil {
			t.Fatal(err)
		}
		same(t, string(dtype), got.Codes, want.Codes)
		sameBits(t, string(dtype), got.Absmax, want.Absmax)
		if got.DType != dtype || want.DType != checkpoint.F32 {
			t.Errorf("types %s and %s", got.DType, want.DType)
		}
	}
}

// exact is what 16 bits stand for, by the definition of the types.
func exact(dtype checkpoint.DType, bits uint16) (v float32, finite bool) {
	mantissaBits, bias := 7, 127
	if dtype == checkpoint.F16 {
		mantissaBits, bias = 10, 15
	}
	exponent, mantissa := int(bits&0x7fff)>>mantissaBits, int(bits)&(1<<mantissaBits-1)
	if exponent == 2*bias+1 {
		return 0, false
	}
	if exponent > 0 {
		mantissa += 1 << mantissaBits
	} else {
		exponent = 1
	}
	x := math.Ldexp(float64(mantissa), exponent-bias-mantissaBits)
	return float32(math.Copysign(x, 0.5-float64(bits>>15))), true
}

func TestThreads(t *testing.T) {
	const rows, cols = 401, 333
	data := littleEndian(normal(rows*cols, 3))
	one, err := Quantize(checkpoint.F32, data, rows, cols, Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, threads := range []int{0, 2, 3, 4, 7} {
		m, err := Quantize(checkpoint.F32, data, rows, cols, Options{Threads: threads})
		if err != nil {
			t.Fatal(err)
		}
		same(t, "codes", m.Codes, one.Codes)
		sameBits(t, "absmax", m.Absmax, one.Absmax)
	}
}

// TestIdempotent: the values of codes are quantized to the same codes and scales.
func TestIdempotent(t *testing.T) {
	for seed := range uint64(20) {
		rows, cols := 5+int(seed), 37+3*int(seed)
		m, err := Quantize(checkpoint.F32, littleEndian(normal(rows*cols, seed)), rows, cols, Options{})
		if err != nil {
			t.Fatal(err)
		}
		x := make([]float32, rows*cols)
		m.Float32(x, 0)
		again, err := Quantize(checkpoint.F32, littleEndian(x), rows, cols, Options{})
		if err != nil {
			t.Fatal(err)
		}
		same(t, "codes", again.Codes, m.Codes)
		sameBits(t, "absmax", again.Absmax, m.Absmax)
	}
}

// TestError: no element is further from its own than half the widest gap between values, times the scale.
func TestError(t *testing.T) {
	x := normal(64*100, 9)
	m, err := Quantize(checkpoint.F32, littleEndian(x), 100, 64, Options{})
	if err != nil {
		t.Fatal(err)
	}
	got := make([]float32, len(x))
	m.Float32(got, 0)
	var sum float64
	for i := range x {
		off := math.Abs(float64(got[i] - x[i]))
		if off > 0.1520*float64(m.Absmax[i/Block]) {
			t.Fatalf("element %d is %v, was %v", i, got[i], x[i])
		}
		sum += off * off
	}
	if relative := math.Sqrt(sum/float64(len(x))) / 0.02; relative < 0.08 || relative > 0.1 {
		t.Errorf("relative error %v, want about 0.09, as normal numbers have", relative)
	}
}

// TestFrom: any stretch of elements is the same as that of the whole.
func TestFrom(t *testing.T) {
	const rows, cols = 7, 33
	m, err := Quantize(checkpoint.F32, littleEndian(normal(rows*cols, 4)), rows, cols, Options{})
	if err != nil {
		t.Fatal(err)
	}
	whole, narrow := make([]float32, rows*cols), make([]uint16, rows*cols)
	m.Float32(whole, 0)
	m.BFloat16(narrow, 0)
	for first := range rows * cols {
		for _, n := range []int{0, 1, 2, 63, 64, 65, rows*cols - first} {
			n = min(n, rows*cols-first)
			part, narrowPart := make([]float32, n), make([]uint16, n)
			m.Float32(part, first)
			m.BFloat16(narrowPart, first)
			sameBits(t, "part", part, whole[first:first+n])
			same(t, "bfloat16 part", narrowPart, narrow[first:first+n])
		}
	}
}

func TestBFloat16(t *testing.T) {
	for bits, want := range map[uint32]uint16{
		0x3f800000: 0x3f80, 0x3f807fff: 0x3f80, 0x3f808000: 0x3f80, 0x3f808001: 0x3f81, 0x3f818000: 0x3f82,
		0xbf818000: 0xbf82, 0x00008000: 0x0000, 0x00018000: 0x0002, 0x7f7fffff: 0x7f80, 0x80000000: 0x8000,
	} {
		if got := bfloat16(math.Float32frombits(bits)); got != want {
			t.Errorf("%08x becomes %04x, want %04x", bits, got, want)
		}
	}
}

// TestMean compares with sums of rational numbers.
func TestMean(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for n := 1; n < 300; n += 7 {
		scales := make([]float32, n)
		sum := new(big.Rat)
		for i := range scales {
			scales[i] = float32(math.Ldexp(r.Float64(), r.IntN(40)-20-r.IntN(2)*120))
			sum.Add(sum, new(big.Rat).SetFloat64(float64(scales[i])))
		}
		want, _ := sum.Quo(sum, big.NewRat(int64(n), 1)).Float32()
		if got := mean(scales); got != want {
			t.Errorf("mean of %d is %v, want %v", n, got, want)
		}
		slices.Sort(scales)
		if got := mean(scales); got != want {
			t.Errorf("mean of %d in another order is %v, want %v", n, got, want)
		}
	}
	if got := mean([]float32{math.MaxFloat32, math.MaxFloat32}); got != math.MaxFloat32 {
		t.Errorf("mean of the largest is %v", got)
	}
}

// TestDoubleEdges: cases of bitsandbytes 0.50.2 that its fixture does not have.
func TestDoubleEdges(t *testing.T) {
	for _, c := range []struct {
		scales []float32
		offset float32
		codes  []byte
		absmax float32
	}{
		{[]float32{1e-42, 0, 0, 3e-42}, 1.0005271035279194e-42, []byte{0, 0, 0, 255}, 1.999652908591514e-42},
		{[]float32{1e-42, 1e-42}, 1.0005271035279194e-42, []byte{0, 0}, 0},
		{[]float32{1e-39, 2e-39, 3e-39}, 2.0000004306106665e-39, []byte{0, 0, 255}, 1.0000002153053333e-39},
		{[]float32{1e-38, 0, 5e-39}, 4.999999675228202e-39, []byte{255, 0, 131}, 4.999999675228202e-39},
	} {
		m := &Matrix{Rows: len(c.scales), Cols: Block, Absmax: c.scales}
		d, err := m.DoubleAround(c.offset)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(d.Nested.Codes, c.codes) || d.Nested.Absmax[0] != c.absmax {
			t.Errorf("%v: codes %v, absmax %v, want %v, %v", c.scales, d.Nested.Codes, d.Nested.Absmax[0], c.codes, c.absmax)
		}
	}
}

func TestRefusals(t *testing.T) {
	bad := normal(64*1100, 1)
	bad[64*1000+7] = float32(math.Inf(-1))
	bad[64*1099+7] = float32(math.NaN())
	huge := &Matrix{Rows: 2, Cols: 64, Absmax: []float32{math.MaxFloat32, math.MaxFloat32}}
	double := &Matrix{Rows: 1, Cols: 1, Absmax: []float32{1}, Nested: &Nested{}}
	for _, c := range []struct {
		run  func() (*Matrix, error)
		want string
	}{
		{func() (*Matrix, error) { return Quantize(checkpoint.F64, make([]byte, 8), 1, 1, Options{}) }, "type F64"},
		{func() (*Matrix, error) { return Quantize(checkpoint.F32, make([]byte, 7), 1, 2, Options{}) }, "7 bytes"},
		{func() (*Matrix, error) { return Quantize(checkpoint.F32, make([]byte, 9), 1, 2, Options{}) }, "9 bytes"},
		{func() (*Matrix, error) { return Quantize(checkpoint.BF16, nil, 0, 2, Options{}) }, "[0, 2]"},
		{func() (*Matrix, error) {
			return Quantize(checkpoint.BF16, nil, math.MaxInt/2, math.MaxInt/2, Options{})
		}, "not the shape"},
		{func() (*Matrix, error) { return Quantize(checkpoint.BF16, make([]byte, 2), 1, 1, Options{Threads: -1}) }, "-1 threads"},
		{func() (*Matrix, error) {
			return Quantize(checkpoint.F32, littleEndian(bad), 1100, 64, Options{Threads: 2})
		}, "row 1000, column 7"},
		{func() (*Matrix, error) { return huge.DoubleAround(-math.MaxFloat32) }, "block 0"},
		{func() (*Matrix, error) { return huge.DoubleAround(float32(math.NaN())) }, "block 0"},
		{double.Double, "in 8 bits already"},
	} {
		if m, err := c.run(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, %v, want an error with %q", m, err, c.want)
		}
	}
}

func FuzzQuantize(f *testing.F) {
	f.Add(littleEndian([]float32{1, -0.5, 1e-45, 3e38}), 1)
	f.Add(make([]byte, 4*65), 5)
	f.Fuzz(func(t *testing.T, data []byte, rows int) {
		for _, dtype := range []checkpoint.DType{checkpoint.F32, checkpoint.BF16, checkpoint.F16} {
			m, err := Quantize(dtype, data, rows, len(data)/dtype.Size()/max(rows, 1), Options{Threads: 1})
			if err != nil {
				continue
			}
			x := make([]float32, m.Rows*m.Cols)
			m.Float32(x, 0)
			for i, v := range x {
				if math.Abs(float64(v)) > float64(m.Absmax[i/Block]) {
					t.Fatalf("element %d is %v, larger than %v", i, v, m.Absmax[i/Block])
				}
			}
			if d, err := m.Double(); err == nil && len(d.Absmax) != len(m.Absmax) {
				t.Fatalf("%d scales of %d", len(d.Absmax), len(m.Absmax))
			}
		}
	})
}

func benchmark(b *testing.B, dtype checkpoint.DType) {
	const rows, cols = 1024, 2048
	x := normal(rows*cols, 1)
	data := littleEndian(x)
	switch dtype {
	case checkpoint.BF16:
		data = nil
		for _, v := range x {
			data = binary.LittleEndian.AppendUint16(data, bfloat16(v))
		}
	case checkpoint.F16:
		data = nil
		for _, v := range x {
			h := bfloat16(v * 0x1p-112) // the mantissa's last bits do not matter to the speed
			data = binary.LittleEndian.AppendUint16(data, h&0x8000|h<<3&0x7fff)
		}
	}
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		m, err := Quantize(dtype, data, rows, cols, Options{Threads: 1})
		if err == nil {
			_, err = m.Double()
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkQuantizeF32(b *testing.B)  { benchmark(b, checkpoint.F32) }
func BenchmarkQuantizeBF16(b *testing.B) { benchmark(b, checkpoint.BF16) }
func BenchmarkQuantizeF16(b *testing.B)  { benchmark(b, checkpoint.F16) }

func BenchmarkFloat32(b *testing.B) {
	const rows, cols = 1024, 2048
	m, err := Quantize(checkpoint.F32, littleEndian(normal(rows*cols, 1)), rows, cols, Options{})
	if err != nil {
		b.Fatal(err)
	}
	x := make([]float32, rows*cols)
	b.SetBytes(int64(4 * len(x)))
	for b.Loop() {
		m.Float32(x, 0)
	}
}
