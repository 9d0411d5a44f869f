package computetest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"shallow/compute"
)

// smooth are numbers away from the kinks of the activations, from -9 to 9.
func smooth(r *rand.Rand, n int) []float32 {
	x := normals(r, n)
	for i := range x {
		x[i] *= 2.5
		if math.Abs(float64(x[i])) < 0.02 {
			x[i] = 0.5
		}
	}
	return x
}

// gatedBackward: the derivatives are sums of terms up to a few times x, of which a rounding each is lost.
func gatedBackward(r *rand.Rand, rows, cols int) (ps []problem) {
	for n, f := range activationForms {
		gate, up, dout := smooth(r, rows*cols), normals(r, rows*cols), normals(r, rows*cols)
		ps = append(ps, problem{
			name: fmt.Sprintf("GatedActivationBackward %s [%d, %d]", f.name, rows, cols),
			rows: rows,
			apply: func(t *testing.T, dev compute.Device, lo, hi int) [][]float32 {
				put := func(x []float32) view { return place(dev, hi-lo, cols, x[lo*cols:hi*cols]) }
				g, u, dy := put(gate), put(up), put(dout)
				dg, du := put(gate), put(up)
				switch n % 3 {
				case 1:
					dg, du = g, u
				case 2:
					dg = dy
				}
				backward(dev).GatedActivationBackward(dg.Tensor, du.Tensor, dy.Tensor, g.Tensor, u.Tensor, f.act)
				return join(dg.read(t), du.read(t))
			},
			want: func(i int) (values, bounds []float64) {
				for j := i * cols; j < (i+1)*cols; j++ {
					x := []float64{float64(gate[j]), float64(up[j])}
					s := slopes(x, func() float64 { return f.value(x[0]) * x[1] * float64(dout[j]) })
					values = append(values, s...)
					size := math.Abs(float64(dout[j]))
					bounds = append(bounds, 1e-8+1e-6*size*math.Abs(x[1])*(1+math.Abs(x[0])), 1e-8+1e-6*size*max(1, math.Abs(x[0])))
				}
				return apart(values), apart(bounds)
			},
		})
	}
	return ps
}

// apart puts the first numbers of pairs before the second ones.
func apart(x []float64) []float64 {
	out := make([]float64, len(x))
	for i, v := range x {
		out[i/2+i%2*(len(x)/2)] = v
	}
	return out
}

func activateBackward(r *rand.Rand, rows, cols int) (ps []problem) {
	for n, f := range activationForms {
		x, dout := smooth(r, rows*cols), normals(r, rows*cols)
		ps = append(ps, problem{
			name: fmt.Sprintf("ActivateBackward %s [%d, %d]", f.name, rows, cols),
			rows: rows,
			apply: func(t *testing.T, dev compute.Device, lo, hi int) [][]float32 {
				from, dy := place(dev, hi-lo, cols, x[lo*cols:hi*cols]), place(dev, hi-lo, cols, dout[lo*cols:hi*cols])
				dx := dy
				if n%2 == 1 {
					dx = place(dev, hi-lo, cols, nil)
				}
				backward(dev).ActivateBackward(dx.Tensor, dy.Tensor, from.Tensor, f.act)
				return dx.read(t)
			},
			want: func(i int) (values, bounds []float64) {
				for j := i * cols; j < (i+1)*cols; j++ {
					at := []float64{float64(x[j])}
					values = append(values, slopes(at, func() float64 { return f.value(at[0]) * float64(dout[j]) })...)
					bounds = append(bounds, 1e-8+1e-6*math.Abs(float64(dout[j]))*(1+math.Abs(at[0])))
				}
				return values, bounds
			},
		})
	}
	return ps
}

// softCapBackward takes the capped values from the forward operation: what the difference 1 - (y/limit)² loses is a rounding of 1.
func softCapBackward(r *rand.Rand, rows, cols int) []problem {
	x, dout := smooth(r, rows*cols), normals(r, rows*cols)
	limit := float32(0.7 + 5*r.Float64())
	return []problem{{
		name: fmt.Sprintf("SoftCapBackward [%d, %d] limit %v", rows, cols, limit),
		rows: rows,
		apply: func(t *testing.T, dev compute.Device, lo, hi int) [][]float32 {
			y, dx := place(dev, hi-lo, cols, x[lo*cols:hi*cols]), place(dev, hi-lo, cols, dout[lo*cols:hi*cols])
			dev.SoftCap(y.Tensor, limit)
			backward(dev).SoftCapBackward(dx.Tensor, y.Tensor, limit)
			return dx.read(t)
		},
		want: func(i int) (values, bounds []float64) {
			l := float64(limit)
			for j := i * cols; j < (i+1)*cols; j++ {
				at := []float64{float64(x[j])}
				values = append(values, slopes(at, func() float64 { return l * math.Tanh(at[0]/l) * float64(dout[j]) })...)
				bounds = append(bounds, 1e-8+1e-6*math.Abs(float64(dout[j])))
			}
			return values, bounds
		},
	}}
}

// logSoftmax is that of x / temperature.
func logSoftmax(x []float64, temperature float64) []float64 {
	top, sum := slices.Max(x), 0.0
	for _, v := range x {
		sum += math.Exp((v - top) / temperature)
	}
	out := make([]float64, len(x))
	for j, v := range x {
		out[j] = (v-top)/temperature - math.Log(sum)
	}
	return out
}

func crossEntropyBackward(r *rand.Rand, rows, cols int) []problem {
	logits, ws, targets := normals(r, rows*cols), normals(r, rows), make([]int32, rows)
	for i := range targets {
		targets[i] = int32(r.IntN(cols))
		if i%4 == 1 {
			targets[i] = -100
		}
		logits[i*cols+r.IntN(cols)] += float32(20 * r.Float64()) // some are nearly certain
	}
	return []problem{{
		name: fmt.Sprintf("CrossEntropyBackward [%d, %d]", rows, cols),
		rows: rows,
		apply: func(t *testing.T, dev compute.Device, lo, hi int) [][]float32 {
			x, w := place(dev, hi-lo, cols, logits[lo*cols:hi*cols]), place(dev, hi-lo, 1, ws[lo:hi])
			backward(dev).CrossEntropyBackward(x.Tensor, column(dev, targets[lo:hi]), w.Tensor)
			return x.read(t)
		},
		want: func(i int) (values, bounds []float64) {
			x := doubles(logits[i*cols : (i+1)*cols])
			values = slopes(x, func() float64 {
				if targets[i] < 0 {
					return 0
				}
				return -logSoftmax(x, 1)[targets[i]] * float64(ws[i])
			})
			for _, v := range values {
				bounds = append(bounds, 1e-6*math.Abs(v)+1e-9)
			}
			return values, bounds
		},
	}}
}

func divergence(r *rand.Rand, rows, cols int) (ps []problem) {
	for _, temperature := range []float32{1, 2, 0.3} {
		student, teacher, ws := normals(r, rows*cols), normals(r, rows*cols), normals(r, rows)
		for i := range teacher { // far from 0, and two rows nearly equal
			student[i] += 40
			if i < 2*cols {
				teacher[i] = student[i] + teacher[i]/1000
			}
		}
		ps = append(ps, problem{
			name: fmt.Sprintf("Divergence [%d, %d] temperature %v", rows, cols, temperature),
			rows: rows,
			apply: func(t *testing.T, dev compute.Device, lo, hi int) [][]float32 {
				put := func(x []float32, cols int) view { return place(dev, hi-lo, cols, x[lo*cols:hi*cols]) }
				s, from, w, loss := put(student, cols), put(teacher, cols), put(ws, 1), place(dev, hi-lo, 1, nil)
				backward(dev).Divergence(loss.Tensor, s.Tensor, from.Tensor, w.Tensor, temperature)
				return join(loss.read(t), s.read(t))
			},
			want: func(i int) (values, bounds []float64) {
				x, p := doubles(student[i*cols:(i+1)*cols]), logSoftmax(doubles(teacher[i*cols:(i+1)*cols]), float64(temperature))
				spread := 0.0
				loss := func() (sum float64) {
					spread = 0
					for j, q := range logSoftmax(x, float64(temperature)) {
						sum += math.Exp(p[j]) * (p[j] - q)
						spread += math.Exp(p[j]) * math.Abs(p[j]-q)
					}
					return sum
				}
				values = append(values, loss())
				bounds = append(bounds, 1e-6*spread+1e-7) // the denominators' roundings count in full
				for j, v := range slopes(x, func() float64 { return loss() * float64(ws[i]) }) {
					values = append(values, v)
					q := math.Exp(logSoftmax(x, float64(temperature))[j])
					bounds = append(bounds, 1e-9+1e-6*math.Abs(float64(ws[i]))*(q+math.Exp(p[j]))/float64(temperature))
				}
				return values, bounds
			},
		})
	}
	return ps
}

// embedBackward: a chain of one rounding a token, on top of what is there; ids come again and again.
func embedBackward(t *testing.T, open func(t *testing.T, threads int) compute.Device) {
	for n, s := range []struct{ vocabulary, tokens, cols int }{{1, 1, 1}, {5, 3, 17}, {7, 600, 33}, {300, 1100, 64}, {3, 20, 1003}} {
		r := rand.New(rand.NewPCG(uint64(n), 3))
		table, dout, ids := normals(r, s.vocabulary*s.cols), normals(r, s.tokens*s.cols), make([]int32, s.tokens)
		want, size := doubles(table), 1.0
		const factor = 1.75
		for i := range ids {
			ids[i] = int32(r.IntN(s.vocabulary))
			for j := range s.cols {
				want[int(ids[i])*s.cols+j] += factor * float64(dout[i*s.cols+j])
			}
		}
		size = max(size, largest(want))
		got := everywhere(t, "EmbedBackward", open, func(dev compute.Device) []float32 {
			to, dy := place(dev, s.vocabulary, s.cols, table), place(dev, s.tokens, s.cols, dout)
			backward(dev).EmbedBackward(to.Tensor, dy.Tensor, column(dev, ids), factor)
			return flat(to.read(t))
		})
		within(t, fmt.Sprintf("EmbedBackward %+v", s), got, want, size*rounding*(4+float64(s.tokens)/float64(s.vocabulary)))
	}
}
