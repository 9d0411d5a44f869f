package checkpoint

import "fmt"

// DType is a safetensors element type, spelled as in the file: "F32", "BF16", "F16", "I64", "U8", …
type DType string

// The element types that a decoder computes with. Files may hold others, which can be copied but not computed.
const (
	F64  DType = "F64"
	F32  DType = "F32"
	F16  DType = "F16"
	BF16 DType = "BF16"
	I64  DType = "I64"
	I32  DType = "I32"
	U8   DType = "U8"
)

var dtypeBits = map[DType]int64{
	"BOOL": 8, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8, "F8_E5M2FNUZ": 8, "F8_E4M3FNUZ": 8,
	"F4": 4, "F6_E2M3": 6, "F6_E3M2": 6,
	"U16": 16, "I16": 16, "F16": 16, "BF16": 16,
	"U32": 32, "I32": 32, "F32": 32,
	"U64": 64, "I64": 64, "F64": 64, "C64": 64,
}

// Bits is the size of an element in bits, 0 for a type that is not known.
func (d DType) Bits() int { return int(dtypeBits[d]) }

// Size is the size of an element in bytes, 0 for a type that is not known or smaller than a byte.
func (d DType) Size() int { return int(dtypeBits[d] / 8) }

// Tensor is one tensor of a checkpoint: what it is and where its bytes lie. The zero Tensor has no bytes.
type Tensor struct {
	Name   string
	DType  DType
	Shape  []int
	File   string // base name of its shard
	Offset int64  // of its first byte in File
	Length int64  // bytes
	shard  *shard
}

// Bytes are the elements in row-major order, little-endian, mapped from the file. They must not be written to, and not be
// used after the checkpoint is closed. Old files do not align them: their address may be odd.
func (t Tensor) Bytes() []byte {
	if t.shard == nil {
		return nil
	}
	return t.shard.data[t.Offset : t.Offset+t.Length : t.Offset+t.Length]
}

// Elements is the product of the shape.
func (t Tensor) Elements() int {
	n := 1
	for _, d := range t.Shape {
		n *= d
	}
	return n
}

// String is the tensor as errors and listings show it.
func (t Tensor) String() string { return fmt.Sprintf("%s %s %v", t.Name, t.DType, t.Shape) }
