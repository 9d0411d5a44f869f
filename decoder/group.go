package decoder

import (
	"fmt"
	"iter"
	"math"

	"shallow/compute"
)

// Group is sequences whose residual stream goes through the layers together, layer by layer.
type Group struct {
	model     *Model
	sequences [][]int
	plan      *plan
	x         compute.Tensor
}

// Start embeds sequences: X is then what layer 0 reads. The group must be closed.
func (m *Model) Start(sequences [][]int) (*Group, error) {
	lengths, ids, err := m.tokens(sequences)
	if err != nil {
		return nil, err
	}
	return m.start(sequences, ids, m.newPlan(lengths, split(lengths, m.options.Rows)))
}

// tokens checks sequences and puts their tokens one after another.
func (m *Model) tokens(sequences [][]int) (lengths []int, ids []int32, err error) {
	if len(sequences) == 0 {
		return nil, nil, fmt.Errorf("decoder: no sequences")
	}
	for s, seq := range sequences {
		if len(seq) == 0 {
			return nil, nil, fmt.Errorf("decoder: sequence %d is empty", s)
		}
		if p := m.Spec.Positions; p > 0 && len(seq) > p {
			return nil, nil, fmt.Errorf("decoder: sequence %d has %d tokens, the model knows %d positions", s, len(seq), p)
		}
		if len(seq) > maxSize || len(ids)+len(seq) > math.MaxInt32 {
			return nil, nil, fmt.Errorf("decoder: sequence %d has %d tokens, %d before it: run fewer at a time", s, len(seq), len(ids))
		}
		for i, id := range seq {
			if id < 0 || id >= m.Spec.V {
				return nil, nil, fmt.Errorf("decoder: token %d of sequence %d is %d: the vocabulary has %d", i, s, id, m.Spec.V)
			}
			ids = append(ids, int32(id))
		}
		lengths = append(lengths, len(seq))
	}
	return lengths, ids, nil
}

func (m *Model) start(sequences [][]int, ids []int32, p *plan) (*Group, error) {
	g := &Group{model: m, sequences: sequences, plan: p}
	g.x = m.Device.New(compute.Float32, len(ids), m.Spec.D)
	at := m.uploadInts(ids)
	e := m.loadEmbedding(p.rows)
	for _, c := range p.chunks {
		e.embed(g.x.RowRange(c.lo, c.hi), at.RowRange(c.lo, c.hi), c.rows.positions)
	}
	err := m.Device.Sync()
	e.release()
	m.Device.Release(at.Memory)
	m.Checkpoint.Forget(m.Spec.EmbeddingWeight().Name)
	if err != nil {
		g.Close()
		return nil, err
	}
	return g, nil
}

// X is the residual stream [N, D] at the boundary the group has reached: all sequences' rows, one after another.
func (g *Group) X() compute.Tensor { return g.x }

// Sequences are the tokens the group was started with.
func (g *Group) Sequences() [][]int { return g.sequences }

// Offsets [S+1]: sequence s has rows Offsets[s] to Offsets[s+1]-1 of X.
func (g *Group) Offsets() []int { return g.plan.offsets }

// Rows is N, the number of tokens of all sequences.
func (g *Group) Rows() int { return g.x.Rows }

// LastRows is an Int32 tensor [S, 1]: the row of X that holds each sequence's last token.
func (g *Group) LastRows() compute.Tensor { return g.plan.last }

// Last gathers the last token's state of each sequence into out [S, D].
func (g *Group) Last(out compute.Tensor) { g.model.Device.Gather(out, g.x, g.plan.last) }

// Forward takes X through a layer.
func (g *Group) Forward(l *Layer) {
	for range g.Through(l) {
	}
}

// Through is Forward in pieces: it gives how many rows each of them took through the layer. A group whose pieces are not
// all taken is of no further use.
func (g *Group) Through(l *Layer) iter.Seq[int] {
	return func(yield func(int) bool) {
		w := &g.model.work
		w.reserve(g.model, g.plan.rows, g.plan.pages)
		for i := range g.plan.chunks {
			c := &g.plan.chunks[i]
			if l.forward(w, g.x.RowRange(c.lo, c.hi), w.cache, &c.rows); !yield(c.hi - c.lo) {
				return
			}
		}
	}
}

// ForwardRows gives what leaves the layer at some rows alone, into out [len(wanted), D], bit for bit what Forward would
// leave there. wanted ascends. X stays what enters the layer. It saves the query, output and feed-forward products of
// all other rows.
func (g *Group) ForwardRows(l *Layer, wanted []int, out compute.Tensor) {
	w := &g.model.work
	w.reserve(g.model, g.plan.rows, g.plan.pages)
	for i := range g.plan.chunks {
		c := &g.plan.chunks[i]
		n := 0
		var rows []int
		var index []int32
		for n < len(wanted) && wanted[n] < c.hi {
			rows = append(rows, wanted[n]-c.lo)
			index = append(index, int32(wanted[n]-c.lo))
			n++
		}
		g.forwardSome(w, l, c, rows, index, out.RowRange(0, n))
		wanted, out = wanted[n:], out.RowRange(n, out.Rows)
	}
}

func (g *Group) forwardSome(w *workspace, l *Layer, c *chunk, wanted []int, index []int32, out compute.Tensor) {
	x := g.x.RowRange(c.lo, c.hi)
	if len(wanted) == 0 {
		// A later piece of the same sequence may still look back at these keys.
		l.forwardSome(w, out, x, w.cache, &c.rows, compute.Tensor{}, nil)
		return
	}
	dev := g.model.Device
	at := g.model.uploadInts(index)
	some, memory := g.model.newRows(c.single(wanted), g.plan.ropes)
	l.forwardSome(w, out, x, w.cache, &c.rows, at, &some)
	dev.Release(at.Memory)
	dev.Release(memory.Memory)
}

// ForwardLast is ForwardRows for each sequence's last token: out is [S, D].
func (g *Group) ForwardLast(l *Layer, out compute.Tensor) {
	wanted := make([]int, len(g.sequences))
	for s := range wanted {
		wanted[s] = g.plan.offsets[s+1] - 1
	}
	g.ForwardRows(l, wanted, out)
}

// Clone is a second group at the same boundary, to go on through other layers.
func (g *Group) Clone() *Group {
	g.plan.users++
	c := &Group{model: g.model, sequences: g.sequences, plan: g.plan}
	c.x = g.model.Device.New(compute.Float32, g.x.Rows, g.x.Cols)
	g.model.Device.Gather(c.x, g.x, g.plan.all)
	return c
}

// Close gives the states' memory back.
func (g *Group) Close() {
	if g.x.Given() {
		g.model.Device.Release(g.x.Memory)
		g.x = compute.Tensor{}
		g.plan.release(g.model.Device)
	}
}

// StateBytes is the memory that one group of so many rows takes beside scratch and weights.
func (m *Model) StateBytes(rows int) int64 {
	return int64(rows) * (compute.Float32.Bytes(m.Spec.D) + 4*compute.Int32.Bytes(1))
}

// ScratchBytes is the memory for activations, keys and values while sequences of these lengths go through a layer. It
// grows with the longest sequence, not with their number.
func (m *Model) ScratchBytes(lengths []int) int64 {
	rows, pages, longest := 0, 0, 0
	for _, spans := range split(lengths, m.options.Rows) {
		r, p := chunkSize(spans)
		rows, pages = max(rows, r), max(pages, p)
	}
	for _, n := range lengths {
		longest = max(longest, n)
	}
	n := arenaBytes(m, rows) + m.Device.CacheBytes(m.cacheKind, pages, m.Spec.K, m.Spec.HeadSize)
	for _, r := range m.Spec.Ropes {
		n += compute.Float32.Bytes(longest * r.Dim)
	}
	return n
}
