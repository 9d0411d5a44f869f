package decoder

import "shallow/compute"

// family is how the config and the tensors of one model_type are read. No file but this and the table names a family:
// docs/new-family.md shows how to add one.
//
// Sources: the configurations and models of transformers 5.23; for the first Qwen, the code published with it.
type family struct {
	names  Names
	norm   Norm
	qkNorm QKNorm
	pairs  compute.Pairs

	// keys are what the family calls a setting, where it is not what most families call it; orKeys what it calls some in
	// newer files only.
	keys, orKeys map[string]string
	// defaults are what the absence of a key means: int, float64, bool or string.
	defaults map[string]any

	wideF      int               // the feed-forward size, if absent, is so many times the hidden size
	partsF     int               // the feed-forward size counts so many matrices
	scalings   map[string]string // rope types under which the family means another
	windowBase string            // key of the rotary base of windowed layers, which are then never scaled

	// read fills in what the shared reading leaves open: biases, windows, scales, experts.
	read func(c settings, s *Spec) error
}

// commonDefaults hold where a family has none of its own.
var commonDefaults = map[string]any{
	"rms_norm_eps":          1e-6,
	"hidden_act":            "silu",
	"rope_theta":            10000.,
	"partial_rotary_factor": 1.,
}

// activations are the functions of feed-forward networks, by what configs call them.
var activations = map[string]compute.Activation{
	"silu":              compute.SiLU,
	"swish":             compute.SiLU,
	"gelu":              compute.GELU,
	"gelu_python":       compute.GELU,
	"gelu_new":          compute.GELUTanh,
	"gelu_fast":         compute.GELUTanh,
	"gelu_accurate":     compute.GELUTanh,
	"gelu_pytorch_tanh": compute.GELUTanh,
	"quick_gelu":        compute.QuickGELU,
	"relu":              compute.ReLU,
	"relu2":             compute.ReLUSquared,
	"sigmoid":           compute.Sigmoid,
}

// scalings are the rules that stretch rotary frequencies, by rope_type.
var scalings = map[string]scaling{
	"default":  noScaling,
	"linear":   linearScaling,
	"dynamic":  dynamicScaling,
	"llama3":   bandScaling,
	"yarn":     yarnScaling,
	"longrope": longScaling,
	"su":       longScaling,
	"factors":  listedScaling,
}

// projections are the names that most families share: one tensor a projection.
var projections = Names{
	Base:      "model.",
	Embedding: "embed_tokens",
	FinalNorm: "norm",
	Head:      "lm_head",

	Layer:         "layers.%d.",
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

// edit changes names that families share into those of one.
func edit(n Names, changes ...func(*Names)) Names {
	for _, change := range changes {
		change(&n)
	}
	return n
}

func headNorms(n *Names) { n.QueryNorm, n.KeyNorm = "self_attn.q_norm", "self_attn.k_norm" }

func fusedGate(n *Names) { n.Gate, n.Up, n.GateUp = "", "", "mlp.gate_up_proj" }

func fourNorms(n *Names) {
	n.AttentionOutNorm, n.MLPNorm, n.MLPOutNorm = "post_attention_layernorm", "pre_feedforward_layernorm", "post_feedforward_layernorm"
}

func outNorms(n *Names) {
	n.AttentionNorm, n.AttentionOutNorm, n.MLPNorm, n.MLPOutNorm = "", "post_attention_layernorm", "", "post_feedforward_layernorm"
}

func experts(n *Names) {
	n.Router, n.ExpertGate, n.ExpertUp, n.ExpertDown = "mlp.gate", "mlp.experts.%d.gate_proj", "mlp.experts.%d.up_proj", "mlp.experts.%d.down_proj"
}
