package gguf

import (
	"fmt"
	"math"
)

// Type is a tensor's element type, numbered as ggml numbers it.
type Type uint32

// The types that are computed with; all others are only moved.
const (
	F32  Type = 0
	F16  Type = 1
	Q8_0 Type = 8
	BF16 Type = 30
)

// block says how a type packs elements: so many elements in so many bytes.
type block struct {
	name            string
	elements, bytes int64
}

// types are ggml's: the type_traits table of ggml.c. Numbers that are missing belong to types that files no longer have.
var types = map[Type]block{
	0:  {"F32", 1, 4},
	1:  {"F16", 1, 2},
	2:  {"Q4_0", 32, 18},
	3:  {"Q4_1", 32, 20},
	6:  {"Q5_0", 32, 22},
	7:  {"Q5_1", 32, 24},
	8:  {"Q8_0", 32, 34},
	9:  {"Q8_1", 32, 36}, // older releases of the gguf package of Python say 40
	10: {"Q2_K", 256, 84},
	11: {"Q3_K", 256, 110},
	12: {"Q4_K", 256, 144},
	13: {"Q5_K", 256, 176},
	14: {"Q6_K", 256, 210},
	15: {"Q8_K", 256, 292},
	16: {"IQ2_XXS", 256, 66},
	17: {"IQ2_XS", 256, 74},
	18: {"IQ3_XXS", 256, 98},
	19: {"IQ1_S", 256, 50},
	20: {"IQ4_NL", 32, 18},
	21: {"IQ3_S", 256, 110},
	22: {"IQ2_S", 256, 82},
	23: {"IQ4_XS", 256, 136},
	24: {"I8", 1, 1},
	25: {"I16", 1, 2},
	26: {"I32", 1, 4},
	27: {"I64", 1, 8},
	28: {"F64", 1, 8},
	29: {"IQ1_M", 256, 56},
	30: {"BF16", 1, 2},
	34: {"TQ1_0", 256, 54},
	35: {"TQ2_0", 256, 66},
	39: {"MXFP4", 32, 17},
	40: {"NVFP4", 64, 36},
	41: {"Q1_0", 128, 18},
	42: {"Q2_0", 64, 18},
}

// String is the type's name in ggml, or its number where it is not known.
func (t Type) String() string {
	if b, ok := types[t]; ok {
		return b.name
	}
	return fmt.Sprintf("TYPE_%d", uint32(t))
}

// known tells whether the size of a tensor of this type follows from its shape.
func (t Type) known() bool { _, ok := types[t]; return ok }

// bytes is the size of a tensor. The contiguous dimension must be whole blocks.
func (t Type) bytes(dims []int64) (int64, error) {
	b, ok := types[t]
	if !ok {
		return 0, fmt.Errorf("type %d is not known", uint32(t))
	}
	elements, err := count(dims)
	if err != nil {
		return 0, err
	}
	row := int64(1)
	if len(dims) > 0 {
		row = dims[0]
	}
	if row%b.elements != 0 {
		return 0, fmt.Errorf("%v %v has rows of %d elements, no multiple of the %d that the type packs together", t, dims, row, b.elements)
	}
	if elements/b.elements > math.MaxInt64/b.bytes {
		return 0, fmt.Errorf("dimensions %v are too large", dims)
	}
	return elements / b.elements * b.bytes, nil
}

// count is the product of dimensions, an error where it is not below 2^63.
func count(dims []int64) (int64, error) {
	n, empty := int64(1), false
	for _, d := range dims {
		switch {
		case d < 0:
			return 0, fmt.Errorf("dimensions %v hold a negative or absurd number", dims)
		case d == 0:
			empty = true
		case n > math.MaxInt64/d:
			return 0, fmt.Errorf("dimensions %v are too large", dims)
		default:
			n *= d
		}
	}
	if empty {
		return 0, nil
	}
	return n, nil
}
