package decoder

import "shallow/compute"

// sessionRopes are rotary tables for sequences that grow: a row for each position up to the limit where frequencies
// begin to depend on the length, and behind them rows that are written anew for every batch that goes beyond it.
//
// Keys in the cache stay turned as they were when they came, as in the reference implementation.
type sessionRopes struct {
	spec   *Spec
	tables []ropeTable
	fixed  int // rows of positions
	limit  int
	used   int         // rows behind them, in this batch
	cos    [][]float32 // of the batch's rows, one slice a Rope
	sin    [][]float32
	growth [][]float32
}

func (m *Model) newSessionRopes(length, rows int) *sessionRopes {
	t := &sessionRopes{spec: m.Spec, fixed: length, limit: m.Spec.ropeLimit()}
	if t.limit > 0 && t.limit < length {
		t.fixed = t.limit
	} else {
		rows = 0
	}
	for _, r := range m.Spec.Ropes {
		half := r.Dim / 2
		cos, sin := make([]float32, (t.fixed+rows)*half), make([]float32, (t.fixed+rows)*half)
		r.fill(cos[:t.fixed*half], sin[:t.fixed*half], 0, 0)
		table := ropeTable{cos: m.upload(cos, t.fixed+rows, half), sin: m.upload(sin, t.fixed+rows, half), pairs: r.Pairs}
		if r.LogN > 0 {
			growth := make([]float32, t.fixed+rows)
			r.fillGrowth(growth[:t.fixed], 0)
			table.growth = m.upload(growth, t.fixed+rows, 1)
		}
		t.tables = append(t.tables, table)
		t.cos, t.sin = append(t.cos, make([]float32, rows*half)), append(t.sin, make([]float32, rows*half))
		t.growth = append(t.growth, make([]float32, rows))
	}
	return t
}

func (t *sessionRopes) begin() { t.used = 0 }

// row is the table's row of position from, where positions up to to-1 follow, in a sequence of the given whole length.
func (t *sessionRopes) row(from, to, length int) int {
	if t.limit == 0 || length <= t.limit {
		return from
	}
	row := t.used
	t.used += to - from
	for i := range t.spec.Ropes {
		r := &t.spec.Ropes[i]
		lo, hi := row*r.Dim/2, t.used*r.Dim/2
		r.fill(t.cos[i][lo:hi], t.sin[i][lo:hi], from, length)
		r.fillGrowth(t.growth[i][row:t.used], from)
	}
	return t.fixed + row
}

// finish copies the batch's own rows to the device.
func (t *sessionRopes) finish(dev compute.Device) {
	if t.used == 0 {
		return
	}
	for i, table := range t.tables {
		n := t.used * table.cos.Cols
		dev.Upload(table.cos.RowRange(t.fixed, t.fixed+t.used), compute.Bytes(t.cos[i][:n]))
		dev.Upload(table.sin.RowRange(t.fixed, t.fixed+t.used), compute.Bytes(t.sin[i][:n]))
		if table.growth.Given() {
			dev.Upload(table.growth.RowRange(t.fixed, t.fixed+t.used), compute.Bytes(t.growth[i][:t.used]))
		}
	}
}

func (t *sessionRopes) release(dev compute.Device) { releaseTables(dev, t.tables) }
