package cpu

import (
	"math"

	"shallow/compute"
)

// EmbedBackward adds rows to those of the table.
func (d *Device) EmbedBackward(dtable, dout, ids compute.Tensor, scale float32) {
	if !d.ok() || !d.fits("EmbedBackward", "dtable", dtable, dtable.Rows, dtable.Cols, compute.Float32) ||
		!d.fits("EmbedBackward", "dout", dout, dout.Rows, dtable.Cols, compute.Float32) {
		return
	}
	rows, ok := d.indices("EmbedBackward", "ids", ids, dout.Rows, 0, dtable.Rows)
	if !ok {
		return
	}
	d.eachRows(dtable.Cols, dout.Rows, func(lo, hi int) { // one owner for each column
		for i, id := range rows {
			d.rows.axpy(floatRow(dtable, int(id))[lo:hi], floatRow(dout, i)[lo:hi], scale)
		}
	})
}

// slope is the derivative of act at x.
func slope(x float64, act compute.Activation) float64 {
	logistic := func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
	switch act {
	case compute.SiLU:
		s := logistic(x)
		return s * (1 + x*(1-s))
	case compute.GELU:
		return (1+math.Erf(x/math.Sqrt2))/2 + x*math.Exp(-x*x/2)/math.Sqrt(2*math.Pi)
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

// GatedActivationBackward is the gradient of GatedActivation.
func (d *Device) GatedActivationBackward(dgate, dup, dout, gate, up compute.Tensor, act compute.Activation) {
	const op = "GatedActivationBackward"
	if !d.ok() || !d.knows(op, act) || !d.fits(op, "gate", gate, gate.Rows, gate.Cols, compute.Float32) {
		return
	}
	for name, t := range map[string]compute.Tensor{"dgate": dgate, "dup": dup, "dout": dout, "up": up} {
		if !d.fits(op, name, t, gate.Rows, gate.Cols, compute.Float32) {
			return
		}
	}
	d.eachRows(gate.Rows, gate.Cols, func(lo, hi int) {
		act1 := make([]float32, gate.Cols)
		for i := lo; i < hi; i++ {
			dg, du, dy, g, u := floatRow(dgate, i), floatRow(dup, i), floatRow(dout, i), floatRow(gate, i), floatRow(up, i)
			d.rows.activate[act](act1, g)
			for j, y := range dy {
				a, b := y*u[j]*float32(slope(float64(g[j]), act)), y*act1[j]
				dg[j], du[j] = a, b
			}
		}
	})
}

// ActivateBackward is the gradient of Activate.
func (d *Device) ActivateBackward(dx, dout, x compute.Tensor, act compute.Activation) {
	const op = "ActivateBackward"
	if !d.ok() || !d.knows(op, act) || !d.fits(op, "x", x, x.Rows, x.Cols, compute.Float32) ||
		!d.fits(op, "dout", dout, x.Rows, x.Cols, compute.Float32) || !d.fits(op, "dx", dx, x.Rows, x.Cols, compute.Float32) {
		return
	}
	d.eachRows(x.Rows, x.Cols, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			to, dy, from := floatRow(dx, i), floatRow(dout, i), floatRow(x, i)
			for j, y := range dy {
				to[j] = y * float32(slope(float64(from[j]), act))
			}
		}
	})
}

// SoftCapBackward is the gradient of SoftCap.
func (d *Device) SoftCapBackward(dx, y compute.Tensor, limit float32) {
	const op = "SoftCapBackward"
	if !d.ok() || !d.fits(op, "dx", dx, dx.Rows, dx.Cols, compute.Float32) || !d.fits(op, "y", y, dx.Rows, dx.Cols, compute.Float32) {
		return
	}
	if !(limit > 0) {
		d.fail("%s: a limit of %g", op, limit)
		return
	}
	d.eachRows(dx.Rows, dx.Cols, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			to, from := floatRow(dx, i), floatRow(y, i)
			for j, v := range from {
				t := v / limit
				to[j] *= 1 - t*t
			}
		}
	})
}
