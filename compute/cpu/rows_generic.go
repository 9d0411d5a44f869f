package cpu

import "math"

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

func sumSquaresGeneric(x []float32) float64 {
	var sum float64
	for _, v := range x {
		sum += float64(v) * float64(v)
	}
	return sum
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

func sumGeneric(x []float32) float64 {
	var sum float64
	for _, v := range x {
		sum += float64(v)
	}
	return sum
}

func squaresAroundGeneric(x []float32, mean float32) float64 {
	var sum float64
	for _, v := range x {
		sum += (float64(v) - float64(mean)) * (float64(v) - float64(mean))
	}
	return sum
}

func affineGeneric(out, x, w, b []float32, mean, r float32) {
	for j, v := range x {
		out[j] = (v-mean)*r*w[j] + b[j]
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
