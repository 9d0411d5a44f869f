package cpu

import (
	"unsafe"

	"shallow/compute"
)

// packed is a weight in panels, [panel][unit][columns of a tile], the last panel filled up with zeros.
type packed struct {
	in         compute.Kind
	rows, cols int
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
	if _, ok := w.Memory.(*packed); ok || w.Kind == compute.Int32 || (in != compute.Float32 && in != compute.BFloat16) {
		d.fail("Pack: %v to be multiplied in %v", w, in)
		return t
	}
	k := kernelsOf(d.level, in)
	units := k.units(w.Cols)
	panels := (w.Rows + k.cols - 1) / k.cols
	m.units = d.panels(int(d.PackedBytes(w.Kind, w.Rows, w.Cols, in) / 4))
	source := weightOf(w)
	d.pool.run(panels, func(_, i int) {
		panel := m.units[i*units*k.cols:]
		for u := 0; u < units; u += blockUnits {
			k.packWeights(panel[u*k.cols:], &source, i*k.cols, u, min(blockUnits, units-u), i*k.cols, u+blockUnits)
		}
	})
	return t
}

// PackedBytes is the memory that Pack takes: 4 bytes a unit, rows rounded up to whole panels.
func (d *Device) PackedBytes(kind compute.Kind, rows, cols int, in compute.Kind) int64 {
	k := kernelsOf(d.level, in)
	return 4 * int64(roundUp(rows, k.cols)) * int64(k.units(cols))
}

// weight is a weight tensor as the packing reads it.
type weight struct {
	kind           compute.Kind
	memory         *memory
	packed         *packed
	offset, stride int // in elements
	rows, cols     int
	first          int // row of the packed weight where this view of it begins
}

func weightOf(t compute.Tensor) weight {
	w := weight{kind: t.Kind, offset: t.Offset, stride: t.Stride, rows: t.Rows, cols: t.Cols}
	switch m := t.Memory.(type) {
	case *packed:
		w.packed, w.first = m, t.Offset/max(t.Stride, 1)
	case *memory:
		w.memory = m
	}
	return w
}

// panel is where unit u of a packed weight's panel lies, or nil.
func (w *weight) panel(panel, u, cols, units int) *uint32 {
	if w.packed == nil {
		return nil
	}
	return &w.packed.units[(panel*units+u)*cols]
}

// at is where element (row, col) lies; of NF4, the byte that holds its code.
func (w *weight) at(row, col int) unsafe.Pointer {
	i := w.offset + row*w.stride + col
	switch w.kind {
	case compute.NF4:
		i /= 2
	case compute.Float32:
		i *= 4
	default:
		i *= 2
	}
	return unsafe.Pointer(&w.memory.data[i])
}

// decode reads len(dst) elements of a row, from column col on.
func (w *weight) decode(dst []float32, row, col int) {
	i := w.offset + row*w.stride + col
	switch w.kind {
	case compute.Float32:
		copy(dst, asSlice[float32](w.memory.data)[i:])
	case compute.BFloat16:
		for j, h := range asSlice[uint16](w.memory.data)[i:][:len(dst)] {
			dst[j] = bf16ToFloat(h)
		}
	case compute.Float16:
		for j, h := range asSlice[uint16](w.memory.data)[i:][:len(dst)] {
			dst[j] = f16ToFloat(h)
		}
	case compute.NF4:
		for j := range dst {
			code := w.memory.data[(i+j)/2] >> (4 * (1 - (i+j)%2)) & 15
			dst[j] = nf4Codes[code] * w.memory.absmax[(i+j)/compute.NF4Block]
		}
	}
}

// nf4Codes are the quantiles that the 16 codes stand for. Source: Dettmers et al., 2023, appendix E.
var nf4Codes = [16]float32{
	-1, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453,
	-0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0,
	0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
	0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1,
}
