package cpu

import "shallow/compute"

// tile adds one block of k to a tile of outputs:
//
//	c[i·stride + j] = start[i·startStride + j] + Σ a[u][i] · b[u][j]   for u below k and the columns j in mask
//
// a holds as many rows a unit as the tile has, b all columns. c and start point at the first column of mask; shift, which
// is minus its number, leads back to column 0. Without start the sum alone is stored. The sum is one chain that begins at zero.
type tile = func(k int, a, b *uint32, c *float32, stride int, start *float32, startStride int, mask uint64, shift int)

// direct adds one block of k to a few rows × 16 outputs, as tile does, of a weight that is not packed: 16 rows from src
// on, srcStride bytes apart. a's units are aStride bytes apart. n is the block's size in turns of one vector's bytes;
// what lies ahead bytes further is needed next.
type direct = func(n int, a *uint32, aStride int, src *byte, srcStride, ahead int, c *float32, stride int, start *float32, startStride int)

// directKernels are those for one kind of weight by number of rows (1, 2 and 4). turn is the elements of a turn. decodes says
// that to pack a weight costs less than to decode it more than once.
type directKernels struct {
	by      [5]direct
	turn    int
	decodes bool
}

// productKernels multiply in one kind at one level.
type productKernels struct {
	rows, cols int    // of a tile
	pairs      bool   // a unit is a pair of bfloat16; a float32 otherwise
	round      bool   // float32 units are rounded to bfloat16
	tiles      []tile // by number of rows
	// near are tiles by number of vectors of columns and of rows; nil where there are none.
	near [4][]nearTile

	// packColumns lays as many of n units of 16 rows of a weight side by side as it has a fast way for, and returns
	// their number. dst is [n][cols]. What lies ahead elements further is needed next.
	packColumns func(k *productKernels, dst []uint32, w *weight, row, u, n, ahead int) int
	// packTile does the same with a whole tile of rows of x. dst is [units][rows].
	packTile func(k *productKernels, dst []uint32, x []float32, stride, cols int) int
	// packTurnedColumns lays as many of the units that begin at a row side by side, of 16 columns from col on of a turned
	// weight, as it has a fast way for, and returns their number. dst is [units][cols]. All units are whole.
	packTurnedColumns func(k *productKernels, dst []uint32, w *weight, col, row, units int) int
	// packTurnedTiles makes two whole tiles of rows of x, read as its transpose, that lie so many dwords apart, and returns
	// the number of units that it made of rows rows.
	packTurnedTiles func(k *productKernels, dst []uint32, apart int, x []float32, stride, rows int) int
	// direct finds the kernels for w; nil where there are none.
	direct func(k *productKernels, w *weight) *directKernels
}

// kernelsOf are the kernels of a level that multiply in a kind.
func kernelsOf(l Level, in compute.Kind) *productKernels {
	k := &kernelTable[l][0]
	if in == compute.BFloat16 {
		k = &kernelTable[l][1]
	}
	return k
}

// kernelTable holds the kernels for Float32 and BFloat16 of each level.
var kernelTable = func() (table [AVX512BF16 + 1][2]productKernels) {
	for l := range table {
		table[l] = levelKernels(Level(l))
	}
	return table
}()

// units is the number of units of a row of elements.
func (k *productKernels) units(cols int) int {
	if k.pairs {
		return (cols + 1) / 2
	}
	return cols
}

// packWeights lays n units of a panel of w's rows side by side: dst[i][j] is unit u+i of row row+j, zero past the last row.
// Unit nextUnit of row nextRow is where the next call will begin.
func (k *productKernels) packWeights(dst []uint32, w *weight, row, u, n, nextRow, nextUnit int) {
	if w.turned {
		k.packTurned(dst, w, row, u, n)
		return
	}
	for j := 0; j < k.cols; j += 16 {
		count, done := min(w.rows-row-j, 16), 0
		if count == 16 && k.packColumns != nil {
			ahead := 16 * w.stride
			if j+16 == k.cols {
				ahead = (nextRow-row-j)*w.stride + k.column(nextUnit) - k.column(u)
			}
			done = k.packColumns(k, dst[j:], w, row+j, u, n, ahead)
		}
		for i := range 16 {
			if i >= count {
				for v := range n {
					dst[v*k.cols+j+i] = 0
				}
				continue
			}
			if done < n {
				var buffer [2 * blockUnits]float32
				b := buffer[:k.elements(w.cols, u+done, n-done)]
				w.decode(b, row+j+i, k.column(u+done))
				k.scatter(dst[done*k.cols+j+i:], b, k.cols)
			}
		}
	}
}

// packRows lays r rows of x side by side.
func (k *productKernels) packRows(dst []uint32, x []float32, stride, r, cols int) {
	done := 0
	if r == k.rows && k.packTile != nil {
		done = k.packTile(k, dst, x, stride, cols)
	}
	if done == k.units(cols) {
		return
	}
	for i := range r {
		k.scatter(dst[done*r+i:], x[i*stride+k.column(done):i*stride+cols], r)
	}
}

// column is the first element of unit u; elements the number of those in n units from u on, of a row of cols.
func (k *productKernels) column(u int) int {
	if k.pairs {
		return 2 * u
	}
	return u
}

func (k *productKernels) elements(cols, u, n int) int {
	return min(k.column(u+n), cols) - k.column(u)
}
