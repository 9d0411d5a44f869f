package decoder

import (
	"fmt"

	"shallow/compute"
)

// Step is tokens that one sequence goes on with.
type Step struct {
	Sequence int
	IDs      []int
	// Wanted is how many of the last tokens have their predictions handed over, at most all; 0 is one, and a negative number
	// is none, for tokens that others follow.
	Wanted int
	// LogProbs asks for [Prediction.LogProb]. It takes a pass over the logits.
	LogProbs bool
	// Whole is the length for which rotations that depend on the length are made, for tokens whose followers are known
	// already; 0 is the length behind this step.
	Whole int
}

// wanted is how many predictions are handed over.
func (st *Step) wanted() int {
	if st.Wanted == 0 {
		return min(1, len(st.IDs))
	}
	return max(0, min(st.Wanted, len(st.IDs)))
}

// stepWork is memory that every step uses again.
type stepWork struct {
	lengths  []int
	pieces   []piece
	ends     []piece // the parts of them whose states are wanted
	ids      []int32
	wanted   []int32 // rows
	places   []place // of these rows
	to, from []int32 // slots of pages that are copied
	ragged   ragged
	logits   []float32 // [sequences · V], for Feed
	out      [][]float32

	index     compute.Tensor // Int32
	endsIndex compute.Tensor // Int32
	tokens    compute.Tensor // Int32 [rows, 1]
	rows      compute.Tensor // Int32 [rows, 1]
	x         compute.Tensor // [rows, D]
	states    compute.Tensor // [rows, D]
	predictor *predictor
}

// place is a token of a step.
type place struct{ step, token int }

func (w *stepWork) make(s *Stack, room Room) {
	m, rows := s.model, room.Rows
	index := raggedSize(rows, min(rows, room.Sequences), pagesFor(room.Length))
	w.index = m.Device.New(compute.Int32, max(index, 2*(compute.PageSize-1)*room.Sequences), 1)
	w.endsIndex = m.Device.New(compute.Int32, index, 1)
	w.tokens = m.Device.New(compute.Int32, rows, 1)
	w.rows = m.Device.New(compute.Int32, rows, 1)
	w.x = m.Device.New(compute.Float32, rows, m.Spec.D)
	w.states = m.Device.New(compute.Float32, rows, m.Spec.D)
	w.predictor = s.head.newPredictor(rows)
}

func (w *stepWork) release(dev compute.Device) {
	for _, t := range []compute.Tensor{w.index, w.endsIndex, w.tokens, w.rows, w.x, w.states} {
		dev.Release(t.Memory)
	}
	w.predictor.release()
}

// Feed takes sequences on by one or more tokens each and gives, for each step, the logits [V] behind its last token, or
// nil where none are wanted. The slices are used again by the next call. On an error no sequence has become longer.
func (n *Session) Feed(steps ...Step) ([][]float32, error) {
	w, v := &n.work, n.stack.model.Spec.V
	if w.logits == nil {
		w.logits = make([]float32, n.room.Sequences*v)
	}
	w.out = append(w.out[:0], make([][]float32, len(steps))...)
	err := n.Predict(steps, func(step, _ int, p Prediction) error {
		w.out[step] = w.logits[step*v : (step+1)*v]
		copy(w.out[step], p.Logits)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return w.out, nil
}

// Predict takes sequences on by one or more tokens each, all together, and hands over what follows the tokens for which
// that is wanted: step by step, token by token. A prediction's logits are used again behind see. On an error, see's
// included, no sequence has become longer; [ErrFull] says that shutting sequences helps.
func (n *Session) Predict(steps []Step, see func(step, token int, p Prediction) error) error {
	if err := n.check(steps); err != nil {
		return err
	}
	n.grow(steps)
	err := n.predict(steps, see)
	for i := range steps {
		st := &steps[i]
		q := &n.open[st.Sequence]
		if err != nil {
			n.trim(q)
			continue
		}
		plain := q.plain == q.length && n.stack.model.Spec.Shares(n.whole(st))
		q.length += len(st.IDs)
		if plain {
			q.plain = q.length
		}
	}
	return err
}

func (n *Session) predict(steps []Step, see func(step, token int, p Prediction) error) error {
	w := &n.work
	w.lengths = w.lengths[:0]
	for _, st := range steps {
		w.lengths = append(w.lengths, len(st.IDs))
	}
	for _, spans := range split(w.lengths, w.x.Rows) {
		states := n.forward(steps, spans)
		asked := func(row int) bool { return steps[w.places[row].step].LogProbs }
		err := w.predictor.predict(states, asked, func(row int, p Prediction) error {
			return see(w.places[row].step, w.places[row].token, p)
		})
		if err != nil {
			return err
		}
	}
	return n.stack.model.Device.Sync()
}

// whole is the length for which a step's rotations are made.
func (n *Session) whole(st *Step) int {
	return max(n.open[st.Sequence].length+len(st.IDs), st.Whole)
}

// check refuses steps that do not fit, before anything changes.
func (n *Session) check(steps []Step) error {
	if len(steps) == 0 || len(steps) > n.room.Sequences {
		return fmt.Errorf("decoder: %d steps for a session of %d sequences", len(steps), n.room.Sequences)
	}
	count := 0
	for i := range steps {
		st := &steps[i]
		if !n.isOpen(st.Sequence) {
			return fmt.Errorf("decoder: sequence %d of the session is not open", st.Sequence)
		}
		for _, other := range steps[:i] {
			if other.Sequence == st.Sequence {
				return fmt.Errorf("decoder: sequence %d has two steps at once", st.Sequence)
			}
		}
		if len(st.IDs) == 0 {
			return fmt.Errorf("decoder: a step of sequence %d has no tokens", st.Sequence)
		}
		for _, id := range st.IDs {
			if id < 0 || id >= n.stack.model.Spec.V {
				return fmt.Errorf("decoder: token %d is outside the vocabulary of %d", id, n.stack.model.Spec.V)
			}
		}
		if whole := n.whole(st); whole > n.room.Length {
			return fmt.Errorf("decoder: sequence %d would have %d tokens, the session has room for %d", st.Sequence, whole, n.room.Length)
		}
		count += n.wants(&n.open[st.Sequence], len(st.IDs))
	}
	if count > len(n.pages.free) {
		return fmt.Errorf("%w: %d pages of %d tokens are free, the steps need %d", ErrFull, len(n.pages.free), compute.PageSize, count)
	}
	return nil
}

// forward takes spans of steps through all layers and gives the states that are wanted of those that leave the last:
// what lies behind the other rows in the last layer is not computed.
func (n *Session) forward(steps []Step, spans []span) compute.Tensor {
	m, w := n.stack.model, &n.work
	n.lay(steps, spans)
	w.ragged.set(w.pieces)
	r := w.ragged.upload(m.Device, w.index, n.ropes.tables)
	tokens := w.tokens.RowRange(0, len(w.ids))
	m.Device.Upload(tokens, compute.Bytes(w.ids))

	x, states := w.x.RowRange(0, len(w.ids)), w.states.RowRange(0, len(w.wanted))
	n.stack.embedding.embed(x, tokens, r.positions)
	m.work.reserve(m, w.x.Rows, 0)
	last := len(n.stack.layers)
	if states.Rows < x.Rows {
		last--
	}
	for i, l := range n.stack.layers[:max(last, 0)] {
		l.forward(&m.work, x, n.caches[i], &r)
	}
	if states.Rows == x.Rows {
		return x
	}
	var ends rows
	at := w.rows.RowRange(0, len(w.wanted))
	if states.Rows > 0 {
		w.ragged.set(w.ends)
		ends = w.ragged.upload(m.Device, w.endsIndex, n.ropes.tables)
		m.Device.Upload(at, compute.Bytes(w.wanted))
	}
	if last < 0 { // no layers at all
		m.Device.Gather(states, x, at)
		return states
	}
	n.stack.layers[last].forwardSome(&m.work, states, x, n.caches[last], &r, at, &ends)
	return states
}

// lay says whose rows the spans are, and which of them are wanted.
func (n *Session) lay(steps []Step, spans []span) {
	w := &n.work
	w.pieces, w.ends, w.ids, w.wanted, w.places = w.pieces[:0], w.ends[:0], w.ids[:0], w.wanted[:0], w.places[:0]
	n.ropes.begin()
	for _, s := range spans {
		st := &steps[s.sequence]
		q := &n.open[st.Sequence]
		all := piece{from: q.length + s.from, to: q.length + s.to, pages: q.pages}
		all.rope = n.ropes.row(all.from, all.to, n.whole(st))
		w.pieces = append(w.pieces, all)
		first := max(s.from, len(st.IDs)-st.wanted())
		if first < s.to {
			end := all
			end.from += first - s.from
			end.rope += first - s.from
			w.ends = append(w.ends, end)
		}
		for at := first; at < s.to; at++ {
			w.wanted = append(w.wanted, int32(len(w.ids)+at-s.from))
			w.places = append(w.places, place{s.sequence, at})
		}
		for _, id := range st.IDs[s.from:s.to] {
			w.ids = append(w.ids, int32(id))
		}
	}
	n.ropes.finish(n.stack.model.Device)
}
