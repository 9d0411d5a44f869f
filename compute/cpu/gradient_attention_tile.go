package cpu

import (
	"math/bits"

	"shallow/compute"
)

// gradientScratch is one thread's memory for a pair of tiles. Columns of queries and rows of keys past the tile's are zeros, or not
// read.
type gradientScratch struct {
	queries, douts   []float32 // [PageSize][width]
	queriesT, doutsT []float32 // [width][PageSize]
	keys             []float32 // [PageSize][width]
	sumQ, sumK, sumV []float32 // [PageSize][width]
	scores, slopes   []float32 // [PageSize keys][PageSize queries]
	lse, delta       []float32 // [PageSize] of the queries; delta is dout · out
	ones             []float32 // [PageSize]
	visible          []uint64  // of each key, bit j: query j sees it
}

// reserve gives each of the threads its scratch.
func (a *attentionGradient) reserve(threads int) {
	const page = compute.PageSize
	if len(a.workers) < threads {
		a.workers = make([]gradientScratch, threads)
	}
	for i := range a.workers {
		w := &a.workers[i]
		if len(w.queries) >= page*a.width {
			continue
		}
		for _, s := range []*[]float32{&w.queries, &w.douts, &w.queriesT, &w.doutsT, &w.keys, &w.sumQ, &w.sumK, &w.sumV} {
			*s = alignedFloats(page * a.width)
		}
		for _, s := range []*[]float32{&w.scores, &w.slopes} {
			*s = alignedFloats(page * page)
		}
		for _, s := range []*[]float32{&w.lse, &w.delta, &w.ones} {
			*s = alignedFloats(page)
		}
		for j := range w.ones {
			w.ones[j] = 1
		}
		w.visible = make([]uint64, page)
	}
}

// gradientWalk is an item on one thread as it walks the pairs of tiles.
type gradientWalk struct {
	*attentionGradient
	*gradientScratch
	item gradientItem
	head int // of the queries

	key       []float32 // the tile of keys, in rows keyStride apart
	keyStride int
}

// run computes one item.
func (a *attentionGradient) run(worker, item int) {
	w := gradientWalk{attentionGradient: a, gradientScratch: &a.workers[worker], item: a.items[item]}
	const page = compute.PageSize
	for i := w.item.queries; i < w.item.queriesEnd; i++ {
		row := w.item.lo + i*page
		rows := min(page, w.item.hi-row)
		for h := range w.group {
			w.head = w.item.head*w.group + h
			w.loadQueries(row, rows)
			for j := max(w.item.keys, w.firstKeys(i)); j < min(w.item.keysEnd, i+1); j++ {
				w.pair(i, j, rows, i == j && h == 0)
			}
			if w.item.ofQueries {
				w.store(w.sumQ, w.dq, row, rows, w.head)
			}
		}
	}
}

// load copies rows of one head of a tensor, with zeros where the width is more than the head size.
func (w *gradientWalk) load(to []float32, from compute.Tensor, row, rows, head int) {
	size := w.options.HeadSize
	all := floats(from)
	for i := range rows {
		line := to[i*w.width : (i+1)*w.width]
		copy(line, all[(row+i)*from.Stride+head*size:][:size])
		clear(line[size:])
	}
}

// part is the rows of one head of a tensor from a row on, and how far apart they are.
func (w *gradientWalk) part(t compute.Tensor, row, head int) ([]float32, int) {
	return floats(t)[row*t.Stride+head*w.options.HeadSize:], t.Stride
}

// fits reports whether a head is whole vectors, so that its rows need no room for more.
func (w *gradientWalk) fits() bool { return w.width == w.options.HeadSize }

// store is the way back.
func (w *gradientWalk) store(from []float32, to compute.Tensor, row, rows, head int) {
	size := w.options.HeadSize
	all := floats(to)
	for i := range rows {
		copy(all[(row+i)*to.Stride+head*size:][:size], from[i*w.width:])
	}
}

// loadQueries loads a tile of queries and their gradients, and clears the sums.
func (w *gradientWalk) loadQueries(row, rows int) {
	const page = compute.PageSize
	w.load(w.queries, w.q, row, rows, w.head)
	w.load(w.douts, w.dout, row, rows, w.head)
	clear(w.queries[rows*w.width : page*w.width])
	clear(w.douts[rows*w.width : page*w.width])
	for i := 0; i < page; i += 8 {
		w.kernels.transpose(w.queriesT[i:], page, w.queries[i*w.width:], w.width, w.width)
		w.kernels.transpose(w.doutsT[i:], page, w.douts[i*w.width:], w.width, w.width)
	}
	size, l := w.options.HeadSize, w.options.LogSumExp
	for i := range rows {
		ab, _, _ := w.dots(w.douts[i*w.width:][:size], floats(w.out)[(row+i)*w.out.Stride+w.head*size:][:size])
		w.delta[i], w.lse[i] = float32(ab), floats(l)[(row+i)*l.Stride+w.head]
	}
	clear(w.sumQ[:rows*w.width])
}

// pair adds what query tile i of rows queries and key tile j give each other. dk and dv begin with the first pair.
func (w *gradientWalk) pair(i, j, queries int, first bool) {
	const page = compute.PageSize
	row := w.item.lo + j*page
	keys := min(page, w.item.hi-row)
	w.key, w.keyStride = w.part(w.k, row, w.item.head)
	if !w.fits() {
		w.load(w.keys, w.k, row, keys, w.item.head)
		w.key, w.keyStride = w.keys, w.width
	}
	whole := w.look(i, j, queries, keys)
	if whole {
		w.score(row, 0, keys, 0, page)
	} else {
		for n := 0; n < keys; n += attentionBlock {
			end := min(n+attentionBlock, keys)
			if from, to := w.span(n, end, channelBlock); from < to {
				w.score(row, n, end, from, to)
			}
		}
	}
	if w.item.ofKeys {
		w.addKeys(row, keys, whole, first)
	}
	if w.item.ofQueries {
		w.addQueries(i, j, queries, keys, whole)
	}
}

// look sets visible; whole says that all of page queries see all of page keys.
func (w *gradientWalk) look(i, j, queries, keys int) (whole bool) {
	const page = compute.PageSize
	whole = queries == page && keys == page
	for n := range keys {
		low := max(0, (j-i)*page+n) // the first query that sees key n, and the one after the last
		high := queries
		if w.options.Window > 0 {
			high = min(high, (j-i)*page+n+w.options.Window)
		}
		w.visible[n] = 0
		if low < high {
			w.visible[n] = ^uint64(0) >> (page - (high - low)) << low
		}
		whole = whole && high-low == page
	}
	return whole
}

// span is the queries that see any of keys [n, end), rounded outwards to multiples of step. from is not below to where there are
// none.
func (w *gradientWalk) span(n, end, step int) (from, to int) {
	see := uint64(0)
	for _, v := range w.visible[n:end] {
		see |= v
	}
	if see == 0 {
		return 0, 0
	}
	from, to = bits.TrailingZeros64(see), compute.PageSize-bits.LeadingZeros64(see)
	return from / step * step, (to + step - 1) / step * step
}

// score makes scores and slopes of keys [n, end), which begin at a row, and queries [from, to).
func (w *gradientWalk) score(row, n, end, from, to int) {
	const page = compute.PageSize
	size := w.options.HeadSize
	scores, slopes := w.scores[n*page:], w.slopes[n*page:]
	w.multiply(scores[from:], page, nil, asUnits(w.key[n*w.keyStride:]), w.keyStride, asUnits(w.queriesT[from:]), page, end-n, size, to-from, 1)
	values, stride := w.part(w.v, row+n, w.item.head)
	w.multiply(slopes[from:], page, nil, asUnits(values), stride, asUnits(w.doutsT[from:]), page, end-n, size, to-from, 1)
	scale, bend := w.options.Scale, float32(0)
	if limit := w.options.SoftCap; limit != 0 {
		for i := range end - n {
			line := scores[i*page+from : i*page+to]
			w.tanh(line, line, scale, limit)
		}
		scale, bend = 1, 1/(limit*limit)
	}
	w.kernels.slopes(scores, slopes, w.visible[n:end], w.lse, w.delta, scale, bend, w.options.Scale)
}

// addKeys adds to dk and dv of keys that begin at a row, or begins them: where they lie if whole vectors fit there.
func (w *gradientWalk) addKeys(row, keys int, whole, first bool) {
	const page = compute.PageSize
	head, start := w.item.head, w.ones
	sumK, strideK := w.part(w.dk, row, head)
	sumV, strideV := w.part(w.dv, row, head)
	if !w.fits() {
		sumK, strideK, sumV, strideV = w.sumK, w.width, w.sumV, w.width
	}
	switch {
	case first:
		start = nil
	case !w.fits():
		w.load(w.sumK, w.dk, row, keys, head)
		w.load(w.sumV, w.dv, row, keys, head)
	}
	add := func(n, end, from, to int) {
		if start != nil {
			start = w.ones[:end-n]
		}
		w.multiply(sumV[n*strideV:], strideV, start, asUnits(w.scores[n*page+from:]), page,
			asUnits(w.douts[from*w.width:]), w.width, end-n, to-from, w.width, 1)
		w.multiply(sumK[n*strideK:], strideK, start, asUnits(w.slopes[n*page+from:]), page,
			asUnits(w.queries[from*w.width:]), w.width, end-n, to-from, w.width, 1)
	}
	if whole {
		add(0, keys, 0, page)
	} else {
		for n := 0; n < keys; n += attentionBlock {
			end := min(n+attentionBlock, keys)
			if from, to := w.span(n, end, 1); from < to {
				add(n, end, from, to)
			}
		}
	}
	if !w.fits() {
		w.store(w.sumK, w.dk, row, keys, head)
		w.store(w.sumV, w.dv, row, keys, head)
	}
}

// addQueries adds to dq.
func (w *gradientWalk) addQueries(i, j, queries, keys int, whole bool) {
	const page = compute.PageSize
	for n := 0; n < queries; n += attentionBlock {
		end, from, to := min(n+attentionBlock, queries), 0, keys
		if !whole { // the keys that any of queries [n, end) sees
			to = min(keys, (i-j)*page+end)
			if w.options.Window > 0 {
				from = max(0, (i-j)*page+n-w.options.Window+1)
			}
			if from >= to {
				continue
			}
		}
		w.kernels.transposed(w.sumQ[n*w.width:], w.width, w.ones[:end-n], asUnits(w.slopes[from*page+n:]), page,
			asUnits(w.key[from*w.keyStride:]), w.keyStride, end-n, to-from, w.width)
	}
}
