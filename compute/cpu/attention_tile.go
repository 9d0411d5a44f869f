package cpu

import (
	"math"
	"math/bits"

	"shallow/compute"
)

// attentionScratch is one thread's memory for a tile. Rows of queries and sums are cache.width wide.
type attentionScratch struct {
	queries    []uint32  // [attentionRows][width/per]
	scores     []float32 // [attentionRows][PageSize]
	weights    []uint32  // [attentionRows][PageSize/per]; for float32 they overwrite the scores
	sums       []float32 // [attentionRows][width], of weighted values
	lanes      []float32 // [attentionRows][channelBlock], of weights
	peaks      []float32 // the largest scaled score so far
	correction []float32 // what the new peak makes of the sums so far
	visible    []uint64  // bit j: the row sees place j of the page
	keys       []float32 // [width][PageSize], where the kernels do not multiply pairs
	values     []float32 // [PageSize][width]
	clean      []uint32  // values [PageSize/per][width] without what one row does not see
}

// reserve gives each of the threads its scratch.
func (a *attention) reserve(threads int) {
	if len(a.workers) < threads {
		a.workers = make([]attentionScratch, threads)
	}
	for i := range a.workers {
		w, width := &a.workers[i], a.cache.width
		if len(w.values) >= compute.PageSize*width {
			continue
		}
		*w = attentionScratch{
			queries:    asSlice[uint32](alignedBytes(4 * attentionRows * width)),
			scores:     alignedFloats(attentionRows * compute.PageSize),
			weights:    asSlice[uint32](alignedBytes(4 * attentionRows * compute.PageSize)),
			sums:       alignedFloats(attentionRows * width),
			lanes:      alignedFloats(attentionRows * channelBlock),
			peaks:      alignedFloats(attentionRows),
			correction: alignedFloats(attentionRows),
			visible:    make([]uint64, attentionRows),
			keys:       alignedFloats(compute.PageSize * width),
			values:     alignedFloats(compute.PageSize * width),
			clean:      asSlice[uint32](alignedBytes(4 * compute.PageSize * width)),
		}
	}
}

// attentionWalk is one tile on one thread as it walks the pages.
type attentionWalk struct {
	*attention
	*attentionScratch
	t        attentionTile
	row      int // of the sequence's first query, in q
	position int // of the same
	per      int // numbers in a unit as they are multiplied
}

// run computes one tile.
func (a *attention) run(worker, item int) {
	w := attentionWalk{attention: a, attentionScratch: &a.workers[worker], t: a.tiles[item], per: 1}
	first, rows, length := a.sequence(w.t.sequence)
	w.row, w.position = first, length-rows
	if a.kernels.pairs {
		w.per = a.cache.per
	}
	w.begin()
	low, _ := a.sees(w.positionOf(0))
	_, high := a.sees(w.positionOf(w.t.rows - 1))
	for p := low / compute.PageSize; p*compute.PageSize < high; p++ {
		w.page(p)
	}
	w.end()
}

// positionOf is the position of the tile's row i.
func (w *attentionWalk) positionOf(i int) int { return w.position + (w.t.first+i)/w.group }

// place is where the tile's row i lies in q and out.
func (w *attentionWalk) place(i int) (row, head int) {
	n := w.t.first + i
	return w.row + n/w.group, w.t.head*w.group + n%w.group
}

// begin loads the queries and clears the sums.
func (w *attentionWalk) begin() {
	depth, size := w.cache.width/w.per, w.cache.headSize
	q := floats(w.q)
	for i := range w.t.rows {
		row, head := w.place(i)
		x := q[row*w.q.Stride+head*size:][:size]
		to := w.queries[i*depth : (i+1)*depth]
		clear(to[size/w.per:])
		if w.per == 2 {
			w.kernels.roundPairs(to, x)
		} else {
			copy(asFloats(to), x)
		}
		w.peaks[i] = float32(math.Inf(-1))
	}
	clear(w.lanes[:w.t.rows*channelBlock])
	clear(w.sums[:w.t.rows*w.cache.width])
}

// page adds what the rows see of page p of their sequence.
func (w *attentionWalk) page(p int) {
	lo, hi, whole := w.look(p * compute.PageSize)
	if lo == hi {
		return
	}
	keys, values := w.cache.head(w.attention.page(w.t.sequence, p), w.t.head)
	if w.per < w.cache.per {
		w.kernels.widenPairs(w.keys, keys, compute.PageSize)
		w.kernels.widenPairs(w.values, values, w.cache.width)
		keys, values = asUnits(w.keys), asUnits(w.values)
	}
	weights := w.weights
	if w.per == 1 {
		weights = asUnits(w.scores)
	}
	if whole {
		w.score(keys, lo, hi, 0, compute.PageSize)
		w.weigh(weights, lo, hi)
		w.add(weights, values, lo, hi, 0, compute.PageSize)
		return
	}
	// Some rows see a part of the page: blocks of rows leave out what none of them sees.
	for i := lo; i < hi; i += attentionBlock {
		j := min(i+attentionBlock, hi)
		from, to := w.span(i, j, channelBlock)
		w.score(keys, i, j, from, to)
	}
	w.weigh(weights, lo, hi)
	from, to := w.span(lo, hi, w.per)
	if !w.kernels.finite(values[from/w.per*w.cache.width:to/w.per*w.cache.width], w.per) {
		w.addRowByRow(weights, values, lo, hi)
		return
	}
	for i := lo; i < hi; i += attentionBlock {
		j := min(i+attentionBlock, hi)
		from, to := w.span(i, j, w.per)
		w.add(weights, values, i, j, from, to)
	}
}

// attentionBlock is the number of rows that a micro-kernel takes at most.
const attentionBlock = 6

// look sets visible for the page that starts at a position. Rows [lo, hi) see some of it, and all of it where it is whole.
func (w *attentionWalk) look(start int) (lo, hi int, whole bool) {
	whole = true
	for i := range w.t.rows {
		low, high := w.sees(w.positionOf(i))
		low, high = max(low-start, 0), min(high-start, compute.PageSize)
		if high <= 0 { // rows before those that see some: their positions are lower
			lo = i + 1
			continue
		}
		if low >= compute.PageSize {
			continue
		}
		w.visible[i] = ^uint64(0) >> (compute.PageSize - (high - low)) << low
		whole = whole && high-low == compute.PageSize
		hi = i + 1
	}
	return min(lo, hi), hi, whole
}

// span is the places that any of rows [i, j) sees, rounded outwards to multiples of step.
func (w *attentionWalk) span(i, j, step int) (from, to int) {
	from = bits.TrailingZeros64(w.visible[i])
	to = compute.PageSize - bits.LeadingZeros64(w.visible[j-1])
	return from / step * step, (to + step - 1) / step * step
}

// score multiplies the queries of rows [i, j) by the keys at places [from, to).
func (w *attentionWalk) score(keys []uint32, i, j, from, to int) {
	depth := w.cache.width / w.per
	w.kernels.multiply(w.scores[i*compute.PageSize+from:], compute.PageSize, nil, w.queries[i*depth:], depth,
		keys[from:], compute.PageSize, j-i, depth, to-from, w.per)
}

// weigh turns the scores of rows [i, j) into weights.
func (w *attentionWalk) weigh(weights []uint32, i, j int) {
	const page, lanes = compute.PageSize, channelBlock
	scale := w.options.Scale
	if limit := w.options.SoftCap; limit != 0 {
		scores := w.scores[i*page : j*page]
		w.tanh(scores, scores, scale, limit)
		scale = 1
	}
	w.kernels.weigh(weights[i*page/w.per:], w.scores[i*page:], w.visible[i:j], w.peaks[i:j], w.correction[i:j],
		w.lanes[i*lanes:j*lanes], scale, w.per)
}

// add corrects the sums of rows [i, j) and adds the weighted values at places [from, to).
func (w *attentionWalk) add(weights, values []uint32, i, j, from, to int) {
	const page = compute.PageSize
	width := w.cache.width
	w.kernels.multiply(w.sums[i*width:], width, w.correction[i:j], weights[(i*page+from)/w.per:], page/w.per,
		values[from/w.per*width:], width, j-i, (to-from)/w.per, width, w.per)
}

// addRowByRow is add where a value is not finite: what a row does not see is cleared from a copy of the values.
func (w *attentionWalk) addRowByRow(weights, values []uint32, lo, hi int) {
	width := w.cache.width
	for i := lo; i < hi; i++ {
		from, to := w.span(i, i+1, w.per)
		for u := from / w.per; u < to/w.per; u++ {
			see := uint32(0)
			for k := range w.per {
				if w.visible[i]>>(u*w.per+k)&1 == 1 {
					see |= uint32(1<<(32/w.per)-1) << (k * 32 / w.per)
				}
			}
			for ch, v := range values[u*width : (u+1)*width] {
				w.clean[u*width+ch] = v & see
			}
		}
		w.add(weights, w.clean, i, i+1, from, to)
	}
}

// end divides the sums by the sums of weights.
func (w *attentionWalk) end() {
	out, size := floats(w.out), w.cache.headSize
	for i := range w.t.rows {
		row, head := w.place(i)
		sum := foldLanes(w.lanes[i*channelBlock:][:channelBlock])
		w.kernels.scale(out[row*w.out.Stride+head*size:][:size], w.sums[i*w.cache.width:], 1/sum)
		if l := w.options.LogSumExp; l.Given() {
			floats(l)[row*l.Stride+head] = float32(float64(w.peaks[i]) + math.Log(float64(sum)))
		}
	}
}

// foldLanes adds the lanes of a vector, halves to halves.
func foldLanes(lanes []float32) float32 {
	var v [channelBlock]float32
	copy(v[:], lanes)
	for n := len(v) / 2; n > 0; n /= 2 {
		for i := range n {
			v[i] += v[n+i]
		}
	}
	return v[0]
}
