package decoder

import (
	"fmt"

	"shallow/checkpoint"
)

// family is how the config and the tensors of one model_type are read. No other file names a family.
type family struct {
	names Names

	// What an absent key of config.json means. 0 means: as many as heads, and D/H.
	keyValueHeads, headSize, context int

	// read fills in what the shared reading leaves open: biases, norms on heads, windows.
	read func(c *checkpoint.Config, s *Spec) error
}

// families is keyed by model_type.
var families = map[string]family{
	"llama": {
		names:   projections,
		context: 2048,
		read: func(c *checkpoint.Config, s *Spec) error {
			s.QKVBias = c.Bool("attention_bias", false)
			s.OBias = s.QKVBias
			s.MLPBias = c.Bool("mlp_bias", false)
			return nil
		},
	},
	"mistral": {
		names:         projections,
		keyValueHeads: 8,
		context:       131072,
		read: func(c *checkpoint.Config, s *Spec) error {
			window := c.Int("sliding_window", 4096)
			if explicitNull(c, "sliding_window") {
				return nil
			}
			for i := range s.Layers {
				s.Layers[i].Window = window
			}
			return checkWindow(window)
		},
	},
	"qwen2": {
		names:         projections,
		keyValueHeads: 32,
		context:       32768,
		read: func(c *checkpoint.Config, s *Spec) error {
			s.QKVBias = true
			return readDeepWindows(c, s)
		},
	},
	"qwen3": {
		names:         withHeadNorms(projections),
		keyValueHeads: 32,
		headSize:      128,
		context:       32768,
		read: func(c *checkpoint.Config, s *Spec) error {
			s.QKVBias = c.Bool("attention_bias", false)
			s.OBias = s.QKVBias
			return readDeepWindows(c, s)
		},
	},
}

// projections are the names that most families share: one tensor a projection.
var projections = Names{
	Embedding: "model.embed_tokens",
	FinalNorm: "model.norm",
	Head:      "lm_head",

	Layer:         "model.layers.%d.",
	AttentionNorm: "input_layernorm",
	Query:         "self_attn.q_proj",
	Key:           "self_attn.k_proj",
	Value:         "self_attn.v_proj",
	Output:        "self_attn.o_proj",
	MLPNorm:       "post_attention_layernorm",
	Gate:          "mlp.gate_proj",
	Up:            "mlp.up_proj",
	Down:          "mlp.down_proj",
}

func withHeadNorms(n Names) Names {
	n.QueryNorm, n.KeyNorm = "self_attn.q_norm", "self_attn.k_norm"
	return n
}

// readDeepWindows reads windows that only deep layers have: those from max_window_layers on, or those that
// layer_types lists.
func readDeepWindows(c *checkpoint.Config, s *Spec) error {
	if !c.Bool("use_sliding_window", false) {
		return checkLayerTypes(c, s, false)
	}
	window := c.Int("sliding_window", 4096)
	if explicitNull(c, "sliding_window") {
		return checkLayerTypes(c, s, false)
	}
	if err := checkWindow(window); err != nil {
		return err
	}
	types := c.Strings("layer_types")
	first := c.Int("max_window_layers", 28)
	for i := range s.Layers {
		if types == nil && i >= first || i < len(types) && types[i] == "sliding_attention" {
			s.Layers[i].Window = window
		}
	}
	return checkLayerTypes(c, s, true)
}

// checkLayerTypes refuses a layer_types of the wrong length, and kinds of attention that are not known.
func checkLayerTypes(c *checkpoint.Config, s *Spec, windowed bool) error {
	types := c.Strings("layer_types")
	if types == nil {
		return nil
	}
	if len(types) != s.L {
		return fmt.Errorf("decoder: config.json: layer_types has %d entries for %d layers", len(types), s.L)
	}
	for i, t := range types {
		switch {
		case t == "full_attention":
		case t == "sliding_attention" && windowed:
		case t == "sliding_attention":
			return fmt.Errorf("decoder: config.json: layer_types[%d] is %q, but no sliding_window is in use", i, t)
		default:
			return unsupported("config.json: layer_types[%d] %q", i, t)
		}
	}
	return nil
}

func checkWindow(window int) error {
	if window < 1 || window > maxSize {
		return fmt.Errorf("decoder: config.json: sliding_window is %d, expected 1 to %d, or null", window, maxSize)
	}
	return nil
}

// scalings are the rules that stretch rotary frequencies, by rope_type.
var scalings = map[string]scaling{
	"default": noScaling,
	"linear":  linearScaling,
	"dynamic": dynamicScaling,
	"llama3":  bandScaling,
	"yarn":    yarnScaling,
}
