package nf4

import (
	"fmt"
	"math"
	"runtime"
	"sync"

	"shallow/checkpoint"
)

// Matrix is a matrix [Rows, Cols] in 4 bits an element.
type Matrix struct {
	Rows, Cols int
	// DType is what the matrix was before, and what bitsandbytes turns it back into: F32, BF16 or F16.
	DType checkpoint.DType
	// Codes are two elements a byte, the first in the high half: (Rows*Cols+1)/2 bytes.
	Codes []byte
	// Absmax are the scales of blocks of 64 elements, ready for use: with double quantization what that made of them.
	Absmax []float32
	// Nested is what double quantization keeps of the scales; nil without.
	Nested *Nested
}

// Options say how a matrix is quantized.
type Options struct {
	Threads int // how many compute; 0 is all processors. The result does not depend on it
}

// smallest is the scale below which blocks are not stretched to [-1, 1], so that its reciprocal is finite.
const smallest float32 = 1e-38

// minStretch is how many blocks make a thread worth its start.
const minStretch = 512

// Quantize makes a matrix [rows, cols] of data, little-endian elements row after row of type F32, BF16 or F16, as
// [checkpoint.Tensor.Bytes] gives them. An element that is infinite or not a number is an error.
//
// A block's elements are multiplied by the float32 reciprocal of its absmax, those of a short last block are divided by it,
// and each becomes the code of the nearest value, of two equally near the lower. A zero block has codes of zero and absmax 0,
// but 1e-38 where it is the short last block; blocks with an absmax below 1e-38 are scaled by 1e38 alone. An odd matrix ends
// with a half byte of zero.
func Quantize(dtype checkpoint.DType, data []byte, rows, cols int, o Options) (*Matrix, error) {
	widen := wideners[dtype]
	if widen == nil {
		return nil, fmt.Errorf("nf4: elements of type %s are not quantized, only F32, BF16 and F16", dtype)
	}
	n, err := elements(rows, cols)
	if err != nil {
		return nil, err
	}
	if len(data)/dtype.Size() != n || len(data)%dtype.Size() != 0 {
		return nil, fmt.Errorf("nf4: %d bytes for a matrix [%d, %d] of %s", len(data), rows, cols, dtype)
	}
	if o.Threads < 0 {
		return nil, fmt.Errorf("nf4: %d threads: give their number, or 0 for all processors", o.Threads)
	}
	m := &Matrix{Rows: rows, Cols: cols, DType: dtype, Codes: make([]byte, n-n/2), Absmax: make([]float32, blocks(n))}
	if at := m.quantize(data, widen, o.Threads); at < n {
		return nil, fmt.Errorf("nf4: row %d, column %d is infinite or not a number, the weights are damaged", at/cols, at%cols)
	}
	return m, nil
}

// elements is rows*cols, if that is the size of a matrix.
func elements(rows, cols int) (int, error) {
	if rows < 1 || cols < 1 || rows > math.MaxInt/8/cols {
		return 0, fmt.Errorf("nf4: [%d, %d] is not the shape of a matrix", rows, cols)
	}
	return rows * cols, nil
}

func blocks(n int) int { return (n + Block - 1) / Block }

// quantize divides the blocks among threads. It gives the place of the first element that is not finite, or the end.
func (m *Matrix) quantize(data []byte, widen widener, threads int) int {
	if threads == 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	b := len(m.Absmax)
	threads = max(1, min(threads, b/minStretch))
	bad := make([]int, threads)
	var wait sync.WaitGroup
	for i := range threads {
		wait.Go(func() { bad[i] = m.quantizeBlocks(data, widen, b*i/threads, b*(i+1)/threads) })
	}
	wait.Wait()
	n := m.Rows * m.Cols
	for _, at := range bad {
		n = min(n, at)
	}
	return n
}

// quantizeBlocks makes blocks lo to hi-1. It stops at an element that is not finite and gives its place, else the end.
func (m *Matrix) quantizeBlocks(data []byte, widen widener, lo, hi int) int {
	n := m.Rows * m.Cols
	size := m.DType.Size()
	x := new([Block]float32)
	for b := lo; b < hi; b++ {
		first, end := b*Block, min(n, (b+1)*Block)
		absmax, finite := widen(x[:end-first], data[first*size:end*size])
		if !finite {
			for i, v := range x[:end-first] {
				if v-v != 0 {
					return first + i
				}
			}
		}
		codes := m.Codes[first/2 : (end+1)/2]
		if end-first < Block {
			absmax = max(absmax, smallest)
			clear(x[end-first:])
			divided(x[:], codes, absmax)
		} else {
			scaled(x, (*[Block / 2]byte)(codes), 1/max(absmax, smallest))
		}
		m.Absmax[b] = absmax
	}
	return n
}

// scaled writes the codes of a block times a factor. The conversions keep the compiler from fusing a product with what
// follows it.
func scaled(x *[Block]float32, codes *[Block / 2]byte, by float32) {
	for i := range codes {
		codes[i] = codeOf(float32(x[2*i]*by))<<4 | codeOf(float32(x[2*i+1]*by))
	}
}

// divided writes the codes of a short block.
func divided(x []float32, codes []byte, by float32) {
	for i := range codes {
		codes[i] = codeOf(x[2*i]/by)<<4 | codeOf(x[2*i+1]/by)
	}
}
