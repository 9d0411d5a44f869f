package decoder

import (
	"context"
	"fmt"

	"shallow/compute"
)

// Training is a model whose adapters or weights follow the gradient of a loss. Its weights stay in memory; the activations of as many
// layers as the memory allows are kept from the forward to the backward pass, those of the others are computed again:
// results do not depend on it.
type Training struct {
	model     *Model
	gradients compute.Gradients
	layers    []*Layer
	embedding *embedding
	head      *Head
	lowest    int // the first layer in which anything is trained, -1 for the embedding

	room    TrainingRoom
	arenas  []compute.Arena // of the layers whose activations are kept, the last layers first
	again   compute.Arena   // for the others, one at a time
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
}

// Train prepares a training of adapters and parameters, which the layers then use. It must be released before the model is
// used otherwise.
func (m *Model) Train(adapters []*Adapter, parameters []*Parameter, room TrainingRoom, seed uint32) (*Training, error) {
	g, ok := m.Device.(compute.Gradients)
	if !ok {
		return nil, fmt.Errorf("decoder: %v computes no gradients", m.Device)
	}
	for i, l := range m.Spec.Layers {
		if l.Sparse {
			return nil, unsupported("training of layer %d, a mixture of experts,", i)
		}
	}
	s := m.Spec
	m.trained = map[string]*Parameter{}
	for _, p := range parameters {
		m.trained[p.Name] = p
	}
	t := &Training{model: m, gradients: g, room: room, lowest: s.L, embedding: m.loadEmbedding(room.Rows), head: m.head(false, 0)}
	if m.trained[s.EmbeddingWeight().Name] != nil || m.trained[s.PositionWeight().Name] != nil {
		t.lowest = -1
	}
	t.room.Kept = min(room.Kept, s.L)
	for i := range s.L {
		l := m.layer(i, false)
		t.layers = append(t.layers, l)
		if err := l.attach(adapters); err != nil {
			t.Release()
			return nil, err
		}
		if l.trains() {
			t.lowest = min(t.lowest, i)
		}
	}
	dev := m.Device
	trace := traceBytes(s, adapters, room.Rows)
	for range t.room.Kept {
		t.arenas = append(t.arenas, dev.NewArena(trace))
	}
	if t.room.Kept < s.L {
		t.again = dev.NewArena(trace)
	}
	for range s.L - t.room.Kept {
		t.states = append(t.states, dev.New(compute.Float32, room.Rows, s.D))
	}
	t.scratch = dev.NewArena(backwardBytes(s, adapters, room.Rows))
	t.x, t.dx = dev.New(compute.Float32, room.Rows, s.D), dev.New(compute.Float32, room.Rows, s.D)
	count := make([]int32, room.Rows)
	for i := range count {
		count[i] = int32(i)
	}
	t.tokens = m.uploadInts(count)
	t.dropped = dev.New(compute.Float32, room.Rows, max(s.D, s.F, s.H*s.HeadSize))
	m.work.dropout.Seed = seed
	return t, dev.Sync()
}

// Release gives the memory back. Adapters and parameters stay.
func (t *Training) Release() {
	dev := t.model.Device
	t.model.trained = nil
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
	m, s := t.model, t.model.Spec
	lengths, ids, err := m.tokens(b.Sequences)
	if err != nil {
		return 0, err
	}
	if len(ids) > t.room.Rows {
		return 0, fmt.Errorf("decoder: a micro-batch of %d tokens in room for %d", len(ids), t.room.Rows)
	}
	targets, weights, err := b.predictions(lengths)
	if err != nil {
		return 0, err
	}
	p := m.newPlan(lengths, [][]span{whole(lengths)})
	defer p.release(m.Device)
	x := t.x.RowRange(0, len(ids))
	at := m.uploadInts(ids)
	defer func() { m.Device.Release(at.Memory) }()
	t.embedding.embed(x, at, p.chunks[0].rows.positions)

	w := &m.work
	w.reserve(m, len(ids), p.pages)
	w.gradients, w.tokens, w.dropped = t.gradients, t.tokens.RowRange(0, len(ids)), t.dropped
	w.dropout.Step, w.dropout.MicroStep = b.Step, b.MicroStep
	own := w.arena
	defer func() { w.arena, w.keep, w.trace = own, false, trace{} }()
	traces := make([]trace, s.L)
	rows := &p.chunks[0].rows
	for i, l := range t.layers {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		if at := i - (s.L - t.room.Kept); at >= 0 {
			traces[i] = t.kept(w, l, t.arenas[at], x, rows)
			continue
		}
		m.Device.Copy(t.states[i].RowRange(0, x.Rows), x)
		w.arena, w.keep = t.scratch, true
		w.arena.Reset()
		l.forward(w, x, w.cache, rows)
	}

	loss, err := t.loss(w, x, targets, weights)
	if err != nil {
		return 0, err
	}
	back := rows.turnedBack(m)
	defer back.releaseRopes(m.Device)
	dx := t.dx.RowRange(0, len(ids))
	for i := s.L - 1; i >= max(t.lowest, 0); i-- {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		l := t.layers[i]
		if i < s.L-t.room.Kept {
			m.Device.Copy(x, t.states[i].RowRange(0, x.Rows))
			traces[i] = t.kept(w, l, t.again, x, rows)
		}
		w.arena, w.keep = t.scratch, true
		l.backward(w, &traces[i], dx, back)
	}
	if t.lowest < 0 {
		t.embedding.backward(t.gradients, dx, at, rows.positions)
	}
	return loss, m.Device.Sync()
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

// kept takes x through a layer and keeps what its backward pass needs in an arena.
func (t *Training) kept(w *workspace, l *Layer, arena compute.Arena, x compute.Tensor, r *rows) trace {
	w.arena, w.keep, w.trace = arena, true, trace{}
	arena.Reset()
	l.forward(w, x, w.cache, r)
	return w.trace
}

// whole is a chunk of whole sequences.
func whole(lengths []int) []span {
	var spans []span
	for s, n := range lengths {
		spans = append(spans, span{s, 0, n})
	}
	return spans
}

// loss gives the loss of states x that left the last layer, and writes its gradient to dx, a few rows of logits at a time.
func (t *Training) loss(w *workspace, x compute.Tensor, targets []int32, weights []float32) (float64, error) {
	m, s, h, g := t.model, t.model.Spec, t.head, t.gradients
	dev := m.Device
	at, ws := m.uploadInts(targets), m.upload(weights, len(weights), 1)
	losses := dev.New(compute.Float32, x.Rows, 1)
	defer func() {
		for _, x := range []compute.Tensor{at, ws, losses} {
			dev.Release(x.Memory)
		}
	}()
	for lo := 0; lo < x.Rows; lo += h.rows {
		hi := min(lo+h.rows, x.Rows)
		part, n := x.RowRange(lo, hi), hi-lo
		w.arena, w.keep = t.scratch, true
		w.arena.Reset()
		stats := m.statistics(w, n, s.D, h.norm)
		normed := w.floats(n, s.D)
		m.norm(normed, part, h.norm, stats)
		logits := w.floats(n, s.V)
		h.logits(logits, normed)
		dev.CrossEntropy(losses.RowRange(lo, hi), logits, at.RowRange(lo, hi))
		var capped compute.Tensor
		if s.LogitCap != 0 {
			capped = w.copied(logits)
		}
		g.CrossEntropyBackward(logits, at.RowRange(lo, hi), ws.RowRange(lo, hi))
		if s.LogitCap != 0 {
			g.SoftCapBackward(logits, capped, s.LogitCap)
		}
		if s.LogitScale != 1 {
			dev.Scale(logits, s.LogitScale)
		}
		if h.dweight.Given() || h.dbias.Given() {
			g.WeightGradient(h.dweight, h.dbias, logits, normed, m.headIn)
		}
		g.MatMulBackward(normed, m.headIn, false, compute.Product{Out: logits, W: h.weight})
		m.normBackward(w, t.dx.RowRange(lo, hi), normed, h.norm, normTrace{part, stats}, false)
	}
	each := make([]float32, x.Rows)
	if err := dev.Download(compute.Bytes(each), losses); err != nil {
		return 0, err
	}
	var sum float64
	for i, l := range each {
		sum += float64(l) * float64(weights[i])
	}
	return sum, nil
}

// turnedBack is the rows with rotations the other way round.
func (r *rows) turnedBack(m *Model) *rows {
	back := *r
	back.ropes = nil
	for _, t := range r.ropes {
		sin := m.Device.New(compute.Float32, t.sin.Rows, t.sin.Cols)
		m.Device.Add(sin, t.sin, -1)
		t.sin = sin
		back.ropes = append(back.ropes, t)
	}
	return &back
}

func (r *rows) releaseRopes(dev compute.Device) {
	for _, t := range r.ropes {
		dev.Release(t.sin.Memory)
	}
}

// traceBytes is what a layer's activations take where they are kept for so many rows.
func traceBytes(s *Spec, adapters []*Adapter, rows int) int64 {
	floats := 10*s.D + 3*(s.H+2*s.K)*s.HeadSize + 5*s.H + 4*s.F + 8 + adapterRanks(s, adapters)
	return compute.Float32.Bytes(rows*floats) + 2*arenaTensors*arenaAlignment
}

// backwardBytes is what a layer's backward pass takes for so many rows, and one call of the head.
func backwardBytes(s *Spec, adapters []*Adapter, rows int) int64 {
	return max(traceBytes(s, adapters, rows), compute.Float32.Bytes(headRows(s, rows)*(2*s.V+2*s.D+8))+arenaTensors*arenaAlignment)
}

// adapterRanks is the rank of a layer's adapters together.
func adapterRanks(s *Spec, adapters []*Adapter) int {
	sum := 0
	for _, a := range adapters {
		sum += 2 * a.A.Rows
	}
	return sum/max(s.L, 1) + 2
}
