package decoder

import (
	"fmt"

	"shallow/compute"
)

// Batch is a micro-batch: sequences, and for each token the one to predict behind it, negative for none.
type Batch struct {
	Sequences [][]int
	Targets   [][]int32
	// Weights are what each predicted token's loss counts beside Weight; nil is 1 everywhere.
	Weights [][]float32
	// Weight is what every predicted token's loss counts, as 1 over the tokens of an optimizer step.
	Weight float32
	// Step and MicroStep count from 0: dropout depends on them.
	Step, MicroStep uint32

	// Skip are layers that are left out, as if the model did not have them. Those below the first in which anything is trained are
	// never left out. Source: Fan et al., 2020 (LayerDrop).
	Skip []int

	// Match and Distill, one at most, take the place of the tokens to predict.
	Match   *Match
	Distill *Distill

	// Entering, if given, is what Training.Entering said of these sequences: what lies below is then not computed again.
	Entering []float32
}

// Match is the loss Weight · Σ (x - States)² over all elements of the residual stream x that enters a layer, L for what
// leaves the last; the layers from there on are not run. States [N, D] are another model's, on the same device.
// Source: Gromov et al., 2025, equation 8.
type Match struct {
	Layer  int
	States compute.Tensor
}

// Distill is the loss Weight · Σ KL(p‖q) over predicted tokens, where p is what another model's head makes of its States
// [N, D] and q the model's own distribution, both at a temperature. Targets only say which tokens count.
type Distill struct {
	Head        *Head
	States      compute.Tensor
	Temperature float32
}

// predictions are the targets of all tokens, one sequence after another, and what each counts.
func (b Batch) predictions(lengths []int) (targets []int32, weights []float32, err error) {
	if len(b.Targets) != len(lengths) || b.Weights != nil && len(b.Weights) != len(lengths) {
		return nil, nil, fmt.Errorf("decoder: %d sequences, %d lists of targets, %d of weights", len(lengths), len(b.Targets), len(b.Weights))
	}
	for i, list := range b.Targets {
		if len(list) != lengths[i] || b.Weights != nil && len(b.Weights[i]) != lengths[i] {
			return nil, nil, fmt.Errorf("decoder: sequence %d has %d tokens and %d targets", i, lengths[i], len(list))
		}
		for j, target := range list {
			weight := b.Weight
			if b.Weights != nil {
				weight *= b.Weights[i][j]
			}
			if target < 0 {
				weight = 0
			}
			targets, weights = append(targets, target), append(weights, weight)
		}
	}
	return targets, weights, nil
}
