package nf4

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"shallow/checkpoint"
	"shallow/internal/shared"
)

// referenceCases are the names of the inputs that bitsandbytes quantized.
func referenceCases(t *testing.T) []string {
	t.Helper()
	data, err := os.ReadFile(shared.Dir(t, "reference", "nf4", "cases.json"))
	if err != nil {
		t.Fatal(err)
	}
	var list struct{ Cases []struct{ Name string } }
	if err := json.Unmarshal(data, &list); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, c := range list.Cases {
		names = append(names, c.Name)
	}
	if len(names) < 20 {
		t.Fatalf("%d cases", len(names))
	}
	return names
}

func open(t *testing.T, path string) *checkpoint.Checkpoint {
	t.Helper()
	c, err := checkpoint.OpenFile(filepath.Dir(path), filepath.Base(path))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func tensor(t *testing.T, c *checkpoint.Checkpoint, name string) checkpoint.Tensor {
	t.Helper()
	x, ok := c.Tensor(name)
	if !ok {
		t.Fatalf("no tensor %q", name)
	}
	return x
}

func float32s(t *testing.T, c *checkpoint.Checkpoint, name string) []float32 {
	return floats(tensor(t, c, name).Bytes())
}

func uint16s(data []byte) []uint16 {
	values := make([]uint16, len(data)/2)
	for i := range values {
		values[i] = binary.LittleEndian.Uint16(data[2*i:])
	}
	return values
}

// matrixShape is [1, n] for a vector.
func matrixShape(x checkpoint.Tensor) (rows, cols int) {
	cols = x.Shape[len(x.Shape)-1]
	return x.Elements() / cols, cols
}

// sameBits compares floats to the bit, so that -0 is not 0.
func sameBits(t *testing.T, what string, got, want []float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d values, want %d", what, len(got), len(want))
	}
	wrong := 0
	for i := range got {
		if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
			if wrong++; wrong < 4 {
				t.Errorf("%s[%d] = %v, want %v", what, i, got[i], want[i])
			}
		}
	}
	if wrong > 0 {
		t.Errorf("%s: %d of %d differ", what, wrong, len(got))
	}
}

func same[T comparable](t *testing.T, what string, got, want []T) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d values, want %d", what, len(got), len(want))
	}
	for i := range got {
		if got[i] != want[i] {
			t.Fatalf("%s[%d] = %v, want %v", what, i, got[i], want[i])
		}
	}
}

func sameDequantized(t *testing.T, what string, m *Matrix, c *checkpoint.Checkpoint) {
	t.Helper()
	n := m.Rows * m.Cols
	wide, narrow := make([]float32, n), make([]uint16, n)
	m.Float32(wide, 0)
	sameBits(t, what+"dequant_f32", wide, float32s(t, c, what+"dequant_f32"))
	m.BFloat16(narrow, 0)
	same(t, what+"dequant_bf16", narrow, uint16s(tensor(t, c, what+"dequant_bf16").Bytes()))
}

// ulps is how many float32 lie between two positive numbers.
func ulps(a, b float32) int {
	return max(int(math.Float32bits(a)), int(math.Float32bits(b))) - min(int(math.Float32bits(a)), int(math.Float32bits(b)))
}

func TestTablesOfReference(t *testing.T) {
	c := open(t, shared.Dir(t, "reference", "nf4", "tables.safetensors"))
	sameBits(t, "nf4_code", values[:], float32s(t, c, "nf4_code"))
	sameBits(t, "nf4_midpoints", midpoints[:], float32s(t, c, "nf4_midpoints"))
	sameBits(t, "dynamic_map", dynamicMap[:], float32s(t, c, "dynamic_map"))
}

func TestReference(t *testing.T) {
	for _, name := range referenceCases(t) {
		t.Run(name, func(t *testing.T) {
			c := open(t, shared.Dir(t, "reference", "nf4", name+".safetensors"))
			x := tensor(t, c, "input")
			rows, cols := matrixShape(x)
			m, err := Quantize(x.DType, x.Bytes(), rows, cols, Options{})
			if err != nil {
				t.Fatal(err)
			}
			same(t, "codes", m.Codes, tensor(t, c, "codes").Bytes())
			sameBits(t, "absmax", m.Absmax, float32s(t, c, "absmax"))
			sameDequantized(t, "", m, c)

			offset := float32s(t, c, "double.offset")[0]
			if mean := mean(m.Absmax); ulps(mean, offset) > 1 {
				t.Errorf("offset %v, want %v within a unit in the last place", mean, offset)
			}
			d, err := m.DoubleAround(offset)
			if err != nil {
				t.Fatal(err)
			}
			same(t, "double.absmax_q", d.Nested.Codes, tensor(t, c, "double.absmax_q").Bytes())
			sameBits(t, "double.nested_absmax", d.Nested.Absmax, float32s(t, c, "double.nested_absmax"))
			sameBits(t, "double.absmax", d.Absmax, float32s(t, c, "double.absmax"))
			same(t, "codes", d.Codes, m.Codes)
			sameDequantized(t, "double.", d, c)
			sameBits(t, "absmax after Double", m.Absmax, float32s(t, c, "absmax"))
		})
	}
}

// TestReferenceCheckpoints reads what transformers saved, dequantizes it, quantizes the original again, and writes it back.
func TestReferenceCheckpoints(t *testing.T) {
	for _, name := range []string{"tiny-llama-double-f32", "tiny-llama-single-bf16"} {
		t.Run(name, func(t *testing.T) {
			dir := shared.Dir(t, "reference", "nf4", name)
			c, err := checkpoint.Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			expected := open(t, filepath.Join(dir, "expected.safetensors"))
			read, compared := 0, 0
			for _, weight := range c.Names() {
				if !Quantized(c, weight) {
					continue
				}
				m, err := Read(c, weight)
				if err != nil {
					t.Fatal(err)
				}
				read++
				sameTensors(t, c, m.Outputs(weight), Companions(c, weight))
				if want, ok := expected.Tensor("dequant." + weight); ok {
					compared++
					sameDense(t, weight, m, want)
					sameAgain(t, weight, m, tensor(t, expected, "original."+weight))
				}
			}
			if read != 14 || compared != 7 {
				t.Errorf("%d matrices read and %d compared, want 14 and 7", read, compared)
			}
		})
	}
}

// sameTensors compares outputs with the tensors of a checkpoint, which bitsandbytes wrote, byte for byte.
func sameTensors(t *testing.T, c *checkpoint.Checkpoint, outputs []checkpoint.Output, names []string) {
	t.Helper()
	if len(outputs) != len(names) {
		t.Errorf("%d tensors, want %v", len(outputs), names)
	}
	for _, o := range outputs {
		want := tensor(t, c, o.Name)
		if o.DType != want.DType || !slices.Equal(o.Shape, want.Shape) || string(o.Data) != string(want.Bytes()) {
			t.Errorf("%s: %s %v %.300q, want %s %v %.300q", o.Name, o.DType, o.Shape, o.Data, want.DType, want.Shape, want.Bytes())
		}
	}
}

// sameDense compares m with the dense matrix that transformers made of it.
func sameDense(t *testing.T, name string, m *Matrix, want checkpoint.Tensor) {
	t.Helper()
	if !slices.Equal(want.Shape, []int{m.Rows, m.Cols}) || want.DType != checkpoint.F32 {
		t.Fatalf("%s is [%d, %d], want %v", name, m.Rows, m.Cols, want)
	}
	got := make([]float32, m.Rows*m.Cols)
	switch m.DType {
	case checkpoint.F32:
		m.Float32(got, 0)
	case checkpoint.BF16:
		narrow := make([]uint16, len(got))
		m.BFloat16(narrow, 0)
		for i, bits := range narrow {
			got[i] = math.Float32frombits(uint32(bits) << 16)
		}
	default:
		t.Fatalf("%s was %s", name, m.DType)
	}
	sameBits(t, name, got, floats(want.Bytes()))
}

// sameAgain quantizes the original, which is given in float32.
func sameAgain(t *testing.T, name string, m *Matrix, original checkpoint.Tensor) {
	t.Helper()
	again, err := Quantize(original.DType, original.Bytes(), m.Rows, m.Cols, Options{})
	if err == nil && m.Nested != nil {
		again, err = again.DoubleAround(m.Nested.Offset)
	}
	if err != nil {
		t.Fatal(err)
	}
	same(t, name, again.Codes, m.Codes)
	sameBits(t, name+" absmax", again.Absmax, m.Absmax)
}
