package cpu

import "shallow/compute"

// GatedActivation is act(gate) · up.
func (d *Device) GatedActivation(out, gate, up compute.Tensor, act compute.Activation) {
	if !d.ok() || !d.fits("GatedActivation", "out", out, out.Rows, out.Cols, float32Kind...) ||
		!d.fits("GatedActivation", "gate", gate, out.Rows, out.Cols, float32Kind...) ||
		!d.fits("GatedActivation", "up", up, out.Rows, out.Cols, float32Kind...) {
		return
	}
	if !d.knows("GatedActivation", act) {
		return
	}
	kernel := d.rows.gated[act]
	d.eachRows(out.Rows, out.Cols, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			kernel(floatRow(out, i), floatRow(gate, i), floatRow(up, i))
		}
	})
}

// Activate is act(x).
func (d *Device) Activate(out, x compute.Tensor, act compute.Activation) {
	if !d.ok() || !d.fits("Activate", "out", out, out.Rows, out.Cols, float32Kind...) ||
		!d.fits("Activate", "x", x, out.Rows, out.Cols, float32Kind...) || !d.knows("Activate", act) {
		return
	}
	kernel := d.rows.activate[act]
	d.eachRows(out.Rows, out.Cols, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			kernel(floatRow(out, i), floatRow(x, i))
		}
	})
}

func (d *Device) knows(op string, act compute.Activation) bool {
	if act < compute.SiLU || act >= activations {
		d.fail("%s: no activation %d", op, act)
		return false
	}
	return true
}
