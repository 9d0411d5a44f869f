package demo

import (
	"math"

	"shallow/decoder"
	"shallow/plan"
)

// Cut is what became of the model's predictions when a block of layers was left out.
type Cut struct {
	N          int        `json:"n"`
	Range      plan.Range `json:"range"`      // zero-based, half-open
	Distance   float64    `json:"distance"`   // angular, of the block
	Agreement  float64    `json:"agreement"`  // share of tokens whose most likely successor stayed the same
	Divergence float64    `json:"divergence"` // mean KL(whole ‖ cut), nat a token
}

// logits runs sequences without the dropped layers, one layer after another, and returns [N, V] for all their tokens.
func logits(m *decoder.Model, sequences [][]int, drop []int) ([]float32, error) {
	g, err := m.Start(sequences)
	if err != nil {
		return nil, err
	}
	defer g.Close()
	for layer, err := range m.Layers(drop) {
		if err != nil {
			return nil, err
		}
		g.Forward(layer)
	}
	rows := make([]int, g.Rows())
	for i := range rows {
		rows[i] = i
	}
	head := m.Head()
	defer head.Release()
	return g.Logits(head, rows)
}

// compare holds the logits [N, V] of a cut model against those of the whole one.
func compare(whole, cut []float32, v int) (agreement, divergence float64) {
	n := len(whole) / v
	for i := range n {
		p, q := whole[i*v:(i+1)*v], cut[i*v:(i+1)*v]
		logP, logQ := logSumExp(p), logSumExp(q)
		best, other := 0, 0
		for j := range p {
			if p[j] > p[best] {
				best = j
			}
			if q[j] > q[other] {
				other = j
			}
			lp := float64(p[j]) - logP
			divergence += math.Exp(lp) * (lp - float64(q[j]) + logQ)
		}
		if best == other {
			agreement++
		}
	}
	return agreement / float64(n), divergence / float64(n)
}

func logSumExp(x []float32) float64 {
	top := math.Inf(-1)
	for _, v := range x {
		top = max(top, float64(v))
	}
	var sum float64
	for _, v := range x {
		sum += math.Exp(float64(v) - top)
	}
	return top + math.Log(sum)
}
