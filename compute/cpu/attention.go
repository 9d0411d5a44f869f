package cpu

import (
	"slices"

	"shallow/compute"
)

// attention is one call: what its tiles share, and scratch memory that later calls use again.
//
// The queries of one sequence that read one key-value head are rows numbered position after position, the heads of a
// position one after another, so that their positions ascend. A tile is some rows in a row; it walks the pages
// that any of them sees, keeping for each row the largest score, the sum of weights and the weighted sum of values (Milakov
// and Gimelshein, 2018). What a row becomes depends on the row and the positions it sees alone:
//
//   - scores and weighted sums are chains of multiply-adds in ascending order, one chain a page for each number;
//   - what a row does not see is −∞ before the maximum and weighs exactly zero, and zero times a finite value changes
//     nothing; a page with a value that is not finite is added row by row without what the row does not see;
//   - rows that see nothing of a page are left out of it.
type attention struct {
	kernels *attentionKernels
	tanh    func(out, x []float32, scale, limit float32)
	cache   *cache
	batch   compute.Batch
	options compute.AttentionOptions
	out, q  compute.Tensor
	group   int // query heads that share a key-value head

	tiles   []attentionTile
	workers []attentionScratch
}

// attentionTile is rows [first, first+rows) of a sequence's queries of one key-value head.
type attentionTile struct {
	sequence, head, first, rows int
	cost                        int // rows times pages
}

// attentionRows is the most rows of a tile. Its queries, weights and sums share the second-level cache with one page.
const attentionRows = 96

// Attention runs the tiles with the most work first, so that no thread is left with a long one at the end.
func (d *Device) Attention(out, q compute.Tensor, from compute.Cache, b compute.Batch, o compute.AttentionOptions) {
	if !d.ok() {
		return
	}
	c, ok := from.(*cache)
	if !ok {
		d.fail("Attention: a cache of another device")
		return
	}
	if !d.attentionFits(out, q, c, b, o) {
		return
	}
	a := &d.attention
	a.kernels, a.tanh = attentionKernelsAt(d.level), d.rows.tanh
	a.cache, a.batch, a.options, a.out, a.q = c, b, o, out, q
	a.group = q.Cols / o.HeadSize / c.kvHeads
	if d.cutTiles(a); d.ok() {
		a.reserve(d.pool.threads)
		d.pool.run(len(a.tiles), a.run)
	}
	a.cache, a.batch, a.out, a.q, a.options = nil, compute.Batch{}, compute.Tensor{}, compute.Tensor{}, compute.AttentionOptions{}
}

// attentionFits checks kinds and shapes.
func (d *Device) attentionFits(out, q compute.Tensor, c *cache, b compute.Batch, o compute.AttentionOptions) bool {
	const op = "Attention"
	if o.HeadSize != c.headSize || c.headSize == 0 || q.Cols == 0 || q.Cols%(c.kvHeads*c.headSize) != 0 {
		d.fail("Attention: queries %v in heads of %d over a cache of %d heads of %d", q, o.HeadSize, c.kvHeads, c.headSize)
		return false
	}
	if o.Window < 0 || !(o.SoftCap >= 0) {
		d.fail("Attention: a window of %d, a soft cap of %g", o.Window, o.SoftCap)
		return false
	}
	sequences := b.Lengths.Rows
	return d.fits(op, "queries", q, q.Rows, q.Cols, compute.Float32) &&
		d.fits(op, "out", out, q.Rows, q.Cols, compute.Float32) &&
		d.fits(op, "offsets", b.Offsets, sequences+1, 1, compute.Int32) &&
		d.fits(op, "lengths", b.Lengths, sequences, 1, compute.Int32) &&
		d.fits(op, "table", b.Table, sequences, b.Table.Cols, compute.Int32) &&
		(!o.LogSumExp.Given() || d.fits(op, "log-sum-exp", o.LogSumExp, q.Rows, q.Cols/o.HeadSize, compute.Float32))
}

// cutTiles cuts all sequences into tiles, the costliest first, and checks the batch's numbers.
func (d *Device) cutTiles(a *attention) {
	a.tiles = a.tiles[:0]
	for s := range a.batch.Lengths.Rows {
		first, rows, length := a.sequence(s)
		if first < 0 || rows < 0 || first+rows > a.q.Rows || rows > length {
			d.fail("Attention: sequence %d has rows [%d, %d) of %d and %d positions", s, first, first+rows, a.q.Rows, length)
			return
		}
		if rows == 0 {
			continue
		}
		lowest, _ := a.sees(length - rows)
		for p := lowest / compute.PageSize; p*compute.PageSize < length; p++ {
			if p >= a.batch.Table.Cols {
				d.fail("Attention: sequence %d has %d positions and %d pages", s, length, a.batch.Table.Cols)
				return
			}
			if page := a.page(s, p); page < 0 || page >= a.cache.pages {
				d.fail("Attention: page %d of sequence %d is %d: the cache has %d", p, s, page, a.cache.pages)
				return
			}
		}
		for n := 0; n < rows*a.group; n += attentionRows {
			t := attentionTile{sequence: s, first: n, rows: min(attentionRows, rows*a.group-n)}
			low, _ := a.sees(length - rows + n/a.group)
			_, high := a.sees(length - rows + (n+t.rows-1)/a.group)
			t.cost = t.rows * ((high-1)/compute.PageSize - low/compute.PageSize + 1)
			for t.head = range a.cache.kvHeads {
				a.tiles = append(a.tiles, t)
			}
		}
	}
	slices.SortStableFunc(a.tiles, func(x, y attentionTile) int { return y.cost - x.cost })
}

// sequence is the first row, the rows and the length of sequence s.
func (a *attention) sequence(s int) (first, rows, length int) {
	offsets := int32s(a.batch.Offsets)
	first = int(offsets[s*a.batch.Offsets.Stride])
	rows = int(offsets[(s+1)*a.batch.Offsets.Stride]) - first
	return first, rows, int(int32s(a.batch.Lengths)[s*a.batch.Lengths.Stride])
}

// page is where the cache holds page p of sequence s.
func (a *attention) page(s, p int) int {
	return int(int32s(a.batch.Table)[s*a.batch.Table.Stride+p])
}

// sees is the positions [low, high) that a row at a position sees.
func (a *attention) sees(position int) (low, high int) {
	if a.options.Window > 0 {
		low = max(0, position-a.options.Window+1)
	}
	return low, position + 1
}
