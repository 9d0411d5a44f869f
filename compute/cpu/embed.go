package cpu

import "shallow/compute"

// Embed looks rows up in a table of any kind of weight. An id outside the table is the device's error, and nothing is written.
func (d *Device) Embed(out, table, ids compute.Tensor, scale float32) {
	if !d.ok() || !d.fits("Embed", "out", out, out.Rows, out.Cols, compute.Float32) ||
		!d.fits("Embed", "table", table, table.Rows, out.Cols, compute.Float32, compute.BFloat16, compute.Float16, compute.NF4) {
		return
	}
	rows, ok := d.indices("Embed", "ids", ids, out.Rows, 0, table.Rows)
	if !ok {
		return
	}
	d.eachRows(out.Rows, out.Cols, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			dst := floatRow(out, i)
			d.widenRow(dst, table, int(rows[i]))
			if scale != 1 {
				for j := range dst {
					dst[j] *= scale
				}
			}
		}
	})
}

// Gather copies rows. A row outside x is the device's error, and nothing is written.
func (d *Device) Gather(out, x, rows compute.Tensor) {
	if !d.ok() || !d.fits("Gather", "out", out, out.Rows, out.Cols, compute.Float32) ||
		!d.fits("Gather", "x", x, x.Rows, out.Cols, compute.Float32) {
		return
	}
	from, ok := d.indices("Gather", "rows", rows, out.Rows, 0, x.Rows)
	if !ok {
		return
	}
	d.eachRows(out.Rows, out.Cols, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			copy(floatRow(out, i), floatRow(x, int(from[i])))
		}
	})
}

// nf4Values are the quantiles of the normal distribution that NF4's codes stand for.
// Source: Dettmers et al., 2023, appendix E.
var nf4Values = [16]float32{
	-1, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453,
	-0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0,
	0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
	0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1,
}

// widenNF4 writes the elements of m from place at on.
func widenNF4(dst []float32, m *memory, at int) {
	for j := range dst {
		e := at + j
		code := m.data[e/2] >> 4
		if e%2 == 1 {
			code = m.data[e/2] & 15
		}
		dst[j] = nf4Values[code] * m.absmax[e/compute.NF4Block]
	}
}
