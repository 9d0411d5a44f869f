package decoder

import "shallow/compute"

// piece is positions from to to-1 of a sequence, on their way through a layer.
type piece struct {
	from, to int
	rope     int     // row of the rotary tables that belongs to position from
	pages    []int32 // of the sequence's keys and values, at least up to position to-1
}

// ragged lays the index tensors of a batch out in one stretch of numbers, so that one upload carries them all.
type ragged struct {
	ints                []int32
	rows, pieces, table int
	maxRows, maxLength  int
}

// set fills in positions, slots, offsets, lengths and page table of a batch of pieces.
func (r *ragged) set(pieces []piece) {
	r.rows, r.pieces, r.table, r.maxRows, r.maxLength = 0, len(pieces), 0, 0, 0
	for _, p := range pieces {
		r.rows += p.to - p.from
		r.table = max(r.table, pagesFor(p.to))
		r.maxRows = max(r.maxRows, p.to-p.from)
		r.maxLength = max(r.maxLength, p.to)
	}
	r.ints = r.ints[:0]
	for _, p := range pieces {
		for i := range p.to - p.from {
			r.ints = append(r.ints, int32(p.rope+i))
		}
	}
	for _, p := range pieces {
		for at := p.from; at < p.to; at++ {
			r.ints = append(r.ints, p.pages[at/compute.PageSize]*compute.PageSize+int32(at%compute.PageSize))
		}
	}
	row := int32(0)
	r.ints = append(r.ints, row)
	for _, p := range pieces {
		row += int32(p.to - p.from)
		r.ints = append(r.ints, row)
	}
	for _, p := range pieces {
		r.ints = append(r.ints, int32(p.to))
	}
	for _, p := range pieces {
		for i := range r.table {
			page := int32(0)
			if i < pagesFor(p.to) {
				page = p.pages[i]
			}
			r.ints = append(r.ints, page)
		}
	}
}

// raggedSize bounds how many numbers a batch takes.
func raggedSize(rows, pieces, table int) int { return 2*rows + 2*pieces + 1 + pieces*table }

// upload copies the numbers to the front of t, an Int32 column, and gives the tensors as views of it.
func (r *ragged) upload(dev compute.Device, t compute.Tensor, ropes []ropeTable) rows {
	dev.Upload(t.RowRange(0, len(r.ints)), compute.Bytes(r.ints))
	at := 0
	next := func(n int) compute.Tensor {
		v := t.RowRange(at, at+n)
		at += n
		return v
	}
	out := rows{ropes: ropes}
	out.positions = next(r.rows)
	out.batch.Slots = next(r.rows)
	out.batch.Offsets = next(r.pieces + 1)
	out.batch.Lengths = next(r.pieces)
	out.batch.Table = next(r.pieces*r.table).Reshape(r.pieces, r.table)
	out.batch.MaxRows, out.batch.MaxLength = r.maxRows, r.maxLength
	return out
}

// pagesFor is the number of pages that hold so many positions.
func pagesFor(positions int) int { return (positions + compute.PageSize - 1) / compute.PageSize }
