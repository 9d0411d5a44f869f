package computetest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"shallow/compute"
)

// activationForm is an activation in float64. argument is how far float32 may be from its exponent's argument, in roundings:
// an error of the argument is as large a relative one of the exponential.
type activationForm struct {
	act      compute.Activation
	name     string
	value    func(x float64) float64
	argument func(x float64) float64
}

func exact(float64) float64 { return 0 }

// twiceTanh is 2u with GELUTanh(x) = x/2·(1 + tanh u) = x / (1 + e^-2u).
func twiceTanh(x float64) float64 { return 2 * math.Sqrt(2/math.Pi) * (x + 0.044715*x*x*x) }

var activationForms = []activationForm{
	{compute.SiLU, "SiLU", func(x float64) float64 { return x / (1 + math.Exp(-x)) }, exact},
	{compute.GELU, "GELU", func(x float64) float64 { return x * math.Erfc(-x/math.Sqrt2) / 2 }, exact},
	{compute.GELUTanh, "GELUTanh", func(x float64) float64 { return x / (1 + math.Exp(-twiceTanh(x))) }, func(x float64) float64 { return 4 * twiceTanh(x) }},
	{compute.QuickGELU, "QuickGELU", func(x float64) float64 { return x / (1 + math.Exp(-1.702*x)) }, func(x float64) float64 { return 2 * 1.702 * x }},
	{compute.ReLU, "ReLU", func(x float64) float64 { return math.Max(0, x) }, exact},
	{compute.ReLUSquared, "ReLUSquared", func(x float64) float64 { return math.Max(0, x) * math.Max(0, x) }, exact},
	{compute.Sigmoid, "Sigmoid", func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }, exact},
}

// at is the activation of x, as float32 where that is infinite, and how far it may be off: a few roundings and those of the
// argument where e^-x counts, and 1e-36 where 1 + e^-x is infinite or Φ no normal number.
func (f activationForm) at(x float32) (value, bound float64) {
	v := f.value(float64(x))
	if math.IsInf(float64(float32(v)), 0) {
		return float64(float32(v)), 0
	}
	most := 0x1p24
	if x > 0 {
		most = 4 // e^-x is added to 1
	}
	lost := min(math.Abs(f.argument(float64(x))), most)
	return v, math.Abs(v)*(10+lost)*rounding + 1e-36
}

// activationInputs are numbers of all sizes, and at random places those at which formulas break.
func activationInputs(r *rand.Rand, n int) []float32 {
	ends := []float32{
		0, float32(math.Copysign(0, -1)), 1e-40, -1e-40, 1e-45, 1e-10, -1e-10, 0.625, -0.625, 88, -88, 89, -89, 13.3, -13.3, -13, -14, -9, -5,
		1e4, -1e4, 1e20, -1e20, 3e38, -3e38, inf, -inf, nan,
	}
	x := normals(r, n)
	for i := range x {
		x[i] *= float32(math.Exp(6*r.Float64() - 3)) // to ±80
		if r.IntN(4) == 0 {
			x[i] = ends[r.IntN(len(ends))]
		}
	}
	return x
}

// gated: an activation and one more rounding.
func gated(r *rand.Rand, rows, cols int) (ps []problem) {
	names := []string{"apart", "over gate", "over up"}
	for n, f := range activationForms {
		gate, up, form := activationInputs(r, rows*cols), normals(r, rows*cols), (n+cols)%3
		ps = append(ps, problem{
			name: fmt.Sprintf("GatedActivation %s [%d, %d] %s", f.name, rows, cols, names[form]),
			rows: rows,
			apply: func(t *testing.T, dev compute.Device, lo, hi int) [][]float32 {
				g, u := place(dev, hi-lo, cols, gate[lo*cols:hi*cols]), place(dev, hi-lo, cols, up[lo*cols:hi*cols])
				out := [...]view{place(dev, hi-lo, cols, nil), g, u}[form]
				dev.GatedActivation(out.Tensor, g.Tensor, u.Tensor, f.act)
				return out.read(t)
			},
			want: func(i int) (values, bounds []float64) {
				for j := range cols {
					v, bound := f.at(gate[i*cols+j])
					u := float64(up[i*cols+j])
					if math.IsInf(float64(float32(v*u)), 0) {
						v, bound = math.Copysign(math.Inf(1), v), 0
					}
					values, bounds = append(values, v*u), append(bounds, (bound+rounding*math.Abs(v))*math.Abs(u))
				}
				return values, bounds
			},
		})
	}
	return ps
}

func activate(r *rand.Rand, rows, cols int) (ps []problem) {
	for n, f := range activationForms {
		x := activationInputs(r, rows*cols)
		ps = append(ps, problem{
			name: fmt.Sprintf("Activate %s [%d, %d]", f.name, rows, cols),
			rows: rows,
			apply: func(t *testing.T, dev compute.Device, lo, hi int) [][]float32 {
				in := place(dev, hi-lo, cols, x[lo*cols:hi*cols])
				out := in
				if (n+cols)%2 == 0 {
					out = place(dev, hi-lo, cols, nil)
				}
				dev.Activate(out.Tensor, in.Tensor, f.act)
				return out.read(t)
			},
			want: func(i int) (values, bounds []float64) {
				for _, v := range x[i*cols : (i+1)*cols] {
					value, bound := f.at(v)
					values, bounds = append(values, value), append(bounds, bound)
				}
				return values, bounds
			},
		})
	}
	return ps
}

// softCap: the argument is rounded twice, which counts at most as much in the result, then a few more; never past the limit.
func softCap(r *rand.Rand, rows, cols int) (ps []problem) {
	for _, limit := range []float32{30, 50, 0.1, 1e4} {
		x := activationInputs(r, rows*cols)
		for i := range x {
			if r.IntN(2) == 0 {
				x[i] *= limit
			}
		}
		ps = append(ps, problem{
			name: fmt.Sprintf("SoftCap %v [%d, %d]", limit, rows, cols),
			rows: rows,
			apply: func(t *testing.T, dev compute.Device, lo, hi int) [][]float32 {
				v := place(dev, hi-lo, cols, x[lo*cols:hi*cols])
				dev.SoftCap(v.Tensor, limit)
				got := v.read(t)
				for _, row := range got {
					for _, y := range row {
						if y > limit || y < -limit {
							t.Fatalf("SoftCap %v gives %v", limit, y)
						}
					}
				}
				return got
			},
			want: func(i int) (values, bounds []float64) {
				for _, v := range x[i*cols : (i+1)*cols] {
					value := float64(limit) * math.Tanh(float64(v)/float64(limit))
					bound := 9 * rounding * math.Abs(value)
					if math.Abs(float64(v)) < 1e-4*float64(limit) { // v·(1 - (v/limit)²/3) is v
						value, bound = float64(v), 0
					}
					values, bounds = append(values, value), append(bounds, bound)
				}
				return values, bounds
			},
		})
	}
	return ps
}
