package cpu

import "shallow/compute"

// packed is a weight in panels, [panel][unit][columns of a tile], the last panel filled up with zeros.
type packed struct {
	in         compute.Kind
	rows, cols int
	turned     bool // for MatMulBackward
	units      []uint32
}

// Bytes is the memory of the panels.
func (p *packed) Bytes() int64 { return 4 * int64(len(p.units)) }

// Pack lays a weight out in panels, as MatMul would do for every call.
func (d *Device) Pack(w compute.Tensor, in compute.Kind) compute.Tensor {
	m := &packed{in: in, rows: w.Rows, cols: w.Cols}
	t := compute.Tensor{Memory: m, Kind: w.Kind, Rows: w.Rows, Cols: w.Cols, Stride: w.Cols}
	if !d.ok() {
		return t
	}
	if in != compute.Float32 && in != compute.BFloat16 {
		d.fail("Pack: %v to be multiplied in %v", w, in)
		return t
	}
	if !d.fits("Pack", "weight", w, w.Rows, w.Cols, weightKinds...) {
		return t
	}
	d.packPanels(m, weightOf(w))
	return t
}

// packPanels fills the panels of m.
func (d *Device) packPanels(m *packed, source weight) {
	k := kernelsOf(d.level, m.in)
	units := k.units(m.cols)
	m.units = d.panels(int(d.PackedBytes(source.kind, m.rows, m.cols, m.in) / 4))
	d.pool.run((m.rows+k.cols-1)/k.cols, func(_, i int) {
		panel := m.units[i*units*k.cols:]
		for u := 0; u < units; u += blockUnits {
			k.packWeights(panel[u*k.cols:], &source, i*k.cols, u, min(blockUnits, units-u), i*k.cols, u+blockUnits)
		}
	})
}

// PackedBytes is the memory that Pack takes: 4 bytes a unit, rows rounded up to whole panels.
func (d *Device) PackedBytes(kind compute.Kind, rows, cols int, in compute.Kind) int64 {
	k := kernelsOf(d.level, in)
	return 4 * int64(roundUp(rows, k.cols)) * int64(k.units(cols))
}
