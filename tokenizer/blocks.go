package tokenizer

import "slices"

// A word is merged in blocks by this rule: a list of pieces is what merging gives if and only if every two neighbours
// stay as they are when they are merged alone. (Take the first merge that would cross a border. Until then the two
// pieces beside the border were merged in the same order as they are alone, so alone it would have come too.) The
// blocks are merged one by one, and only where two of them meet are neighbours looked at again.

// stitched is a word's pieces so far.
type stitched struct {
	base   []uint32 // the symbols before merging
	pieces []uint32
	starts []int32 // where in base each piece starts
	end    int     // where in base the last one ends
	budget int     // symbols that may still be merged again
}

// mergeBlocks merges e.symbols in blocks of that many symbols. It gives up, and is false, on a word whose blocks depend
// on each other so much that merging it in one go is cheaper.
func (m *bpe) mergeBlocks(e *encoder, block int) bool {
	w := stitched{base: slices.Clone(e.symbols), budget: 4 * len(e.symbols)}
	for from := 0; from < len(w.base); from += block {
		to := min(from+block, len(w.base))
		pieces := m.mergeHeap(e, slices.Clone(w.base[from:to]))
		starts := slices.Clone(e.starts)
		for i := range starts {
			starts[i] += int32(from)
		}
		if !m.stitch(e, &w, pieces, starts, to) {
			e.symbols = append(e.symbols[:0], w.base...)
			return false
		}
	}
	e.symbols = append(e.symbols[:0], w.pieces...)
	return true
}

// stitch appends a block's pieces. Where the border does not hold, more and more of the pieces beside it are merged
// again, until what comes out holds against the rest on both sides.
func (m *bpe) stitch(e *encoder, w *stitched, pieces []uint32, starts []int32, to int) bool {
	keep, skip := len(w.pieces), 0
	middle := stitched{end: w.end} // what takes the place of w.pieces[keep:] and pieces[:skip]
	for step := 1; ; step *= 2 {
		left := stitched{pieces: w.pieces[:keep], starts: w.starts[:keep], end: middle.start(w.end)}
		right := stitched{pieces: pieces[skip:], starts: starts[skip:], end: to}
		if m.holds(e, w, left, middle, right) {
			w.pieces = append(append(left.pieces, middle.pieces...), right.pieces...)
			w.starts = append(append(left.starts, middle.starts...), right.starts...)
			w.end = to
			return true
		}
		keep, skip = max(keep-step, 0), min(skip+step, len(pieces))
		from, end := w.end, to
		if keep < len(w.starts) {
			from = int(w.starts[keep])
		}
		if skip < len(starts) {
			end = int(starts[skip])
		}
		if w.budget -= end - from; w.budget < 0 {
			return false
		}
		middle = stitched{pieces: m.mergeHeap(e, slices.Clone(w.base[from:end])), starts: slices.Clone(e.starts), end: end}
		for i := range middle.starts {
			middle.starts[i] += int32(from)
		}
	}
}

// start is where the first piece starts, or otherwise where there is none.
func (w stitched) start(otherwise int) int {
	if len(w.starts) > 0 {
		return int(w.starts[0])
	}
	return otherwise
}

// holds says whether the pieces on both sides of the borders between the parts stay as they are when merged alone.
func (m *bpe) holds(e *encoder, w *stitched, parts ...stitched) bool {
	var before *stitched
	for i := range parts {
		part := &parts[i]
		if len(part.pieces) == 0 {
			continue
		}
		if before != nil {
			last := len(before.pieces) - 1
			end := part.end
			if len(part.starts) > 1 {
				end = int(part.starts[1])
			}
			pair := m.mergeHeap(e, slices.Clone(w.base[before.starts[last]:end]))
			if len(pair) != 2 || pair[0] != before.pieces[last] || pair[1] != part.pieces[0] {
				return false
			}
		}
		before = part
	}
	return true
}
