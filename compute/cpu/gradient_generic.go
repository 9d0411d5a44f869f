package cpu

import (
	"math"

	"shallow/compute"
)

func normSumsGeneric(dout, x, w []float32, mean, r float32) (gs, gx float64) {
	for j, v := range dout {
		g := float64(v * w[j])
		gs += g
		gx += g * float64((x[j]-mean)*r)
	}
	return gs, gx
}

func normGradientGeneric(add bool) func(dx, dout, x, w []float32, mean, r, shift, along float32) {
	return func(dx, dout, x, w []float32, mean, r, shift, along float32) {
		for j, v := range dout {
			g := r * (v*w[j] - shift - (x[j]-mean)*r*along)
			if add {
				g += dx[j]
			}
			dx[j] = g
		}
	}
}

func weightSumsGeneric(sums, dout, x []float32, mean, r float32) {
	for j, v := range dout {
		sums[j] += v * ((x[j] - mean) * r)
	}
}

// slope is the derivative of act at x.
func slope(x float64, act compute.Activation) float64 {
	logistic := func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
	switch act {
	case compute.SiLU:
		s := logistic(x)
		return s * (1 + x*(1-s))
	case compute.GELU:
		return math.Erfc(-x/math.Sqrt2)/2 + x*math.Exp(-x*x/2)/math.Sqrt(2*math.Pi)
	case compute.GELUTanh:
		const c = 0.044715
		k := math.Sqrt(2 / math.Pi)
		t := math.Tanh(k * (x + c*x*x*x))
		return (1+t)/2 + x/2*(1-t*t)*k*(1+3*c*x*x)
	case compute.QuickGELU:
		s := logistic(1.702 * x)
		return s * (1 + 1.702*x*(1-s))
	case compute.ReLU:
		if x > 0 {
			return 1
		}
		return 0
	case compute.ReLUSquared:
		return 2 * max(x, 0)
	case compute.Sigmoid:
		s := logistic(x)
		return s * (1 - s)
	}
	return math.NaN()
}

func capGradientGeneric(dx, y []float32, inverse float32) {
	for j, v := range y {
		t := v * inverse
		dx[j] *= 1 - t*t
	}
}

func expsGeneric(out, x []float32, shift, by, factor float32) {
	for j, v := range x {
		out[j] = factor * expGeneric((v-shift)*by)
	}
}

func sumExpsGeneric(x []float32, shift, by float32) (sum float64) {
	for _, v := range x {
		sum += float64(expGeneric((v - shift) * by))
	}
	return sum
}

func divergenceGeneric(p, from, q []float32, by, shift float64) (sum float64) {
	for j, v := range p {
		sum += float64(v) * ((float64(from[j])-float64(q[j]))*by + shift)
	}
	return sum
}

// adamWGeneric fuses what PyTorch fuses in both moments, and rounds the other products.
func adamWGeneric(p, m, v, g []float32, s *adamStep) {
	for j, grad := range g {
		grad = float32(grad * s.scale)
		m[j] = multiplyAdd(s.fresh1, grad-m[j], m[j])
		v[j] = multiplyAdd(float32(s.fresh2*grad), grad, float32(v[j]*s.beta2))
		p[j] = float32(p[j]*s.keep) - float32(s.rate*m[j])/(float32(math.Sqrt(float64(v[j])))/s.root+s.eps)
	}
}

// multiplyAdd is a·b + c rounded once: the float64 sum of the exact product is made odd where it is not exact, so that the second
// rounding sees on which side of a tie it lies. Source: Boldo and Melquiond, 2008.
func multiplyAdd(a, b, c float32) float32 {
	product, add := float64(a)*float64(b), float64(c)
	sum := product + add
	part := sum - product
	lost := (product - (sum - part)) + (add - part)
	bits := math.Float64bits(sum)
	if bits&1 == 0 && lost != 0 && !math.IsNaN(lost) {
		if (lost > 0) == (sum > 0) {
			bits++
		} else {
			bits--
		}
	}
	return float32(math.Float64frombits(bits))
}

func transposedGeneric(c []float32, ldc int, start []float32, a []uint32, lda int, b []uint32, ldb int, rows, depth, cols int) {
	fa, fb := asFloats(a), asFloats(b)
	for i := range rows {
		ci := c[i*ldc : i*ldc+cols]
		for j := range ci {
			if start == nil {
				ci[j] = 0
			} else {
				ci[j] *= start[i]
			}
		}
		for k := range depth {
			x := fa[k*lda+i]
			for j, y := range fb[k*ldb : k*ldb+cols] {
				ci[j] += x * y
			}
		}
	}
}

func slopesGeneric(scores, slopes []float32, visible []uint64, lse, delta []float32, scale, bend, outer float32) {
	for i, see := range visible {
		for j := range compute.PageSize {
			at := i*compute.PageSize + j
			if see>>j&1 == 0 {
				scores[at], slopes[at] = 0, 0
				continue
			}
			s := scores[at] * scale
			p := expGeneric(s - lse[j])
			scores[at], slopes[at] = p, (slopes[at]-delta[j])*((1-s*s*bend)*outer)*p
		}
	}
}

func transposeGeneric(dst []float32, dstStride int, src []float32, srcStride, cols int) {
	for i := range 8 {
		for j, v := range src[i*srcStride : i*srcStride+cols] {
			dst[j*dstStride+i] = v
		}
	}
}
