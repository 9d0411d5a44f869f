package gguf

import "maps"

// family is how an architecture's tensors and metadata become a Hugging Face checkpoint's.
type family struct {
	modelType  string
	neighbours bool              // rotary pairs are neighbouring channels: the converter has permuted the rows of queries and keys
	names      map[string]string // of modules in GGUF and on the hub
	scaled     bool              // with the multipliers of Granite
	read       func(m *metadata, c *hubConfig)
}

// families are the architectures that package decoder runs. Windows are those that llama.cpp has: none for llama, which
// Mistral is too, for qwen2, qwen3 and phi3.
var families = map[string]family{
	"llama":   {modelType: "llama", neighbours: true, names: projections},
	"qwen2":   {modelType: "qwen2", names: projections},
	"qwen3":   {modelType: "qwen3", names: projections},
	"phi3":    {modelType: "phi3", names: with(projections, "attn_qkv", "self_attn.qkv_proj", "ffn_up", "mlp.gate_up_proj")},
	"granite": {modelType: "granite", neighbours: true, names: projections, scaled: true, read: readScales},
	"smollm3": {modelType: "smollm3", neighbours: true, names: projections, read: readNoRope},
	"olmo2": {modelType: "olmo2", read: readWindows,
		names: with(without(projections, "attn_norm", "ffn_norm"), "post_attention_norm", "post_attention_layernorm", "post_ffw_norm", "post_feedforward_layernorm")},
}

// projections are the names of modules that most families share.
var projections = map[string]string{
	"token_embd":  "model.embed_tokens",
	"output_norm": "model.norm",
	"output":      "lm_head",

	"attn_norm":   "input_layernorm",
	"attn_q":      "self_attn.q_proj",
	"attn_k":      "self_attn.k_proj",
	"attn_v":      "self_attn.v_proj",
	"attn_output": "self_attn.o_proj",
	"attn_q_norm": "self_attn.q_norm",
	"attn_k_norm": "self_attn.k_norm",
	"ffn_norm":    "post_attention_layernorm",
	"ffn_gate":    "mlp.gate_proj",
	"ffn_up":      "mlp.up_proj",
	"ffn_down":    "mlp.down_proj",
}

// with is a table of names with others, each followed by what the hub calls it.
func with(names map[string]string, more ...string) map[string]string {
	names = maps.Clone(names)
	for i := 0; i < len(more); i += 2 {
		names[more[i]] = more[i+1]
	}
	return names
}

// without is a table of names without some.
func without(names map[string]string, gone ...string) map[string]string {
	names = maps.Clone(names)
	for _, name := range gone {
		delete(names, name)
	}
	return names
}

// scales are the multipliers of Granite.
var scales = map[string]bool{"embedding_scale": true, "residual_scale": true, "attention.scale": true, "logit_scale": true}

func readScales(m *metadata, c *hubConfig) {
	for name, to := range map[string]**float64{
		"embedding_scale": &c.Embedded, "residual_scale": &c.Residual, "attention.scale": &c.Attended, "logit_scale": &c.Logits,
	} {
		if v := m.float(name, 0); v != 0 {
			*to = &v
		}
	}
	if c.Attended == nil { // llama.cpp then scales as most families do
		m.fail(unsupported("gguf: %s: %s is missing", m.file.Path, m.key("attention.scale")))
	}
}

// readNoRope says which layers have no rotary positions: for llama.cpp every fourth, whatever the model's own config said.
func readNoRope(m *metadata, c *hubConfig) {
	p := special[m.arch].noRope
	off := false
	c.UseOwn = &off
	for i := range c.Layers {
		rotated := 1
		if p.has(i) {
			rotated = 0
		}
		c.NoRope = append(c.NoRope, rotated)
	}
}

// readWindows makes an Olmo 3 of an Olmo 2 with windows.
func readWindows(m *metadata, c *hubConfig) {
	window := m.sizeOr("attention.sliding_window", 0)
	if window == 0 {
		return
	}
	if c.RopeScaling != nil {
		m.fail(unsupported("gguf: %s: both %s and %s: not run", m.file.Path, m.key("attention.sliding_window"), m.key("rope.scaling.type")))
	}
	e, _ := m.file.Find(m.key("attention.sliding_window_pattern"))
	list, ok := e.Ints()
	p := *special[m.arch].windows
	if n, whole := e.Int(); whole {
		p.n = int(max(min(n, maxLayers), 0))
	}
	if ok && len(list) != c.Layers {
		m.fail(unsupported("gguf: %s: %s has %d elements for %d layers", m.file.Path, e.Key, len(list), c.Layers))
		return
	}
	c.ModelType, c.Window = "olmo3", &window
	for i := range c.Layers {
		kind := "sliding_attention"
		if ok && list[i] == 0 || !ok && p.has(i) {
			kind = "full_attention"
		}
		c.Kinds = append(c.Kinds, kind)
	}
}
