package nf4

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"

	"shallow/checkpoint"
)

// What follows a weight's name in the names of the tensors beside it.
const (
	absmaxSuffix    = ".absmax"
	mapSuffix       = ".quant_map"
	nestedSuffix    = ".nested_absmax"
	nestedMapSuffix = ".nested_quant_map"
	stateSuffix     = ".quant_state.bitsandbytes__nf4"
	fp4Suffix       = ".quant_state.bitsandbytes__fp4"
)

// Quantized tells whether a tensor of a checkpoint, such as "model.layers.0.mlp.up_proj.weight", holds NF4 codes.
func Quantized(c *checkpoint.Checkpoint, name string) bool {
	_, codes := c.Tensor(name)
	_, state := c.Tensor(name + stateSuffix)
	return codes && state
}

// Companions are the names of the tensors that belong to a weight of NF4 codes, those that are there and the weight among
// them, for [checkpoint.Checkpoint.Prefetch] and the like.
func Companions(c *checkpoint.Checkpoint, name string) []string {
	var names []string
	for _, suffix := range []string{"", absmaxSuffix, mapSuffix, nestedSuffix, nestedMapSuffix, stateSuffix} {
		if _, ok := c.Tensor(name + suffix); ok {
			names = append(names, name+suffix)
		}
	}
	return names
}

// Read gives a matrix that bitsandbytes quantized, by the name of its weight. The codes are the file's own bytes, the scales
// are copied. Other kinds than NF4 in blocks of 64 are refused, and so is whatever does not fit together.
func Read(c *checkpoint.Checkpoint, name string) (*Matrix, error) {
	m, err := read(name, func(name string) (part, bool) {
		t, ok := c.Tensor(name)
		return part{t.DType, t.Shape, t.Bytes()}, ok
	})
	if err != nil {
		return nil, fmt.Errorf("nf4: %s: tensor %q: %w", c.Dir, name, err)
	}
	return m, nil
}

// part is one of the tensors that make up a matrix.
type part struct {
	dtype checkpoint.DType
	shape []int
	data  []byte
}

func read(name string, find func(name string) (part, bool)) (*Matrix, error) {
	get := func(suffix string, dtype checkpoint.DType, shape ...int) ([]byte, error) {
		p, ok := find(name + suffix)
		if !ok {
			return nil, fmt.Errorf("%s is missing beside it", suffix)
		}
		if p.dtype != dtype || !slices.Equal(p.shape, shape) {
			return nil, fmt.Errorf("%s is %s %v, expected %s %v", suffix, p.dtype, p.shape, dtype, shape)
		}
		return p.data, nil
	}
	codes, ok := find(name)
	if !ok {
		return nil, fmt.Errorf("there is no such tensor")
	}
	text, ok := find(name + stateSuffix)
	if !ok {
		return nil, notNF4(name, find)
	}
	if len(text.shape) != 1 || text.dtype != checkpoint.U8 {
		return nil, fmt.Errorf("%s is %s %v, expected bytes", stateSuffix, text.dtype, text.shape)
	}
	s, err := parseState(text.data)
	if err != nil {
		return nil, fmt.Errorf("%s %w", stateSuffix, err)
	}
	n := s.rows * s.cols
	if err := checkCodes(codes, n-n/2); err != nil {
		return nil, fmt.Errorf("%w of a matrix [%d, %d]", err, s.rows, s.cols)
	}
	quantMap, err := get(mapSuffix, checkpoint.F32, len(values))
	if err != nil {
		return nil, err
	}
	if table := floats(quantMap); !slices.Equal(table, values[:]) {
		return nil, fmt.Errorf("%s is not the table of NF4 but %v", mapSuffix, table)
	}
	m := &Matrix{Rows: s.rows, Cols: s.cols, DType: s.dtype, Codes: codes.data}
	if _, nested := find(name + nestedSuffix); nested != s.nested {
		return nil, fmt.Errorf("%s and %s disagree about double quantization", nestedSuffix, stateSuffix)
	}
	if s.nested {
		m.Nested, m.Absmax, err = readNested(blocks(n), s.offset, get)
	} else {
		m.Absmax, err = readScales(blocks(n), get)
	}
	if err != nil {
		return nil, err
	}
	return m, nil
}

// notNF4 says what a tensor is instead, as far as its neighbours tell.
func notNF4(name string, find func(name string) (part, bool)) error {
	if _, ok := find(name + fp4Suffix); ok {
		return fmt.Errorf("it is quantized to fp4, only nf4 is read")
	}
	if _, ok := find(strings.TrimSuffix(name, "weight") + "SCB"); ok {
		return fmt.Errorf("it is quantized to 8 bits, only nf4 is read")
	}
	return fmt.Errorf("%s is missing beside it: it is not in bitsandbytes' 4-bit layout", stateSuffix)
}

// checkCodes takes n bytes as a column of any type: bnb_4bit_quant_storage only chooses what they are called.
func checkCodes(codes part, n int) error {
	size := codes.dtype.Size()
	column := len(codes.shape) == 2 && codes.shape[1] == 1
	if !column || size == 0 || len(codes.data) != codes.shape[0]*size || len(codes.data) != n {
		return fmt.Errorf("it is %s %v, expected the %d bytes [%d, 1]", codes.dtype, codes.shape, n, n)
	}
	return nil
}

func readScales(b int, get func(suffix string, dtype checkpoint.DType, shape ...int) ([]byte, error)) ([]float32, error) {
	data, err := get(absmaxSuffix, checkpoint.F32, b)
	if err != nil {
		return nil, err
	}
	return finite(absmaxSuffix, data)
}

func readNested(b int, offset float32, get func(suffix string, dtype checkpoint.DType, shape ...int) ([]byte, error)) (*Nested, []float32, error) {
	codes, err := get(absmaxSuffix, checkpoint.U8, b)
	if err != nil {
		return nil, nil, err
	}
	nestedData, err := get(nestedSuffix, checkpoint.F32, (b+NestedBlock-1)/NestedBlock)
	if err != nil {
		return nil, nil, err
	}
	absmax, err := finite(nestedSuffix, nestedData)
	if err != nil {
		return nil, nil, err
	}
	tableData, err := get(nestedMapSuffix, checkpoint.F32, len(dynamicMap))
	if err != nil {
		return nil, nil, err
	}
	table, err := finite(nestedMapSuffix, tableData)
	if err != nil {
		return nil, nil, err
	}
	n := &Nested{Codes: codes, Absmax: absmax, Offset: offset, Table: (*[256]float32)(table)}
	scales, err := n.scales()
	return n, scales, err
}

// finite reads float32 and refuses those that are not numbers.
func finite(suffix string, data []byte) ([]float32, error) {
	values := floats(data)
	for i, v := range values {
		if v-v != 0 {
			return nil, fmt.Errorf("%s[%d] is %v, the file is damaged", suffix, i, v)
		}
	}
	return values, nil
}

func floats(data []byte) []float32 {
	values := make([]float32, len(data)/4)
	for i := range values {
		values[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
	}
	return values
}
