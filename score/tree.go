package score

import (
	"slices"

	"shallow/decoder"
)

// tree is a group of requests as the segments that they go through, and the rows that predict their continuations.
type tree struct {
	requests []int
	segments []decoder.Segment
	rows     []int // ascending
	targets  [][]target

	spec   *decoder.Spec
	all    []Request
	starts []int // position at which each segment starts
	firsts []int // row of each segment's first token
	count  int   // rows so far
	path   []int // segments to the one at hand
	at     map[int]int
}

// target is a token of a request that a row predicts.
type target struct{ request, id int }

// newTree makes a tree of requests that are sorted by what is fed.
func newTree(s *decoder.Spec, all []Request, sorted []int) *tree {
	t := &tree{requests: sorted, spec: s, all: all, at: map[int]int{}}
	var alike []int
	for _, r := range sorted {
		if s.Shares(all[r].fed()) {
			alike = append(alike, r)
			continue
		}
		t.open(&all[r], 0, all[r].fed())
		t.end(r)
		t.path = t.path[:0]
	}
	t.grow(alike, 0)
	t.sortRows()
	return t
}

// grow adds the requests, which have their first depth tokens in common with the path, as segments behind it.
func (t *tree) grow(sorted []int, depth int) {
	for len(sorted) > 0 {
		first := &t.all[sorted[0]]
		if first.fed() == depth {
			t.end(sorted[0])
			sorted = sorted[1:]
			continue
		}
		n := 1
		for n < len(sorted) && t.all[sorted[n]].at(depth) == first.at(depth) {
			n++
		}
		common := shared(first, &t.all[sorted[n-1]])
		t.open(first, depth, common)
		t.grow(sorted[:n], common)
		t.path = t.path[:len(t.path)-1]
		sorted = sorted[n:]
	}
}

// open begins the segment of places [from, to) of a request behind the path.
func (t *tree) open(r *Request, from, to int) {
	parent := -1
	if n := len(t.path); n > 0 {
		parent = t.path[n-1]
	}
	ids := make([]int, 0, to-from)
	for i := from; i < to; i++ {
		ids = append(ids, r.at(i))
	}
	t.path = append(t.path, len(t.segments))
	t.segments = append(t.segments, decoder.Segment{Parent: parent, IDs: ids})
	t.starts, t.firsts = append(t.starts, from), append(t.firsts, t.count)
	t.count += to - from
}

// end notes the rows that predict the continuation of a request, whose tokens are those of the path.
func (t *tree) end(request int) {
	r := &t.all[request]
	at := len(t.path) - 1
	for place := r.fed(); place >= len(r.Context); place-- {
		for t.starts[t.path[at]] > place-1 {
			at--
		}
		segment := t.path[at]
		row := t.firsts[segment] + place - 1 - t.starts[segment]
		i, known := t.at[row]
		if !known {
			i = len(t.rows)
			t.at[row] = i
			t.rows, t.targets = append(t.rows, row), append(t.targets, nil)
		}
		t.targets[i] = append(t.targets[i], target{request, r.at(place)})
	}
}

// sortRows puts the rows that predict something into ascending order.
func (t *tree) sortRows() {
	slices.Sort(t.rows)
	targets := make([][]target, len(t.rows))
	for i, row := range t.rows {
		targets[i] = t.targets[t.at[row]]
	}
	t.targets, t.at = targets, nil
}
