package prune

import (
	"fmt"
	"slices"
	"strings"

	"shallow/checkpoint"
)

// reader is what a reader of config.json sees: the decoder's object, and the whole file.
type reader struct {
	*checkpoint.Config
	root   *checkpoint.Config
	layers int
}

// implied is something that readers of a family work out for each layer from its number, without a list in config.json. The layers that stay
// must be told the same under their new numbers. A family whose readers imply something has a row even where its files have no key
// for it.
type implied struct {
	models []string
	what   string   // what the readers imply, for notes and refusals
	keys   []string // that it depends on and that are seen to by this row
	list   string   // the list that readers take instead; "" if they take none
	kind   func(r reader, layer int) string
	// write puts kinds, one for each layer that stays, into config.json; nil writes them as the list.
	write func(s *surgery, list string, kinds []string)
	// even applies the row where the list is there already.
	even bool
}

// implications is the table of what families imply.
// Sources: the families' configurations and models in transformers 5.23, and their remote code where they have some.
var implications = []implied{
	{models: []string{"gemma2", "vaultgemma", "gpt_oss"}, list: "layer_types", kind: fullEvery("", 2, "sliding_attention")},
	{models: []string{"gemma3_text", "gemma3"}, keys: []string{"sliding_window_pattern"}, list: "layer_types", kind: fullEvery("sliding_window_pattern", 6, "sliding_attention")},
	{models: []string{"gemma4_text"}, list: "layer_types", kind: fullEvery("", 6, "sliding_attention")},
	{models: []string{"gemma4_text"}, what: "the last layer has full attention, whatever its kind", kind: lastIsFull},
	{models: []string{"gemma3n_text"}, list: "layer_types", kind: fullEvery("", 5, "sliding_attention")},
	{models: []string{"gemma3n_text"}, list: "activation_sparsity_pattern", kind: sparseFirstTen},
	{models: []string{"cohere2"}, keys: []string{"sliding_window_pattern"}, list: "layer_types", kind: fullEvery("sliding_window_pattern", 4, "sliding_attention")},
	{models: []string{"cohere2_moe"}, keys: []string{"sliding_window_pattern", "prefix_dense_sliding_window_pattern"}, list: "layer_types", kind: cohereMoE},
	{models: []string{"olmo3"}, list: "layer_types", kind: fullEvery("", 4, "sliding_attention")},
	{models: []string{"olmo_hybrid"}, list: "layer_types", kind: fullEvery("", 4, "linear_attention")},
	{models: []string{"afmoe"}, keys: []string{"global_attn_every_n_layers"}, list: "layer_types", kind: fullEvery("global_attn_every_n_layers", 4, "sliding_attention")},
	{models: []string{"qwen3_next", "qwen3_5", "qwen3_5_text", "qwen3_5_moe", "qwen3_5_moe_text"}, keys: []string{"full_attention_interval"}, list: "layer_types",
		kind: fullEvery("full_attention_interval", 4, "linear_attention")},
	{models: []string{"qwen2_moe"}, list: "layer_types", kind: everyOtherBelow},
	{models: []string{"minimax"}, list: "layer_types", kind: fullFirst("", 2, "linear_attention")},
	{models: []string{"minimax", "minimax_text_01"}, what: "a linear attention layer forgets at a rate that depends on its number and on how many layers there are", kind: decaySlope},
	{models: []string{"cwm", "granite_swa", "granitemoe_swa"}, list: "layer_types", kind: fullFirst("", 4, "sliding_attention")},
	{models: []string{"modernbert-decoder"}, keys: []string{"global_attn_every_n_layers"}, list: "layer_types", kind: fullFirst("global_attn_every_n_layers", 3, "sliding_attention")},
	{models: []string{"modernbert-decoder", "rwkv", "zaya"}, what: "the first layer is built differently from the others", kind: firstIsOther},
	{models: []string{"gpt_neox_japanese"}, what: "the last layer is built differently from the others", kind: lastIsOther},
	{models: []string{"diffllama", "beam", "big_bird", "inkling2_text"}, what: "what a layer computes depends on its number", kind: number},
	{models: []string{"bailing_hybrid", "deepseek_v4", "dots3_note_text", "flint", "gemma4_unified_text", "hy_v4", "inkling_text", "kolibri1", "lfm3", "qwen4_exp_text", "muse_glimmer_text", "muse_spark_text", "glm5_next_text", "diffusion_gemma_text"},
		what: "without layer_types, readers go by a pattern that is not known here; save the config with transformers, which writes it", kind: numberUnless("layer_types")},
	{models: []string{"bailing_hybrid", "deepseek_v4", "dots3_note_text", "hy_v4", "glm5_next_text"},
		what: "without mlp_layer_types, readers go by a pattern that is not known here; save the config with transformers, which writes it", kind: numberUnless("mlp_layer_types")},
	{models: []string{"hy_v4"},
		what: "without indexer_types, readers go by a pattern that is not known here; save the config with transformers, which writes it", kind: numberUnless("indexer_types")},
	{models: []string{"mistral_large4_text"}, what: "without no_rope_layers, readers go by a pattern that is not known here; save the config with transformers, which writes it", kind: numberUnless("no_rope_layers")},
	{models: []string{"step3p5"}, what: "without mlp_layer_types or moe_layers_enum, readers take experts from layer 3 on", kind: numberUnless("mlp_layer_types", "moe_layers_enum")},
	{models: []string{"mllama_text_model"}, what: "without cross_attention_layers, readers take those of the 40 layers of Llama 3.2", kind: numberUnless("cross_attention_layers")},
	{models: []string{"gemma3n_text"}, what: "without num_kv_shared_layers, readers take 15 of them", kind: numberUnless("num_kv_shared_layers")},
	{models: []string{"exaone4", "exaone_moe"}, keys: []string{"sliding_window_pattern"}, list: "layer_types", kind: exaone},
	{models: []string{"mimo_v2_flash"}, list: "layer_types", kind: mimoFlash},
	{models: []string{"mimo_v2_flash", "glm4_moe_lite", "laguna", "hy_v3", "axk1", "axk2"}, list: "mlp_layer_types", kind: firstIsDense},
	{models: []string{"glm_moe_dsa"}, keys: []string{"index_topk_freq", "index_topk_pattern"}, list: "indexer_types", kind: indexer},
	{models: []string{"kimi_linear"}, list: "layer_types", kind: kimiLinear},
	{models: []string{"smollm3", "llama4_text", "llama4"}, keys: []string{"no_rope_layer_interval"}, list: "no_rope_layers", kind: lastOfEvery("no_rope_layer_interval", 4, "0", "1")},
	{models: []string{"llama4_text", "llama4"}, keys: []string{"interleave_moe_layer_step"}, list: "moe_layers", kind: lastOfEvery("interleave_moe_layer_step", 1, "1", "0"), write: writeNumbers},
	{models: []string{"qwen2_moe", "qwen3_moe", "qwen3_next", "qwen3_vl_moe_text"}, keys: []string{"decoder_sparse_step"}, what: "which layers have experts", list: "mlp_only_layers", kind: qwenDense, write: writeDense, even: true},
	{models: []string{"zamba"}, keys: []string{"attn_layer_period"}, list: "layers_block_type", kind: zamba},
	{models: []string{"zamba2"}, list: "layers_block_type", kind: zamba2},
	{models: []string{"recurrent_gemma"}, list: "block_types", kind: griffin, even: true},
	{models: []string{"jamba"}, what: "attn_layer_period, attn_layer_offset, expert_layer_period and expert_layer_offset say by its number what a layer is, and no reader takes a list",
		keys: []string{"attn_layer_period", "expert_layer_period"}, kind: jamba},
	{models: []string{"ernie4_5_moe"}, what: "moe_layer_interval says by its number whether a layer has experts, and no reader takes a list",
		keys: []string{"moe_layer_interval"}, kind: ernie},
	{models: []string{"gpt2"}, what: "scale_attn_by_inverse_layer_idx divides a layer's attention scores by its number", kind: inverseNumber},
	{models: []string{"qwen3_vl", "qwen3_vl_text", "qwen3_vl_moe", "qwen3_vl_moe_text"}, what: "the first layers take in what the picture's tower saw at several depths (deepstack_visual_indexes)", kind: deepstack},
}

// of reports whether the row is a family's.
func (i implied) of(model string) bool { return slices.Contains(i.models, model) }

// misfit is a cut that the family's readers cannot be told.
type misfit struct{ reason string }

func (m *misfit) Error() string { return m.reason }

// settleImplied writes out what the family's readers imply where the cut would shift it, or refuses the cut.
func (s *surgery) settleImplied() error {
	for _, row := range implications {
		if !row.of(s.model) || row.list != "" && s.hasList(row.list) && !row.even {
			continue
		}
		old := reader{s.decoder, s.config, s.layers}
		config, err := s.edited()
		if err != nil {
			return err
		}
		cut := reader{config.Decoder(), config, len(s.kept)}
		var kinds []string
		first := -1 // layer that would change
		for at, l := range s.kept {
			kinds = append(kinds, row.kind(old, l))
			if first < 0 && row.kind(cut, at) != kinds[at] {
				first = at
			}
		}
		if err := old.Err(); err != nil {
			return err
		}
		if err := cut.Err(); err != nil {
			return err
		}
		if first < 0 {
			continue
		}
		if row.list == "" {
			return &misfit{fmt.Sprintf("%s: layer %d, as layer %d, would not be what it was", row.what, s.kept[first], first)}
		}
		if row.write != nil {
			row.write(s, row.list, kinds)
			continue
		}
		s.setBoth(row.list, jsonList(kinds))
		s.note("%s: written out, one element for each layer that stays; readers that do not know the key would go by the layers' numbers", row.list)
	}
	return nil
}

// edited is config.json with the edits so far.
func (s *surgery) edited() (*checkpoint.Config, error) {
	text, err := s.config.Rewrite(s.edits)
	if err != nil {
		return nil, err
	}
	return checkpoint.ParseConfig(text)
}

// writeNumbers lists the numbers of the layers whose kind is "1".
func writeNumbers(s *surgery, list string, kinds []string) {
	s.setBoth(list, jsonList(marked(kinds)))
	s.note("%s: written out as the numbers of the layers that stay", list)
}

// writeDense lists the layers without experts, and takes the step away that would be counted from the first layer.
func writeDense(s *surgery, list string, kinds []string) {
	s.setBoth(list, jsonList(marked(kinds)))
	if step := s.decoder.Int("decoder_sparse_step", 1); step != 1 {
		s.setBoth("decoder_sparse_step", "1")
		s.note("decoder_sparse_step: %d is now 1, and %s lists the layers without experts", step, list)
		return
	}
	s.note("%s: is now %s", list, jsonList(marked(kinds)))
}

func marked(kinds []string) (numbers []string) {
	for at, kind := range kinds {
		if kind == "1" {
			numbers = append(numbers, fmt.Sprint(at))
		}
	}
	return numbers
}

// seenTo reports whether a row of this family sees to a key.
func (s *surgery) seenTo(key string) bool {
	return slices.ContainsFunc(implications, func(i implied) bool { return i.of(s.model) && slices.Contains(i.keys, key) })
}

// quoted is a kind as JSON.
func quoted(kind string) string { return `"` + strings.ReplaceAll(kind, `"`, "") + `"` }
