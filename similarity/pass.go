package similarity

import (
	"context"
	"errors"
	"fmt"
	"math"

	"shallow/compute"
	"shallow/decoder"
)

// piece is the sequences of a group that go through a layer together.
type piece struct {
	*decoder.Group
	first int            // number of its first sequence
	last  compute.Tensor // [S, D], the last tokens' states at the boundary
	// states[s][ℓ] is the last token's state of its sequence s at boundary ℓ.
	states [][][]float32
	// influence[s][ℓ] is the sum over the tokens of its sequence s.
	influence [][]float64
}

// pass takes a group of sequences, the first of which has number first, through all layers.
func pass(ctx context.Context, m *decoder.Model, group [][]int, first int, scope Scope, progress *counter) ([]sequence, error) {
	started, err := start(m, group, first)
	defer func() {
		for _, p := range started {
			p.close(m)
		}
	}()
	if err != nil {
		return nil, err
	}
	before := newBefore(m, started, scope)
	defer before.release(m)

	for layer, err := range m.Layers(nil) {
		if err != nil {
			return nil, err
		}
		for _, p := range started {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			if err := p.forward(m, layer, scope, before); err != nil {
				return nil, err
			}
			progress.add(p.Sequences(), 1)
		}
	}

	var found []sequence
	for _, p := range started {
		for s := range p.states {
			table, err := Angles(p.states[s])
			if err != nil {
				return nil, fmt.Errorf("similarity: sequence %d: %w", p.first+s, err)
			}
			found = append(found, sequence{Distances: table, Influence: p.influence[s]})
		}
	}
	return found, nil
}

// start embeds a group, piece by piece. What was started must be closed also after an error.
func start(m *decoder.Model, group [][]int, first int) (started []*piece, err error) {
	for _, sequences := range pieces(group) {
		g, err := m.Start(sequences)
		if err != nil {
			return started, fmt.Errorf("similarity: of the sequences from %d on: %w", first, err)
		}
		n := len(sequences)
		p := &piece{Group: g, first: first, states: make([][][]float32, n), influence: make([][]float64, n)}
		p.last = m.Device.New(compute.Float32, n, m.Spec.D)
		started = append(started, p)
		p.Last(p.last)
		if err := p.keep(m); err != nil {
			return started, err
		}
		first += n
	}
	return started, nil
}

func (p *piece) close(m *decoder.Model) {
	m.Device.Release(p.last.Memory)
	p.Close()
}

// forward takes a piece through a layer and keeps what is asked for of it.
func (p *piece) forward(m *decoder.Model, layer *decoder.Layer, scope Scope, before *before) error {
	whole := layer.Index < scope.layers(m.Spec.L)
	if !whole && layer.Index == m.Spec.L-1 {
		p.ForwardLast(layer, p.last)
		return p.keep(m)
	}
	if whole {
		before.copy(m, p.Group)
	}
	p.Forward(layer)
	p.Last(p.last)
	if err := p.keep(m); err != nil {
		return p.explain(err, layer.Index)
	}
	if !whole {
		return nil
	}
	changes, err := before.changes(m, p.Group)
	if err != nil {
		return err
	}
	offsets := p.Offsets()
	for s := range p.influence {
		var sum float64
		for i, v := range changes[offsets[s]:offsets[s+1]] {
			if math.IsNaN(float64(v)) {
				return p.explain(fmt.Errorf("similarity: sequence %d: the state of token %d at layer %d is zero, so it has no angle; "+
					"--influence off measures the last tokens alone", p.first+s, i, layer.Index), layer.Index)
			}
			sum += float64(v)
		}
		p.influence[s] = append(p.influence[s], sum)
	}
	return nil
}

// explain finds where X, which has just left a layer, is not finite, and the weight that is to blame. Where all of X is
// finite it gives err.
func (p *piece) explain(err error, layer int) error {
	var broken *decoder.NonFiniteError
	if errors.As(p.Finite(layer), &broken) {
		broken.Sequence += p.first
		return fmt.Errorf("similarity: %w", broken)
	}
	return err
}

// keep downloads the last tokens' states and checks them, so that a broken weight is found at its layer.
func (p *piece) keep(m *decoder.Model) error {
	data := make([]float32, p.last.Rows*p.last.Cols)
	if err := m.Device.Download(compute.Bytes(data), p.last); err != nil {
		return fmt.Errorf("similarity: %w", err)
	}
	for s := range p.states {
		x := data[s*m.Spec.D : (s+1)*m.Spec.D]
		for _, v := range x {
			if v-v != 0 {
				return fmt.Errorf("similarity: sequence %d: the state %s is not finite", p.first+s, boundary(len(p.states[s]), m.Spec.L))
			}
		}
		p.states[s] = append(p.states[s], x)
	}
	return nil
}

// before holds the states that enter a layer while a piece goes through it.
type before struct {
	x        compute.Tensor // [N, D] of the largest piece
	all      compute.Tensor // Int32 [N, 1], every row
	distance compute.Tensor // [N, 1]
}

func newBefore(m *decoder.Model, started []*piece, scope Scope) *before {
	b := new(before)
	if scope == Off {
		return b
	}
	rows := 0
	for _, p := range started {
		rows = max(rows, p.Rows())
	}
	index := make([]int32, rows)
	for i := range index {
		index[i] = int32(i)
	}
	b.x = m.Device.New(compute.Float32, rows, m.Spec.D)
	b.distance = m.Device.New(compute.Float32, rows, 1)
	b.all = m.Device.New(compute.Int32, rows, 1)
	m.Device.Upload(b.all, compute.Bytes(index))
	return b
}

func (b *before) release(m *decoder.Model) {
	for _, t := range []compute.Tensor{b.x, b.all, b.distance} {
		if t.Given() {
			m.Device.Release(t.Memory)
		}
	}
}

// copy keeps what enters the layer.
func (b *before) copy(m *decoder.Model, g *decoder.Group) {
	m.Device.Gather(b.x.RowRange(0, g.Rows()), g.X(), b.all.RowRange(0, g.Rows()))
}

// changes is 1 - cos between what entered and what left, for each row.
func (b *before) changes(m *decoder.Model, g *decoder.Group) ([]float32, error) {
	out := b.distance.RowRange(0, g.Rows())
	m.Device.CosineDistance(out, g.X(), b.x.RowRange(0, g.Rows()))
	changes := make([]float32, g.Rows())
	if err := m.Device.Download(compute.Bytes(changes), out); err != nil {
		return nil, fmt.Errorf("similarity: %w", err)
	}
	return changes, nil
}
