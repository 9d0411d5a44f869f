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
	d.eachRows(logits.Rows, logits.Cols, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			x, w := floatRow(logits, i), floatRow(weights, i)[0]
			t := at[i]
			if t < 0 {
				clear(x)
				continue
			}
			d.softmax(x, x, 1)
			x[t]--
			d.rows.times(x, w)
		}
	})
}

// softmax writes that of x / temperature; out may be x.
func (d *Device) softmax(out, x []float32, temperature float32) {
	if temperature != 1 {
		for j, v := range x {
			out[j] = v / temperature
		}
		x = out
	}
	top := d.rows.maximum(x)
	sum := d.rows.sumExp(x, top)
	for j, v := range x {
		out[j] = float32(float64(expGeneric(v-top)) / sum)
	}
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
	d.eachRows(student.Rows, 2*student.Cols, func(lo, hi int) {
		p := make([]float32, student.Cols)
		for i := lo; i < hi; i++ {
			q, from, w := floatRow(student, i), floatRow(teacher, i), floatRow(weights, i)[0]
			logQ, logP := d.logSum(q, temperature), d.logSum(from, temperature)
			d.softmax(p, from, temperature)
			var sum float64
			for j, v := range p {
				sum += float64(v) * (float64(from[j])/float64(temperature) - logP - float64(q[j])/float64(temperature) + logQ)
			}
			floatRow(loss, i)[0] = float32(sum)
			d.softmax(q, q, temperature)
			for j := range q {
				q[j] = (q[j] - p[j]) * w / temperature
			}
		}
	})
}

// logSum is ln Σ exp(x / temperature).
func (d *Device) logSum(x []float32, temperature float32) float64 {
	top := float64(d.rows.maximum(x))
	var sum float64
	for _, v := range x {
		sum += math.Exp((float64(v) - top) / float64(temperature))
	}
	return math.Log(sum) + top/float64(temperature)
}
