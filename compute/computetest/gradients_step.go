package computetest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"shallow/compute"
)

// dropout: an element is 0, or the input times 1/(1 - probability), rounded twice at most; which of them is the device's to say.
func dropout(r *rand.Rand, rows, cols int) (ps []problem) {
	for form, probability := range []float32{0, 0.05, 0.5, 0.9} {
		x, tokens := normals(r, rows*cols), make([]int32, rows)
		for i := range tokens {
			tokens[i] = int32(r.IntN(1 << 30))
		}
		key := compute.DropoutKey{Seed: r.Uint32(), Step: r.Uint32(), MicroStep: r.Uint32(), Layer: 3, Module: uint32(form)}
		var first [][]float32
		apply := func(t *testing.T, dev compute.Device, lo, hi int) [][]float32 {
			in := place(dev, hi-lo, cols, x[lo*cols:hi*cols])
			out := in
			if form%2 == 1 {
				out = place(dev, hi-lo, cols, nil)
			}
			backward(dev).Dropout(out.Tensor, in.Tensor, column(dev, tokens[lo:hi]), key, probability)
			rows := out.read(t)
			if first == nil {
				first = rows
			}
			return rows
		}
		ps = append(ps, problem{
			name: fmt.Sprintf("Dropout [%d, %d] of %v", rows, cols, probability), rows: rows, apply: apply,
			want: func(i int) (values, bounds []float64) {
				for j, v := range doubles(x[i*cols : (i+1)*cols]) {
					if first[i][j] == 0 && probability > 0 {
						v = 0
					}
					v /= 1 - float64(probability)
					values, bounds = append(values, v), append(bounds, 2.01*rounding*math.Abs(v))
				}
				return values, bounds
			},
		})
	}
	return ps
}

// dropoutMasks: the mask follows the token wherever it stands, has the right share, and is another for every part of the key.
func dropoutMasks(t *testing.T, dev compute.Device) {
	const rows, cols, probability = 301, 1003, 0.05
	ones, tokens := alikeBounds(rows*cols, 1), make([]int32, rows)
	x := make([]float32, len(ones))
	for i, v := range ones {
		x[i] = float32(v)
	}
	for i := range tokens {
		tokens[i] = int32(i)
	}
	tokens[rows-1] = 7
	mask := func(key compute.DropoutKey) []float32 {
		in, out := place(dev, rows, cols, x), place(dev, rows, cols, nil)
		backward(dev).Dropout(out.Tensor, in.Tensor, column(dev, tokens), key, probability)
		return flat(out.read(t))
	}
	key := compute.DropoutKey{Seed: 1, Step: 2, MicroStep: 3, Layer: 4, Module: 5}
	first := mask(key)
	sameAttention(t, "token 7 in another row", first[(rows-1)*cols:], first[7*cols:8*cols])
	dropped, inverse := 0, float32(1/(1-float64(float32(probability))))
	for _, v := range first {
		switch v {
		case 0:
			dropped++
		case inverse:
		default:
			t.Fatalf("1 becomes %v, want 0 or %v", v, inverse)
		}
	}
	n := float64(len(first))
	if off := math.Abs(float64(dropped) - n*probability); off > 5*math.Sqrt(n*probability*(1-probability)) {
		t.Errorf("%d of %v dropped, want a share of %v", dropped, n, probability)
	}
	for name, other := range map[string]compute.DropoutKey{
		"seed": {Seed: 9, Step: 2, MicroStep: 3, Layer: 4, Module: 5}, "step": {Seed: 1, Step: 9, MicroStep: 3, Layer: 4, Module: 5},
		"micro-step": {Seed: 1, Step: 2, MicroStep: 9, Layer: 4, Module: 5}, "layer": {Seed: 1, Step: 2, MicroStep: 3, Layer: 9, Module: 5},
		"module": {Seed: 1, Step: 2, MicroStep: 3, Layer: 4, Module: 9},
	} {
		both := 0
		for i, v := range mask(other) {
			if v == 0 && first[i] == 0 {
				both++
			}
		}
		share := probability * probability * n
		if math.Abs(float64(both)-share) > 6*math.Sqrt(share) {
			t.Errorf("another %s: %d elements are dropped in both, want about %v", name, both, share)
		}
	}
}

// sumSquares: float64 has room for the squares' sum; views with gaps, and rows that cross blocks of 4096.
func sumSquares(t *testing.T, open func(t *testing.T, threads int) compute.Device) {
	for i, s := range [][2]int{{1, 1}, {3, 7}, {1, 4096}, {2, 4097}, {9, 1003}, {700, 33}, {3, 9000}} {
		x := normals(rand.New(rand.NewPCG(uint64(i), 1)), s[0]*s[1])
		want := dot(doubles(x), doubles(x))
		var first float64
		for threads := 1; threads <= 3; threads++ {
			dev := open(t, threads)
			got, err := backward(dev).SumSquares(place(dev, s[0], s[1], x).Tensor)
			if threads == 1 {
				first = got
			}
			if err != nil || !(math.Abs(got-want) <= 1e-13*want) || got != first {
				t.Fatalf("%v on %d threads: %v, %v; want %v", s, threads, got, err, want)
			}
		}
	}
}

// adamW: each moment is a sum of two terms; the step is a quotient of some roundings.
func adamW(r *rand.Rand, rows, cols int) (ps []problem) {
	for form, step := range []compute.AdamWStep{
		{T: 1, Rate: 1e-2, Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, Decay: 0.1},
		{T: 1000, Rate: 3e-4, Beta1: 0.8, Beta2: 0.95, Eps: 1e-6},
		{T: 5, Beta1: 0.9, Beta2: 0.999, Eps: 1e-8},
	} {
		n := rows * cols
		p, m, v, g := normals(r, n), normals(r, n), normals(r, n), normals(r, n)
		scale := float32(1)
		if form > 0 {
			scale = 0.3
		}
		for i := range v {
			v[i] *= v[i]
			if i%5 == 2 {
				m[i], v[i], g[i] = 0, 0, 0
			}
			g[i] *= float32(math.Exp(8*r.Float64() - 6))
		}
		ps = append(ps, problem{
			name: fmt.Sprintf("AdamW [%d, %d] %+v", rows, cols, step), rows: rows,
			apply: func(t *testing.T, dev compute.Device, lo, hi int) [][]float32 {
				put := func(x []float32) view { return place(dev, hi-lo, cols, x[lo*cols:hi*cols]) }
				ps, ms, vs := put(p), put(m), put(v)
				backward(dev).AdamW(ps.Tensor, ms.Tensor, vs.Tensor, put(g).Tensor, scale, step)
				return join(ps.read(t), join(ms.read(t), vs.read(t)))
			},
			want: func(i int) (values, bounds []float64) {
				values, bounds = make([]float64, 3*cols), make([]float64, 3*cols)
				for j := range cols {
					at := i*cols + j
					grad := float64(g[at]) * float64(scale)
					first := float64(m[at]) + (1-step.Beta1)*(grad-float64(m[at]))
					second := step.Beta2*float64(v[at]) + (1-step.Beta2)*grad*grad
					kept := float64(p[at]) * (1 - step.Rate*step.Decay)
					rate := step.Rate / (1 - math.Pow(step.Beta1, float64(step.T)))
					root := math.Sqrt(second)/math.Sqrt(1-math.Pow(step.Beta2, float64(step.T))) + step.Eps
					size := math.Abs(float64(m[at])) + math.Abs(grad)
					values[j], bounds[j] = kept-rate*first/root, 4*rounding*math.Abs(kept)+rate*8*rounding*(size+math.Abs(first))/root
					values[cols+j], bounds[cols+j] = first, 4*rounding*size
					values[2*cols+j], bounds[2*cols+j] = second, 6*rounding*second
				}
				return values, bounds
			},
		})
	}
	return ps
}
