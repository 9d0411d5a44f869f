package decoder

import "shallow/compute"

// ropeTable is cos and sin [rows, Dim/2] of one Rope, and what it multiplies queries by, [rows, 1], if it does.
type ropeTable struct {
	cos, sin, growth compute.Tensor
	pairs            compute.Pairs
}

// ropeTables are the tables of all Ropes of a model, over the same rows: first the positions of short sequences, then,
// for encodings that depend on the length, all positions of each longer length.
type ropeTables struct {
	tables []ropeTable
	starts map[int]int // by length beyond ropeLimit
	limit  int
}

// ropeLimit is the length beyond which some Rope depends on the length; 0 is never.
func (s *Spec) ropeLimit() int {
	limit := 0
	for _, r := range s.Ropes {
		if r.Limit > 0 && (limit == 0 || r.Limit < limit) {
			limit = r.Limit
		}
	}
	return limit
}

// newRopeTables makes tables for sequences of the given lengths.
func (m *Model) newRopeTables(lengths []int) *ropeTables {
	t := &ropeTables{starts: map[int]int{}, limit: m.Spec.ropeLimit()}
	short := 0
	var long []int
	for _, n := range lengths {
		if t.limit == 0 || n <= t.limit {
			short = max(short, n)
		} else if _, ok := t.starts[n]; !ok {
			t.starts[n] = 0
			long = append(long, n)
		}
	}
	rows := short
	for _, n := range long {
		t.starts[n] = rows
		rows += n
	}
	for _, r := range m.Spec.Ropes {
		half := r.Dim / 2
		cos, sin := make([]float32, rows*half), make([]float32, rows*half)
		r.fill(cos[:short*half], sin[:short*half], 0, short)
		for _, n := range long {
			lo, hi := t.starts[n]*half, (t.starts[n]+n)*half
			r.fill(cos[lo:hi], sin[lo:hi], 0, n)
		}
		table := ropeTable{cos: m.upload(cos, rows, half), sin: m.upload(sin, rows, half), pairs: r.Pairs}
		if r.LogN > 0 {
			growth := make([]float32, rows)
			r.fillGrowth(growth[:short], 0)
			for _, n := range long {
				r.fillGrowth(growth[t.starts[n]:t.starts[n]+n], 0)
			}
			table.growth = m.upload(growth, rows, 1)
		}
		t.tables = append(t.tables, table)
	}
	return t
}

// row is the table's row of a position in a sequence of the given whole length.
func (t *ropeTables) row(position, length int) int {
	if t.limit > 0 && length > t.limit {
		return t.starts[length] + position
	}
	return position
}

func (t *ropeTables) release(dev compute.Device) {
	releaseTables(dev, t.tables)
}

func releaseTables(dev compute.Device, tables []ropeTable) {
	for _, t := range tables {
		dev.Release(t.cos.Memory)
		dev.Release(t.sin.Memory)
		if t.growth.Given() {
			dev.Release(t.growth.Memory)
		}
	}
}

// upload makes a float32 tensor of host numbers.
func (m *Model) upload(data []float32, rows, cols int) compute.Tensor {
	t := m.Device.New(compute.Float32, rows, cols)
	m.Device.Upload(t, compute.Bytes(data))
	return t
}

// uploadInts makes an Int32 column of host numbers.
func (m *Model) uploadInts(data []int32) compute.Tensor {
	t := m.Device.New(compute.Int32, len(data), 1)
	m.Device.Upload(t, compute.Bytes(data))
	return t
}
