package decoder

import (
	"fmt"
	"slices"

	"shallow/compute"
)

// Stack is all layers of a model in memory, and its head.
type Stack struct {
	model     *Model
	layers    []*Layer
	embedding *embedding
	head      *Head
}

// Resident loads all layers that are not dropped. Weights are used where the file is mapped, or packed. The stack must
// be released.
func (m *Model) Resident(drop []int, pack bool) (*Stack, error) {
	s := &Stack{model: m, embedding: m.loadEmbedding(m.options.Rows), head: m.head(pack, 0)}
	for i := range m.Spec.L {
		if !slices.Contains(drop, i) {
			s.layers = append(s.layers, m.layer(i, pack))
		}
	}
	if err := m.sync(); err != nil {
		s.Release()
		return nil, err
	}
	return s, nil
}

// Release gives the layers' memory back.
func (s *Stack) Release() {
	for _, l := range s.layers {
		l.Release()
	}
	s.embedding.release()
	s.head.Release()
}

// Bytes is what one decoding step reads of the weights: all layers, the final norm, the head.
func (s *Stack) Bytes() int64 {
	n := s.head.weightBytes()
	for _, l := range s.layers {
		for _, t := range l.tensors {
			n += t.Memory.Bytes()
		}
	}
	return n
}

// Room is how much a session can hold.
type Room struct {
	Sequences int // at a time; 0 is 1
	Length    int // tokens of the longest sequence; 0 is the model's context
	Tokens    int // of all sequences together; 0 is Sequences · Length
}

// Step is tokens that one sequence goes on with.
type Step struct {
	Sequence int
	IDs      []int
}

// Session decodes sequences whose keys and values it keeps, in pages that all sequences share.
type Session struct {
	stack  *Stack
	room   Room
	caches []compute.Cache // one a layer, with the same page numbers
	free   []int32         // pages
	live   []sequence
	ropes  *sessionRopes

	// Memory that every step uses again.
	ragged  ragged
	pieces  []piece
	ids     []int32
	index   compute.Tensor // Int32
	tokens  compute.Tensor // Int32 [rows, 1]
	lasts   compute.Tensor // Int32 [sequences, 1]
	x       compute.Tensor // [rows, D]
	last    compute.Tensor // [sequences, D]
	logits  []float32      // [sequences · V]
	lastRow []int32
	lengths []int
	out     [][]float32
}

type sequence struct {
	open   bool
	length int
	pages  []int32
}

// NewSession makes room for sequences. It must be released.
func (s *Stack) NewSession(room Room) (*Session, error) {
	m := s.model
	room.Sequences = max(room.Sequences, 1)
	if room.Length <= 0 {
		room.Length = m.Spec.Context
	}
	if p := m.Spec.Positions; p > 0 && room.Length > p {
		return nil, fmt.Errorf("decoder: a session for %d tokens a sequence: the model knows %d positions", room.Length, p)
	}
	if room.Tokens <= 0 {
		room.Tokens = room.Sequences * room.Length
	}
	if room.Length > maxSize || room.Tokens/room.Sequences > maxSize {
		return nil, fmt.Errorf("decoder: a session for %d tokens a sequence is too large", room.Length)
	}
	// Each sequence may leave a page partly filled.
	pages := min(pagesFor(room.Tokens)+room.Sequences-1, room.Sequences*pagesFor(room.Length))
	rows := min(max(m.options.Rows, room.Sequences), room.Tokens)
	n := &Session{stack: s, room: room, live: make([]sequence, room.Sequences)}
	for i := range pages {
		n.free = append(n.free, int32(pages-1-i))
	}
	for range s.layers {
		n.caches = append(n.caches, m.Device.NewCache(m.cacheKind, pages, m.Spec.K, m.Spec.HeadSize))
	}
	n.ropes = m.newSessionRopes(room.Length, rows)
	n.index = m.Device.New(compute.Int32, raggedSize(rows, room.Sequences, pagesFor(room.Length)), 1)
	n.tokens = m.Device.New(compute.Int32, rows, 1)
	n.lasts = m.Device.New(compute.Int32, room.Sequences, 1)
	n.x = m.Device.New(compute.Float32, rows, m.Spec.D)
	n.last = m.Device.New(compute.Float32, room.Sequences, m.Spec.D)
	n.logits = make([]float32, room.Sequences*m.Spec.V)
	if err := m.Device.Sync(); err != nil {
		n.Release()
		return nil, err
	}
	return n, nil
}

// Bytes is the memory of the session's keys and values.
func (n *Session) Bytes() int64 {
	var sum int64
	for _, c := range n.caches {
		sum += c.Bytes()
	}
	return sum
}

// Release gives the session's memory back.
func (n *Session) Release() {
	dev := n.stack.model.Device
	for _, c := range n.caches {
		dev.Release(c)
	}
	for _, t := range []compute.Tensor{n.index, n.tokens, n.lasts, n.x, n.last} {
		dev.Release(t.Memory)
	}
	n.ropes.release(dev)
}

// Open begins a sequence and gives its number, for Step.
func (n *Session) Open() (int, error) {
	for i := range n.live {
		if !n.live[i].open {
			n.live[i].open = true
			return i, nil
		}
	}
	return 0, fmt.Errorf("decoder: all %d sequences of the session are in use", len(n.live))
}

// Shut ends a sequence; its pages serve others.
func (n *Session) Shut(seq int) {
	n.Truncate(seq, 0)
	n.live[seq].open = false
}

// Truncate forgets all but the first length tokens of a sequence.
func (n *Session) Truncate(seq, length int) {
	q := &n.live[seq]
	length = min(length, q.length)
	keep := pagesFor(length)
	n.free = append(n.free, q.pages[keep:]...)
	q.pages, q.length = q.pages[:keep], length
}

// Length is the number of tokens a sequence has.
func (n *Session) Length(seq int) int { return n.live[seq].length }

// Feed takes sequences on by one or more tokens each and gives, for each step, the logits [V] behind its last token.
// The slices are used again by the next call. On an error no sequence has become longer.
func (n *Session) Feed(steps ...Step) ([][]float32, error) {
	if err := n.check(steps); err != nil {
		return nil, err
	}
	n.lengths = n.lengths[:0]
	for _, st := range steps {
		n.grow(&n.live[st.Sequence], len(st.IDs))
		n.lengths = append(n.lengths, len(st.IDs))
	}
	m := n.stack.model
	states := n.last.RowRange(0, len(steps))
	chunks := split(n.lengths, n.x.Rows)
	for _, spans := range chunks {
		x := n.run(steps, spans)
		if len(chunks) == 1 && x.Rows == len(steps) {
			states = x // one row a sequence: nothing to gather
		} else {
			n.gatherLast(x, spans)
		}
	}
	v := m.Spec.V
	for lo := 0; lo < len(steps); lo += n.stack.head.rows {
		hi := min(lo+n.stack.head.rows, len(steps))
		logits := n.stack.head.apply(states.RowRange(lo, hi))
		if err := m.Device.Download(compute.Bytes(n.logits[lo*v:hi*v]), logits); err != nil {
			return nil, err
		}
	}
	n.out = n.out[:0]
	for i, st := range steps {
		n.live[st.Sequence].length += len(st.IDs)
		n.out = append(n.out, n.logits[i*v:(i+1)*v])
	}
	return n.out, nil
}

// check refuses steps that do not fit, before anything changes.
func (n *Session) check(steps []Step) error {
	if len(steps) == 0 || len(steps) > len(n.live) {
		return fmt.Errorf("decoder: %d steps for a session of %d sequences", len(steps), len(n.live))
	}
	pages := 0
	for i, st := range steps {
		if st.Sequence < 0 || st.Sequence >= len(n.live) || !n.live[st.Sequence].open {
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
		q := &n.live[st.Sequence]
		if q.length+len(st.IDs) > n.room.Length {
			return fmt.Errorf("decoder: sequence %d would have %d tokens, the session has room for %d", st.Sequence, q.length+len(st.IDs), n.room.Length)
		}
		pages += max(0, pagesFor(q.length+len(st.IDs))-len(q.pages))
	}
	if pages > len(n.free) {
		return fmt.Errorf("decoder: the session's room of %d tokens is full", n.room.Tokens)
	}
	return nil
}

// grow gives a sequence the pages that more tokens need.
func (n *Session) grow(q *sequence, more int) {
	for len(q.pages) < pagesFor(q.length+more) {
		q.pages = append(q.pages, n.free[len(n.free)-1])
		n.free = n.free[:len(n.free)-1]
	}
}

// run takes spans of steps through all layers and gives the states that leave the last.
func (n *Session) run(steps []Step, spans []span) compute.Tensor {
	m := n.stack.model
	n.pieces, n.ids = n.pieces[:0], n.ids[:0]
	n.ropes.begin()
	for _, s := range spans {
		q, ids := &n.live[steps[s.sequence].Sequence], steps[s.sequence].IDs
		from, to := q.length+s.from, q.length+s.to
		n.pieces = append(n.pieces, piece{from: from, to: to, pages: q.pages, rope: n.ropes.row(from, to, q.length+len(ids))})
		for _, id := range ids[s.from:s.to] {
			n.ids = append(n.ids, int32(id))
		}
	}
	n.ropes.finish(m.Device)
	n.ragged.set(n.pieces)
	r := n.ragged.upload(m.Device, n.index, n.ropes.tables)
	tokens := n.tokens.RowRange(0, len(n.ids))
	m.Device.Upload(tokens, compute.Bytes(n.ids))

	x := n.x.RowRange(0, len(n.ids))
	n.stack.embedding.embed(x, tokens, r.positions)
	m.work.reserve(m, n.x.Rows, 0)
	for i, l := range n.stack.layers {
		l.forward(&m.work, x, n.caches[i], &r)
	}
	return x
}

// gatherLast keeps the states behind the steps that end in these spans.
func (n *Session) gatherLast(x compute.Tensor, spans []span) {
	n.lastRow = n.lastRow[:0]
	row, first := 0, -1
	for _, s := range spans {
		row += s.to - s.from
		if s.to == n.lengths[s.sequence] {
			if first < 0 {
				first = s.sequence
			}
			n.lastRow = append(n.lastRow, int32(row-1))
		}
	}
	if first < 0 {
		return
	}
	dev := n.stack.model.Device
	at := n.lasts.RowRange(0, len(n.lastRow))
	dev.Upload(at, compute.Bytes(n.lastRow))
	dev.Gather(n.last.RowRange(first, first+len(n.lastRow)), x, at)
}
