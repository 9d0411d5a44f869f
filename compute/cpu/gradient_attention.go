package cpu

import (
	"math"

	"shallow/compute"
)

// AttentionBackward is the gradient of Attention.
func (d *Device) AttentionBackward(dq, dk, dv, dout, out, q, k, v compute.Tensor, b compute.Batch, o compute.AttentionOptions) {
	const op = "AttentionBackward"
	if !d.ok() || !d.fits(op, "q", q, q.Rows, q.Cols, compute.Float32) || !d.fits(op, "k", k, q.Rows, k.Cols, compute.Float32) {
		return
	}
	for name, t := range map[string]compute.Tensor{"dq": dq, "dout": dout, "out": out} {
		if !d.fits(op, name, t, q.Rows, q.Cols, compute.Float32) {
			return
		}
	}
	for name, t := range map[string]compute.Tensor{"dk": dk, "dv": dv, "v": v} {
		if !d.fits(op, name, t, q.Rows, k.Cols, compute.Float32) {
			return
		}
	}
	size := o.HeadSize
	if size < 1 || k.Cols == 0 || k.Cols%size != 0 || q.Cols%k.Cols != 0 || !d.fits(op, "log-sum-exp", o.LogSumExp, q.Rows, q.Cols/size, compute.Float32) {
		d.fail("%s: queries %v and keys %v in heads of %d", op, q, k, size)
		return
	}
	group := q.Cols / k.Cols
	heads := k.Cols / size
	offsets := int32s(b.Offsets)
	d.pool.run(b.Lengths.Rows*heads, func(_, item int) {
		s, head := item/heads, item%heads
		lo, hi := int(offsets[s*b.Offsets.Stride]), int(offsets[(s+1)*b.Offsets.Stride])
		at := func(t compute.Tensor, row, h int) []float32 { return floatRow(t, row)[h*size : (h+1)*size] }
		for i := lo; i < hi; i++ {
			clear(at(dk, i, head))
			clear(at(dv, i, head))
		}
		for i := lo; i < hi; i++ {
			first := lo
			if o.Window > 0 {
				first = max(lo, i-o.Window+1)
			}
			for h := head * group; h < (head+1)*group; h++ {
				qi, dqi, doi := at(q, i, h), at(dq, i, h), at(dout, i, h)
				sum := dotProduct(doi, at(out, i, h))
				lse := float64(floatRow(o.LogSumExp, i)[h])
				clear(dqi)
				for j := first; j <= i; j++ {
					score := dotProduct(qi, at(k, j, head)) * float64(o.Scale)
					inner := 1.0
					if o.SoftCap != 0 {
						t := math.Tanh(score / float64(o.SoftCap))
						score, inner = float64(o.SoftCap)*t, 1-t*t
					}
					p := math.Exp(score - lse)
					d.rows.axpy(at(dv, j, head), doi, float32(p))
					ds := float32(p * (dotProduct(doi, at(v, j, head)) - sum) * inner * float64(o.Scale))
					d.rows.axpy(dqi, at(k, j, head), ds)
					d.rows.axpy(at(dk, j, head), qi, ds)
				}
			}
		}
	})
}

func dotProduct(a, b []float32) (sum float64) {
	for j, v := range a {
		sum += float64(v) * float64(b[j])
	}
	return sum
}
