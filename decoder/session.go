package decoder

import (
	"fmt"

	"shallow/compute"
)

// Room is how much a session can hold.
type Room struct {
	Sequences int // that take steps at a time; 0 is 1
	Kept      int // open sequences beside them, to be forked later
	Length    int // tokens of the longest sequence; 0 is the model's context
	Tokens    int // of all sequences together; 0 is Sequences · Length
	Rows      int // that go through a layer at a time; 0 is as many as the model's. Results do not depend on it
}

// Session decodes sequences whose keys and values it keeps, in pages that sequences with the same beginning share.
type Session struct {
	stack  *Stack
	room   Room
	caches []compute.Cache // one a layer, with the same page numbers
	pages  pages
	open   []sequence
	ropes  *sessionRopes
	work   stepWork
}

// sequence is one text of a session.
type sequence struct {
	open   bool
	length int
	plain  int     // tokens from the first on whose states do not depend on how long the sequence became
	pages  []int32 // pagesFor(length) of them
}

// NewSession makes room for sequences. It must be released.
func (s *Stack) NewSession(room Room) (*Session, error) {
	m := s.model
	room.Sequences = max(room.Sequences, 1)
	room.Kept = max(room.Kept, 0)
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
	if room.Rows <= 0 || room.Rows > m.options.Rows {
		room.Rows = m.options.Rows
	}
	room.Rows = min(max(room.Rows, room.Sequences), room.Tokens)
	// Each sequence may leave a page partly filled.
	count := min(pagesFor(room.Tokens)+room.Sequences-1, room.Sequences*pagesFor(room.Length))
	n := &Session{stack: s, room: room, open: make([]sequence, room.Sequences+room.Kept), pages: newPages(count)}
	for range s.layers {
		n.caches = append(n.caches, m.Device.NewCache(m.cacheKind, count, m.Spec.K, m.Spec.HeadSize))
	}
	n.ropes = m.newSessionRopes(room.Length, room.Rows)
	n.work.make(s, room)
	if err := m.Device.Sync(); err != nil {
		n.Release()
		return nil, err
	}
	return n, nil
}

// Room is what the session was made for, defaults filled in.
func (n *Session) Room() Room { return n.room }

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
	n.work.release(dev)
	n.ropes.release(dev)
}

// Open begins a sequence and gives its number, for Step.
func (n *Session) Open() (int, error) {
	for i := range n.open {
		if q := &n.open[i]; !q.open {
			*q = sequence{open: true, pages: q.pages[:0]}
			return i, nil
		}
	}
	return 0, fmt.Errorf("decoder: all %d sequences of the session are in use", len(n.open))
}

// Fork opens a sequence that begins with the first length tokens of another, and gives its number. Nothing is computed or
// copied: the two share pages until one of them writes into the last.
//
// Tokens whose rotations depend on the length that seq has reached are not those of another sequence: see [Session.Forkable].
func (n *Session) Fork(seq, length int) (int, error) {
	switch {
	case !n.isOpen(seq):
		return 0, fmt.Errorf("decoder: sequence %d of the session is not open", seq)
	case length < 0 || length > n.open[seq].length:
		return 0, fmt.Errorf("decoder: a fork of sequence %d behind %d tokens, it has %d", seq, length, n.open[seq].length)
	case length > n.open[seq].plain:
		return 0, fmt.Errorf("decoder: a fork of sequence %d behind %d tokens: rotations of all but the first %d depend on its length", seq, length, n.open[seq].plain)
	}
	fork, err := n.Open()
	if err != nil {
		return 0, err
	}
	q := &n.open[fork]
	q.length, q.plain = length, length
	q.pages = append(q.pages, n.open[seq].pages[:pagesFor(length)]...)
	n.pages.share(q.pages)
	return fork, nil
}

// Forkable is how many of a sequence's first tokens another sequence may begin with: all of them, unless rotations depend
// on the length past some limit ([Spec.Shares]), and the sequence went past it.
func (n *Session) Forkable(seq int) int { return n.open[seq].plain }

// Shut ends a sequence; pages that no other sequence shares serve others.
func (n *Session) Shut(seq int) {
	n.Truncate(seq, 0)
	n.open[seq].open = false
}

// Truncate forgets all but the first length tokens of a sequence.
func (n *Session) Truncate(seq, length int) {
	q := &n.open[seq]
	q.length = max(0, min(length, q.length))
	q.plain = min(q.plain, q.length)
	n.trim(q)
}

// trim gives back the pages behind a sequence's tokens.
func (n *Session) trim(q *sequence) {
	keep := pagesFor(q.length)
	n.pages.leave(q.pages[keep:])
	q.pages = q.pages[:keep]
}

// Length is the number of tokens a sequence has.
func (n *Session) Length(seq int) int { return n.open[seq].length }

func (n *Session) isOpen(seq int) bool { return seq >= 0 && seq < len(n.open) && n.open[seq].open }
