package prune

import (
	"context"
	"fmt"
	"math/rand/v2"

	"shallow/checkpoint"
	"shallow/compute"
	"shallow/decoder"
)

// Proof says what was run to show that the pruned checkpoint computes what skipping the layers computes. It is only made
// when every bit agreed.
type Proof struct {
	Device    string `json:"device"` // and the kind in which the products were multiplied
	Sequences []int  `json:"sequence_lengths"`
	Logits    int    `json:"logits"` // how many were compared
}

// String is the proof in a sentence.
func (p *Proof) String() string {
	return fmt.Sprintf("%d logits of sequences of %v tokens, and the states at every layer, equal those of the original with the layers skipped, "+
		"bit for bit; so do cached and uncached runs (%s)", p.Logits, p.Sequences, p.Device)
}

// proofLengths are one token, fewer than a page of keys and values, and more than one.
var proofLengths = []int{1, 13, 70}

// checkProvable finds out, before anything is written, whether a proof can be made. If not, Unproved must be set.
func (r *run) checkProvable() error {
	if method := r.quantisation(); method != "" && (method != "bitsandbytes" || !r.runs()) {
		r.result.Reason = fmt.Sprintf("the weights are quantised (%s), and such a model is not run here", method)
		if !r.Unproved {
			return fmt.Errorf("prune: the result could not be proved: %s; --unproved moves and hashes the bytes all the same", r.result.Reason)
		}
		return nil
	}
	m, err := decoder.Open(r.Device, r.source, decoder.Options{})
	if err == nil {
		m.Close()
		return nil
	}
	if !r.Unproved {
		return fmt.Errorf("prune: the result could not be proved: %w; --unproved copies and hashes it all the same", err)
	}
	r.result.Reason = err.Error()
	return nil
}

// runs reports whether the model can be run: one in bitsandbytes' NF4 can.
func (r *run) runs() bool {
	m, err := decoder.Open(r.Device, r.source, decoder.Options{})
	if err != nil {
		return false
	}
	m.Close()
	return true
}

// prove runs both checkpoints, one layer in memory at a time.
func prove(ctx context.Context, dev compute.Device, source, pruned *checkpoint.Checkpoint, drop []int, progress func(string, int64, int64)) (*Proof, error) {
	original, err := decoder.Open(dev, source, decoder.Options{})
	if err != nil {
		return nil, err
	}
	defer original.Close()
	shallower, err := decoder.Open(dev, pruned, decoder.Options{})
	if err != nil {
		return nil, fmt.Errorf("prune: what was written cannot be run: %w", err)
	}
	defer shallower.Close()

	p := &Proof{Device: original.String()}
	var sequences [][]int
	r := rand.New(rand.NewPCG(1, 1))
	for _, length := range proofLengths {
		ids := make([]int, min(length, original.Spec.Context))
		for i := range ids {
			ids[i] = r.IntN(original.Spec.V)
		}
		sequences = append(sequences, ids)
		p.Sequences = append(p.Sequences, len(ids))
		p.Logits += len(ids) * original.Spec.V
	}
	stage := func(done int64) {
		if progress != nil {
			progress("prove", done, 2)
		}
	}
	stage(0)
	if err := decoder.Skipping(ctx, original, shallower, drop, sequences); err != nil {
		return nil, fmt.Errorf("prune: the proof failed: %w", err)
	}
	stage(1)
	if err := shallower.Caching(ctx, sequences); err != nil {
		return nil, fmt.Errorf("prune: the proof failed: %w", err)
	}
	stage(2)
	return p, nil
}
