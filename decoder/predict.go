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

// Finite tells whether the logits are finite, -Inf excepted. Without log-probabilities it does not know.
func (p Prediction) Finite() bool { return p.loss-p.loss == 0 }

// Predict hands over the prediction behind each state of x [n, D], in their order. A state with logits that are not
// finite gets a *RowError.
func (h *Head) Predict(x compute.Tensor, see func(row int, p Prediction) error) error {
	made := h.newPredictor(x.Rows)
	defer made.release()
	return made.predict(x, func(int) bool { return true }, func(row int, p Prediction) error {
		if !p.Finite() {
			return &RowError{Row: row}
		}
		return see(row, p)
	})
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
