package score

import (
	"fmt"

	"shallow/compute"
	"shallow/decoder"
)

// groupRows is how many rows go through a layer before the next is loaded: enough to hide what loading costs, few enough
// that a run that is stopped loses minutes at most. A group grows up to groupMost where cutting it would compute a long
// shared beginning twice.
const (
	groupRows = 16384
	groupMost = 4 * groupRows
	// sharedCost is the part of a group's rows that may be computed again because of a cut.
	sharedCost = 50
)

// divide cuts the requests, in their sorted order, into groups that fit the memory.
func divide(m *decoder.Model, requests []Request, order []int, v *forest, o Options) (groups [][]int, f Forecast, err error) {
	most, need, err := room(m, requests, v, o.Memory)
	if err != nil {
		return nil, f, err
	}
	f = Forecast{Requests: len(requests)}
	first, rows, largest := 0, 0, 0
	before := -1 // the last request of the group that shares its beginning
	for i, r := range order {
		fed, shares := requests[r].fed(), m.Spec.Shares(requests[r].fed())
		common := 0
		if before >= 0 && shares {
			common = shared(&requests[before], &requests[r])
		}
		more := fed - common
		if rows+more > most || rows >= groupRows && common*sharedCost < rows {
			groups = append(groups, order[first:i])
			f.Rows += rows
			first, rows, more, before = i, 0, fed, -1
		}
		if shares {
			before = r
		}
		rows += more
		largest = max(largest, rows)
		f.Tokens += fed
	}
	if first < len(order) {
		groups = append(groups, order[first:])
		f.Rows += rows
	}
	f.Groups, f.Memory = len(groups), need(largest)
	return groups, f, nil
}

// room is the most rows of a group, and what a group takes in memory.
func room(m *decoder.Model, requests []Request, v *forest, memory int64) (most int, need func(rows int) int64, err error) {
	var layer int64
	for i := range m.Spec.L {
		layer = max(layer, m.LayerBytes(i))
	}
	head := m.Spec.HeadWeight()
	// Layers and head are never loaded at the same time; a packed head takes twice the float32 weights at most.
	fixed := max(layer, 2*compute.Float32.Bytes(int(head.Elements())))
	need = func(rows int) int64 {
		// Segments leave pages partly filled; each branch has states, and each variant those that leave its last layer.
		return fixed + int64(v.most+len(v.drops))*m.StateBytes(rows) + 2*m.ScratchBytes([]int{max(rows, decoder.DefaultRows)})
	}
	longest := 1
	for i := range requests {
		longest = max(longest, requests[i].fed())
	}
	for most = max(groupMost, longest); memory > 0 && need(most) > memory && most > longest; {
		most = max(most/2, longest)
	}
	if memory > 0 && need(most) > memory {
		return 0, nil, fmt.Errorf("score: a layer of %d MB with its activations and one text of %d tokens take %d MB, and --memory is %d MB: raise it, or cut texts by --max-length",
			layer>>20, longest, need(longest)>>20+1, memory>>20)
	}
	return most, need, nil
}
