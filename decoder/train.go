package decoder

import (
	"context"
	"fmt"
	"slices"

	"shallow/compute"
)

// Training is a model whose adapters or weights follow the gradient of a loss. Its weights stay in memory; the activations of as many
// layers as the memory allows are kept from the forward to the backward pass, those of the others are computed again:
// results do not depend on it.
type Training struct {
	cacheKind compute.Kind // that the model had before
	model     *Model
	gradients compute.Gradients
	layers    []*Layer
	embedding *embedding
	head      *Head
	lowest    int // the first layer in which anything is trained, -1 for the embedding

	room    TrainingRoom
	arenas  []compute.Arena // of the layers whose activations are kept, the last layers first
	again   compute.Arena   // for the others, and those of which nothing is kept, one at a time
	scratch compute.Arena   // of backward
	states  []compute.Tensor
	x, dx   compute.Tensor // [rows, D]
	tokens  compute.Tensor // Int32 [rows, 1]: 0, 1, 2, …
	dropped compute.Tensor
}

// TrainingRoom is how much a training can hold.
type TrainingRoom struct {
	Rows int // tokens of a micro-batch, all sequences together
	Kept int // layers whose activations are kept, counted from the last; more than there are is all
}

// Train prepares a training of adapters and parameters, which the layers then use. It must be released before the model is
// used otherwise.
func (m *Model) Train(adapters []*Adapter, parameters []*Parameter, room TrainingRoom, seed uint32) (*Training, error) {
	g, ok := m.Device.(compute.Gradients)
	if !ok {
		return nil, fmt.Errorf("decoder: %v computes no gradients", m.Device)
	}
	if err := m.Adapt(adapters); err != nil {
		return nil, err
	}
	s := m.Spec
	m.trained = map[string]*Parameter{}
	// Backward computes the scores again from queries and keys as they are: forward must not round them first.
	cacheKind := m.cacheKind
	m.cacheKind = compute.Float32
	m.work.release(m.Device)
	for _, p := range parameters {
		m.trained[p.Name] = p
	}
	t := &Training{cacheKind: cacheKind, model: m, gradients: g, room: room, lowest: s.L, embedding: m.loadEmbedding(room.Rows), head: m.head(false, 0)}
	if m.trained[s.EmbeddingWeight().Name] != nil || m.trained[s.PositionWeight().Name] != nil {
		t.lowest = -1
	}
	t.room.Kept = min(room.Kept, s.L)
	for i := range s.L {
		l := m.layer(i, false)
		t.layers = append(t.layers, l)
		if l.trains() {
			t.lowest = min(t.lowest, i)
		}
	}
	dev := m.Device
	trace := traceBytes(m, room.Rows)
	for range t.room.Kept {
		t.arenas = append(t.arenas, dev.NewArena(trace))
	}
	if t.room.Kept < s.L || t.lowest > 0 {
		t.again = dev.NewArena(trace)
	}
	for range s.L - t.room.Kept {
		t.states = append(t.states, dev.New(compute.Float32, room.Rows, s.D))
	}
	t.scratch = dev.NewArena(backwardBytes(m, room.Rows))
	t.x, t.dx = dev.New(compute.Float32, room.Rows, s.D), dev.New(compute.Float32, room.Rows, s.D)
	count := make([]int32, room.Rows)
	for i := range count {
		count[i] = int32(i)
	}
	t.tokens = m.uploadInts(count)
	t.dropped = dev.New(compute.Float32, room.Rows, max(s.D, s.F, s.H*s.HeadSize))
	m.work.dropout.Seed = seed
	return t, m.sync()
}

// Release gives the memory back. Adapters and parameters stay.
func (t *Training) Release() {
	dev := t.model.Device
	t.model.trained, t.model.adapters, t.model.cacheKind = nil, nil, t.cacheKind
	t.model.work.release(dev)
	for _, l := range t.layers {
		l.Release()
	}
	t.embedding.release()
	t.head.Release()
	for _, a := range append(append([]compute.Arena{}, t.arenas...), t.again, t.scratch) {
		if a != nil {
			a.Release()
		}
	}
	for _, x := range append(append([]compute.Tensor{}, t.states...), t.x, t.dx, t.tokens, t.dropped) {
		if x.Given() {
			dev.Release(x.Memory)
		}
	}
}

// Accumulate adds the gradients of a micro-batch's loss to those of the parameters and gives the loss: the sum of the
// predicted tokens' losses, each times the batch's weight.
func (t *Training) Accumulate(ctx context.Context, b Batch) (float64, error) {
	r, err := t.start(b.Sequences, b.Entering)
	if err != nil {
		return 0, err
	}
	defer r.end()
	targets, weights, err := b.predictions(r.plan.lengths)
	if err != nil {
		return 0, err
	}
	t.model.work.dropout.Step, t.model.work.dropout.MicroStep = b.Step, b.MicroStep
	last := t.model.Spec.L
	if b.Match != nil {
		last = b.Match.Layer
	}
	for i := r.first; i < last; i++ {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		if t.skips(b, i) {
			continue
		}
		r.forward(i)
	}
	loss, err := r.loss(b, targets, weights)
	if err != nil {
		return 0, err
	}
	for i := last - 1; i >= max(t.lowest, 0); i-- {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		if t.skips(b, i) {
			continue
		}
		r.backward(i)
	}
	if t.lowest < 0 {
		t.embedding.backward(t.gradients, r.dx, r.ids, r.rows.positions)
	}
	return loss, t.model.sync()
}

// skips reports whether a batch leaves a layer out.
func (t *Training) skips(b Batch, layer int) bool {
	return layer >= t.lowest && slices.Contains(b.Skip, layer)
}

// Below is the number of layers below the first in which anything is trained; 0 where the embedding is.
func (t *Training) Below() int { return max(t.lowest, 0) }

// Entering is the residual stream [N, D] that enters the first layer in which anything is trained, for a Batch of these
// sequences; nil where the embedding is trained. It does not change while training.
func (t *Training) Entering(ctx context.Context, sequences [][]int) ([]float32, error) {
	if t.lowest < 0 {
		return nil, nil
	}
	r, err := t.start(sequences, nil)
	if err != nil {
		return nil, err
	}
	defer r.end()
	for i := range t.lowest {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		r.pass(i)
	}
	out := make([]float32, r.x.Rows*r.x.Cols)
	return out, t.model.Device.Download(compute.Bytes(out), r.x)
}

// traceBytes is what a layer's activations take where they are kept for so many rows.
func traceBytes(m *Model, rows int) int64 {
	s := m.Spec
	q, kv := s.H*s.HeadSize, s.K*s.HeadSize
	floats := 4*s.D + 2*q + 2*kv + s.H + max(s.mlpWidth(), s.expertWidth()) + m.layerRanks() + 8*2 // both norms' copies and results, q, k, v, a
	if s.Names.QueryNorm != "" {
		floats += q + kv + 2*(s.H+s.K)
	}
	if s.Names.AttentionOutNorm != "" {
		floats += 4 * s.D
	} else if s.ResidualScale != 1 {
		floats += 2 * s.D
	}
	return compute.Float32.Bytes(rows*floats) + 2*arenaTensors*arenaAlignment
}

// mlpWidth is the numbers that a row's feed-forward network makes: before the activation and after.
func (s *Spec) mlpWidth() int {
	if s.Gated {
		return 3 * s.F
	}
	return 2 * s.F
}

// expertWidth is the numbers that a row's experts make, and their routing.
func (s *Spec) expertWidth() int {
	e := s.Experts
	if e.Count == 0 {
		return 0
	}
	return e.Count + e.Chosen*(2*s.D+3*e.F+4) + 2*s.D + 3*e.SharedF + 4
}

// backwardBytes is what a layer's backward pass takes for so many rows, and one call of the head.
func backwardBytes(m *Model, rows int) int64 {
	s := m.Spec
	q, kv := s.H*s.HeadSize, s.K*s.HeadSize
	attention, mlp := s.D+2*q+2*kv+m.layerRanks(), s.D+2*s.F+s.expertWidth()+m.layerRanks()
	if s.Names.AttentionOutNorm != "" || s.ResidualScale != 1 {
		attention, mlp = attention+s.D, mlp+s.D
	}
	floats := max(attention, mlp)
	if s.Parallel {
		floats = attention + mlp + s.D
	}
	head := compute.Float32.Bytes(headRows(s, rows)*(2*s.V+s.D+2)) + arenaTensors*arenaAlignment
	return max(compute.Float32.Bytes(rows*floats)+arenaTensors*arenaAlignment, head)
}
