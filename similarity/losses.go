package similarity

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"shallow/compute"
	"shallow/decoder"
)

// Losses is the mean next-token loss, in nat per predicted token, of the model without the n layers from each of the
// starts on. All candidates are run in one pass: what they share before their blocks is computed once, and each layer is
// loaded once for all of them. Memory and Progress of the options apply.
func Losses(ctx context.Context, m *decoder.Model, sequences [][]int, n int, starts []int, o Options) ([]float64, error) {
	predicted := 0
	for _, ids := range sequences {
		predicted += len(ids) - 1
	}
	if predicted <= 0 {
		return nil, errors.New("similarity: no sequence has a second token to predict")
	}
	for _, l := range starts {
		if l < 0 || l+n > m.Spec.L {
			return nil, fmt.Errorf("similarity: no %d layers start at %d in a model of %d", n, l, m.Spec.L)
		}
	}
	copies := int64(len(starts))
	head := m.Spec.HeadWeight()
	groups, err := divide(sequences, o.Memory, need{
		// Head and layers are never loaded at the same time; a packed head takes twice the float32 weights at most.
		fixed:    max(layerBytes(m), 2*compute.Float32.Bytes(int(head.Elements()))),
		states:   func(ids []int) int64 { return copies * m.StateBytes(len(ids)) },
		activity: func(longest int) int64 { return m.ScratchBytes([]int{longest}) },
	})
	if err != nil {
		return nil, err
	}
	progress := newCounter(o.Progress, sequences, m.Spec.L-n)
	sums := make([]float64, len(starts))
	for _, group := range groups {
		b, err := newBranches(m, group, n, starts)
		if err == nil {
			err = b.run(ctx, progress)
		}
		if err == nil {
			err = b.losses(ctx, sums)
		}
		b.close()
		if err != nil {
			return nil, err
		}
	}
	for i := range sums {
		if sums[i] /= float64(predicted); math.IsNaN(sums[i]) || math.IsInf(sums[i], 0) {
			return nil, fmt.Errorf("similarity: without layers [%d, %d) the loss is not finite", starts[i], starts[i]+n)
		}
	}
	return sums, nil
}

// branches are the candidates of one group of sequences: a trunk that goes through all layers up to the last start, and a
// branch for each start that leaves it there.
type branches struct {
	model  *decoder.Model
	n      int
	starts []int
	last   int // the last start, whose branch is the trunk itself
	pieces []*tree
}

type tree struct {
	trunk    *decoder.Group
	branches []*decoder.Group // one a start; nil before the trunk is there
}

func newBranches(m *decoder.Model, group [][]int, n int, starts []int) (*branches, error) {
	b := &branches{model: m, n: n, starts: starts, last: slices.Max(starts)}
	for _, sequences := range pieces(group) {
		g, err := m.Start(sequences)
		if err != nil {
			return b, fmt.Errorf("similarity: %w", err)
		}
		b.pieces = append(b.pieces, &tree{g, make([]*decoder.Group, len(starts))})
	}
	return b, nil
}

func (b *branches) close() {
	for _, t := range b.pieces {
		for _, g := range t.branches {
			if g != nil {
				g.Close()
			}
		}
		t.trunk.Close()
	}
}

// run takes trunk and branches through the layers.
func (b *branches) run(ctx context.Context, progress *counter) error {
	for layer, err := range b.model.Layers(b.unused()) {
		if err != nil {
			return err
		}
		for _, t := range b.pieces {
			if err := ctx.Err(); err != nil {
				return err
			}
			for i, start := range b.starts {
				if layer.Index == start && start < b.last {
					t.branches[i] = t.trunk.Clone()
				}
				if g := t.branches[i]; g != nil && layer.Index >= start+b.n {
					g.Forward(layer)
				}
			}
			if layer.Index < b.last || layer.Index >= b.last+b.n {
				t.trunk.Forward(layer)
				progress.add(t.trunk.Sequences(), 1)
			}
		}
	}
	return nil
}

// unused are the layers that neither trunk nor branches go through.
func (b *branches) unused() []int {
	var layers []int
	for l := b.last; l < slices.Min(b.starts)+b.n; l++ {
		layers = append(layers, l)
	}
	return layers
}

// losses adds each branch's losses to sums, sequence after sequence.
func (b *branches) losses(ctx context.Context, sums []float64) error {
	head := b.model.Head()
	defer head.Release()
	for _, t := range b.pieces {
		for i := range sums {
			if err := ctx.Err(); err != nil {
				return err
			}
			g := t.branches[i]
			if g == nil {
				g = t.trunk
			}
			rows, err := g.Losses(head)
			if err != nil {
				return err
			}
			offsets := g.Offsets()
			for s := range g.Sequences() {
				var sum float64
				for _, v := range rows[offsets[s]:offsets[s+1]] {
					sum += float64(v)
				}
				sums[i] += sum
			}
		}
	}
	return nil
}
