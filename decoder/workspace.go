package decoder

import "shallow/compute"

// workspace is the memory beside weights and states: activations of a layer, keys and values of one layer.
type workspace struct {
	device compute.Device
	arena  compute.Arena
	rows   int // that the arena has room for
	ranks  int // of the adapters that it has room for

	cache compute.Cache // of the layer at hand; sessions have their own

	trace trace
	keep  bool // the trace, for a backward pass

	// For training alone.
	gradients compute.Gradients
	tokens    compute.Tensor // Int32 [N, 1], what dropout counts rows by
	dropout   compute.DropoutKey
	dropped   compute.Tensor // room for the input of an adapter after dropout
}

func (w *workspace) floats(rows, cols int) compute.Tensor {
	return w.arena.New(compute.Float32, rows, cols)
}

func (w *workspace) ints(rows, cols int) compute.Tensor {
	return w.arena.New(compute.Int32, rows, cols)
}

// arenaAlignment is more than any device rounds a tensor up to.
const arenaAlignment = 512

// arenaTensors is more than the number of tensors of a layer's activations.
const arenaTensors = 24

// arenaBytes is what a layer's activations take for a number of rows: those of the larger half, or of both where they are
// there together.
func arenaBytes(m *Model, rows int) int64 {
	s := m.Spec
	attention := 2*s.D + 2*s.H*s.HeadSize + 2*s.K*s.HeadSize // forwardSome gathers normed rows beside all
	mlp := s.D + 2*s.F
	if e := s.Experts; e.Count > 0 {
		mlp = max(mlp, s.D+e.Count+1+e.Chosen*(s.D+2*e.F+3)+s.D+2*e.SharedF+1)
	}
	if s.Names.AttentionOutNorm != "" || s.ResidualScale != 1 {
		attention += s.D
		mlp += s.D
	}
	floats := max(attention, mlp) + m.layerRanks()
	if s.Parallel {
		floats = attention + mlp + m.layerRanks()
	}
	return compute.Float32.Bytes(rows*floats+s.Experts.Count+1) + arenaTensors*arenaAlignment
}

// reserve makes room for so many rows at a time and, if pages > 0, for so many pages of keys and values of one layer.
func (w *workspace) reserve(m *Model, rows, pages int) {
	w.device = m.Device
	if rows > w.rows || w.ranks != m.layerRanks() {
		if w.arena != nil {
			w.arena.Release()
		}
		w.rows, w.ranks = max(rows, w.rows), m.layerRanks()
		w.arena = w.device.NewArena(arenaBytes(m, w.rows))
	}
	if pages > 0 && (w.cache == nil || pages > w.cache.Pages()) {
		if w.cache != nil {
			w.device.Release(w.cache)
		}
		w.cache = w.device.NewCache(m.cacheKind, pages, m.Spec.K, m.Spec.HeadSize)
	}
}

func (w *workspace) release(dev compute.Device) {
	if w.arena != nil {
		w.arena.Release()
	}
	if w.cache != nil {
		dev.Release(w.cache)
	}
	*w = workspace{}
}
