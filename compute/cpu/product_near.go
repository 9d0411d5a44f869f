package cpu

import "shallow/compute"

// nearTile adds one block of k to a tile of outputs, as tile does, of factors that lie where they are, in any order:
//
//	c[i·stride + j] = start[i·startStride + j] + Σ a[i·aRow + u·aUnit] · b[u·bUnit + j]   for u below k and all columns j of the tile
//
// Strides are in elements. The sums are tile's, bit for bit.
type nearTile = func(k int, a *float32, aRow, aUnit int, b *float32, bUnit int, c *float32, stride int, start *float32, startStride int)

// nearVector is the columns that a tile's are a multiple of.
const nearVector = 16

// Products of small weights, as those of small models, spend much of their time on laying rows side by side, and on outputs whose
// cache lines come and go once for each panel. So where all panels of the weights stay in a thread's cache, they are laid out first, and a
// thread takes nearRows rows as they are through all of them. nearBytes bounds the panels.
const (
	nearRows  = 64
	nearBytes = 1 << 20
)

// isNear reports whether rows are worth multiplying so.
func (p *product) isNear(rows int) bool {
	k := p.kernels
	if k.near[1] == nil || p.turned || len(p.segments) != 1 || rows < nearRows {
		return false
	}
	panels := 0
	for i := range p.weights {
		w := &p.weights[i]
		if w.packed != nil || w.rows%nearVector != 0 {
			return false
		}
		panels += (w.rows + k.cols - 1) / k.cols
	}
	return 4*panels*p.units*k.cols <= nearBytes
}

// runNear multiplies all rows of x.
func (p *product) runNear(d *Device, rows int) {
	k := p.kernels
	p.pieces = p.pieces[:0]
	for i := range p.weights {
		for j := 0; j < p.weights[i].rows; j += k.cols {
			p.pieces = append(p.pieces, piece{out: i, weight: i, panel: j / k.cols})
		}
	}
	p.packed, p.hi = grow(p.packed, len(p.pieces)*p.units*k.cols), rows
	d.pool.run(len(p.pieces), p.packPanel)
	d.pool.run((rows+nearRows-1)/nearRows, p.takeRows)
}

// packNear lays out one panel.
func (p *product) packNear(_, i int) {
	k, w, first := p.kernels, &p.weights[p.pieces[i].weight], p.pieces[i].panel*p.kernels.cols
	for u := 0; u < p.units; u += blockUnits {
		k.packWeights(p.packed[(i*p.units+u)*k.cols:], w, first, u, min(blockUnits, p.units-u), first, u+blockUnits)
	}
}

// multiplyNear takes some rows through all panels.
func (p *product) multiplyNear(_, i int) {
	k, lo := p.kernels, i*nearRows
	hi := min(lo+nearRows, p.hi)
	for at, t := range p.pieces {
		w, o, col := &p.weights[t.weight], &p.outs[t.out], t.panel*k.cols
		tiles := k.near[min(w.rows-col, k.cols)/nearVector]
		for u := 0; u < p.units; u += blockUnits {
			n, b := min(blockUnits, p.units-u), &asFloats(p.packed)[(at*p.units+u)*k.cols]
			for row := lo; row < hi; row += k.rows {
				c, start, startStride := o.at(row, col, u == 0)
				tiles[min(k.rows, hi-row)](n, &p.x[row*p.xStride+u], p.xStride, 1, b, k.cols, c, o.stride, start, startStride)
			}
		}
	}
}

// nearStride is how far apart rows may lie, in elements, that are read down their columns: where they lie farther apart they
// are in one another's way in the first-level cache, and two tiles' columns are laid side by side first.
const nearStride = 512

// addOuterNear is addOuter for few columns of b, a block of whose rows stays in a thread's cache, and reports whether they are. Each
// thread takes rows of out.
func (d *Device) addOuterNear(out output, a, b compute.Tensor, in compute.Kind) bool {
	p, k := &d.product, kernelsOf(d.level, in)
	if k.near[1] == nil || b.Cols%nearVector != 0 || 4*blockUnits*b.Cols > nearBytes {
		return false
	}
	p.prepare(d, a, in)
	defer p.forget()
	const least = 4 // tiles that share a reading of b
	tiles := (a.Cols + k.rows - 1) / k.rows
	share := 2 * max(least/2, (tiles+4*d.pool.threads-1)/(4*d.pool.threads)) * k.rows
	d.pool.run((a.Cols+share-1)/share, func(worker, i int) {
		lo := i * share
		hi := min(lo+share, a.Cols)
		for u := 0; u < a.Rows; u += blockUnits {
			n := min(blockUnits, a.Rows-u)
			for row := lo; row < hi; row += k.rows {
				from, unit := p.column(worker, u, n, row, hi, row/k.rows%2 == 1)
				for col := 0; col < b.Cols; col += k.cols {
					c := &out.out[row*out.stride+col]
					k.near[min(b.Cols-col, k.cols)/nearVector][min(k.rows, hi-row)](n, from, 1, unit,
						&floats(b)[u*b.Stride+col], b.Stride, c, out.stride, c, out.stride)
				}
			}
		}
	})
	return true
}

// column is where n units from u on of a tile's columns of x lie, from one on and below an end, and how far apart they are. The
// second of two tiles is asked for behind the first.
func (p *product) column(worker, u, n, col, end int, second bool) (*float32, int) {
	k, first := p.kernels, col
	if second {
		first -= k.rows
	}
	if p.xStride <= nearStride || first+2*k.rows > end {
		return &p.x[u*p.xStride+col], p.xStride
	}
	if !second {
		p.panels[worker] = grow(p.panels[worker], maxPanels*k.cols*blockUnits)
		k.packTurnedTiles(k, p.panels[worker], k.rows*n, p.x[u*p.xStride+col:], p.xStride, n)
	}
	return &asFloats(p.panels[worker])[(col-first)*n], k.rows
}
