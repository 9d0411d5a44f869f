package decoder

import "shallow/compute"

// predictor is the memory that predictions are made in, some states at a time.
type predictor struct {
	head     *Head
	logits   []float32      // [rows · V]
	losses   []float32      // [rows]
	tops     []int32        // [rows], -1 where nobody asks for log-probabilities
	at, loss compute.Tensor // Int32 and Float32 [rows, 1]
}

// newPredictor makes room for at most so many states at a time. It must be released.
func (h *Head) newPredictor(rows int) *predictor {
	rows = min(h.rows, rows)
	dev := h.model.Device
	return &predictor{
		head:   h,
		logits: make([]float32, rows*h.model.Spec.V), losses: make([]float32, rows), tops: make([]int32, rows),
		at: dev.New(compute.Int32, rows, 1), loss: dev.New(compute.Float32, rows, 1),
	}
}

func (p *predictor) release() {
	p.head.model.Device.Release(p.at.Memory)
	p.head.model.Device.Release(p.loss.Memory)
}

// predict hands over the prediction behind each state of x [n, D], in their order. Only those that asked names can tell
// log-probabilities.
func (p *predictor) predict(x compute.Tensor, asked func(row int) bool, see func(row int, p Prediction) error) error {
	for lo := 0; lo < x.Rows; lo += len(p.tops) {
		n := min(len(p.tops), x.Rows-lo)
		err := p.some(x.RowRange(lo, lo+n), func(row int) bool { return asked(lo + row) })
		if err != nil {
			return err
		}
		v := p.head.model.Spec.V
		for i := range n {
			one := Prediction{Logits: p.logits[i*v : (i+1)*v], Top: int(p.tops[i]), loss: float64(p.losses[i])}
			if err := see(lo+i, one); err != nil {
				return err
			}
		}
	}
	return nil
}

// some fills in logits, largest ones and their losses for as many states as there is room for.
func (p *predictor) some(x compute.Tensor, asked func(row int) bool) error {
	dev, v, n := p.head.model.Device, p.head.model.Spec.V, x.Rows
	t := p.head.apply(x)
	if err := dev.Download(compute.Bytes(p.logits[:n*v]), t); err != nil {
		return err
	}
	any := false
	for i := range n {
		p.tops[i] = -1
		if asked(i) {
			p.tops[i] = int32(largest(p.logits[i*v : (i+1)*v]))
			any = true
		}
	}
	if !any {
		return nil
	}
	at, loss := p.at.RowRange(0, n), p.loss.RowRange(0, n)
	dev.Upload(at, compute.Bytes(p.tops[:n]))
	dev.CrossEntropy(loss, t, at)
	return dev.Download(compute.Bytes(p.losses[:n]), loss)
}
