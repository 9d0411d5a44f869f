package cpu

import (
	"slices"
	"unsafe"

	"shallow/compute"
)

// alignment is that of a cache line and of the widest vector.
const alignment = 64

// memory is a stretch of host memory: our own, or a mapped file's.
type memory struct {
	data   []byte
	absmax []float32 // of NF4
	kind   compute.Kind
}

// Bytes counts the elements and their scales.
func (m *memory) Bytes() int64 { return int64(len(m.data)) + 4*int64(len(m.absmax)) }

// alignedBytes allocates n zero bytes that begin at a cache line.
func alignedBytes(n int) []byte {
	if n == 0 {
		return nil
	}
	b := make([]byte, n+alignment)
	skip := int(-uintptr(unsafe.Pointer(unsafe.SliceData(b))) % alignment)
	return b[skip : skip+n : skip+n]
}

// alignedFloats allocates n zero floats that begin at a cache line.
func alignedFloats(n int) []float32 { return asSlice[float32](alignedBytes(4 * n)) }

// asSlice sees bytes as numbers. They must be aligned.
func asSlice[T any](b []byte) []T {
	if len(b) == 0 {
		return nil
	}
	var zero T
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/int(unsafe.Sizeof(zero)))
}

func elements(kind compute.Kind, n int) int { // bytes of n elements without scales
	if kind == compute.NF4 {
		return (n + 1) / 2
	}
	return int(kind.Bytes(n))
}

// wholeBlocks fails where the rows of a tensor of Q8_0 are not whole blocks.
func (d *Device) wholeBlocks(t compute.Tensor) bool {
	if t.Kind == compute.Q8_0 && t.Cols%compute.Q8Block != 0 {
		d.fail("%v: rows must be whole blocks of %d", t, compute.Q8Block)
		return false
	}
	return true
}

// New allocates a tensor of zeros.
func (d *Device) New(kind compute.Kind, rows, cols int) compute.Tensor {
	m := &memory{kind: kind, data: alignedBytes(elements(kind, rows*cols))}
	if kind == compute.NF4 {
		m.absmax = make([]float32, (rows*cols+compute.NF4Block-1)/compute.NF4Block)
	}
	t := compute.Tensor{Memory: m, Kind: kind, Rows: rows, Cols: cols, Stride: cols}
	d.wholeBlocks(t)
	return t
}

// Load uses the bytes where they are, or a copy where they are not aligned to their elements.
func (d *Device) Load(kind compute.Kind, rows, cols int, data []byte) compute.Tensor {
	t := compute.Tensor{Memory: &memory{kind: kind}, Kind: kind, Rows: rows, Cols: cols, Stride: cols}
	if want := elements(kind, rows*cols); kind == compute.NF4 || len(data) != want || !d.wholeBlocks(t) {
		d.fail("Load: %d bytes for %v, which takes %d", len(data), t, want)
		return t
	}
	size := uintptr(kind.Bytes(1))
	if kind == compute.Q8_0 {
		size = 1
	}
	if uintptr(unsafe.Pointer(unsafe.SliceData(data)))%size != 0 {
		data = append(alignedBytes(len(data))[:0], data...)
	}
	t.Memory.(*memory).data = data
	return t
}

// LoadNF4 uses codes and scales where they are.
func (d *Device) LoadNF4(rows, cols int, codes []byte, absmax []float32) compute.Tensor {
	n := rows * cols
	t := compute.Tensor{Memory: &memory{kind: compute.NF4, data: codes, absmax: absmax}, Kind: compute.NF4, Rows: rows, Cols: cols, Stride: cols}
	if len(codes) != (n+1)/2 || len(absmax) != (n+compute.NF4Block-1)/compute.NF4Block {
		d.fail("LoadNF4: %d codes and %d scales for %v", len(codes), len(absmax), t)
	}
	return t
}

// Release forgets a memory. The panels of packed weights are kept for the next ones of that size, so that a model that goes
// through layer by layer has one layer's panels in memory and not also those that wait for the garbage collector.
func (d *Device) Release(m compute.Memory) {
	switch m := m.(type) {
	case *memory:
		m.data, m.absmax = nil, nil
	case *packed:
		if len(d.spare) < maxSpare && m.units != nil {
			d.spare = append(d.spare, m.units)
		}
		m.units = nil
	case *cache:
		m.units, m.pages = nil, 0
	}
}

// maxSpare is more than the matrices of a layer.
const maxSpare = 16

// panels are n zero units, from what was released before if there are any of that size.
func (d *Device) panels(n int) []uint32 {
	for i, units := range d.spare {
		if len(units) == n {
			d.spare = slices.Delete(d.spare, i, i+1)
			clear(units)
			return units
		}
	}
	return asSlice[uint32](alignedBytes(4 * n))
}

// Upload copies src into dst, row by row.
func (d *Device) Upload(dst compute.Tensor, src []byte) {
	if !d.ok() {
		return
	}
	row := elements(dst.Kind, dst.Cols)
	if dst.Kind == compute.NF4 || len(src) != dst.Rows*row {
		d.fail("Upload: %d bytes to %v", len(src), dst)
		return
	}
	w := weightOf(dst)
	for i := range dst.Rows {
		copy(w.memory.data[w.bytes(w.offset+i*w.stride):], src[i*row:(i+1)*row])
	}
}

// Download copies src to dst, row by row.
func (d *Device) Download(dst []byte, src compute.Tensor) error {
	if err := d.Sync(); err != nil {
		return err
	}
	row := elements(src.Kind, src.Cols)
	if src.Kind == compute.NF4 || len(dst) != src.Rows*row {
		d.fail("Download: %v to %d bytes", src, len(dst))
		return d.Sync()
	}
	w := weightOf(src)
	for i := range src.Rows {
		copy(dst[i*row:(i+1)*row], w.memory.data[w.bytes(w.offset+i*w.stride):])
	}
	return nil
}

// floats is a Float32 tensor's memory from its first element on, int32s an Int32 one's. A view of nothing may begin past
// the end.
func floats(t compute.Tensor) []float32 {
	all := asSlice[float32](t.Memory.(*memory).data)
	return all[min(t.Offset, len(all)):]
}

func int32s(t compute.Tensor) []int32 {
	all := asSlice[int32](t.Memory.(*memory).data)
	return all[min(t.Offset, len(all)):]
}

// arena hands out slices of one stretch of memory.
type arena struct {
	device *Device
	data   []byte
	used   int
}

// NewArena allocates the arena's memory.
func (d *Device) NewArena(bytes int64) compute.Arena {
	return &arena{device: d, data: alignedBytes(int(bytes))}
}

// New takes the next aligned stretch.
func (a *arena) New(kind compute.Kind, rows, cols int) compute.Tensor {
	n := elements(kind, rows*cols)
	t := compute.Tensor{Memory: &memory{kind: kind}, Kind: kind, Rows: rows, Cols: cols, Stride: cols}
	if kind == compute.NF4 || !a.device.wholeBlocks(t) || a.used+n > len(a.data) {
		a.device.fail("arena: no room for %v: %d of %d bytes are used", t, a.used, len(a.data))
		return t
	}
	t.Memory.(*memory).data = a.data[a.used : a.used+n : a.used+n]
	a.used += (n + alignment - 1) / alignment * alignment
	return t
}

// Reset takes all tensors back.
func (a *arena) Reset() { a.used = 0 }

// Release drops the memory.
func (a *arena) Release() { a.data = nil }
