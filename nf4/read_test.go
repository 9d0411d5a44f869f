package nf4

import (
	"bytes"
	"context"
	"encoding/binary"
	"math"
	"path/filepath"
	"strings"
	"testing"
	"unsafe"

	"shallow/checkpoint"
)

// matrix is 3 blocks and a short one, with as many elements as do not fill its last byte.
func matrix(t testing.TB, double bool) *Matrix {
	t.Helper()
	m, err := Quantize(checkpoint.F32, littleEndian(normal(5*41, 8)), 5, 41, Options{})
	if err == nil && double {
		m, err = m.Double()
	}
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// finder gives outputs by their names.
func finder(outputs []checkpoint.Output) func(name string) (part, bool) {
	return func(name string) (part, bool) {
		for _, o := range outputs {
			if o.Name == name {
				return part{o.DType, o.Shape, o.Data}, true
			}
		}
		return part{}, false
	}
}

// TestWritten writes matrices as a file and reads them back.
func TestWritten(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	w, err := checkpoint.NewWriter(dir, checkpoint.WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	want := map[string]*Matrix{"a.weight": matrix(t, false), "b.weight": matrix(t, true)}
	var outputs []checkpoint.Output
	for name, m := range want {
		outputs = append(outputs, m.Outputs(name)...)
	}
	if err := w.WriteFileOf(context.Background(), "model.safetensors", outputs, nil); err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	c := open(t, filepath.Join(dir, "model.safetensors"))
	for name, m := range want {
		if !Quantized(c, name) || Quantized(c, name+absmaxSuffix) {
			t.Errorf("%s is not found", name)
		}
		got, err := Read(c, name)
		if err != nil {
			t.Fatal(err)
		}
		if got.Rows != m.Rows || got.Cols != m.Cols || got.DType != m.DType || (got.Nested == nil) != (m.Nested == nil) {
			t.Errorf("%s: [%d, %d] of %s", name, got.Rows, got.Cols, got.DType)
		}
		same(t, name, got.Codes, m.Codes)
		sameBits(t, name, got.Absmax, m.Absmax)
		if file := tensor(t, c, name).Bytes(); unsafe.SliceData(got.Codes) != unsafe.SliceData(file) {
			t.Errorf("the codes of %s are copied", name)
		}
	}
	if names := len(Companions(c, "a.weight")) + len(Companions(c, "b.weight")); names != len(outputs) {
		t.Errorf("%d companions, %d outputs", names, len(outputs))
	}
	if _, err := Read(c, "c.weight"); err == nil || !strings.Contains(err.Error(), `"c.weight": there is no such tensor`) {
		t.Error(err)
	}
}

// TestHostile damages one tensor, or the text of the state, at a time.
func TestHostile(t *testing.T) {
	inf := binary.LittleEndian.AppendUint32(nil, math.Float32bits(float32(math.Inf(1))))
	state := func(old, replacement string) func(o *checkpoint.Output) {
		return func(o *checkpoint.Output) {
			if !bytes.Contains(o.Data, []byte(old)) {
				t.Fatalf("no %q in %s", old, o.Data)
			}
			o.Data = bytes.Replace(o.Data, []byte(old), []byte(replacement), 1)
			o.Shape = []int{len(o.Data)}
		}
	}
	renamed := func(name string) func(o *checkpoint.Output) { return func(o *checkpoint.Output) { o.Name = name } }
	shaped := func(shape ...int) func(o *checkpoint.Output) { return func(o *checkpoint.Output) { o.Shape = shape } }
	typed := func(d checkpoint.DType) func(o *checkpoint.Output) { return func(o *checkpoint.Output) { o.DType = d } }
	element := func(i int, to []byte) func(o *checkpoint.Output) {
		return func(o *checkpoint.Output) {
			o.Data = append(append(bytes.Clone(o.Data[:4*i]), to...), o.Data[4*i+4:]...)
		}
	}
	for _, c := range []struct {
		double bool
		suffix string
		damage func(o *checkpoint.Output)
		want   string
	}{
		{false, "", shaped(1, 103), "expected the 103 bytes [103, 1]"},
		{false, "", shaped(103), "expected the 103 bytes"},
		{false, "", typed("F4"), "expected the 103 bytes"},
		{false, "", func(o *checkpoint.Output) { o.Data, o.Shape = o.Data[:102], []int{102, 1} }, "expected the 103 bytes"},
		{false, absmaxSuffix, renamed("x"), ".absmax is missing"},
		{false, absmaxSuffix, shaped(3), ".absmax is F32 [3], expected F32 [4]"},
		{false, absmaxSuffix, typed(checkpoint.U8), ".absmax is U8"},
		{false, absmaxSuffix, element(2, inf), ".absmax[2] is +Inf"},
		{false, mapSuffix, renamed("x"), ".quant_map is missing"},
		{false, mapSuffix, element(3, inf), "not the table of NF4"},
		{false, mapSuffix, shaped(4, 4), ".quant_map is F32 [4 4]"},
		{false, stateSuffix, renamed("x"), "not in bitsandbytes' 4-bit layout"},
		{false, stateSuffix, renamed("w.weight" + fp4Suffix), "quantized to fp4"},
		{false, stateSuffix, renamed("w.SCB"), "quantized to 8 bits"},
		{false, stateSuffix, typed(checkpoint.F32), "expected bytes"},
		{false, stateSuffix, state(`"nf4"`, `"fp4"`), `quant_type "fp4", only nf4`},
		{false, stateSuffix, state(`64`, `128`), `blocksize 128, only 64`},
		{false, stateSuffix, state(`64`, `"64"`), `expected a whole number`},
		{false, stateSuffix, state(`float32`, `float64`), `dtype "float64"`},
		{false, stateSuffix, state(`[5, 41]`, `[205]`), `a matrix has two numbers`},
		{false, stateSuffix, state(`[5, 41]`, `null`), `a matrix has two numbers`},
		{false, stateSuffix, state(`[5, 41]`, `[-5, -41]`), `not a matrix's`},
		{false, stateSuffix, state(`[5, 41]`, `[4294967296, 4294967296]`), `not a matrix's`},
		{false, stateSuffix, state(`[5, 41]`, `[5, 410]`), `expected the 1025 bytes`},
		{false, stateSuffix, state(`"blocksize"`, `"block"`), `the key "block"`},
		{false, stateSuffix, state(`}`, ``), `is not JSON`},
		{false, stateSuffix, state(`}`, strings.Repeat(" ", maxState)+`}`), `more than 4096`},
		{false, stateSuffix, state(`}`, `, "nested_offset": 1}`), `nested_blocksize 0`},
		{true, stateSuffix, state(`256`, `64`), `nested_blocksize 64`},
		{true, stateSuffix, state(`"nested_dtype": "float32"`, `"nested_dtype": "float16"`), `nested_dtype "float16"`},
		{true, stateSuffix, state(`"nested_offset": `, `"nested_offset": 1e39, "dtype": `), `the key "dtype" twice`},
		{true, stateSuffix, state(`"nested_offset": `, `"nested_offset": NaN, "absmax": `), `the key "absmax"`},
		{true, stateSuffix, state(`"nested_offset": 0.`, `"nested_offset": 10000000000000000000000000000000000000000.`), `not a finite float32`},
		{true, absmaxSuffix, typed(checkpoint.F32), ".absmax is F32"},
		{true, nestedSuffix, renamed("x"), "disagree about double quantization"},
		{true, nestedSuffix, element(0, inf), ".nested_absmax[0] is +Inf"},
		{true, nestedSuffix, shaped(1, 1), ".nested_absmax is F32 [1 1]"},
		{true, nestedMapSuffix, renamed("x"), ".nested_quant_map is missing"},
		{true, nestedMapSuffix, element(200, inf), ".nested_quant_map[200] is +Inf"},
	} {
		outputs := matrix(t, c.double).Outputs("w.weight")
		for i := range outputs {
			if outputs[i].Name == "w.weight"+c.suffix {
				c.damage(&outputs[i])
			}
		}
		if m, err := read("w.weight", finder(outputs)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, %v, want an error with %q", c.suffix, m, err, c.want)
		}
	}
}

// TestStorage: bnb_4bit_quant_storage calls the codes' bytes something else.
func TestStorage(t *testing.T) {
	m, err := Quantize(checkpoint.F32, littleEndian(normal(4*64, 8)), 4, 64, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for dtype, rows := range map[checkpoint.DType]int{checkpoint.U8: 128, checkpoint.BF16: 64, checkpoint.F32: 32} {
		outputs := m.Outputs("w.weight")
		outputs[0].DType, outputs[0].Shape = dtype, []int{rows, 1}
		got, err := read("w.weight", finder(outputs))
		if err != nil {
			t.Fatal(err)
		}
		same(t, string(dtype), got.Codes, m.Codes)
	}
}

func TestQuantizationConfig(t *testing.T) {
	text, err := QuantizationConfig(true, checkpoint.BF16, []string{"lm_head", `a"b`})
	if err != nil {
		t.Fatal(err)
	}
	c, err := checkpoint.ParseObject("text", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if c.String("bnb_4bit_compute_dtype", "") != "bfloat16" || !c.Bool("bnb_4bit_use_double_quant", false) ||
		strings.Join(c.Strings("llm_int8_skip_modules"), " ") != `lm_head a"b` || c.Err() != nil {
		t.Error(text, c.Err())
	}
	if _, err := QuantizationConfig(true, checkpoint.I64, nil); err == nil {
		t.Error("transformers computes in I64")
	}
}

func FuzzState(f *testing.F) {
	f.Add([]byte(`{"quant_type": "nf4", "blocksize": 64, "dtype": "bfloat16", "shape": [5, 41]}`))
	f.Add([]byte(`{"quant_type": "nf4", "blocksize": 64, "dtype": "float32", "shape": [128, 64], "nested_blocksize": 256, "nested_dtype": "float32", "nested_offset": 1.5e-07}`))
	f.Add([]byte(`{"shape": [1e9, NaN], "nested_offset": Infinity}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := parseState(text)
		if err != nil {
			return
		}
		if again, err := parseState(s.text()); err != nil || again != s {
			t.Fatalf("%+v becomes %s, and that %+v, %v", s, s.text(), again, err)
		}
	})
}

// FuzzRead gives tensors of any bytes, and lets a shape agree with the length or not.
func FuzzRead(f *testing.F) {
	for _, double := range []bool{false, true} {
		o := matrix(f, double).Outputs("w")
		get := func(suffix string) []byte { p, _ := finder(o)("w" + suffix); return p.data }
		f.Add(get(""), get(absmaxSuffix), get(mapSuffix), get(nestedSuffix), get(nestedMapSuffix), get(stateSuffix), 0)
	}
	f.Fuzz(func(t *testing.T, codes, absmax, quantMap, nested, nestedMap, text []byte, off int) {
		bytesOf := checkpoint.F32
		if len(nested) > 0 {
			bytesOf = checkpoint.U8
		}
		outputs := []checkpoint.Output{
			{Name: "w", Data: codes, DType: checkpoint.U8, Shape: []int{len(codes), 1}},
			{Name: "w" + absmaxSuffix, Data: absmax, DType: bytesOf, Shape: []int{len(absmax)/bytesOf.Size() + off%2}},
			{Name: "w" + mapSuffix, Data: quantMap, DType: checkpoint.F32, Shape: []int{len(quantMap) / 4}},
			{Name: "w" + stateSuffix, Data: text, DType: checkpoint.U8, Shape: []int{len(text)}},
		}
		if len(nested) > 0 {
			outputs = append(outputs,
				checkpoint.Output{Name: "w" + nestedSuffix, Data: nested, DType: checkpoint.F32, Shape: []int{len(nested) / 4}},
				checkpoint.Output{Name: "w" + nestedMapSuffix, Data: nestedMap, DType: checkpoint.F32, Shape: []int{len(nestedMap) / 4}})
		}
		for _, o := range outputs { // as checkpoint.Open holds lengths and shapes together
			n := o.DType.Size()
			for _, d := range o.Shape {
				n *= d
			}
			if n != len(o.Data) {
				return
			}
		}
		m, err := read("w", finder(outputs))
		if err != nil {
			return
		}
		x := make([]float32, m.Rows*m.Cols)
		m.Float32(x, 0)
		for i, v := range x {
			if v-v != 0 {
				t.Fatalf("element %d is %v", i, v)
			}
		}
	})
}
