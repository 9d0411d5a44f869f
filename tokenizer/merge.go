package tokenizer

import "math"

// shortWord is the number of symbols up to which looking through all ranks beats a heap.
const shortWord = 40

const noRank = math.MaxUint32

// merge joins the symbols of e until no merge is left.
func (m *bpe) merge(e *encoder) {
	if len(e.symbols) > shortWord {
		m.mergeLong(e)
	} else if len(e.symbols) > 1 {
		m.mergeShort(e)
	}
}

func (m *bpe) rank(left, right uint32) uint32 {
	if rank, ok := m.merges.get(left, right); ok {
		return rank
	}
	return noRank
}

// mergeShort looks for the lowest rank in a list of all pairs' ranks.
func (m *bpe) mergeShort(e *encoder) {
	var array [shortWord]uint32
	symbols := e.symbols
	n := len(symbols)
	ranks := array[:n-1]
	for i := range ranks {
		ranks[i] = m.rank(symbols[i], symbols[i+1])
	}
	for n > 1 {
		best, at := uint32(noRank), 0
		for i, rank := range ranks[:n-1] {
			if rank < best {
				best, at = rank, i
			}
		}
		if best == noRank {
			break
		}
		symbols[at] = m.merges.also(symbols[at], symbols[at+1])
		copy(symbols[at+1:], symbols[at+2:n])
		copy(ranks[at:], ranks[at+1:n-1])
		n--
		if at > 0 {
			ranks[at-1] = m.rank(symbols[at-1], symbols[at])
		}
		if at < n-1 {
			ranks[at] = m.rank(symbols[at], symbols[at+1])
		}
	}
	e.symbols = symbols[:n]
}

// link is a symbol's neighbours in the list of those that are left; -1 is none.
type link struct{ before, after int32 }

// longWord is the number of symbols from which on a word is merged in blocks, which fit the caches.
const longWord = 512

// mergeLong merges a word of many symbols.
func (m *bpe) mergeLong(e *encoder) {
	if len(e.symbols) >= 2*longWord && m.mergeBlocks(e, longWord) {
		return
	}
	e.symbols = m.mergeHeap(e, e.symbols)
}

// mergeHeap takes the pairs from a heap ordered by rank, then place: O(n log n) for n symbols. An entry may be out of
// date when its turn comes; it is then found not to have its rank any more and dropped. It merges in place; e.starts is
// where the symbol before merging stood that each of the result begins with.
func (m *bpe) mergeHeap(e *encoder, symbols []uint32) []uint32 {
	n := len(symbols)
	links := e.links[:0]
	heap := e.heap[:0]
	for i := range n {
		links = append(links, link{int32(i - 1), int32(i + 1)})
		if i+1 < n {
			if rank := m.rank(symbols[i], symbols[i+1]); rank != noRank {
				heap = append(heap, uint64(rank)<<32|uint64(i))
			}
		}
	}
	links[n-1].after = -1
	for i := len(heap) / 4; i >= 0; i-- {
		siftDown(heap, i)
	}
	const gone = math.MaxInt32
	for len(heap) > 0 {
		rank, at := uint32(heap[0]>>32), int32(heap[0]&math.MaxUint32)
		heap[0] = heap[len(heap)-1]
		heap = heap[:len(heap)-1]
		siftDown(heap, 0)
		right := links[at].after
		if right < 0 || right == gone || m.rank(symbols[at], symbols[right]) != rank {
			continue
		}
		symbols[at] = m.merges.also(symbols[at], symbols[right])
		next := links[right].after
		links[at].after = next
		links[right].after = gone
		if next >= 0 {
			links[next].before = at
			if r := m.rank(symbols[at], symbols[next]); r != noRank {
				heap = push(heap, uint64(r)<<32|uint64(at))
			}
		}
		if before := links[at].before; before >= 0 {
			if r := m.rank(symbols[before], symbols[at]); r != noRank {
				heap = push(heap, uint64(r)<<32|uint64(before))
			}
		}
	}
	kept, starts := symbols[:0], e.starts[:0]
	for i := int32(0); i >= 0; i = links[i].after {
		kept, starts = append(kept, symbols[i]), append(starts, i)
	}
	e.links, e.heap, e.starts = links, heap, starts
	return kept
}

// push and siftDown keep the smallest entry first; four children to an entry cost fewer cache lines than two.
func push(heap []uint64, entry uint64) []uint64 {
	heap = append(heap, entry)
	i := len(heap) - 1
	for i > 0 {
		parent := (i - 1) / 4
		if heap[parent] <= entry {
			break
		}
		heap[i] = heap[parent]
		i = parent
	}
	heap[i] = entry
	return heap
}

func siftDown(heap []uint64, i int) {
	if i >= len(heap) {
		return
	}
	entry := heap[i]
	for {
		child := 4*i + 1
		if child >= len(heap) {
			break
		}
		least := child
		for c := child + 1; c < min(child+4, len(heap)); c++ {
			if heap[c] < heap[least] {
				least = c
			}
		}
		if heap[least] >= entry {
			break
		}
		heap[i] = heap[least]
		i = least
	}
	heap[i] = entry
}
