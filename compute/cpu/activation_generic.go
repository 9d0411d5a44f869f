package cpu

import (
	"math"

	"shallow/compute"
)

// activationsGeneric are the activations by number.
var activationsGeneric = [activations]func(x float32) float32{
	compute.SiLU:        func(x float32) float32 { return x / (1 + expGeneric(-x)) },
	compute.GELU:        geluGeneric,
	compute.GELUTanh:    geluTanhGeneric,
	compute.QuickGELU:   func(x float32) float32 { return x / (1 + expGeneric(-1.702*x)) },
	compute.ReLU:        func(x float32) float32 { return max(x, 0) },
	compute.ReLUSquared: func(x float32) float32 { return max(x, 0) * max(x, 0) },
	compute.Sigmoid:     func(x float32) float32 { return 1 / (1 + expGeneric(-x)) },
}

// geluGeneric takes Φ(x) from the complement of erf, which keeps its digits far to the left.
func geluGeneric(x float32) float32 {
	return float32(float64(x) * math.Erfc(-float64(x)/math.Sqrt2) / 2)
}

// geluTanhGeneric is x/(1 + e^-2u), which is x/2·(1 + tanh u) without the difference of nearly equal numbers.
func geluTanhGeneric(x float32) float32 {
	v := float64(x)
	u := math.Sqrt(2/math.Pi) * (v + 0.044715*v*v*v)
	return float32(v / (1 + math.Exp(-2*u)))
}

var activateGeneric, gatedGeneric = func() (activate [activations]func(out, x []float32), gated [activations]func(out, gate, up []float32)) {
	for a := compute.SiLU; a < activations; a++ {
		act := activationsGeneric[a]
		activate[a] = func(out, x []float32) {
			for j, v := range x {
				out[j] = act(v)
			}
		}
		gated[a] = func(out, gate, up []float32) {
			for j, v := range gate {
				out[j] = act(v) * up[j]
			}
		}
	}
	return activate, gated
}()

// tanhGeneric loses nothing of the smallest: their quotient by limit is a normal float64.
func tanhGeneric(out, x []float32, scale, limit float32) {
	for j, v := range x {
		out[j] = float32(float64(limit) * math.Tanh(float64(v)*float64(scale)/float64(limit)))
	}
}
