package cpu

import (
	"math"

	"shallow/compute"
)

// SumSquares adds the squares of blocks of 4096 elements, and the blocks, in ascending order.
func (d *Device) SumSquares(x compute.Tensor) (float64, error) {
	if !d.ok() || !d.fits("SumSquares", "x", x, x.Rows, x.Cols, compute.Float32) {
		return 0, d.Sync()
	}
	const block = 4096
	n := x.Rows * x.Cols
	sums := make([]float64, (n+block-1)/block)
	d.pool.run(len(sums), func(_, b int) {
		for e := b * block; e < min((b+1)*block, n); {
			row := floatRow(x, e/x.Cols)[e%x.Cols:]
			row = row[:min(len(row), min((b+1)*block, n)-e)]
			sums[b] += d.rows.sumSquares(row)
			e += len(row)
		}
	})
	var sum float64
	for _, s := range sums {
		sum += s
	}
	return sum, d.Sync()
}

// AdamW takes parameters one step on.
func (d *Device) AdamW(p, m, v, gradient compute.Tensor, scale float32, s compute.AdamWStep) {
	const op = "AdamW"
	if !d.ok() || !d.fits(op, "p", p, p.Rows, p.Cols, compute.Float32) || !d.fits(op, "m", m, p.Rows, p.Cols, compute.Float32) ||
		!d.fits(op, "v", v, p.Rows, p.Cols, compute.Float32) || !d.fits(op, "gradient", gradient, p.Rows, p.Cols, compute.Float32) {
		return
	}
	if s.T < 1 {
		d.fail("%s: step %d", op, s.T)
		return
	}
	step := adamStep{
		scale: scale, keep: float32(1 - s.Rate*s.Decay), fresh1: float32(1 - s.Beta1), beta2: float32(s.Beta2), fresh2: float32(1 - s.Beta2),
		rate: float32(s.Rate / (1 - math.Pow(s.Beta1, float64(s.T)))), root: float32(math.Sqrt(1 - math.Pow(s.Beta2, float64(s.T)))), eps: float32(s.Eps),
	}
	kernel := gradientsAt(d.level).adamW
	d.eachRows(p.Rows, 4*p.Cols, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			kernel(floatRow(p, i), floatRow(m, i), floatRow(v, i), floatRow(gradient, i), &step)
		}
	})
}
