package cpu

import "shallow/compute"

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
	// One owner for each stripe of columns: it adds all tokens in their order.
	const stripe = 256
	d.pool.run((dtable.Cols+stripe-1)/stripe, func(_, n int) {
		lo, hi := n*stripe, min((n+1)*stripe, dtable.Cols)
		for i, id := range rows {
			d.rows.axpy(floatRow(dtable, int(id))[lo:hi], floatRow(dout, i)[lo:hi], scale)
		}
	})
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
	kernel := gradientsAt(d.level).gated[act]
	d.eachRows(gate.Rows, gate.Cols, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			kernel(floatRow(dgate, i), floatRow(dup, i), floatRow(dout, i), floatRow(gate, i), floatRow(up, i))
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
	kernel := gradientsAt(d.level).activate[act]
	d.eachRows(x.Rows, x.Cols, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			kernel(floatRow(dx, i), floatRow(dout, i), floatRow(x, i))
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
	kernel := gradientsAt(d.level).cap
	d.eachRows(dx.Rows, dx.Cols, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			kernel(floatRow(dx, i), floatRow(y, i), 1/limit)
		}
	})
}
