package cpu

import "shallow/compute"

// GatedActivation is act(gate) · up.
func (d *Device) GatedActivation(out, gate, up compute.Tensor, act compute.Activation) {
	if !d.ok() || !d.fits("GatedActivation", "out", out, out.Rows, out.Cols, compute.Float32) ||
		!d.fits("GatedActivation", "gate", gate, out.Rows, out.Cols, compute.Float32) ||
		!d.fits("GatedActivation", "up", up, out.Rows, out.Cols, compute.Float32) {
		return
	}
	if act != compute.SiLU {
		d.fail("GatedActivation: no activation %d", act)
		return
	}
	d.eachRows(out.Rows, out.Cols, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			d.rows.silu(floatRow(out, i), floatRow(gate, i), floatRow(up, i))
		}
	})
}
