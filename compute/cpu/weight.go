package cpu

import (
	"encoding/binary"
	"unsafe"

	"shallow/compute"
)

// weight is a weight tensor as the packing reads it.
type weight struct {
	kind           compute.Kind
	memory         *memory
	packed         *packed
	offset, stride int // in elements
	rows, cols     int
	first          int  // row of the packed weight where this view of it begins
	turned         bool // rows and cols are swapped: what is laid side by side are the tensor's columns
}

func weightOf(t compute.Tensor) weight {
	w := weight{kind: t.Kind, offset: t.Offset, stride: t.Stride, rows: t.Rows, cols: t.Cols}
	switch m := t.Memory.(type) {
	case *packed:
		w.packed, w.first = m, t.Offset/max(t.Stride, 1)
	case *memory:
		w.memory = m
	}
	return w
}

// panel is where unit u of a packed weight's panel lies, or nil.
func (w *weight) panel(panel, u, cols, units int) *uint32 {
	if w.packed == nil {
		return nil
	}
	return &w.packed.units[(panel*units+u)*cols]
}

// bytes is how far apart elements are that are n apart; of NF4 their codes. n is a multiple of a block.
func (w *weight) bytes(n int) int {
	switch w.kind {
	case compute.NF4:
		return n / 2
	case compute.Q8_0:
		return n / compute.Q8Block * compute.Q8BlockBytes
	}
	return n * int(w.kind.Bytes(1))
}

// at is where element (row, col) lies; of NF4, the byte that holds its code; of Q8_0, its block.
func (w *weight) at(row, col int) unsafe.Pointer {
	return unsafe.Pointer(&w.memory.data[w.bytes(w.offset+row*w.stride+col)])
}

// decode reads len(dst) elements of a row, from column col on.
func (w *weight) decode(dst []float32, row, col int) {
	i := w.offset + row*w.stride + col
	switch w.kind {
	case compute.Float32:
		copy(dst, asSlice[float32](w.memory.data)[i:])
	case compute.BFloat16:
		widenBF16Generic(dst, asSlice[uint16](w.memory.data)[i:][:len(dst)])
	case compute.Float16:
		widenF16Generic(dst, asSlice[uint16](w.memory.data)[i:][:len(dst)])
	case compute.NF4:
		widenNF4(dst, w.memory, i)
	case compute.Q8_0:
		widenQ8(dst, w.memory.data, i)
	}
}

// widenQ8 writes the elements of blocks from place at on. A float16 times an int8 has 19 bits at most: float32 holds it.
func widenQ8(dst []float32, blocks []byte, at int) {
	for len(dst) > 0 {
		block := blocks[at/compute.Q8Block*compute.Q8BlockBytes:][:compute.Q8BlockBytes]
		scale := f16ToFloat(binary.LittleEndian.Uint16(block))
		codes := block[2+at%compute.Q8Block:]
		codes = codes[:min(len(codes), len(dst))]
		for j, c := range codes {
			dst[j] = scale * float32(int8(c))
		}
		dst, at = dst[len(codes):], at+len(codes)
	}
}
