package cpu

import (
	"math"
	"slices"

	"shallow/compute"
)

// attentionGradient is one call of AttentionBackward: what its threads share, and scratch memory that later calls use again.
//
// A sequence's positions are cut into tiles of PageSize. For a query tile of one head and a key tile it takes five products: scores and
// their gradients transposed, a row a key, from which dv, dk and dq follow. dq adds key tiles in ascending order; dk and dv add
// query tiles in ascending order, and in a tile head after head: each number is one chain of multiply-adds, whoever computes it.
//
// One thread takes a key-value head of a sequence through all pairs of tiles where there are enough of those for all threads. Otherwise
// each query tile is one's own for dq, and each key tile for dk and dv, at the cost of two products more.
type attentionGradient struct {
	kernels    *gradientKernels
	multiply   func(c []float32, ldc int, start []float32, a []uint32, lda int, b []uint32, ldb int, rows, depth, cols, per int)
	dots       func(a, b []float32) (ab, aa, bb float64)
	tanh       func(out, x []float32, scale, limit float32)
	options    compute.AttentionOptions
	dq, dk, dv compute.Tensor
	dout, out  compute.Tensor
	q, k, v    compute.Tensor
	group      int // query heads that share a key-value head
	width      int // the head size, rounded up to a multiple of channelBlock

	items   []gradientItem
	loads   []int
	workers []gradientScratch
}

// gradientItem is what one thread computes: of rows [lo, hi), a sequence, and one key-value head, the gradients of query tiles [queries,
// queriesEnd) by all they see if ofQueries, and of key tiles [keys, keysEnd) by all that see them if ofKeys.
type gradientItem struct {
	lo, hi, head        int
	queries, queriesEnd int
	keys, keysEnd       int
	ofQueries, ofKeys   bool
	cost                int // pairs of tiles
}

// AttentionBackward is the gradient of Attention.
func (d *Device) AttentionBackward(dq, dk, dv, dout, out, q, k, v compute.Tensor, b compute.Batch, o compute.AttentionOptions) {
	if !d.ok() || !d.attentionGradientFits(dq, dk, dv, dout, out, q, k, v, b, o) {
		return
	}
	a := &d.gradient
	a.kernels, a.multiply, a.dots, a.tanh = gradientsAt(d.level), attentionKernelsAt(d.level).multiply, d.rows.dots, d.rows.tanh
	a.options, a.dq, a.dk, a.dv, a.dout, a.out, a.q, a.k, a.v = o, dq, dk, dv, dout, out, q, k, v
	a.group, a.width = q.Cols/k.Cols, padded(o.HeadSize)
	a.cut(b, d.pool.threads)
	a.reserve(d.pool.threads)
	d.pool.run(len(a.items), a.run)
	*a = attentionGradient{items: a.items[:0], loads: a.loads, workers: a.workers}
}

// attentionGradientFits checks kinds and shapes, and that sequences lie in the rows.
func (d *Device) attentionGradientFits(dq, dk, dv, dout, out, q, k, v compute.Tensor, b compute.Batch, o compute.AttentionOptions) bool {
	const op = "AttentionBackward"
	size := o.HeadSize
	if size < 1 || k.Cols == 0 || k.Cols%size != 0 || q.Cols == 0 || q.Cols%k.Cols != 0 {
		d.fail("%s: queries %v and keys %v in heads of %d", op, q, k, size)
		return false
	}
	if o.Window < 0 || !(o.SoftCap >= 0) {
		d.fail("%s: a window of %d, a soft cap of %g", op, o.Window, o.SoftCap)
		return false
	}
	sequences := b.Lengths.Rows
	if !d.fits(op, "q", q, q.Rows, q.Cols, float32Kind...) || !d.fits(op, "k", k, q.Rows, k.Cols, float32Kind...) ||
		!d.fits(op, "v", v, q.Rows, k.Cols, float32Kind...) || !d.fits(op, "dq", dq, q.Rows, q.Cols, float32Kind...) ||
		!d.fits(op, "dk", dk, q.Rows, k.Cols, float32Kind...) || !d.fits(op, "dv", dv, q.Rows, k.Cols, float32Kind...) ||
		!d.fits(op, "dout", dout, q.Rows, q.Cols, float32Kind...) || !d.fits(op, "out", out, q.Rows, q.Cols, float32Kind...) ||
		!d.fits(op, "log-sum-exp", o.LogSumExp, q.Rows, q.Cols/size, float32Kind...) ||
		!d.fits(op, "offsets", b.Offsets, sequences+1, 1, compute.Int32) {
		return false
	}
	offsets := int32s(b.Offsets)
	for s := range sequences {
		if lo, hi := int(offsets[s*b.Offsets.Stride]), int(offsets[(s+1)*b.Offsets.Stride]); lo < 0 || hi < lo || hi > q.Rows {
			d.fail("%s: sequence %d has rows [%d, %d) of %d", op, s, lo, hi, q.Rows)
			return false
		}
	}
	return true
}

// cut makes the items, the costliest first.
func (a *attentionGradient) cut(b compute.Batch, threads int) {
	offsets := int32s(b.Offsets)
	a.items = a.items[:0]
	for s := range b.Lengths.Rows {
		lo, hi := int(offsets[s*b.Offsets.Stride]), int(offsets[(s+1)*b.Offsets.Stride])
		tiles := (hi - lo + compute.PageSize - 1) / compute.PageSize
		whole := gradientItem{lo: lo, hi: hi, queriesEnd: tiles, keysEnd: tiles, ofQueries: true, ofKeys: true}
		for i := range tiles {
			whole.cost += i - a.firstKeys(i) + 1
		}
		for whole.head = range a.k.Cols / a.options.HeadSize {
			if tiles > 0 {
				a.items = append(a.items, whole)
			}
		}
	}
	costliest := func(x, y gradientItem) int { return y.cost - x.cost }
	slices.SortStableFunc(a.items, costliest)
	// Whole heads take 5 products a pair, on the thread with the most of them; tiles take 7 on evenly loaded threads.
	a.loads = append(a.loads[:0], make([]int, threads)...)
	total := 0
	for _, item := range a.items {
		a.loads[slices.Index(a.loads, slices.Min(a.loads))] += item.cost
		total += item.cost
	}
	if slices.Max(a.loads)*5*threads <= total*7 {
		return
	}
	for n := len(a.items) - 1; n >= 0; n-- {
		whole := a.items[n]
		for i := range whole.queriesEnd {
			t := whole
			t.queries, t.queriesEnd, t.ofKeys, t.cost = i, i+1, false, 3*(i-a.firstKeys(i)+1)
			a.items = append(a.items, t)
			t = whole
			t.keys, t.keysEnd, t.ofQueries = i, i+1, false
			t.queries, t.cost = i, 4*(min(whole.queriesEnd, a.lastQueries(i)+1)-i)
			t.queriesEnd = min(t.queriesEnd, a.lastQueries(i)+1)
			a.items = append(a.items, t)
		}
		a.items[n].cost = 0
	}
	slices.SortStableFunc(a.items, costliest)
	for len(a.items) > 0 && a.items[len(a.items)-1].cost == 0 {
		a.items = a.items[:len(a.items)-1]
	}
}

// firstKeys is the first key tile that query tile i sees, lastQueries the last query tile that sees key tile j.
func (a *attentionGradient) firstKeys(i int) int {
	if a.options.Window == 0 {
		return 0
	}
	return max(0, i*compute.PageSize-a.options.Window+1) / compute.PageSize
}

func (a *attentionGradient) lastQueries(j int) int {
	if a.options.Window == 0 {
		return math.MaxInt32
	}
	return ((j+1)*compute.PageSize - 1 + a.options.Window - 1) / compute.PageSize
}
