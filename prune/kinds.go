package prune

import (
	"fmt"
	"slices"
	"strings"
)

// The functions below give what readers take a layer for, as JSON. Layers are counted from zero.

// positive is a period under a key; 0, and what is not a number of layers, counts as none.
func (r reader) positive(key string, otherwise int) int {
	if key == "" || !r.Has(key) {
		return otherwise
	}
	return max(r.Int(key, otherwise), 0)
}

// fullEvery is full attention in the last layer of each period, and another kind in the rest.
func fullEvery(key string, period int, others string) func(reader, int) string {
	return lastOfEvery(key, period, quoted("full_attention"), quoted(others))
}

// lastOfEvery is last for the last layer of each period, and others for the rest.
func lastOfEvery(key string, period int, last, others string) func(reader, int) string {
	return func(r reader, layer int) string {
		if n := r.positive(key, period); n == 0 || (layer+1)%n == 0 {
			return last
		}
		return others
	}
}

// fullFirst is full attention in the first layer of each period.
func fullFirst(key string, period int, others string) func(reader, int) string {
	return func(r reader, layer int) string {
		if n := r.positive(key, period); n == 0 || layer%n == 0 {
			return quoted("full_attention")
		}
		return quoted(others)
	}
}

// lastIsFull is the kind that Gemma 4 gives a layer: the last one is always full.
func lastIsFull(r reader, layer int) string {
	if layer == r.layers-1 {
		return quoted("full_attention")
	}
	if types := r.Strings("layer_types"); layer < len(types) {
		return quoted(types[layer])
	}
	return fullEvery("", 6, "sliding_attention")(r, layer)
}

func sparseFirstTen(r reader, layer int) string {
	if r.layers > 10 && layer < 10 {
		return "0.95"
	}
	return "0.0"
}

func cohereMoE(r reader, layer int) string {
	prefix := r.Int("first_k_dense_replace", 0)
	if layer < prefix {
		return fullEvery("prefix_dense_sliding_window_pattern", 1, "sliding_attention")(r, layer)
	}
	return fullEvery("sliding_window_pattern", 4, "sliding_attention")(r, layer-prefix)
}

// everyOtherBelow is Qwen2-MoE's window: in layers 0, 2, … below the threshold.
func everyOtherBelow(r reader, layer int) string {
	if layer%2 == 0 && layer < r.Int("max_window_layers", 28) && r.Bool("use_sliding_window", false) {
		return quoted("sliding_attention")
	}
	return quoted("full_attention")
}

// decaySlope tells MiniMax' linear layers apart: the slope is multiplied by 1 − layer/(L−1).
func decaySlope(r reader, layer int) string {
	linear := layer%2 == 1
	switch types, numbers := r.Strings("layer_types"), r.Ints("attn_type_list"); {
	case layer < len(types):
		linear = types[layer] != "full_attention" && types[layer] != "attention"
	case layer < len(numbers):
		linear = numbers[layer] == 0
	}
	if linear {
		return fmt.Sprintf("linear, layer %d of %d", layer, r.layers)
	}
	return "full"
}

// exaone takes a period as a number or as letters, L for a window and G for full attention.
func exaone(r reader, layer int) string {
	if !r.Has("sliding_window") && slices.Contains(r.Keys(), "sliding_window") {
		return quoted("full_attention") // null; where the key is absent, readers take a window
	}
	if r.KindOf("sliding_window_pattern") == "string" {
		if letters := r.String("sliding_window_pattern", ""); letters != "" && letters[layer%len(letters)] == 'L' {
			return quoted("sliding_attention")
		}
		return quoted("full_attention")
	}
	return fullEvery("sliding_window_pattern", 4, "sliding_attention")(r, layer)
}

// mimoFlash has full attention in the first layer and in the last of every six.
func mimoFlash(r reader, layer int) string {
	if layer == 0 {
		return quoted("full_attention")
	}
	return fullEvery("", 6, "sliding_attention")(r, layer)
}

func firstIsOther(_ reader, layer int) string { return fmt.Sprint(layer == 0) }

func lastIsOther(r reader, layer int) string { return fmt.Sprint(layer == r.layers-1) }

// number makes every layer a kind of its own.
func number(_ reader, layer int) string { return fmt.Sprint(layer) }

// numberUnless does so where config.json has none of some keys, and for every number of layers.
func numberUnless(keys ...string) func(reader, int) string {
	return func(r reader, layer int) string {
		if slices.ContainsFunc(keys, r.Has) {
			return ""
		}
		return fmt.Sprintf("%d of %d", layer, r.layers)
	}
}

func firstIsDense(_ reader, layer int) string {
	if layer == 0 {
		return quoted("dense")
	}
	return quoted("sparse")
}

// indexer says which layers of GLM's sparse attention choose tokens themselves and which take the choice of the layer before.
func indexer(r reader, layer int) string {
	if letters := r.String("index_topk_pattern", ""); layer < len(letters) {
		return quoted(map[bool]string{true: "full", false: "shared"}[letters[layer] == 'F'])
	}
	freq, offset := max(r.Int("index_topk_freq", 1), 1), r.Int("index_skip_topk_offset", 2)
	if max(layer-offset+1, 0)%freq == 0 {
		return quoted("full")
	}
	return quoted("shared")
}

// kimiLinear reads lists that count from one.
func kimiLinear(r reader, layer int) string {
	if lists := r.Sub("linear_attn_config"); lists != nil && lists.Has("full_attn_layers") && lists.Has("kda_layers") {
		for _, l := range lists.Ints("full_attn_layers") {
			if l-1 == layer {
				return quoted("full_attention")
			}
		}
		return quoted("linear_attention")
	}
	if layer > 0 && layer%4 == 0 {
		return quoted("full_attention")
	}
	return quoted("linear_attention")
}

// qwenDense is "1" for a layer without experts. Layers whose number from one is a multiple of the step have experts, if they are not listed.
func qwenDense(r reader, layer int) string {
	for _, l := range r.Ints("mlp_only_layers") {
		if l == layer {
			return "1"
		}
	}
	return lastOfEvery("decoder_sparse_step", 1, "0", "1")(r, layer)
}

func zamba(r reader, layer int) string {
	n, offset := max(r.Int("attn_layer_period", 6), 1), r.Int("attn_layer_offset", 4)
	if layer == 2 || layer > 2 && (layer-3)%n == offset {
		return quoted("hybrid")
	}
	return quoted("linear_attention")
}

// zamba2 is the fixed pattern of 54 layers: 6, 12, …, 42, 47, 51 are hybrid.
func zamba2(_ reader, layer int) string {
	if layer > 0 && layer <= 42 && layer%6 == 0 || layer == 47 || layer == 51 {
		return quoted("hybrid")
	}
	return quoted("linear_attention")
}

// griffin repeats its list of blocks.
func griffin(r reader, layer int) string {
	blocks := r.Strings("block_types")
	if len(blocks) == 0 {
		blocks = []string{"recurrent", "recurrent", "attention"}
	}
	return quoted(blocks[layer%len(blocks)])
}

func jamba(r reader, layer int) string {
	attention := layer%max(r.Int("attn_layer_period", 8), 1) == r.Int("attn_layer_offset", 4)
	experts := layer%max(r.Int("expert_layer_period", 2), 1) == r.Int("expert_layer_offset", 1)
	return fmt.Sprintf("attention %t, experts %t", attention, experts)
}

func ernie(r reader, layer int) string {
	end := r.Int("moe_layer_end_index", -1)
	if end == -1 {
		end = r.layers - 1
	}
	experts := (layer+1)%max(r.Int("moe_layer_interval", 1), 1) == 0 && layer >= r.Int("moe_layer_start_index", 1) && layer <= end
	return fmt.Sprint(experts)
}

func inverseNumber(r reader, layer int) string {
	if r.Bool("scale_attn_by_inverse_layer_idx", false) {
		return fmt.Sprint(layer)
	}
	return ""
}

// deepstack tells the first layers apart: as many as the tower gives states.
func deepstack(r reader, layer int) string {
	vision := r.root.Sub("vision_config")
	if vision != nil && layer < len(vision.Ints("deepstack_visual_indexes")) {
		return strings.Repeat("+", layer+1)
	}
	return ""
}
