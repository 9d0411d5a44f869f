package decoder

import (
	"fmt"

	"shallow/compute"
)

// Segment is a run of tokens that one or more sequences of a tree go through. It goes on where its parent ends.
type Segment struct {
	Parent int // an earlier segment, or -1 at the beginning of sequences
	IDs    []int
}

// StartTree is Start for sequences that share their beginnings: each segment is computed once, however many sequences go
// through it. The group's sequences are then the segments. A segment follows its parent or a whole branch of it
// (depth first), so that keys and values that no later row sees make room for others.
//
// States are bit for bit those of the whole sequences. Past the length from which rotations depend on the length, where
// sequences share nothing, a sequence must be one segment: see [Spec.Shares].
func (m *Model) StartTree(tree []Segment) (*Group, error) {
	starts, ends, err := m.checkTree(tree)
	if err != nil {
		return nil, err
	}
	sequences := make([][]int, len(tree))
	for i, s := range tree {
		sequences[i] = s.IDs
	}
	lengths, ids, err := m.tokens(sequences)
	if err != nil {
		return nil, err
	}
	p := &plan{lengths: lengths, offsets: offsets(lengths), ropes: m.newRopeTables(ends), users: 1}
	t := treePages{tree: tree, starts: starts, ends: ends, pages: make([][]int32, len(tree))}
	for lo := 0; lo < len(ids); lo += m.options.Rows {
		pieces, to, from := t.chunk(p, lo, min(lo+m.options.Rows, len(ids)))
		c := p.add(m, lo, pieces, t.count)
		if len(to) > 0 {
			slots := m.uploadInts(append(to, from...))
			c.memory = append(c.memory, slots)
			c.rows.copies, c.rows.copied = slots.RowRange(0, len(to)), slots.RowRange(len(to), 2*len(to))
		}
	}
	p.index(m)
	return m.start(sequences, ids, p)
}

// Shares reports whether the states of a sequence of so many tokens are those of any sequence that begins with them. They
// are not where rotations depend on the whole sequence's length.
func (s *Spec) Shares(length int) bool {
	limit := s.ropeLimit()
	return limit == 0 || length <= limit
}

// checkTree gives the position at which each segment starts and ends.
func (m *Model) checkTree(tree []Segment) (starts, ends []int, err error) {
	open := []int{-1} // the path to the segment before
	for i, s := range tree {
		for len(open) > 0 && open[len(open)-1] != s.Parent {
			open = open[:len(open)-1]
		}
		if len(open) == 0 {
			return nil, nil, fmt.Errorf("decoder: segment %d of a tree goes on behind segment %d, which is not on its path", i, s.Parent)
		}
		open = append(open, i)
		start := 0
		if s.Parent >= 0 {
			start = ends[s.Parent]
		}
		end := start + len(s.IDs)
		starts, ends = append(starts, start), append(ends, end)
		switch p := m.Spec.Positions; {
		case p > 0 && end > p:
			return nil, nil, fmt.Errorf("decoder: a sequence of %d tokens, the model knows %d positions", end, p)
		case s.Parent >= 0 && !m.Spec.Shares(end):
			return nil, nil, fmt.Errorf("decoder: a sequence of %d tokens shares its beginning, but its rotations depend on its length", end)
		}
	}
	return starts, ends, nil
}

// treePages gives the segments of a tree pages, chunk after chunk. A segment shares its parent's pages up to the one that
// the parent leaves partly filled: of that it has a copy.
type treePages struct {
	tree         []Segment
	starts, ends []int
	pages        [][]int32 // of each segment that is open, from position 0 on
	next         int       // the segment that begins next
	open         []int     // the path to the last one begun
	ended        []int     // segments that this chunk is the last to need
	free         []int32
	count        int // pages there are
}

// chunk is the pieces of rows [lo, hi), and which slots must be copied once the chunk's keys and values are stored.
func (t *treePages) chunk(p *plan, lo, hi int) (pieces []piece, to, from []int32) {
	if n := len(t.open); n > 0 {
		if i := t.open[n-1]; p.offsets[i+1] > lo {
			pieces = append(pieces, t.piece(p, i, lo, hi))
		}
	}
	for ; t.next < len(t.tree) && p.offsets[t.next] < hi; t.next++ {
		t.begin(t.next)
		to, from = t.copies(t.next, to, from)
		pieces = append(pieces, t.piece(p, t.next, lo, hi))
	}
	// What has ended may still be looked at from this chunk.
	for _, i := range t.ended {
		t.free = append(t.free, t.pages[i][t.starts[i]/compute.PageSize:]...)
		t.pages[i] = nil
	}
	t.ended = t.ended[:0]
	return pieces, to, from
}

// begin gives segment i its pages and ends those that are not on its path.
func (t *treePages) begin(i int) {
	parent := t.tree[i].Parent
	for n := len(t.open); n > 0 && t.open[n-1] != parent; n-- {
		t.ended = append(t.ended, t.open[n-1])
		t.open = t.open[:n-1]
	}
	t.open = append(t.open, i)
	pages := make([]int32, 0, pagesFor(t.ends[i]))
	if parent >= 0 {
		pages = append(pages, t.pages[parent][:t.starts[i]/compute.PageSize]...)
	}
	for len(pages) < cap(pages) {
		pages = append(pages, t.page())
	}
	t.pages[i] = pages
}

// page takes a page that is free, or one more.
func (t *treePages) page() int32 {
	if n := len(t.free); n > 0 {
		page := t.free[n-1]
		t.free = t.free[:n-1]
		return page
	}
	t.count++
	return int32(t.count - 1)
}

// copies adds the slots of the positions before segment i that lie in its first own page, and whose they are.
func (t *treePages) copies(i int, to, from []int32) ([]int32, []int32) {
	start := t.starts[i]
	owner := t.tree[i].Parent
	for at := start - 1; at >= start-start%compute.PageSize; at-- {
		for t.starts[owner] > at {
			owner = t.tree[owner].Parent
		}
		to = append(to, slot(t.pages[i], at))
		from = append(from, slot(t.pages[owner], at))
	}
	return to, from
}

// slot is where a position's key and value lie.
func slot(pages []int32, position int) int32 {
	return pages[position/compute.PageSize]*compute.PageSize + int32(position%compute.PageSize)
}

// piece is what rows [lo, hi) of the group have of segment i.
func (t *treePages) piece(p *plan, i, lo, hi int) piece {
	shift := t.starts[i] - p.offsets[i]
	from, to := max(lo, p.offsets[i])+shift, min(hi, p.offsets[i+1])+shift
	return piece{from: from, to: to, pages: t.pages[i], rope: p.ropes.row(from, t.ends[i])}
}
