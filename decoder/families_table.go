package decoder

import (
	"math"

	"shallow/compute"
)

// families is keyed by model_type.
var families = map[string]*family{
	"llama": {
		names:    projections,
		defaults: map[string]any{"max_position_embeddings": 2048},
		read: func(c settings, s *Spec) error {
			s.QKVBias = c.flag("attention_bias")
			s.OBias = s.QKVBias
			s.MLPBias = c.flag("mlp_bias")
			return nil
		},
	},
	"mistral": {
		names:    projections,
		defaults: map[string]any{"num_key_value_heads": 8, "max_position_embeddings": 131072, "sliding_window": 4096},
		read:     readWindow,
	},
	"mixtral": {
		names: edit(projections, func(n *Names) {
			n.Router = "block_sparse_moe.gate"
			n.ExpertGate, n.ExpertUp, n.ExpertDown = "block_sparse_moe.experts.%d.w1", "block_sparse_moe.experts.%d.w3", "block_sparse_moe.experts.%d.w2"
		}),
		defaults: map[string]any{"num_key_value_heads": 8, "max_position_embeddings": 131072, "rms_norm_eps": 1e-5, "rope_theta": 1e6,
			"num_local_experts": 8, "num_experts_per_tok": 2},
		read: func(c settings, s *Spec) error {
			s.Experts = Experts{Count: c.number("num_local_experts"), Chosen: c.number("num_experts_per_tok"), F: s.F, Normalise: true}
			for i := range s.Layers {
				s.Layers[i].Sparse = true
			}
			return readWindow(c, s)
		},
	},

	// The first Qwen: a base that grows past the context it was trained for, and queries that grow with it.
	"qwen": {
		names: Names{Base: "transformer.", Embedding: "wte", FinalNorm: "ln_f", Head: "lm_head", Layer: "h.%d.",
			AttentionNorm: "ln_1", QKV: "attn.c_attn", Output: "attn.c_proj",
			MLPNorm: "ln_2", Gate: "mlp.w2", Up: "mlp.w1", Down: "mlp.c_proj"},
		keys: map[string]string{"head_dim": "kv_channels", "rms_norm_eps": "layer_norm_epsilon", "rope_theta": "rotary_emb_base",
			"partial_rotary_factor": "rotary_pct", "max_position_embeddings": "seq_length"},
		defaults: map[string]any{"max_position_embeddings": 8192, "no_bias": true, "use_dynamic_ntk": true, "use_logn_attn": true},
		partsF:   2,
		read: func(c settings, s *Spec) error {
			s.K, s.QKVBias = s.H, true
			s.OBias = !c.flag("no_bias")
			s.MLPBias = s.OBias
			rope := &s.Ropes[0]
			if c.flag("use_logn_attn") {
				rope.LogN = s.Context
			}
			if c.flag("use_dynamic_ntk") {
				return doublingScaling(rope, s.Context)
			}
			return nil
		},
	},
	"qwen2": {
		names:    projections,
		defaults: qwenDefaults(map[string]any{"num_key_value_heads": 32}),
		read: func(c settings, s *Spec) error {
			s.QKVBias = true
			return readDeepWindows(c, s, deeperThan(c))
		},
	},
	"qwen3": {
		names:    edit(projections, headNorms),
		defaults: qwenDefaults(map[string]any{"num_key_value_heads": 32, "head_dim": 128}),
		read: func(c settings, s *Spec) error {
			s.QKVBias = c.flag("attention_bias")
			s.OBias = s.QKVBias
			return readDeepWindows(c, s, deeperThan(c))
		},
	},
	"qwen2_moe": {
		names: edit(projections, experts, func(n *Names) {
			n.SharedRouter = "mlp.shared_expert_gate"
			n.SharedGate, n.SharedUp, n.SharedDown = "mlp.shared_expert.gate_proj", "mlp.shared_expert.up_proj", "mlp.shared_expert.down_proj"
		}),
		defaults: qwenDefaults(map[string]any{"num_key_value_heads": 16, "num_experts": 60, "num_experts_per_tok": 4,
			"moe_intermediate_size": 1408, "shared_expert_intermediate_size": 5632, "qkv_bias": true}),
		read: func(c settings, s *Spec) error {
			s.QKVBias = c.flag("qkv_bias")
			s.Experts = Experts{Count: c.number("num_experts"), Chosen: c.number("num_experts_per_tok"), F: c.number("moe_intermediate_size"),
				Normalise: c.flag("norm_topk_prob"), SharedF: c.number("shared_expert_intermediate_size")}
			if err := readSparse(c, s); err != nil {
				return err
			}
			first := c.number("max_window_layers")
			return readDeepWindows(c, s, func(layer int) bool { return (layer+1)%2 != 0 && layer < first })
		},
	},
	"qwen3_moe": {
		names:  edit(projections, headNorms, experts),
		orKeys: map[string]string{"num_experts": "num_local_experts"},
		defaults: qwenDefaults(map[string]any{"num_key_value_heads": 4, "num_experts": 128, "num_experts_per_tok": 8,
			"moe_intermediate_size": 768}),
		read: func(c settings, s *Spec) error {
			s.QKVBias = c.flag("attention_bias")
			s.OBias = s.QKVBias
			s.Experts = Experts{Count: c.number("num_experts"), Chosen: c.number("num_experts_per_tok"), F: c.number("moe_intermediate_size"),
				Normalise: c.flag("norm_topk_prob")}
			if err := readSparse(c, s); err != nil || !c.flag("use_sliding_window") {
				return err
			}
			return readWindow(c, s)
		},
	},

	"phi": {
		names: Names{Base: "model.", Embedding: "embed_tokens", FinalNorm: "final_layernorm", Head: "lm_head", Layer: "layers.%d.",
			AttentionNorm: "input_layernorm", Query: "self_attn.q_proj", Key: "self_attn.k_proj", Value: "self_attn.v_proj",
			Output: "self_attn.dense", Up: "mlp.fc1", Down: "mlp.fc2"},
		norm:     LayerNorm,
		keys:     map[string]string{"rms_norm_eps": "layer_norm_eps"},
		defaults: map[string]any{"max_position_embeddings": 2048, "rms_norm_eps": 1e-5, "hidden_act": "gelu_new", "partial_rotary_factor": 0.5},
		read: func(c settings, s *Spec) error {
			s.Parallel = true
			s.QKVBias, s.OBias, s.MLPBias, s.HeadBias = true, true, true, true
			if c.flag("qk_layernorm") {
				s.Names.QueryNorm, s.Names.KeyNorm = "self_attn.q_layernorm", "self_attn.k_layernorm"
				s.QKNormBias = true
			}
			return nil
		},
	},
	"phi3": {
		names:    edit(projections, fusedGate, func(n *Names) { n.Query, n.Key, n.Value, n.QKV = "", "", "", "self_attn.qkv_proj" }),
		defaults: map[string]any{"max_position_embeddings": 4096, "original_max_position_embeddings": 4096, "rms_norm_eps": 1e-5},
		scalings: map[string]string{"yarn": "longrope"},
		read:     readWindow,
	},

	"gemma": {
		names:    projections,
		defaults: map[string]any{"num_key_value_heads": 16, "head_dim": 256, "max_position_embeddings": 8192, "hidden_act": "gelu_pytorch_tanh", "tie_word_embeddings": true},
		read:     readGemma,
	},
	"gemma2": {
		names: edit(projections, fourNorms),
		keys:  map[string]string{"hidden_act": "hidden_activation"},
		defaults: map[string]any{"num_key_value_heads": 4, "head_dim": 256, "max_position_embeddings": 8192, "hidden_act": "gelu_pytorch_tanh",
			"tie_word_embeddings": true, "query_pre_attn_scalar": 256., "sliding_window": 4096, "attn_logit_softcapping": 50., "final_logit_softcapping": 30.},
		read: func(c settings, s *Spec) error {
			s.ScoreCap = float32(c.real("attn_logit_softcapping"))
			s.LogitCap = float32(c.real("final_logit_softcapping"))
			s.scaleScores(math.Pow(c.real("query_pre_attn_scalar"), -0.5))
			if err := readTypedWindows(c, s, fullEvery(2)); err != nil {
				return err
			}
			return readGemma(c, s)
		},
	},
	// What published files of the multimodal models leave out is in the defaults too.
	"gemma3_text": {
		names: edit(projections, fourNorms, headNorms),
		keys:  map[string]string{"hidden_act": "hidden_activation"},
		defaults: map[string]any{"vocab_size": 262208, "hidden_size": 2304, "num_attention_heads": 8, "intermediate_size": 9216,
			"num_key_value_heads": 4, "head_dim": 256, "max_position_embeddings": 131072, "hidden_act": "gelu_pytorch_tanh",
			"tie_word_embeddings": true, "query_pre_attn_scalar": 256., "sliding_window": 4096, "sliding_window_pattern": 6,
			"rope_theta": 1e6, "rope_local_base_freq": 10000.},
		windowBase: "rope_local_base_freq",
		read: func(c settings, s *Spec) error {
			// attn_logit_softcapping is there for historical reasons only: readers of the family do not apply it.
			s.LogitCap = float32(c.real("final_logit_softcapping"))
			s.scaleScores(math.Pow(c.real("query_pre_attn_scalar"), -0.5))
			period := c.number("sliding_window_pattern")
			if period < 1 {
				return unsupported("config.json: sliding_window_pattern %d", period)
			}
			if err := readTypedWindows(c, s, fullEvery(period)); err != nil {
				return err
			}
			return readGemma(c, s)
		},
	},

	"olmo2": {
		names:    edit(projections, headNorms, outNorms),
		qkNorm:   Whole,
		defaults: map[string]any{"max_position_embeddings": 2048, "rms_norm_eps": 1e-5},
		read: func(c settings, s *Spec) error {
			s.QKVBias = c.flag("attention_bias")
			s.OBias = s.QKVBias
			return nil
		},
	},
	"olmo3": {
		names:      edit(projections, headNorms, outNorms),
		qkNorm:     Whole,
		defaults:   map[string]any{"max_position_embeddings": 2048, "rms_norm_eps": 1e-5, "sliding_window": 4096},
		windowBase: "rope_theta",
		read: func(c settings, s *Spec) error {
			s.QKVBias = c.flag("attention_bias")
			s.OBias = s.QKVBias
			return readTypedWindows(c, s, fullEvery(4))
		},
	},
	"smollm3": {
		names: projections,
		defaults: map[string]any{"num_key_value_heads": 4, "max_position_embeddings": 32768, "rope_theta": 2e6,
			"tie_word_embeddings": true, "no_rope_layer_interval": 4},
		read: func(c settings, s *Spec) error {
			s.QKVBias = c.flag("attention_bias")
			s.OBias = s.QKVBias
			s.MLPBias = c.flag("mlp_bias")
			rotated, err := readRotated(c, s)
			if err != nil {
				return err
			}
			if err := readDeepWindows(c, s, func(layer int) bool { return !rotated[layer] }); err != nil {
				return err
			}
			for i, r := range rotated {
				if !r {
					s.Layers[i].Rope = -1
				}
			}
			return nil
		},
	},
	"granite": {
		names: projections,
		defaults: map[string]any{"max_position_embeddings": 2048, "embedding_multiplier": 1., "logits_scaling": 1.,
			"residual_multiplier": 1., "attention_multiplier": 1.},
		read: func(c settings, s *Spec) error {
			s.QKVBias = c.flag("attention_bias")
			s.OBias = s.QKVBias
			s.MLPBias = c.flag("mlp_bias")
			s.EmbeddingScale = float32(c.real("embedding_multiplier"))
			s.ResidualScale = float32(c.real("residual_multiplier"))
			s.LogitScale = float32(1 / c.real("logits_scaling"))
			s.scaleScores(c.real("attention_multiplier"))
			return nil
		},
	},
	"glm4": {
		names: edit(projections, fusedGate, func(n *Names) {
			n.AttentionOutNorm, n.MLPOutNorm = "post_self_attn_layernorm", "post_mlp_layernorm"
		}),
		pairs: compute.Neighbours,
		defaults: map[string]any{"num_key_value_heads": 2, "head_dim": 128, "max_position_embeddings": 131072, "rms_norm_eps": 1.5625e-7,
			"partial_rotary_factor": 0.5, "attention_bias": true},
		read: func(c settings, s *Spec) error {
			s.QKVBias = c.flag("attention_bias")
			return nil
		},
	},
	"glm": {
		names: edit(projections, fusedGate),
		pairs: compute.Neighbours,
		defaults: map[string]any{"num_key_value_heads": 2, "head_dim": 128, "max_position_embeddings": 131072, "rms_norm_eps": 1.5625e-7,
			"partial_rotary_factor": 0.5, "attention_bias": true},
		read: func(c settings, s *Spec) error {
			s.QKVBias = c.flag("attention_bias")
			return nil
		},
	},
	"cohere": {
		names:    edit(projections, func(n *Names) { n.MLPNorm = "" }),
		norm:     LayerNorm,
		pairs:    compute.Neighbours,
		keys:     map[string]string{"rms_norm_eps": "layer_norm_eps"},
		defaults: map[string]any{"max_position_embeddings": 8192, "rms_norm_eps": 1e-5, "rope_theta": 500000., "tie_word_embeddings": true, "logit_scale": 0.0625},
		read: func(c settings, s *Spec) error {
			if c.flag("use_qk_norm") {
				return unsupported("config.json: use_qk_norm")
			}
			return readCohere(c, s)
		},
	},
	"cohere2": {
		names: edit(projections, func(n *Names) { n.MLPNorm = "" }),
		norm:  LayerNorm,
		pairs: compute.Neighbours,
		keys:  map[string]string{"rms_norm_eps": "layer_norm_eps"},
		defaults: map[string]any{"max_position_embeddings": 8192, "rms_norm_eps": 1e-5, "tie_word_embeddings": true, "logit_scale": 0.0625,
			"sliding_window": 4096, "sliding_window_pattern": 4},
		read: func(c settings, s *Spec) error {
			period := c.number("sliding_window_pattern")
			if period < 1 {
				return unsupported("config.json: sliding_window_pattern %d", period)
			}
			if err := readTypedWindows(c, s, fullEvery(period)); err != nil {
				return err
			}
			for i := range s.Layers {
				if s.Layers[i].Window == 0 {
					s.Layers[i].Rope = -1 // full attention does not know positions
				}
			}
			return readCohere(c, s)
		},
	},
	"starcoder2": {
		names: edit(projections, func(n *Names) { n.Gate, n.Up, n.Down = "", "mlp.c_fc", "mlp.c_proj" }),
		norm:  LayerNorm,
		keys:  map[string]string{"rms_norm_eps": "norm_epsilon"},
		defaults: map[string]any{"num_key_value_heads": 2, "max_position_embeddings": 4096, "rms_norm_eps": 1e-5, "hidden_act": "gelu_pytorch_tanh",
			"use_bias": true, "tie_word_embeddings": true},
		read: func(c settings, s *Spec) error {
			s.QKVBias = c.flag("use_bias")
			s.OBias, s.MLPBias = s.QKVBias, s.QKVBias
			return readWindow(c, s)
		},
	},
	"stablelm": {
		names:    projections,
		norm:     LayerNorm,
		qkNorm:   EachHead,
		keys:     map[string]string{"rms_norm_eps": "layer_norm_eps"},
		defaults: map[string]any{"num_key_value_heads": 32, "max_position_embeddings": 4096, "rms_norm_eps": 1e-5, "partial_rotary_factor": 0.25},
		read: func(c settings, s *Spec) error {
			s.QKVBias = c.flag("use_qkv_bias")
			if c.flag("qk_layernorm") {
				s.Names.QueryNorm, s.Names.KeyNorm = "self_attn.q_layernorm.norms.%d", "self_attn.k_layernorm.norms.%d"
			}
			if s.Parallel = c.flag("use_parallel_residual"); s.Parallel {
				s.Names.MLPNorm = ""
			}
			return nil
		},
	},

	"gpt2": {
		names: Names{Base: "transformer.", Embedding: "wte", Position: "wpe", FinalNorm: "ln_f", Head: "lm_head", Layer: "h.%d.",
			AttentionNorm: "ln_1", QKV: "attn.c_attn", Output: "attn.c_proj",
			MLPNorm: "ln_2", Up: "mlp.c_fc", Down: "mlp.c_proj", Transposed: true},
		norm: LayerNorm,
		keys: map[string]string{"hidden_size": "n_embd", "num_attention_heads": "n_head", "intermediate_size": "n_inner",
			"max_position_embeddings": "n_positions", "rms_norm_eps": "layer_norm_epsilon", "hidden_act": "activation_function"},
		defaults: map[string]any{"max_position_embeddings": 1024, "rms_norm_eps": 1e-5, "hidden_act": "gelu_new",
			"tie_word_embeddings": true, "scale_attn_weights": true},
		wideF: 4,
		read: func(c settings, s *Spec) error {
			s.K, s.Positions = s.H, s.Context
			s.QKVBias, s.OBias, s.MLPBias = true, true, true
			if c.flag("add_cross_attention") {
				return unsupported("config.json: add_cross_attention")
			}
			if !c.flag("scale_attn_weights") {
				s.scaleScores(1)
			}
			if c.flag("scale_attn_by_inverse_layer_idx") {
				for i := range s.Layers {
					s.Layers[i].AttentionScale /= float32(i + 1)
				}
			}
			return nil
		},
	},
	"gpt_neox": {
		names: Names{Base: "gpt_neox.", Embedding: "embed_in", FinalNorm: "final_layer_norm", Head: "embed_out", Layer: "layers.%d.",
			AttentionNorm: "input_layernorm", QKV: "attention.query_key_value", QKVByHead: true, Output: "attention.dense",
			MLPNorm: "post_attention_layernorm", Up: "mlp.dense_h_to_4h", Down: "mlp.dense_4h_to_h"},
		norm: LayerNorm,
		keys: map[string]string{"rms_norm_eps": "layer_norm_eps", "rope_theta": "rotary_emb_base", "partial_rotary_factor": "rotary_pct"},
		defaults: map[string]any{"max_position_embeddings": 2048, "rms_norm_eps": 1e-5, "hidden_act": "gelu", "partial_rotary_factor": 0.25,
			"use_parallel_residual": true, "attention_bias": true},
		read: func(c settings, s *Spec) error {
			s.K = s.H // whatever num_key_value_heads says
			s.Parallel = c.flag("use_parallel_residual")
			s.QKVBias = c.flag("attention_bias")
			s.OBias, s.MLPBias = s.QKVBias, true
			return nil
		},
	},
}

// qwenDefaults are what several generations share, and more.
func qwenDefaults(more map[string]any) map[string]any {
	all := map[string]any{"max_position_embeddings": 32768, "sliding_window": 4096, "max_window_layers": 28, "decoder_sparse_step": 1}
	for k, v := range more {
		all[k] = v
	}
	return all
}

// readGemma reads what all generations have: norms that multiply by 1 + weight, and an embedding that grows with its size.
func readGemma(c settings, s *Spec) error {
	if c.flag("use_bidirectional_attention") {
		return unsupported("config.json: use_bidirectional_attention")
	}
	s.NormOffset = 1
	s.EmbeddingScale = float32(math.Sqrt(float64(s.D)))
	s.QKVBias = c.flag("attention_bias")
	s.OBias = s.QKVBias
	return nil
}

// readCohere reads what both generations have: one norm, without a bias, before attention and feed-forward side by side.
func readCohere(c settings, s *Spec) error {
	s.Parallel = true
	s.NormBias = false
	s.QKVBias = c.flag("attention_bias")
	s.OBias = s.QKVBias
	s.LogitScale = float32(c.real("logit_scale"))
	return nil
}
