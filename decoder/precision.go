package decoder

import (
	"fmt"

	"shallow/compute"
)

// Precision says in which kind products are multiplied. Sums, norms and the residual stream are always float32.
type Precision uint8

// The precisions.
const (
	Auto     Precision = iota // what the device multiplies fastest for the kind of the weights
	BFloat16                  // both sides rounded to bfloat16
	Float32                   // weights widened to float32
)

var precisionNames = []string{"auto", "bfloat16", "float32"}

// String is the name that --precision takes.
func (p Precision) String() string { return precisionNames[p] }

// ParsePrecision is the precision of a name.
func ParsePrecision(name string) (Precision, error) {
	for p, n := range precisionNames {
		if n == name {
			return Precision(p), nil
		}
	}
	return 0, fmt.Errorf("decoder: precision %q is none of auto, bfloat16, float32", name)
}

// multiply is the kind in which weights of the given kinds are multiplied together: bfloat16 only if all of them are.
func (p Precision) multiply(dev compute.Device, weights []compute.Kind) compute.Kind {
	switch p {
	case BFloat16:
		return compute.BFloat16
	case Float32:
		return compute.Float32
	}
	for _, k := range weights {
		if dev.Multiplies(k) != compute.BFloat16 {
			return compute.Float32
		}
	}
	return compute.BFloat16
}
