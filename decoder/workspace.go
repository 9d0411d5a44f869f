package decoder

import "shallow/compute"

// workspace is the memory beside weights and states: activations of a layer, keys and values of one layer.
type workspace struct {
	device compute.Device
	arena  compute.Arena
	rows   int // that the arena has room for

	cache compute.Cache // of the layer at hand; sessions have their own

	ones compute.Tensor // [rows, 1]
}

func (w *workspace) floats(rows, cols int) compute.Tensor {
	return w.arena.New(compute.Float32, rows, cols)
}

// arenaAlignment is more than any device rounds a tensor up to.
const arenaAlignment = 512

// arenaBytes is what the larger half of a layer takes for a number of rows.
func arenaBytes(s *Spec, rows int) int64 {
	attention := 2*s.D + 2*s.H*s.HeadSize + 2*s.K*s.HeadSize // forwardSome gathers normed rows beside all
	mlp := s.D + 2*s.F
	return compute.Float32.Bytes(rows*max(attention, mlp)) + 8*arenaAlignment
}

// reserve makes room for so many rows at a time and, if pages > 0, for so many pages of keys and values of one layer.
func (w *workspace) reserve(m *Model, rows, pages int) {
	w.device = m.Device
	if rows > w.rows {
		if w.arena != nil {
			w.arena.Release()
			w.device.Release(w.ones.Memory)
		}
		w.rows, w.arena = rows, w.device.NewArena(arenaBytes(m.Spec, rows))
		w.ones = w.device.New(compute.Float32, rows, 1)
		one := make([]float32, rows)
		for i := range one {
			one[i] = 1
		}
		w.device.Upload(w.ones, compute.Bytes(one))
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
		dev.Release(w.ones.Memory)
	}
	if w.cache != nil {
		dev.Release(w.cache)
	}
	*w = workspace{}
}
