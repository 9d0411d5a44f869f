package randommodel

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
)

// The random model: a Llama small enough to measure in seconds and deep enough to have something to cut.
const (
	layers    = 16
	hidden    = 128
	heads     = 4
	kvHeads   = 2
	feed      = 384
	positions = 1024
	bos       = 256
	eos       = 257
	vocab     = 258
)

// weight is one tensor of the model.
type weight struct {
	name   string
	shape  []int
	values []float32
}

// weights draws the model's tensors. Layer ℓ writes into the residual stream with a strength that falls with depth, but
// for the last layer: the shape that the paper finds in trained models, put in here by hand.
func weights(seed uint64) []weight {
	r := rand.New(rand.NewPCG(seed, 2))
	draw := func(name string, rows, cols int, scale float64) weight {
		w := weight{name: name, shape: []int{rows, cols}, values: make([]float32, rows*cols)}
		scale /= math.Sqrt(float64(cols))
		for i := range w.values {
			w.values[i] = float32(r.NormFloat64() * scale)
		}
		return w
	}
	ones := func(name string) weight {
		w := weight{name: name, shape: []int{hidden}, values: make([]float32, hidden)}
		for i := range w.values {
			w.values[i] = 1
		}
		return w
	}
	all := []weight{draw("model.embed_tokens.weight", vocab, hidden, math.Sqrt(hidden)), ones("model.norm.weight"),
		draw("lm_head.weight", vocab, hidden, 2)}
	kv := hidden / heads * kvHeads
	for l := range layers {
		at := fmt.Sprintf("model.layers.%d.", l)
		strength := 0.9 * math.Pow(0.82, float64(l))
		if l == layers-1 {
			strength = 0.6
		}
		all = append(all,
			ones(at+"input_layernorm.weight"),
			draw(at+"self_attn.q_proj.weight", hidden, hidden, 1.5),
			draw(at+"self_attn.k_proj.weight", kv, hidden, 1.5),
			draw(at+"self_attn.v_proj.weight", kv, hidden, 1),
			draw(at+"self_attn.o_proj.weight", hidden, hidden, 1.5*strength),
			ones(at+"post_attention_layernorm.weight"),
			draw(at+"mlp.gate_proj.weight", feed, hidden, 1),
			draw(at+"mlp.up_proj.weight", feed, hidden, 1),
			draw(at+"mlp.down_proj.weight", hidden, feed, 2*strength),
		)
	}
	return all
}

// config is the model's config.json.
func config() []byte {
	b, err := json.MarshalIndent(map[string]any{
		"architectures": []string{"LlamaForCausalLM"}, "model_type": "llama", "hidden_size": hidden,
		"intermediate_size": feed, "num_hidden_layers": layers, "num_attention_heads": heads, "num_key_value_heads": kvHeads,
		"vocab_size": vocab, "max_position_embeddings": positions, "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
		"hidden_act": "silu", "tie_word_embeddings": false, "torch_dtype": "float32", "bos_token_id": bos, "eos_token_id": eos,
	}, "", "  ")
	if err != nil {
		panic(err) // constants
	}
	return append(b, '\n')
}

// tokenizerJSON is a tokenizer of single bytes: the byte-level alphabet of GPT-2 without merges, and two special tokens.
func tokenizerJSON() []byte {
	vocabulary := map[string]int{}
	next := rune(256)
	for b := range 256 {
		letter := rune(b)
		printable := b >= '!' && b <= '~' || b >= 0xa1 && b <= 0xac || b >= 0xae
		if !printable {
			letter = next
			next++
		}
		vocabulary[string(letter)] = b
	}
	special := func(id int, content string) map[string]any {
		return map[string]any{"id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true}
	}
	vocabulary["<s>"], vocabulary["</s>"] = bos, eos
	start := []any{map[string]any{"SpecialToken": map[string]any{"id": "<s>", "type_id": 0}}, map[string]any{"Sequence": map[string]any{"id": "A", "type_id": 0}}}
	b, err := json.MarshalIndent(map[string]any{
		"version": "1.0", "truncation": nil, "padding": nil, "normalizer": nil,
		"added_tokens":  []any{special(bos, "<s>"), special(eos, "</s>")},
		"pre_tokenizer": map[string]any{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
		"post_processor": map[string]any{
			"type": "TemplateProcessing", "single": start, "pair": start,
			"special_tokens": map[string]any{"<s>": map[string]any{"id": "<s>", "ids": []int{bos}, "tokens": []string{"<s>"}}},
		},
		"decoder": map[string]any{"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
		"model": map[string]any{
			"type": "BPE", "dropout": nil, "unk_token": nil, "continuing_subword_prefix": nil, "end_of_word_suffix": nil,
			"fuse_unk": false, "byte_fallback": false, "vocab": vocabulary, "merges": []string{},
		},
	}, "", "  ")
	if err != nil {
		panic(err) // constants
	}
	return append(b, '\n')
}
