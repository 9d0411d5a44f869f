package score

import (
	"fmt"
	"slices"
)

// forest says how variants of a model go through its layers: together as long as they have the same layers behind them.
type forest struct {
	drops  [][]int
	lasts  []int // the last layer of each variant
	unused []int // layers that all variants lack
	passes int   // times that a layer is gone through, a last layer for all that have it together
	most   int   // branches that are there at the same time
}

func newForest(layers int, drops [][]int) (*forest, error) {
	f := &forest{drops: drops}
	for v, drop := range drops {
		last := layers - 1
		for slices.Contains(drop, last) {
			last--
		}
		if last < 0 {
			return nil, fmt.Errorf("score: variant %d has no layer left", v)
		}
		f.lasts = append(f.lasts, last)
	}
	all := make([]int, len(drops))
	for v := range all {
		all[v] = v
	}
	branches := [][]int{all}
	for l := range layers {
		if !slices.ContainsFunc(drops, func(drop []int) bool { return !slices.Contains(drop, l) }) {
			f.unused = append(f.unused, l)
			continue
		}
		var next [][]int
		f.most = max(f.most, len(branches))
		for _, b := range branches {
			through, ends, around := f.part(b, l)
			f.passes += min(len(through), 1) + min(len(ends), 1)
			for _, part := range [][]int{through, around} {
				if len(part) > 0 {
					next = append(next, part)
				}
			}
		}
		branches = next
		f.most = max(f.most, len(branches))
	}
	return f, nil
}

// part says which variants of a branch go through a layer and on, which end in it, and which go around it.
func (f *forest) part(branch []int, layer int) (through, ends, around []int) {
	for _, v := range branch {
		switch {
		case slices.Contains(f.drops[v], layer):
			around = append(around, v)
		case f.lasts[v] == layer:
			ends = append(ends, v)
		default:
			through = append(through, v)
		}
	}
	return through, ends, around
}
