package similarity

import (
	"fmt"

	"shallow/decoder"
)

// groupRows bounds the tokens that go through a layer before the next is loaded, so that a journal entry is never far
// away. Packing a layer's weights costs about a hundredth of taking so many rows through it.
const groupRows = 16384

// need is what a run takes in memory, in bytes.
type need struct {
	fixed    int64                   // weights
	states   func(ids []int) int64   // of one sequence
	activity func(longest int) int64 // beside weights and states, while at most so many rows go through a layer together
}

// bytes is what a group takes.
func (n need) bytes(group [][]int) int64 {
	longest, states := 0, int64(0)
	for _, ids := range group {
		longest = max(longest, pieceRows(ids))
		states += n.states(ids)
	}
	return n.fixed + n.activity(longest) + states
}

// layerBytes is the largest layer's weights.
func layerBytes(m *decoder.Model) int64 {
	var n int64
	for i := range m.Spec.L {
		n = max(n, m.LayerBytes(i))
	}
	return n
}

// divide cuts the sequences into groups that fit the memory, 0 being no bound.
func divide(sequences [][]int, memory int64, n need) ([][][]int, error) {
	var groups [][][]int
	var group [][]int
	var rows, longest int
	var states int64
	for _, ids := range sequences {
		one := n.states(ids)
		if rows > 0 && (rows+len(ids) > groupRows || memory > 0 && n.fixed+n.activity(max(longest, pieceRows(ids)))+states+one > memory) {
			groups = append(groups, group)
			group, rows, longest, states = nil, 0, 0, 0
		}
		longest = max(longest, pieceRows(ids))
		if alone := n.fixed + n.activity(longest) + one; memory > 0 && rows == 0 && alone > memory {
			return nil, fmt.Errorf("similarity: a layer of %d MB with its activations and one sequence of %d tokens take %d MB, and --memory is %d MB: raise it, or lower --length",
				n.fixed>>20, len(ids), alone>>20+1, memory>>20)
		}
		group = append(group, ids)
		rows += len(ids)
		states += one
	}
	if rows > 0 {
		groups = append(groups, group)
	}
	return groups, nil
}

// pieceRows is how many rows go through a layer together where this is the longest sequence.
func pieceRows(ids []int) int { return max(len(ids), decoder.DefaultRows) }

// pieces cuts a group into runs of sequences of about as many rows as a layer takes at a time.
func pieces(group [][]int) [][][]int {
	var cut [][][]int
	for len(group) > 0 {
		n, rows := 1, len(group[0])
		for n < len(group) && rows+len(group[n]) <= decoder.DefaultRows {
			rows += len(group[n])
			n++
		}
		cut = append(cut, group[:n])
		group = group[n:]
	}
	return cut
}
