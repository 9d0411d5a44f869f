package decoder

import (
	"fmt"

	"shallow/compute"
)

// Prediction is what the head says of the token behind a state.
type Prediction struct {
	Logits []float32 // [V]; used again for other states
	Top    int       // the token with the largest logit, the first of those
	loss   float64   // -log of its probability
}

// LogProb is the logarithm of a token's probability, in nats. Whatever else is asked of the state, the bits are the same.
func (p Prediction) LogProb(id int) float64 {
	return float64(p.Logits[id]) - float64(p.Logits[p.Top]) - p.loss
}

// Predict hands over the prediction behind each state of x [n, D], in their order. A state with logits that are not
// finite gets a *RowError.
func (h *Head) Predict(x compute.Tensor, see func(row int, p Prediction) error) error {
	dev, v := h.model.Device, h.model.Spec.V
	rows := min(h.rows, x.Rows)
	logits, losses, tops := make([]float32, rows*v), make([]float32, rows), make([]int32, rows)
	at, loss := dev.New(compute.Int32, rows, 1), dev.New(compute.Float32, rows, 1)
	defer dev.Release(at.Memory)
	defer dev.Release(loss.Memory)
	for lo := 0; lo < x.Rows; lo += rows {
		n := min(rows, x.Rows-lo)
		t := h.apply(x.RowRange(lo, lo+n))
		if err := dev.Download(compute.Bytes(logits[:n*v]), t); err != nil {
			return err
		}
		for i := range n {
			tops[i] = int32(largest(logits[i*v : (i+1)*v]))
		}
		dev.Upload(at.RowRange(0, n), compute.Bytes(tops[:n]))
		dev.CrossEntropy(loss.RowRange(0, n), t, at.RowRange(0, n))
		if err := dev.Download(compute.Bytes(losses[:n]), loss.RowRange(0, n)); err != nil {
			return err
		}
		for i := range n {
			if losses[i]-losses[i] != 0 {
				return &RowError{Row: lo + i}
			}
			p := Prediction{Logits: logits[i*v : (i+1)*v], Top: int(tops[i]), loss: float64(losses[i])}
			if err := see(lo+i, p); err != nil {
				return err
			}
		}
	}
	return nil
}

// RowError says that the logits behind a state are not finite.
type RowError struct{ Row int }

func (e *RowError) Error() string {
	return fmt.Sprintf("decoder: the logits behind state %d are not finite", e.Row)
}

// largest is the first place of the largest number. A NaN is never taken, so the loss of such a row is NaN.
func largest(x []float32) int {
	best := 0
	for i, v := range x {
		if v > x[best] {
			best = i
		}
	}
	return best
}
