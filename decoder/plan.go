package decoder

import "shallow/compute"

// plan says how the rows of a group go through a layer: in chunks of bounded size, each with its own pages of keys and
// values. It is the same for every layer, and shared by a group's clones.
type plan struct {
	lengths []int
	offsets []int // [S+1]
	chunks  []chunk
	ropes   *ropeTables
	last    compute.Tensor // Int32 [S, 1]
	all     compute.Tensor // Int32 [N, 1], every row
	rows    int            // of the largest chunk
	pages   int            // of the largest chunk
	users   int
}

// chunk is rows lo to hi-1 of a group.
type chunk struct {
	lo, hi int
	pieces []piece
	rows   rows
	memory []compute.Tensor
}

// span is positions from to to-1 of a sequence of a group.
type span struct{ sequence, from, to int }

// split cuts sequences into chunks of at most limit rows: several whole sequences, or a piece of one that is longer.
func split(lengths []int, limit int) [][]span {
	var chunks [][]span
	var open []span
	rows := 0
	shut := func() {
		if len(open) > 0 {
			chunks = append(chunks, open)
		}
		open, rows = nil, 0
	}
	for s, n := range lengths {
		if rows+n > limit {
			shut()
		}
		if n <= limit {
			open = append(open, span{s, 0, n})
			rows += n
			continue
		}
		for from := 0; from < n; from += limit {
			chunks = append(chunks, []span{{s, from, min(from+limit, n)}})
		}
	}
	shut()
	return chunks
}

// chunkSize is the rows of a chunk and the pages it needs.
func chunkSize(spans []span) (rows, pages int) {
	for _, s := range spans {
		rows += s.to - s.from
		pages += pagesFor(s.to)
	}
	return rows, pages
}

// newPlan prepares the index tensors of chunks.
func (m *Model) newPlan(lengths []int, chunks [][]span) *plan {
	p := &plan{lengths: lengths, offsets: offsets(lengths), ropes: m.newRopeTables(lengths), users: 1}
	for _, spans := range chunks {
		_, pages := chunkSize(spans)
		p.add(m, p.offsets[spans[0].sequence]+spans[0].from, p.pieces(spans), pages)
	}
	p.index(m)
	return p
}

// add prepares a chunk whose first row is lo, and which is to have so many pages.
func (p *plan) add(m *Model, lo int, pieces []piece, pages int) *chunk {
	rows, memory := m.newRows(pieces, p.ropes)
	hi := lo
	for _, one := range pieces {
		hi += one.to - one.from
	}
	p.chunks = append(p.chunks, chunk{lo: lo, hi: hi, pieces: pieces, rows: rows, memory: []compute.Tensor{memory}})
	p.rows, p.pages = max(p.rows, hi-lo), max(p.pages, pages)
	return &p.chunks[len(p.chunks)-1]
}

// index uploads which rows are last in their sequences, and the numbers of all rows.
func (p *plan) index(m *Model) {
	last := make([]int32, len(p.lengths))
	for s := range p.lengths {
		last[s] = int32(p.offsets[s+1] - 1)
	}
	all := make([]int32, p.offsets[len(p.lengths)])
	for i := range all {
		all[i] = int32(i)
	}
	p.last, p.all = m.uploadInts(last), m.uploadInts(all)
}

// pieces gives the spans of a chunk pages from 0 on.
func (p *plan) pieces(spans []span) []piece {
	var ps []piece
	page := int32(0)
	for _, s := range spans {
		pages := make([]int32, pagesFor(s.to))
		for i := range pages {
			pages[i] = page
			page++
		}
		ps = append(ps, piece{from: s.from, to: s.to, pages: pages, rope: p.ropes.row(s.from, p.lengths[s.sequence])})
	}
	return ps
}

// single turns rows of the chunk, counted from its first, into pieces of one row each.
func (c *chunk) single(wanted []int) []piece {
	var ps []piece
	at, first := 0, 0
	for _, row := range wanted {
		for row >= first+c.pieces[at].to-c.pieces[at].from {
			first += c.pieces[at].to - c.pieces[at].from
			at++
		}
		one := c.pieces[at]
		one.from += row - first
		one.to = one.from + 1
		one.rope += row - first
		ps = append(ps, one)
	}
	return ps
}

// newRows uploads the index tensors of pieces. The tensor that holds them is to be released.
func (m *Model) newRows(pieces []piece, ropes *ropeTables) (rows, compute.Tensor) {
	var r ragged
	r.set(pieces)
	t := m.Device.New(compute.Int32, len(r.ints), 1)
	return r.upload(m.Device, t, ropes.tables), t
}

func (p *plan) release(dev compute.Device) {
	if p.users--; p.users > 0 {
		return
	}
	for _, c := range p.chunks {
		for _, t := range c.memory {
			dev.Release(t.Memory)
		}
	}
	p.ropes.release(dev)
	dev.Release(p.last.Memory)
	dev.Release(p.all.Memory)
}

// offsets are the running sums of lengths, from 0.
func offsets(lengths []int) []int {
	sums := make([]int, len(lengths)+1)
	for i, n := range lengths {
		sums[i+1] = sums[i] + n
	}
	return sums
}
