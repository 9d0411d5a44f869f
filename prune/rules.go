package prune

// class is how a value of config.json depends on which layers a model has.
type class string

const (
	count     class = "count"
	slice     class = "slice"
	remap     class = "remap"
	remapOne  class = "remap from 1"
	threshold class = "threshold"
	last      class = "last layer"
	period    class = "period"
	tail      class = "tail"
	scale     class = "depth scale"
	shared    class = "shared"
	names     class = "names"
	none      class = "none"
)

// classes say what is done with a value of each class.
var classes = []struct {
	class class
	does  string
}{
	{count, "The number of layers itself: lowered, wherever it stands."},
	{slice, "One element (or letter) for each layer: those of the dropped layers go."},
	{remap, "Layer numbers, in a list or as an object's keys: dropped ones go, the others are renumbered."},
	{remapOne, "The same, with layers counted from one."},
	{threshold, "A layer number that splits the layers: lowered by the dropped layers below it."},
	{last, "The number of the last layer of a kind: lowered by the dropped layers up to it; -1, the model's last, stays."},
	{period, "Every so many layers: written out as a list where the family's readers take one; else the cut must leave the rest in step, or it is refused."},
	{tail, "So many layers at the end use the keys and values of layers before them: lowered by the dropped ones among them; the layers they use must stay."},
	{scale, "Divided by the root of the number of layers before it multiplies what a layer adds: multiplied so that the quotient stays, to the last bit."},
	{shared, "Ties layers together, so that no cut is known to be right: refused unless zero or false."},
	{names, "Layers named inside texts: those of dropped layers go, the others are renumbered."},
	{none, "Has nothing to do with the decoder's layers, however long its list is."},
}

// rules is the table of keys. A list of as many elements as there are layers under any other key is refused: it may be one element a layer.
var rules = map[string]class{
	"num_hidden_layers": count,
	"n_layer":           count,
	"num_layers":        count,
	"n_layers":          count,

	"layer_types":                   slice,
	"mlp_layer_types":               slice,
	"indexer_types":                 slice,
	"no_rope_layers":                slice,
	"layers_block_type":             slice,
	"hybrid_override_pattern":       slice, // a string, one letter a layer
	"hybrid_layer_pattern":          slice,
	"index_topk_pattern":            slice,
	"block_configs":                 slice,
	"activation_sparsity_pattern":   slice,
	"attention_layers":              slice,
	"attention_types":               slice, // GPT-Neo's nested form: [[["global", "local"], 12]]
	"linear_attention_freq":         slice,
	"attn_type_list":                slice,
	"attn_types":                    slice,
	"sliding_window":                slice, // these where they are lists
	"window_size":                   slice,
	"intermediate_size":             slice,
	"moe_intermediate_size":         slice,
	"num_key_value_heads":           slice,
	"num_kv_heads":                  slice,
	"num_query_heads":               slice,
	"num_attention_heads":           slice,
	"num_attention_heads_per_layer": slice,
	"ffn_multipliers":               slice,
	"num_experts":                   slice,
	"num_shared_expert":             slice,
	"moe_topk":                      slice,
	"layer_rope_theta":              slice,
	"swiglu_limits":                 slice,
	"swiglu_limits_shared":          slice,

	"mlp_only_layers":        remap,
	"cross_attention_layers": remap,
	"full_attention_idxs":    remap,
	"full_attn_idxs":         remap,
	"attn_layer_indices":     remap,
	"global_layers":          remap,
	"moe_layers":             remap,
	"moe_layers_enum":        remap, // a string: "3,4,5"
	"hybrid_layer_ids":       remap,
	"global_attn_idx":        remap,
	"per_layer_config":       remap, // an object, layer numbers as keys
	"pruned_heads":           remap,
	"full_attn_layers":       remapOne,
	"kda_layers":             remapOne,

	"max_window_layers":     threshold,
	"first_k_dense_replace": threshold,
	"num_dense_layers":      threshold,
	"moe_layer_start_index": threshold,
	"moe_layer_end_index":   last,

	"sliding_window_pattern":              period,
	"_sliding_window_pattern":             period,
	"prefix_dense_sliding_window_pattern": period,
	"full_attention_interval":             period,
	"no_rope_layer_interval":              period,
	"decoder_sparse_step":                 period,
	"moe_layer_freq":                      period, // where it is a number; slice where it is a list
	"moe_layer_interval":                  period,
	"interleave_moe_layer_step":           period,
	"attn_layer_period":                   period,
	"expert_layer_period":                 period,
	"global_attn_every_n_layers":          period,
	"dense_attention_every_n_layers":      period,
	"index_topk_freq":                     period,
	"scale_attn_by_inverse_layer_idx":     period, // true: every layer is a kind of its own

	"num_kv_shared_layers": tail,
	"scale_depth":          scale, // of MiniCPM

	"hidden_size_per_layer_input": shared, // one tensor then holds a slice of its rows for each layer
	"use_cla":                     shared, // layers use the keys and values of others
	"kv_reuse_group":              shared, // the same, of Hymba

	"quantization_config": names,
	"compression_config":  names,
	"hf_device_map":       names,

	"num_nextn_predict_layers":    none, // layers behind the last: their tensors are renumbered
	"num_mtp_layers":              none,
	"mtp_num_hidden_layers":       none, // in a list of their own
	"mtp_layers_block_type":       none,
	"mtp_layer_types":             none,
	"mtp_mlp_layer_types":         none,
	"mtp_hybrid_override_pattern": none,
	"mtp_per_layer_config":        none,
	"encoder_layers":              none,
	"vision_feature_layer":        none, // of the tower for pictures
	"vision_feature_layers":       none,
	"label2id":                    none,
	"id2label":                    none,
	"block_types":                 none, // of Griffin: repeated over the layers, see implied
	"attn_layer_offset":           none, // beside their periods
	"expert_layer_offset":         none,
	"index_skip_topk_offset":      none,
	"cla_share_factor":            none, // beside use_cla
	"_name_or_path":               none,
	"architectures":               none,
	"eos_token_id":                none,
	"bos_token_id":                none,
	"pad_token_id":                none,
	"suppress_tokens":             none,
	"begin_suppress_tokens":       none,
	"bad_words_ids":               none,
	"keys_to_ignore_at_inference": none,
	"long_factor":                 none,
	"short_factor":                none,
	"mrope_section":               none,
	"weight_block_size":           none,
	"time_step_limit":             none,
	"target_modules":              none,
	"mlp_multipliers":             none,
	"ssm_multipliers":             none,
}

// impliedThresholds are what readers of a family take where config.json has no such key.
// Source: the families' configurations in transformers 5.23.
var impliedThresholds = []struct {
	models []string
	key    string
	value  int
	used   func(r reader) bool
}{
	{[]string{"qwen2", "qwen3", "qwen2_moe", "qwen3_moe"}, "max_window_layers", 28, func(r reader) bool {
		return r.Bool("use_sliding_window", false) && !r.Has("layer_types")
	}},
	{[]string{"deepseek_v3", "deepseek_v32", "glm_moe_dsa"}, "first_k_dense_replace", 3, unlessListed("mlp_layer_types")},
	{[]string{"glm4_moe", "kimi_linear", "exaone_moe"}, "first_k_dense_replace", 1, unlessListed("mlp_layer_types")},
	{[]string{"afmoe"}, "num_dense_layers", 1, always},
	{[]string{"lfm2_moe"}, "num_dense_layers", 2, always},
	{[]string{"ernie4_5_moe"}, "moe_layer_start_index", 1, always},
}

func always(reader) bool { return true }

func unlessListed(key string) func(reader) bool {
	return func(r reader) bool { return !r.Has(key) }
}
