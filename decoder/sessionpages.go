package decoder

import (
	"errors"

	"shallow/compute"
)

// ErrFull says that steps need more pages than are free: shutting sequences helps.
var ErrFull = errors.New("decoder: the session's room is full")

// pages are the pages of a session's caches. One page may belong to several sequences.
type pages struct {
	users []int32 // of each page
	held  []int32 // scratch of the same size
	free  []int32
}

func newPages(count int) pages {
	p := pages{users: make([]int32, count), held: make([]int32, count)}
	for i := range count {
		p.free = append(p.free, int32(count-1-i))
	}
	return p
}

// take gives a free page to one user.
func (p *pages) take() int32 {
	page := p.free[len(p.free)-1]
	p.free = p.free[:len(p.free)-1]
	p.users[page] = 1
	return page
}

// share gives pages one user more.
func (p *pages) share(list []int32) {
	for _, page := range list {
		p.users[page]++
	}
}

// leave gives pages one user less; those without any are free.
func (p *pages) leave(list []int32) {
	for _, page := range list {
		if p.users[page]--; p.users[page] == 0 {
			p.free = append(p.free, page)
		}
	}
}

// Tokens is how many tokens all pages of the session hold, and how many of these places no sequence has taken.
func (n *Session) Tokens() (all, free int) {
	return len(n.pages.users) * compute.PageSize, len(n.pages.free) * compute.PageSize
}

// Fits tells whether open sequences can all reach their lengths once all others are shut. It stays true while they grow
// to them, so that who asks whenever a sequence is opened or forked never runs out of room.
func (n *Session) Fits(sequences, lengths []int) bool {
	held := n.pages.held // how many of the sequences have each page
	clear(held)
	need := 0
	for i, seq := range sequences {
		q := &n.open[seq]
		need += max(0, pagesFor(lengths[i])-len(q.pages))
		for _, page := range q.pages {
			if held[page]++; held[page] == 1 {
				need++
			}
		}
	}
	for i, seq := range sequences {
		q := &n.open[seq]
		if lengths[i] > q.length && q.partial() && held[q.pages[len(q.pages)-1]] > 1 {
			need++ // a copy to write into
		}
	}
	return need <= len(held)
}

// partial tells whether the last page has places left.
func (q *sequence) partial() bool { return q.length%compute.PageSize != 0 }

// wants is how many pages a sequence takes before it has so many tokens more.
func (n *Session) wants(q *sequence, more int) int {
	count := pagesFor(q.length+more) - len(q.pages)
	if n.mustCopy(q) {
		count++
	}
	return count
}

// mustCopy tells whether the page that the sequence writes next belongs to others too.
func (n *Session) mustCopy(q *sequence) bool {
	return q.partial() && n.pages.users[q.pages[len(q.pages)-1]] > 1
}

// grow gives the sequences of steps the pages that they will write.
func (n *Session) grow(steps []Step) {
	w := &n.work
	w.to, w.from = w.to[:0], w.from[:0]
	for _, st := range steps {
		q := &n.open[st.Sequence]
		if n.mustCopy(q) {
			last := len(q.pages) - 1
			old, own := q.pages[last], n.pages.take()
			n.pages.leave(q.pages[last:])
			q.pages[last] = own
			for place := range int32(q.length % compute.PageSize) {
				w.to = append(w.to, own*compute.PageSize+place)
				w.from = append(w.from, old*compute.PageSize+place)
			}
		}
		for len(q.pages) < pagesFor(q.length+len(st.IDs)) {
			q.pages = append(q.pages, n.pages.take())
		}
	}
	if len(w.to) == 0 {
		return
	}
	dev, count := n.stack.model.Device, len(w.to)
	to, from := w.index.RowRange(0, count), w.index.RowRange(count, 2*count)
	dev.Upload(to, compute.Bytes(w.to))
	dev.Upload(from, compute.Bytes(w.from))
	for _, c := range n.caches {
		dev.CopyKV(c, to, from)
	}
}
