package cpu

import (
	"slices"

	"shallow/compute"
)

// chunk is about how many elements one thread takes at a time.
const chunk = 1 << 14

// eachRows runs body on all threads for stretches [lo, hi) of rows that have cols elements each.
func (d *Device) eachRows(rows, cols int, body func(lo, hi int)) {
	n := max(1, chunk/max(1, cols))
	d.pool.run((rows+n-1)/n, func(_, i int) { body(i*n, min(rows, (i+1)*n)) })
}

// The kinds that numbers come in.
var (
	float32Kind = []compute.Kind{compute.Float32}
	floatKinds  = []compute.Kind{compute.Float32, compute.BFloat16, compute.Float16}
	weightKinds = []compute.Kind{compute.Float32, compute.BFloat16, compute.Float16, compute.NF4, compute.Q8_0}
)

// fits reports whether t is rows × cols elements of one of the kinds and lies inside its memory; it fails if not.
func (d *Device) fits(op, name string, t compute.Tensor, rows, cols int, kinds ...compute.Kind) bool {
	end := t.Offset + (rows-1)*t.Stride + cols // of the last row
	switch m, ok := t.Memory.(*memory); {
	case !ok:
		d.fail("%s: %s is no tensor of this device", op, name)
	case m.kind != t.Kind || !slices.Contains(kinds, t.Kind):
		d.fail("%s: %s is %v, want one of %v", op, name, t, kinds)
	case t.Rows != rows || t.Cols != cols:
		d.fail("%s: %s is %v, want [%d, %d]", op, name, t, rows, cols)
	case t.Kind == compute.Q8_0 && (t.Offset|t.Stride|cols)%compute.Q8Block != 0:
		d.fail("%s: %s (%v at %d, stride %d) cuts blocks of %d", op, name, t, t.Offset, t.Stride, compute.Q8Block)
	case rows > 0 && cols > 0 && (t.Offset < 0 || t.Stride < 0 || elements(t.Kind, end) > len(m.data)):
		d.fail("%s: %s (%v at %d, stride %d) ends past its memory; was it released?", op, name, t, t.Offset, t.Stride)
	case t.Kind == compute.NF4 && end > len(m.absmax)*compute.NF4Block:
		d.fail("%s: %s has %d scales for %d elements", op, name, len(m.absmax), end)
	default:
		return true
	}
	return false
}

// indices are the elements of t, an Int32 [rows, 1], each of which must be in [low, limit).
func (d *Device) indices(op, name string, t compute.Tensor, rows, low, limit int) ([]int32, bool) {
	if !d.fits(op, name, t, rows, 1, compute.Int32) || rows == 0 {
		return nil, d.ok()
	}
	from, ids := int32s(t), make([]int32, rows)
	for i := range ids {
		ids[i] = from[i*t.Stride]
		if int(ids[i]) < low || int(ids[i]) >= limit {
			d.fail("%s: %s[%d] is %d, not in [%d, %d)", op, name, i, ids[i], low, limit)
			return nil, false
		}
	}
	return ids, true
}

// floatRow is row i of a Float32 tensor.
func floatRow(t compute.Tensor, i int) []float32 {
	lo := t.Offset + i*t.Stride
	return asSlice[float32](t.Memory.(*memory).data)[lo : lo+t.Cols]
}

// halfRow is row i of a BFloat16 or Float16 tensor.
func halfRow(t compute.Tensor, i int) []uint16 {
	lo := t.Offset + i*t.Stride
	return asSlice[uint16](t.Memory.(*memory).data)[lo : lo+t.Cols]
}

// widenRow writes row i of a tensor of any kind of weight to dst as float32.
func (d *Device) widenRow(dst []float32, t compute.Tensor, i int) {
	switch t.Kind {
	case compute.Float32:
		copy(dst, floatRow(t, i))
	case compute.BFloat16:
		d.rows.widenBF16(dst, halfRow(t, i))
	case compute.Float16:
		d.rows.widenF16(dst, halfRow(t, i))
	default:
		w := weightOf(t)
		w.decode(dst[:t.Cols], i, 0)
	}
}
