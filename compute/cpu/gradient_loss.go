package cpu

import (
	"math"

	"shallow/compute"
)

// CrossEntropyBackward turns logits into their gradient.
func (d *Device) CrossEntropyBackward(logits, targets, weights compute.Tensor) {
	const op = "CrossEntropyBackward"
	if !d.ok() || !d.fits(op, "logits", logits, logits.Rows, logits.Cols, compute.Float32) ||
		!d.fits(op, "weights", weights, logits.Rows, 1, compute.Float32) {
		return
	}
	at, ok := d.indices(op, "targets", targets, logits.Rows, math.MinInt32, logits.Cols)
	if !ok {
		return
	}
	kernels := gradientsAt(d.level)
	d.eachRows(logits.Rows, logits.Cols, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			x, w := floatRow(logits, i), floatRow(weights, i)[0]
			t := at[i]
			if t < 0 {
				clear(x)
				continue
			}
			top := d.rows.maximum(x)
			sum := d.rows.sumExp(x, top)
			// The target's probability in float64: the difference from 1 would lose the digits of one that is nearly certain.
			own := float32((math.Exp(float64(x[t])-float64(top))/sum - 1) * float64(w))
			kernels.exps(x, x, top, 1, float32(float64(w)/sum))
			x[t] = own
		}
	})
}

// Divergence is the forward Kullback-Leibler divergence and its gradient.
func (d *Device) Divergence(loss, student, teacher, weights compute.Tensor, temperature float32) {
	const op = "Divergence"
	if !d.ok() || !d.fits(op, "student", student, student.Rows, student.Cols, compute.Float32) ||
		!d.fits(op, "teacher", teacher, student.Rows, student.Cols, compute.Float32) ||
		!d.fits(op, "loss", loss, student.Rows, 1, compute.Float32) || !d.fits(op, "weights", weights, student.Rows, 1, compute.Float32) {
		return
	}
	if !(temperature > 0) {
		d.fail("%s: a temperature of %g", op, temperature)
		return
	}
	kernels, by := gradientsAt(d.level), 1/temperature
	scratch := make([][]float32, d.pool.threads)
	d.pool.run(student.Rows, func(worker, i int) {
		if scratch[worker] == nil {
			scratch[worker] = make([]float32, student.Cols)
		}
		p, q, from, w := scratch[worker], floatRow(student, i), floatRow(teacher, i), floatRow(weights, i)[0]
		topQ, topP := d.rows.maximum(q), d.rows.maximum(from)
		sumQ, sumP := kernels.sumExps(q, topQ, by), kernels.sumExps(from, topP, by)
		kernels.exps(p, from, topP, by, float32(1/sumP))
		// ln p - ln q is the difference of the logits and a number for the row.
		shift := (float64(topQ)-float64(topP))*float64(by) + math.Log(sumQ) - math.Log(sumP)
		floatRow(loss, i)[0] = float32(kernels.divergence(p, from, q, float64(by), shift))
		kernels.exps(q, q, topQ, by, float32(1/sumQ))
		d.rows.axpy(q, p, -1)
		d.rows.times(q, w*by)
	})
}
