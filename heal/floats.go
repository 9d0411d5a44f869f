package heal

import (
	"encoding/binary"
	"fmt"
	"math"

	"shallow/checkpoint"
)

// floats widens a stored tensor to float32.
func floats(t checkpoint.Tensor) ([]float32, error) {
	out, err := widen(t.Bytes(), t.DType)
	if err != nil {
		return nil, fmt.Errorf("tensor %q: %w", t.Name, err)
	}
	return out, nil
}

// widen turns the bytes of a stored type into float32.
func widen(data []byte, from checkpoint.DType) ([]float32, error) {
	if from.Size() == 0 {
		return nil, fmt.Errorf("type %s: F32, BF16 or F16 is needed", from)
	}
	out := make([]float32, len(data)/from.Size())
	switch from {
	case checkpoint.F32:
		for i := range out {
			out[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
		}
	case checkpoint.BF16:
		for i := range out {
			out[i] = math.Float32frombits(uint32(binary.LittleEndian.Uint16(data[2*i:])) << 16)
		}
	case checkpoint.F16:
		for i := range out {
			out[i] = widenHalf(binary.LittleEndian.Uint16(data[2*i:]))
		}
	default:
		return nil, fmt.Errorf("type %s: F32, BF16 or F16 is needed", from)
	}
	return out, nil
}

// narrow rounds float32 to the bytes of a stored type, to nearest even.
func narrow(x []float32, to checkpoint.DType) ([]byte, error) {
	switch to {
	case checkpoint.F32:
		return littleEndian(x), nil
	case checkpoint.BF16:
		out := make([]byte, 2*len(x))
		for i, v := range x {
			binary.LittleEndian.PutUint16(out[2*i:], narrowBFloat(v))
		}
		return out, nil
	case checkpoint.F16:
		out := make([]byte, 2*len(x))
		for i, v := range x {
			binary.LittleEndian.PutUint16(out[2*i:], narrowHalf(v))
		}
		return out, nil
	}
	return nil, fmt.Errorf("type %s: F32, BF16 or F16 is needed", to)
}

// littleEndian is the bytes of float32 as files hold them.
func littleEndian(x []float32) []byte {
	out := make([]byte, 4*len(x))
	for i, v := range x {
		binary.LittleEndian.PutUint32(out[4*i:], math.Float32bits(v))
	}
	return out
}

func narrowBFloat(v float32) uint16 {
	b := math.Float32bits(v)
	if v != v {
		return uint16(b>>16) | 0x40
	}
	return uint16((b + 0x7fff + b>>16&1) >> 16)
}

func widenHalf(h uint16) float32 {
	sign, exponent, fraction := uint32(h>>15)<<31, int(h>>10&31), float64(h&1023)
	var v float64
	switch exponent {
	case 31:
		return math.Float32frombits(sign | 0x7f800000 | uint32(h&1023)<<13)
	case 0:
		v = math.Ldexp(fraction, -24)
	default:
		v = math.Ldexp(1024+fraction, exponent-25)
	}
	return math.Float32frombits(math.Float32bits(float32(v)) | sign)
}

// narrowHalf rounds to float16; what is too large becomes infinite.
func narrowHalf(v float32) uint16 {
	sign := uint16(math.Float32bits(v) >> 31 << 15)
	a := math.Abs(float64(v))
	switch {
	case v != v:
		return sign | 0x7e00
	case a >= 65520:
		return sign | 0x7c00
	case a < 0x1p-14:
		return sign | uint16(math.RoundToEven(a*0x1p24))
	}
	fraction, exponent := math.Frexp(a) // fraction in [0.5, 1): 11 bits of it are kept
	bits := int(math.RoundToEven(fraction*2048)) - 1024
	return sign | uint16((exponent+14)<<10+bits)
}
