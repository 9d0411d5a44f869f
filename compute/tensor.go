package compute

import (
	"fmt"
	"unsafe"
)

// Kind is what one element of a tensor is.
type Kind uint8

// The kinds of elements. The zero Kind is that of the zero Tensor, which stands for "not given".
const (
	Float32 Kind = iota + 1
	BFloat16
	Float16
	Int32
	// NF4 is four bits an element with one float32 scale (absmax) for every 64 elements, counted along the rows one
	// after another: the layout of QLoRA's frozen weights.
	NF4
	// Q8_0 is GGUF's kind of eight bits: blocks of 32 elements of a row, each a float16 scale and 32 int8, 34 bytes
	// together. Rows are whole blocks.
	Q8_0
)

// NF4Block is the number of NF4 elements that share one scale.
const NF4Block = 64

// Q8Block is the number of Q8_0 elements that share one scale, Q8BlockBytes what they take with it.
const (
	Q8Block      = 32
	Q8BlockBytes = 34
)

// String names the kind as Hugging Face configs do.
func (k Kind) String() string {
	switch k {
	case Float32:
		return "float32"
	case BFloat16:
		return "bfloat16"
	case Float16:
		return "float16"
	case Int32:
		return "int32"
	case NF4:
		return "nf4"
	case Q8_0:
		return "q8_0"
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// Bytes is the size of n elements; for NF4 with their scales.
func (k Kind) Bytes(n int) int64 {
	switch k {
	case Float32, Int32:
		return 4 * int64(n)
	case BFloat16, Float16:
		return 2 * int64(n)
	case NF4:
		return int64(n+1)/2 + 4*int64((n+NF4Block-1)/NF4Block)
	case Q8_0:
		return int64((n+Q8Block-1)/Q8Block) * Q8BlockBytes
	}
	return 0
}

// Memory is a stretch of one device's memory. Only the device that made it can look inside.
type Memory interface {
	// Bytes is what the memory counts against a budget.
	Bytes() int64
}

// Tensor is a view of a device's memory: a matrix of Rows × Cols elements, element (i, j) at Offset + i·Stride + j.
// Views share memory; making one costs nothing and asks nothing of the device.
type Tensor struct {
	Memory     Memory
	Kind       Kind
	Offset     int
	Rows, Cols int
	Stride     int
}

// Given reports whether t is a tensor at all: optional arguments are left as the zero Tensor.
func (t Tensor) Given() bool { return t.Memory != nil }

// RowRange is rows lo to hi-1 of t.
func (t Tensor) RowRange(lo, hi int) Tensor {
	if lo < 0 || hi < lo || hi > t.Rows {
		panic(fmt.Sprintf("compute: rows [%d, %d) of %v", lo, hi, t))
	}
	t.Offset += lo * t.Stride
	t.Rows = hi - lo
	return t
}

// ColRange is columns lo to hi-1 of t.
func (t Tensor) ColRange(lo, hi int) Tensor {
	if lo < 0 || hi < lo || hi > t.Cols {
		panic(fmt.Sprintf("compute: columns [%d, %d) of %v", lo, hi, t))
	}
	t.Offset += lo
	t.Cols = hi - lo
	return t
}

// Reshape sees the same elements as rows × cols. t must have no gaps between its rows.
func (t Tensor) Reshape(rows, cols int) Tensor {
	if rows*cols != t.Rows*t.Cols || (t.Stride != t.Cols && t.Rows > 1) {
		panic(fmt.Sprintf("compute: %v as [%d, %d]", t, rows, cols))
	}
	t.Rows, t.Cols, t.Stride = rows, cols, cols
	return t
}

// String is the kind and the shape, as "float32 [5, 64]".
func (t Tensor) String() string {
	if !t.Given() {
		return "no tensor"
	}
	return fmt.Sprintf("%v [%d, %d]", t.Kind, t.Rows, t.Cols)
}

// Bytes is the memory of a slice of numbers, in the machine's byte order, for [Device.Upload] and [Device.Download].
func Bytes[T int32 | uint16 | float32](s []T) []byte {
	if len(s) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), len(s)*int(unsafe.Sizeof(s[0])))
}
