package heal

import (
	"context"
	"errors"
	"fmt"

	"shallow/compute"
	"shallow/decoder"
)

// Loss is what is made small.
type Loss string

// The losses.
const (
	NextToken Loss = "next-token" // cross-entropy of the token that follows
	Matching  Loss = "match"      // squared difference of the residual stream at the cut from the unpruned model's behind it
	Distilled Loss = "distill"    // divergence of the unpruned model's next-token distribution from this one's
)

// Cut is where layers are gone: between Layer-1 and Layer of the model that is healed. Behind is the number that Layer has in the
// unpruned model.
type Cut struct{ Layer, Behind int }

// Teacher is the unpruned model, on the device of the one that is healed.
type Teacher struct {
	Model       *decoder.Model
	Temperature float64 // of both distributions, for Distilled

	head *decoder.Head
}

// checkTeacher refuses a loss without what it needs.
func (o *Options) checkTeacher(m *decoder.Model) error {
	switch {
	case o.Objective == "" || o.Objective == NextToken:
		return nil
	case o.Objective != Matching && o.Objective != Distilled:
		return fmt.Errorf("heal: loss %q is none of next-token, match, distill", o.Objective)
	case o.Teacher == nil:
		return fmt.Errorf("heal: --loss %s compares with the unpruned model: give --teacher", o.Objective)
	case o.Objective == Matching && o.Cut == nil:
		return errors.New("heal: --loss match compares the residual stream at the cut: plan.json is not beside the model, so give --cut")
	}
	s, t := m.Spec, o.Teacher.Model.Spec
	switch {
	case s.V != t.V || s.D != t.D:
		return fmt.Errorf("heal: the teacher has a vocabulary of %d and hidden size %d, the model %d and %d: it is another one's", t.V, t.D, s.V, s.D)
	case o.Objective == Matching && (o.Cut.Layer < 1 || o.Cut.Layer > s.L || o.Cut.Behind < o.Cut.Layer || o.Cut.Behind > t.L):
		return fmt.Errorf("heal: a cut before layer %d of %d, layer %d of the teacher's %d", o.Cut.Layer, s.L, o.Cut.Behind, t.L)
	case o.Objective == Distilled && !(o.Teacher.Temperature > 0):
		return fmt.Errorf("heal: a temperature of %g", o.Teacher.Temperature)
	}
	return nil
}

// show lets the teacher see a batch's sequences and makes the batch's loss that of the comparison. The states must be released.
func (l *loop) show(ctx context.Context, b *decoder.Batch, elements float64) (release func(), err error) {
	if l.Objective == "" || l.Objective == NextToken {
		return func() {}, nil
	}
	m := l.Teacher.Model
	g, err := m.Start(b.Sequences)
	if err != nil {
		return nil, err
	}
	last := m.Spec.L
	if l.Objective == Matching {
		last = l.Cut.Behind
	}
	if last > 0 {
		for layer, err := range m.Layers(nil) {
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				g.Close()
				return nil, err
			}
			g.Forward(layer)
			if layer.Index == last-1 {
				break
			}
		}
	}
	if l.Objective == Matching {
		b.Match = &decoder.Match{Layer: l.Cut.Layer, States: g.X()}
		b.Weight = float32(1 / elements)
		return g.Close, nil
	}
	if l.Teacher.head == nil {
		l.Teacher.head = m.Head()
	}
	b.Distill = &decoder.Distill{Head: l.Teacher.head, States: g.X(), Temperature: float32(l.Teacher.Temperature)}
	return g.Close, nil
}

// release gives the teacher's head back.
func (t *Teacher) release() {
	if t != nil && t.head != nil {
		t.head.Release()
		t.head = nil
	}
}

// entering adds to a batch what enters the first trained layer, where that was computed for all of its rows before, and keeps it
// for the next time otherwise, as long as there is room.
func (l *loop) entering(ctx context.Context, b *decoder.Batch) error {
	if l.below == nil {
		return nil
	}
	var all []float32
	for _, ids := range b.Sequences {
		key := digest(compute.Bytes(int32s(ids)))
		states, ok := l.below.states[key]
		if !ok {
			var err error
			if states, err = l.training.Entering(ctx, [][]int{ids}); err != nil {
				return err
			}
			if size := int64(4 * len(states)); size <= l.below.left {
				l.below.states[key] = states
				l.below.left -= size
			}
		}
		all = append(all, states...)
	}
	b.Entering = all
	return nil
}

// entered is the residual stream that enters the first trained layer, by the rows' tokens.
type entered struct {
	states map[string][]float32
	left   int64 // bytes that may still be kept
}

func int32s(ids []int) []int32 {
	out := make([]int32, len(ids))
	for i, id := range ids {
		out[i] = int32(id)
	}
	return out
}
