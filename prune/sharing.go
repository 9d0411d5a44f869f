package prune

import (
	"fmt"
	"slices"
	"strconv"

	"shallow/checkpoint"
)

// tail sees to num_kv_shared_layers: the last so many layers have no keys and values of their own, each uses those of the last layer
// before them that has its kind of attention. Source: kv_sharing_modes of Gemma 3n's configuration in transformers.
func (s *surgery) tail(v checkpoint.Value) error {
	n, err := strconv.Atoi(v.Literal)
	if err != nil || n < 0 || n > s.layers {
		return fmt.Errorf("%s is %.40s, expected a number of layers", v.Name(), v.Literal)
	}
	if n == 0 {
		return nil
	}
	first := s.layers - n
	left := len(s.kept) - s.below(first)
	if left == 0 {
		return fmt.Errorf("%s is %d, and none of these layers stays: what they share is not known to be left out rightly", v.Name(), n)
	}
	for _, l := range s.lastOfEachKind(first) {
		if !slices.Contains(s.kept, l) {
			return &misfit{fmt.Sprintf("%s is %d: layers from %d on use the keys and values of layer %d, which would be dropped", v.Name(), n, first, l)}
		}
	}
	s.setShifted(v.Path, n, left)
	return nil
}

// lastOfEachKind are the last layers of each kind of attention below a number.
func (s *surgery) lastOfEachKind(below int) (layers []int) {
	kinds := s.attentionKinds()
	seen := map[string]bool{}
	for l := below - 1; l >= 0; l-- {
		if !seen[kinds[l]] {
			seen[kinds[l]] = true
			layers = append(layers, l)
		}
	}
	return layers
}

// attentionKinds are layer_types, or what the family implies; all alike where it implies nothing.
func (s *surgery) attentionKinds() []string {
	kinds := make([]string, s.layers)
	if types := s.decoder.Strings("layer_types"); len(types) == s.layers {
		return types
	}
	for _, row := range implications {
		if row.of(s.model) && row.list == "layer_types" {
			for l := range kinds {
				kinds[l] = row.kind(reader{s.decoder, s.config, s.layers}, l)
			}
		}
	}
	return kinds
}

// checkSharing refuses cuts that take away what layers that stay have from another.
func (s *surgery) checkSharing() error {
	if slices.Contains([]string{"zamba", "zamba2"}, s.model) {
		if err := s.keepHybrids(); err != nil {
			return err
		}
	}
	if types := s.decoder.Strings("indexer_types"); len(types) == s.layers {
		return s.keepIndexers(types)
	}
	return s.decoder.Err()
}

// keepHybrids: the transformer block of Zamba's hybrid layers is one for all or for every other, stored with the first, and its adapters
// are counted by hybrid layers.
func (s *surgery) keepHybrids() error {
	kinds := s.decoder.Strings("layers_block_type")
	if len(kinds) != s.layers {
		kinds = nil
		for _, row := range implications {
			if row.of(s.model) {
				for l := range s.layers {
					kinds = append(kinds, row.kind(reader{s.decoder, s.config, s.layers}, l))
				}
			}
		}
	}
	for _, l := range s.drop {
		if kinds[l] == "hybrid" || kinds[l] == quoted("hybrid") {
			return &misfit{fmt.Sprintf("layer %d is a hybrid layer, whose transformer block is shared with other layers", l)}
		}
	}
	return s.decoder.Err()
}

// keepIndexers: a layer whose indexer is shared takes the tokens that the last full one before it chose.
func (s *surgery) keepIndexers(types []string) error {
	source := -1
	for l, kind := range types {
		if kind != "shared" {
			source = l
			continue
		}
		if slices.Contains(s.kept, l) && source >= 0 && !slices.Contains(s.kept, source) {
			return &misfit{fmt.Sprintf("indexer_types: layer %d takes the tokens that layer %d chooses, which would be dropped", l, source)}
		}
	}
	return s.decoder.Err()
}

// aligned names the blocks nearest to a refused one that would be taken.
func aligned(c *checkpoint.Config, layout checkpoint.Layout, drop []int) string {
	n := len(drop)
	if n == 0 || drop[n-1]-drop[0] != n-1 {
		return "Choose ranges that each leave the layers behind them in step"
	}
	fits := func(start, n int) bool {
		block := make([]int, n)
		for i := range block {
			block[i] = start + i
		}
		_, _, err := cut(c, layout, block)
		return err == nil
	}
	tries := maxTries(c)
	try := func(start, n int) bool {
		if tries--; tries < 0 || start < 0 || n < 1 || start+n > layout.Layers || n >= layout.Layers {
			return false
		}
		return fits(start, n)
	}
	for apart := 1; apart <= layout.Layers && tries > 0; apart++ {
		below, above := try(drop[0]-apart, n), try(drop[0]+apart, n)
		switch {
		case below && above:
			return fmt.Sprintf("The nearest blocks of %d layers that can go are [%d, %d) and [%d, %d)", n, drop[0]-apart, drop[0]-apart+n, drop[0]+apart, drop[0]+apart+n)
		case below:
			return fmt.Sprintf("The nearest block of %d layers that can go is [%d, %d)", n, drop[0]-apart, drop[0]-apart+n)
		case above:
			return fmt.Sprintf("The nearest block of %d layers that can go is [%d, %d)", n, drop[0]+apart, drop[0]+apart+n)
		}
	}
	for more := 1; more < layout.Layers && tries > 0; more++ {
		for _, m := range []int{n - more, n + more} {
			for start := max(drop[0]-m, 0); start <= drop[0]+m; start++ {
				if try(start, m) {
					return fmt.Sprintf("No block of %d layers can go; near it [%d, %d) can", n, start, start+m)
				}
			}
		}
	}
	return fmt.Sprintf("No block of %d layers near it can go", n)
}

// maxTries bounds the search for another block: a large config takes milliseconds each.
func maxTries(c *checkpoint.Config) int { return min(4000, 1+(64<<20)/(len(c.Bytes())+1)) }
