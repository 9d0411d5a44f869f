package nf4

import (
	"fmt"
	"math"
	"math/big"
)

// Nested is a matrix's scales in 8 bits: scale i is Table[Codes[i]]·Absmax[i/256] + Offset, rounded to float32 after each
// operation.
type Nested struct {
	Codes  []byte        // one for each block of 64 elements
	Absmax []float32     // one for each 256 blocks
	Offset float32       // the mean of the scales
	Table  *[256]float32 // ascending, from -1 to 1
}

// Double is m with its scales quantized in turn, about their correctly rounded mean. The codes are shared.
//
// Where one scale dwarfs the others of its 256, theirs come back coarse, and even negative; bitsandbytes does the same.
func (m *Matrix) Double() (*Matrix, error) { return m.DoubleAround(mean(m.Absmax)) }

// DoubleAround is Double with a given offset in place of the mean.
func (m *Matrix) DoubleAround(offset float32) (*Matrix, error) {
	if m.Nested != nil {
		return nil, fmt.Errorf("nf4: the scales of this matrix [%d, %d] are in 8 bits already", m.Rows, m.Cols)
	}
	nested := &Nested{
		Codes:  make([]byte, len(m.Absmax)),
		Absmax: make([]float32, (len(m.Absmax)+NestedBlock-1)/NestedBlock),
		Offset: offset,
		Table:  dynamicMap,
	}
	for i := range nested.Absmax {
		lo, hi := i*NestedBlock, min((i+1)*NestedBlock, len(m.Absmax))
		nested.Absmax[i] = nestedBlock(nested.Codes[lo:hi], m.Absmax[lo:hi], offset)
	}
	absmax, err := nested.scales()
	if err != nil {
		return nil, err
	}
	doubled := *m
	doubled.Absmax, doubled.Nested = absmax, nested
	return &doubled, nil
}

// nestedBlock quantizes up to 256 scales and gives their absmax.
func nestedBlock(codes []byte, scales []float32, offset float32) float32 {
	var top float32
	for _, s := range scales {
		top = max(top, float32(math.Abs(float64(s-offset))))
	}
	if top == 0 {
		return 0 // and code 0, which is -0.993, but times 0
	}
	by := 1 / top
	for i, s := range scales {
		// The reciprocal of a subnormal may be infinite, and 0 times that is no number: it keeps code 0.
		if v := float32((s - offset) * by); v == v {
			codes[i] = dynamicCode(min(max(v, -1), 1))
		}
	}
	return top
}

// dynamicCode is the code of v in [-1, 1]: v picks one of 65536 bins, and the code is that of the bin's centre. So values
// below 1e-5 are coarse.
func dynamicCode(v float32) byte {
	bin := int32(float32((v+1)*0.5*65535) + 0.5)
	centre := -1 + 2*float32(bin)/65535
	low, high := 0, len(dynamicMidpoints) // midpoints before low are below the centre, those from high on are not
	for low < high {
		if mid := (low + high) / 2; dynamicMidpoints[mid] < centre {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return byte(low)
}

// scales are the float32 scales that n stands for.
func (n *Nested) scales() ([]float32, error) {
	absmax := make([]float32, len(n.Codes))
	for i, code := range n.Codes {
		// The conversion keeps the compiler from fusing the product with the sum.
		s := float32(n.Table[code]*n.Absmax[i/NestedBlock]) + n.Offset
		if s-s != 0 {
			return nil, fmt.Errorf("nf4: the scale of block %d is %v by double quantization: %v·%v + %v",
				i, s, n.Table[code], n.Absmax[i/NestedBlock], n.Offset)
		}
		absmax[i] = s
	}
	return absmax, nil
}

// mean is the correctly rounded mean of scales, which are finite and not negative. Mantissas are summed for each exponent
// apart, without error.
func mean(scales []float32) float32 {
	var sums [256]uint64
	for _, s := range scales {
		bits := math.Float32bits(s)
		exponent, mantissa := bits>>23&255, bits&(1<<23-1)
		if exponent > 0 {
			exponent, mantissa = exponent-1, mantissa|1<<23
		}
		sums[exponent] += uint64(mantissa)
	}
	total := new(big.Int)
	for exponent, sum := range sums {
		if sum > 0 {
			part := new(big.Int).SetUint64(sum)
			total.Add(total, part.Lsh(part, uint(exponent)))
		}
	}
	unit := new(big.Int).Lsh(big.NewInt(int64(len(scales))), 149) // the smallest subnormal is 2^-149
	rounded, _ := new(big.Rat).SetFrac(total, unit).Float32()
	return rounded
}
