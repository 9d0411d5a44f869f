package decoder

import "fmt"

// The kinds of attention that layer_types lists.
const (
	full     = "full_attention"
	windowed = "sliding_attention"
)

// layerTypes reads layer_types, or asks what its absence means for each layer.
func (s *Spec) layerTypes(c settings, implied func(layer int) string) ([]string, error) {
	types := c.Strings("layer_types")
	if types == nil {
		for i := range s.L {
			types = append(types, implied(i))
		}
	}
	if len(types) != s.L {
		return nil, fmt.Errorf("decoder: config.json: layer_types has %d entries for %d layers", len(types), s.L)
	}
	for i, t := range types {
		if t != full && t != windowed {
			return nil, unsupported("config.json: layer_types[%d] %q", i, t)
		}
	}
	return types, nil
}

// fullEvery is full attention in the last layer of each period, and a window in the others.
func fullEvery(period int) func(layer int) string {
	return func(layer int) string {
		if (layer+1)%period == 0 {
			return full
		}
		return windowed
	}
}

// useWindows gives the windowed layers their window, and each layer the rotary encoding of its kind.
func (s *Spec) useWindows(types []string, window int) error {
	for i, t := range types {
		if t != windowed {
			continue
		}
		if window == 0 {
			return fmt.Errorf("decoder: config.json: layer_types[%d] is %q, but no sliding_window is in use", i, t)
		}
		if err := checkWindow(window); err != nil {
			return err
		}
		s.Layers[i].Window = window
	}
	return s.useRopes(types)
}

// readTypedWindows reads a window that the layers of one kind have.
func readTypedWindows(c settings, s *Spec, implied func(layer int) string) error {
	types, err := s.layerTypes(c, implied)
	if err != nil {
		return err
	}
	return s.useWindows(types, c.number("sliding_window"))
}

// readWindow reads a window that all layers have, or none where it is null.
func readWindow(c settings, s *Spec) error {
	if c.none("sliding_window") || !c.given("sliding_window") && c.number("sliding_window") == 0 {
		return nil
	}
	window := c.number("sliding_window")
	for i := range s.Layers {
		s.Layers[i].Window = window
	}
	return checkWindow(window)
}

// readDeepWindows reads windows that are off unless use_sliding_window says so, and that only the layers have which
// layer_types lists, or without it those that are named.
func readDeepWindows(c settings, s *Spec, listed func(layer int) bool) error {
	window := 0
	if c.flag("use_sliding_window") {
		if window = c.number("sliding_window"); window != 0 {
			if err := checkWindow(window); err != nil {
				return err
			}
		}
	}
	types, err := s.layerTypes(c, func(i int) string {
		if window != 0 && listed(i) {
			return windowed
		}
		return full
	})
	if err != nil {
		return err
	}
	return s.useWindows(types, window)
}

// deeperThan names the layers from max_window_layers on.
func deeperThan(c settings) func(layer int) bool {
	first := c.number("max_window_layers")
	return func(layer int) bool { return layer >= first }
}

func checkWindow(window int) error {
	if window < 1 || window > maxSize {
		return fmt.Errorf("decoder: config.json: sliding_window is %d, expected 1 to %d, or null", window, maxSize)
	}
	return nil
}

// readSparse reads which layers are mixtures of experts: every so many, but for those that are listed as dense.
func readSparse(c settings, s *Spec) error {
	step := c.number("decoder_sparse_step")
	if step < 1 || step > maxSize {
		return fmt.Errorf("decoder: config.json: decoder_sparse_step is %d, expected 1 or more", step)
	}
	for i := range s.Layers {
		s.Layers[i].Sparse = s.Experts.Count > 0 && (i+1)%step == 0
	}
	for _, i := range c.Ints("mlp_only_layers") {
		if i < 0 || i >= s.L {
			return fmt.Errorf("decoder: config.json: mlp_only_layers has %d, expected layers from 0 to %d", i, s.L-1)
		}
		s.Layers[i].Sparse = false
	}
	return nil
}

// readRotated reads which layers turn queries and keys by their positions: no_rope_layers has a 1 for each that does, and
// without it the last of every so many does not.
func readRotated(c settings, s *Spec) ([]bool, error) {
	rotated := make([]bool, s.L)
	if list := c.Ints("no_rope_layers"); len(list) > 0 {
		if len(list) != s.L {
			return nil, fmt.Errorf("decoder: config.json: no_rope_layers has %d entries for %d layers", len(list), s.L)
		}
		for i, r := range list {
			rotated[i] = r != 0
		}
		return rotated, nil
	}
	interval := c.number("no_rope_layer_interval")
	if interval < 1 {
		return nil, fmt.Errorf("decoder: config.json: no_rope_layer_interval is %d, expected 1 or more", interval)
	}
	for i := range rotated {
		rotated[i] = (i+1)%interval != 0
	}
	return rotated, nil
}

// scaleScores sets the scale of all layers' attention scores.
func (s *Spec) scaleScores(by float64) {
	for i := range s.Layers {
		s.Layers[i].AttentionScale = float32(by)
	}
}
