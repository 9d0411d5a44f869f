package cpu

import (
	"slices"

	"shallow/compute"
)

// rowKernels are the inner loops of the element-wise operations at one level. Slices of one call have the same length
// unless said. What a kernel computes for an element depends on that element alone, never on its place in the row; what it
// computes for a row depends on the row and its length alone.
type rowKernels struct {
	widenBF16, widenF16 func(dst []float32, src []uint16)
	// sumSquares is Σx².
	sumSquares func(x []float32) float32
	// normalize writes x·r·w. out may be x.
	normalize func(out, x, w []float32, r float32)
	// rotate turns each headSize elements of x by the angles of cos and sin, as RoPE says. len(sin) is len(cos).
	rotate func(x, cos, sin []float32, headSize int)
	// rotateNeighbours is rotate for pairs that lie side by side.
	rotateNeighbours func(x, cos, sin []float32, headSize int)
	// silu writes gate/(1+e^-gate)·up. out may be gate or up.
	silu func(out, gate, up []float32)
	// activate writes act(x). out may be x.
	activate func(out, x []float32, act compute.Activation)
	// tanh writes limit·tanh(x·scale/limit). out may be x.
	tanh func(out, x []float32, scale, limit float32)
	// sum is Σx and squaresAround Σ(x-mean)².
	sum           func(x []float32) float32
	squaresAround func(x []float32, mean float32) float32
	// affine writes (x-mean)·r·w + b. out may be x. b may be empty.
	affine func(out, x, w, b []float32, mean, r float32)
	// times writes x·by, and axpy adds a·y to x.
	times func(x []float32, by float32)
	axpy  func(x, y []float32, a float32)
	// dots are a·b, a·a and b·b in float64.
	dots func(a, b []float32) (ab, aa, bb float64)
	// maximum is the largest element; it may miss a NaN.
	maximum func(x []float32) float32
	// sumExp is Σexp(x-shift), added in float64.
	sumExp func(x []float32, shift float32) float64
}

var genericRows = rowKernels{
	widenBF16:  widenBF16Generic,
	widenF16:   widenF16Generic,
	sumSquares: sumSquaresGeneric,
	normalize:  normalizeGeneric,
	rotate:     rotateGeneric,
	silu:       siluGeneric,

	rotateNeighbours: rotateNeighboursGeneric,
	activate:         activateGeneric,
	tanh:             tanhGeneric,
	sum:              sumGeneric,
	squaresAround:    squaresAroundGeneric,
	affine:           affineGeneric,
	times:            timesGeneric,
	axpy:             axpyGeneric,

	dots:    dotsGeneric,
	maximum: maximumGeneric,
	sumExp:  sumExpGeneric,
}

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
