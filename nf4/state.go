package nf4

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"

	"shallow/checkpoint"
)

// state is what bitsandbytes keeps of a matrix as JSON, in a tensor of bytes.
type state struct {
	rows, cols int
	dtype      checkpoint.DType
	nested     bool
	offset     float32
}

// maxState bounds the JSON in bytes; what bitsandbytes writes has about 200.
const maxState = 4096

// dtypeNames are the names of PyTorch's types.
var dtypeNames = map[checkpoint.DType]string{checkpoint.F32: "float32", checkpoint.BF16: "bfloat16", checkpoint.F16: "float16"}

var stateKeys = map[string]bool{"quant_type": true, "blocksize": true, "dtype": true, "shape": true,
	"nested_blocksize": true, "nested_dtype": true, "nested_offset": true}

// parseState reads the JSON and refuses what is not NF4 as this package has it.
func parseState(text []byte) (state, error) {
	var s state
	if len(text) > maxState {
		return s, fmt.Errorf("has %d bytes, more than %d: it is not a quantization state", len(text), maxState)
	}
	c, err := checkpoint.ParseObject("its text", text)
	if err != nil {
		return s, err
	}
	for _, key := range c.Keys() {
		if !stateKeys[key] {
			return s, fmt.Errorf("has the key %q, which bitsandbytes 0.50 does not know", key)
		}
	}
	kind, size, dtype, shape := c.String("quant_type", ""), c.Int("blocksize", 0), c.String("dtype", ""), c.Ints("shape")
	s.nested = c.Has("nested_blocksize") || c.Has("nested_dtype") || c.Has("nested_offset")
	nestedSize, nestedType := c.Int("nested_blocksize", 0), c.String("nested_dtype", "")
	offset := c.Float("nested_offset", math.NaN())
	if err := c.Err(); err != nil {
		return s, err
	}
	for d, name := range dtypeNames {
		if name == dtype {
			s.dtype = d
		}
	}
	if s.nested {
		s.offset = float32(offset)
	}
	switch {
	case kind != "nf4":
		return s, fmt.Errorf("says quant_type %q, only nf4 is read", kind)
	case size != Block:
		return s, fmt.Errorf("says blocksize %d, only %d is read", size, Block)
	case s.dtype == "":
		return s, fmt.Errorf("says dtype %q, only float32, bfloat16 and float16 are read", dtype)
	case len(shape) != 2:
		return s, fmt.Errorf("says shape %v, a matrix has two numbers", shape)
	case !s.nested:
	case nestedSize != NestedBlock:
		return s, fmt.Errorf("says nested_blocksize %d, only %d is read", nestedSize, NestedBlock)
	case nestedType != "float32":
		return s, fmt.Errorf("says nested_dtype %q, only float32 is read", nestedType)
	case s.offset-s.offset != 0:
		return s, fmt.Errorf("says nested_offset %v, which is not a finite float32", offset)
	}
	s.rows, s.cols = shape[0], shape[1]
	if _, err := elements(s.rows, s.cols); err != nil {
		return s, fmt.Errorf("says shape %v, which is not a matrix's", shape)
	}
	return s, nil
}

// text is the JSON as bitsandbytes writes it. The decimal of the offset reads back exactly.
func (s state) text() []byte {
	var b strings.Builder
	fmt.Fprintf(&b, `{"quant_type": "nf4", "blocksize": %d, "dtype": "%s", "shape": [%d, %d]`, Block, dtypeNames[s.dtype], s.rows, s.cols)
	if s.nested {
		fmt.Fprintf(&b, `, "nested_blocksize": %d, "nested_dtype": "float32", "nested_offset": %s`,
			NestedBlock, strconv.FormatFloat(float64(s.offset), 'g', -1, 64))
	}
	return []byte(b.String() + "}")
}

// QuantizationConfig is the JSON of config.json's quantization_config for matrices of this package: whether their scales
// are double-quantized, the type in which transformers shall compute, and the modules, by parts of their names, that are
// not quantized; for nil transformers leaves out the head alone.
func QuantizationConfig(double bool, compute checkpoint.DType, skip []string) (string, error) {
	name := dtypeNames[compute]
	if name == "" {
		return "", fmt.Errorf("nf4: transformers does not compute in %s: choose F32, BF16 or F16", compute)
	}
	modules, err := json.Marshal(skip)
	if err != nil {
		return "", fmt.Errorf("nf4: modules that are not quantized: %w", err)
	}
	return fmt.Sprintf(`{"quant_method":"bitsandbytes","load_in_4bit":true,"load_in_8bit":false,"bnb_4bit_quant_type":"nf4",`+
		`"bnb_4bit_use_double_quant":%t,"bnb_4bit_compute_dtype":"%s","bnb_4bit_quant_storage":"uint8",`+
		`"llm_int8_skip_modules":%s}`, double, name, modules), nil
}
