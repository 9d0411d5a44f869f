package world

import (
	"encoding/json"
	"iter"

	"shallow/tokenizer/bpetrain"
)

// The shape of the model that the world is for: deep for its size, so that there is something to cut.
const (
	Vocabulary = 1280 // V; a token for most words of the world
	MaxLength  = 512  // T
	layers     = 16   // L
	hidden     = 128  // D
	heads      = 4    // H
	keyHeads   = 2    // K
	feed       = 384  // F
)

// learnedFrom is how many documents of each stage the tokenizer is learned from.
const learnedFrom = 8000

// Tokenizer learns a tokenizer from texts of the world: <s> is 0 and stands before each text, </s> is 1 and ends it.
func (w *World) Tokenizer() (*bpetrain.Vocabulary, error) {
	return bpetrain.Train(w.texts(), bpetrain.Options{Size: Vocabulary, Begin: "<s>", End: "</s>"})
}

func (w *World) texts() iter.Seq[string] {
	return func(yield func(string) bool) {
		for stage := range Stages {
			for d := range w.Documents(0, stage+1, learnedFrom) {
				if !yield(d.Text + d.Prompt + d.Completion) {
					return
				}
			}
		}
	}
}

// Config is the config.json of the model: a Llama of about 3.3 million parameters.
func Config() []byte {
	b, err := json.MarshalIndent(map[string]any{
		"architectures": []string{"LlamaForCausalLM"}, "model_type": "llama", "hidden_size": hidden, "intermediate_size": feed,
		"num_hidden_layers": layers, "num_attention_heads": heads, "num_key_value_heads": keyHeads, "head_dim": hidden / heads,
		"vocab_size": Vocabulary, "max_position_embeddings": MaxLength, "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
		"hidden_act": "silu", "initializer_range": 0.02, "attention_bias": false, "mlp_bias": false, "tie_word_embeddings": true,
		"bos_token_id": 0, "eos_token_id": 1, "torch_dtype": "float32",
	}, "", "  ")
	if err != nil {
		panic(err) // constants
	}
	return append(b, '\n')
}
