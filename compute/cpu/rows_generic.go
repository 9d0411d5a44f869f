package cpu

import (
	"math"

	"shallow/compute"
)

func widenBF16Generic(dst []float32, src []uint16) {
	for i, h := range src {
		dst[i] = bf16ToFloat(h)
	}
}

func widenF16Generic(dst []float32, src []uint16) {
	for i, h := range src {
		dst[i] = f16ToFloat(h)
	}
}

func sumSquaresGeneric(x []float32) float32 {
	var sum float64
	for _, v := range x {
		sum += float64(v) * float64(v)
	}
	return float32(sum)
}

func normalizeGeneric(out, x, w []float32, r float32) {
	for j, v := range x {
		out[j] = v * r * w[j]
	}
}

func rotateGeneric(x, cos, sin []float32, headSize int) {
	n := len(cos)
	for h := 0; h < len(x); h += headSize {
		low, high := x[h:h+n], x[h+n:h+2*n]
		for j, c := range cos {
			a, b, s := low[j], high[j], sin[j]
			low[j] = float32(a*c) - float32(b*s)
			high[j] = float32(b*c) + float32(a*s)
		}
	}
}

func siluGeneric(out, gate, up []float32) {
	for j, g := range gate {
		out[j] = g / (1 + expGeneric(-g)) * up[j]
	}
}

func dotsGeneric(a, b []float32) (ab, aa, bb float64) {
	for j, v := range a {
		x, y := float64(v), float64(b[j])
		ab += x * y
		aa += x * x
		bb += y * y
	}
	return ab, aa, bb
}

func maximumGeneric(x []float32) float32 {
	m := float32(math.Inf(-1))
	for _, v := range x {
		m = max(m, v)
	}
	return m
}

func sumExpGeneric(x []float32, shift float32) float64 {
	var sum float64
	for _, v := range x {
		sum += float64(expGeneric(v - shift))
	}
	return sum
}

func rotateNeighboursGeneric(x, cos, sin []float32, headSize int) {
	for h := 0; h < len(x); h += headSize {
		for j, c := range cos {
			pair := x[h+2*j : h+2*j+2]
			a, b, s := pair[0], pair[1], sin[j]
			pair[0] = float32(a*c) - float32(b*s)
			pair[1] = float32(b*c) + float32(a*s)
		}
	}
}

func activateGeneric(out, x []float32, act compute.Activation) {
	for j, v := range x {
		out[j] = activation(v, act)
	}
}

// activation is act(x).
func activation(x float32, act compute.Activation) float32 {
	switch v := float64(x); act {
	case compute.SiLU:
		return x / (1 + expGeneric(-x))
	case compute.GELU:
		return float32(v / 2 * (1 + math.Erf(v/math.Sqrt2)))
	case compute.GELUTanh:
		return float32(v / 2 * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(v+0.044715*v*v*v))))
	case compute.QuickGELU:
		return x / (1 + expGeneric(-1.702*x))
	case compute.ReLU:
		return max(x, 0)
	case compute.ReLUSquared:
		return max(x, 0) * max(x, 0)
	case compute.Sigmoid:
		return 1 / (1 + expGeneric(-x))
	}
	return float32(math.NaN())
}

func tanhGeneric(out, x []float32, scale, limit float32) {
	for j, v := range x {
		out[j] = float32(float64(limit) * math.Tanh(float64(v)*float64(scale)/float64(limit)))
	}
}

func sumGeneric(x []float32) float32 {
	var sum float64
	for _, v := range x {
		sum += float64(v)
	}
	return float32(sum)
}

func squaresAroundGeneric(x []float32, mean float32) float32 {
	var sum float64
	for _, v := range x {
		sum += (float64(v) - float64(mean)) * (float64(v) - float64(mean))
	}
	return float32(sum)
}

func affineGeneric(out, x, w, b []float32, mean, r float32) {
	for j, v := range x {
		out[j] = (v - mean) * r * w[j]
	}
	for j, v := range b {
		out[j] += v
	}
}

func timesGeneric(x []float32, by float32) {
	for j := range x {
		x[j] *= by
	}
}

func axpyGeneric(x, y []float32, a float32) {
	for j, v := range y {
		x[j] += a * v
	}
}
