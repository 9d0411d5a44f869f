package heal

import (
	"fmt"
	"strings"
	"testing"

	"shallow/checkpoint"
	"shallow/decoder"
)

// specOf reads a config as the model's publisher wrote it, but for its depth: it is pruned.
func specOf(t *testing.T, config string) *decoder.Spec {
	t.Helper()
	c, err := checkpoint.ParseConfig([]byte(config))
	if err != nil {
		t.Fatal(err)
	}
	s, err := decoder.NewSpec(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func llamaLike(kind string, d, f, h, k, v, context int, more string) string {
	return fmt.Sprintf(`{"model_type":%q,"hidden_size":%d,"intermediate_size":%d,"num_attention_heads":%d,"num_key_value_heads":%d,"vocab_size":%d,
		"max_position_embeddings":%d,"num_hidden_layers":3,"hidden_act":"silu","rms_norm_eps":1e-5%s}`, kind, d, f, h, k, v, context, more)
}

func qwenLike(d, f, h, v int) string {
	return fmt.Sprintf(`{"model_type":"qwen","hidden_size":%d,"intermediate_size":%d,"num_attention_heads":%d,"vocab_size":%d,"kv_channels":128,
		"seq_length":8192,"num_hidden_layers":3,"layer_norm_epsilon":1e-6,"no_bias":true,"rotary_emb_base":10000,"rotary_pct":1.0,"use_dynamic_ntk":true,
		"use_logn_attn":true,"tie_word_embeddings":false}`, d, f, h, v)
}

func TestPresets(t *testing.T) {
	for _, c := range []struct {
		config, name string
		want         Preset
	}{
		{llamaLike("llama", 4096, 11008, 32, 32, 32000, 4096, ""), "", Preset{"llama-2-7b", 2, 0.05, 3e-4, 2048, 16, 5000}},
		{llamaLike("llama", 5120, 13824, 40, 40, 32000, 4096, ""), "", Preset{"llama-2-13b", 64, 0.05, 3e-4, 4096, 16, 5000}},
		{llamaLike("llama", 8192, 28672, 64, 8, 32000, 4096, ""), "", Preset{"llama-2-70b", 8, 0.05, 3e-5, 4096, 16, 5000}},
		{llamaLike("mistral", 4096, 14336, 32, 8, 32000, 32768, `,"sliding_window":4096`), "", Preset{"mistral-7b-v0.1", 4, 0.05, 3e-6, 2048, 16, 5000}},
		{qwenLike(4096, 22016, 32, 151936), "", Preset{"qwen-7b", 64, 0.05, 3e-4, 2048, 16, 5000}},
		{qwenLike(5120, 27392, 40, 152064), "", Preset{"qwen-14b", 64, 0.05, 3e-4, 4096, 16, 5000}},
		{`{"model_type":"phi","hidden_size":2560,"intermediate_size":10240,"num_attention_heads":32,"vocab_size":51200,"max_position_embeddings":2048,
			"num_hidden_layers":3,"hidden_act":"gelu_new","layer_norm_eps":1e-5,"partial_rotary_factor":0.4,"tie_word_embeddings":false}`, "",
			Preset{"phi-2", 64, 0.05, 2e-4, 2048, 16, 5000}},

		// Those of the same shape are told apart, by the name too, and others are left alone.
		{llamaLike("llama", 4096, 11008, 32, 32, 32000, 2048, ""), "huggyllama/llama-7b", Default},
		{llamaLike("llama", 4096, 11008, 32, 32, 32000, 16384, ""), "models/Llama-2-7b-chat-hf/", Preset{"llama-2-7b", 2, 0.05, 3e-4, 2048, 16, 5000}},
		{llamaLike("llama", 4096, 11008, 32, 32, 32000, 1024, ""), "meta-llama/Llama-2-7b-hf@main", Preset{"llama-2-7b", 2, 0.05, 3e-4, 1024, 16, 5000}},
		{llamaLike("llama", 4096, 11008, 32, 32, 32000, 16384, ""), "Llama-2-7bit", Default},
		{llamaLike("mistral", 4096, 14336, 32, 8, 32000, 32768, `,"sliding_window":null`), "mistralai/Mistral-7B-v0.2", Default},
		{llamaLike("mistral", 4096, 14336, 32, 8, 32768, 32768, `,"sliding_window":4096`), "mistralai/Mistral-7B-v0.1", Default},
		{llamaLike("llama", 8192, 28672, 64, 8, 128256, 8192, ""), "meta-llama/Llama-2-70b-hf", Default},
	} {
		if got := PresetOf(c.name, specOf(t, c.config)); got != c.want {
			t.Errorf("%q with %.60s…: %+v, want %+v", c.name, c.config, got, c.want)
		}
	}
}

func TestPresetNamed(t *testing.T) {
	for name, rank := range map[string]int{"default": 64, "llama-2-7b": 2, "Llama-2-70B": 8, "mistral-7b-v0.1": 4, "phi-2": 64} {
		if p, err := PresetNamed(name); err != nil || p.Rank != rank || p.Name != strings.ToLower(name) {
			t.Errorf("%q is %+v, %v", name, p, err)
		}
	}
	if _, err := PresetNamed("gpt-5"); err == nil || !strings.Contains(err.Error(), "none of default, llama-2-7b, llama-2-13b") {
		t.Errorf("%v", err)
	}
}
