package prune

import "shallow/checkpoint"

// class is how a value of config.json depends on which layers a model has.
type class string

const (
	count     class = "count"     // the number of layers itself
	slice     class = "slice"     // one element a layer: the dropped layers' elements go
	remap     class = "remap"     // layer numbers: dropped ones go, the others are renumbered
	threshold class = "threshold" // a layer number that splits the layers: less the dropped ones below it
	period    class = "period"    // every so many layers: written out as a list, or the cut must leave it whole
	tail      class = "tail"      // ties layers together across the cut: refused unless it is zero
	none      class = "none"      // has nothing to do with layers, however long the list
)

// rules is the table of keys. A list of length L under any other key is refused: it may be one element a layer.
var rules = map[string]class{
	"num_hidden_layers": count,
	"n_layer":           count,
	"num_layers":        count,
	"n_layers":          count,

	"layer_types":                 slice,
	"mlp_layer_types":             slice,
	"indexer_types":               slice,
	"no_rope_layers":              slice,
	"layers_block_type":           slice,
	"hybrid_override_pattern":     slice, // a string, one letter a layer
	"block_configs":               slice,
	"activation_sparsity_pattern": slice,
	"attention_layers":            slice,
	"attention_types":             slice,
	"linear_attention_freq":       slice,
	"sliding_window":              slice, // where it is a list
	"intermediate_size":           slice,
	"num_key_value_heads":         slice,
	"num_kv_heads":                slice,
	"num_query_heads":             slice,
	"num_attention_heads":         slice,
	"ffn_multipliers":             slice,
	"window_size":                 slice,
	"attn_types":                  slice,

	"mlp_only_layers":        remap,
	"cross_attention_layers": remap,
	"full_attention_idxs":    remap,
	"full_attn_idxs":         remap,
	"attn_layer_indices":     remap,
	"global_layers":          remap,
	"moe_layers":             remap,
	"hybrid_layer_ids":       remap,

	"max_window_layers":     threshold,
	"first_k_dense_replace": threshold,
	"num_dense_layers":      threshold,

	"sliding_window_pattern":     period,
	"_sliding_window_pattern":    period,
	"full_attention_interval":    period,
	"no_rope_layer_interval":     period,
	"decoder_sparse_step":        period,
	"moe_layer_freq":             period, // where it is a number; slice where it is a list
	"moe_layer_interval":         period,
	"interleave_moe_layer_step":  period,
	"attn_layer_period":          period,
	"expert_layer_period":        period,
	"global_attn_every_n_layers": period,

	"num_kv_shared_layers":        tail,
	"hidden_size_per_layer_input": tail, // one tensor then holds a slice of its rows for each layer

	"num_nextn_predict_layers": none, // layers behind the last: their tensors are renumbered
	"mtp_num_hidden_layers":    none, // in a list of their own
	"encoder_layers":           none,
	"label2id":                 none,
	"id2label":                 none,

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
}

// impliedThresholds are what readers of a family take where config.json has no such key.
// Source: max_window_layers of the Qwen configurations in transformers.
var impliedThresholds = []struct {
	models []string
	key    string
	value  int
	used   func(c *checkpoint.Config) bool
}{
	{[]string{"qwen2", "qwen3", "qwen2_moe", "qwen3_moe"}, "max_window_layers", 28, func(c *checkpoint.Config) bool {
		return c.Bool("use_sliding_window", false) && !c.Has("layer_types")
	}},
}

// attentionPeriods mean nothing to a reader that finds layer_types.
var attentionPeriods = []string{"sliding_window_pattern", "_sliding_window_pattern", "full_attention_interval"}

// pattern is a period that readers of the family also take as a list, one element a layer.
type pattern struct {
	models  []string // model_type; nil is any
	key     string   // of the period
	period  int      // where config.json has no such key; 0 if it then means nothing
	list    string   // the key of the list that readers take instead
	element func(layer, period int) string
}

// patterns say how periods become lists. A family whose readers imply a pattern has a row even where its files have no
// such key: cutting layers would shift what they imply.
// Sources: the families' configurations in transformers 5.23, and ../shared/reference/families.
var patterns = []pattern{
	{models: []string{"gemma2"}, period: 2, list: "layer_types", element: fullEvery("sliding_attention")},
	{models: []string{"gemma3_text", "gemma3"}, key: "sliding_window_pattern", period: 6, list: "layer_types", element: fullEvery("sliding_attention")},
	{models: []string{"cohere2"}, key: "sliding_window_pattern", period: 4, list: "layer_types", element: fullEvery("sliding_attention")},
	{models: []string{"gpt_oss"}, period: 2, list: "layer_types", element: fullEvery("sliding_attention")},
	{models: []string{"olmo3"}, period: 4, list: "layer_types", element: fullEvery("sliding_attention")},
	{models: []string{"qwen3_next"}, key: "full_attention_interval", period: 4, list: "layer_types", element: fullEvery("linear_attention")},
	{models: []string{"smollm3", "llama4_text"}, key: "no_rope_layer_interval", period: 4, list: "no_rope_layers", element: everyNumber("0", "1")},
}

// fullEvery is full attention in the last layer of each period, and another kind in the rest.
func fullEvery(others string) func(layer, period int) string {
	return everyNumber(`"full_attention"`, `"`+others+`"`)
}

// everyNumber is last for the last layer of each period, and others for the rest.
func everyNumber(last, others string) func(layer, period int) string {
	return func(layer, period int) string {
		if (layer+1)%period == 0 {
			return last
		}
		return others
	}
}
