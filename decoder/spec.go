package decoder

import (
	"fmt"
	"math"

	"shallow/checkpoint"
	"shallow/compute"
)

// Spec is a model's shape and settings: all that the forward pass needs to know beyond the weights.
type Spec struct {
	ModelType string // model_type of config.json

	V int // vocabulary
	D int // hidden size
	L int // layers
	H int // attention heads
	K int // key-value heads
	F int // feed-forward size

	HeadSize  int // channels of one head; H·HeadSize may differ from D
	Context   int // the length the model was made for
	Positions int // learned positions, the longest possible sequence; 0 where positions are rotations

	Norm       Norm
	NormEps    float32
	NormOffset float32 // added to every norm weight
	NormBias   bool    // layer norms have one
	QKNorm     QKNorm
	QKNormBias bool

	EmbeddingScale float32
	ResidualScale  float32 // of what attention and feed-forward add to the residual stream
	LogitScale     float32
	ScoreCap       float32 // soft cap of the attention scores; 0 is none
	LogitCap       float32

	Parallel   bool // attention and feed-forward both read what enters the layer
	Gated      bool // the feed-forward network has a gate
	Activation compute.Activation
	Experts    Experts

	QKVBias, OBias, MLPBias, HeadBias bool
	Tied                              bool // the head is the embedding

	Ropes  []Rope      // the position encodings that layers choose from
	Layers []LayerSpec // [L]
	Names  Names

	typed bool // layers have kinds of attention, each with its own position encoding
}

// Norm is what norms do before they multiply by their weight.
type Norm uint8

// The norms.
const (
	RMSNorm   Norm = iota // divide by the root mean square
	LayerNorm             // subtract the mean, divide by the standard deviation
)

// QKNorm is how queries and keys are normed, where the family names such tensors.
type QKNorm uint8

// The norms of queries and keys.
const (
	PerHead  QKNorm = iota // each head by itself, one weight [HeadSize] for all
	EachHead               // each head by itself, with a weight of its own; the name has %d for the head
	Whole                  // all heads together, one weight [H·HeadSize]
)

// Experts are the sizes of a mixture of experts; Count 0 is none.
type Experts struct {
	Count, Chosen int
	F             int  // of each
	Normalise     bool // the chosen ones' weights add up to 1
	SharedF       int  // of the expert that sees every token, weighed by a sigmoid; 0 is none
}

// LayerSpec is what differs from layer to layer. A layer keeps it when others are cut out before it.
type LayerSpec struct {
	Window         int     // positions a row sees, itself included; 0 is all
	Rope           int     // index in Spec.Ropes, or -1 for none
	AttentionScale float32 // of the scores
	Sparse         bool    // the feed-forward network is the mixture of experts
}

// maxSize bounds every size in config.json, far above published models and far below what overflows.
const maxSize = 1 << 24

// maxHeadSize keeps rotary tables small; published heads have 256 channels at most.
const maxHeadSize = 1 << 14

// NewSpec reads a config by the table of families. The error is an *UnsupportedError where the family, or a setting
// that changes the result, is not known. Of a config of several models it reads the language model's part.
func NewSpec(config *checkpoint.Config) (*Spec, error) {
	text := config.Decoder()
	f, ok := families[text.ModelType()]
	if !ok {
		return nil, unsupported("config.json: model_type %q", text.ModelType())
	}
	for _, c := range []*checkpoint.Config{config, text} {
		if c.Has("quantization_config") && !inFourBits(c.Sub("quantization_config")) {
			return nil, unsupported("config.json: quantization_config")
		}
	}
	c := settings{text, f}
	s := &Spec{
		ModelType: text.ModelType(),
		V:         c.number("vocab_size"),
		D:         c.number("hidden_size"),
		L:         config.Layers(),
		H:         c.number("num_attention_heads"),
		F:         c.number("intermediate_size"),
		Context:   c.number("max_position_embeddings"),

		Norm:     f.norm,
		NormEps:  float32(c.real("rms_norm_eps")),
		NormBias: f.norm == LayerNorm,
		QKNorm:   f.qkNorm,
		Gated:    f.names.Gate != "" || f.names.GateUp != "",
		Tied:     c.flag("tie_word_embeddings"),
		Names:    f.names,

		EmbeddingScale: 1,
		ResidualScale:  1,
		LogitScale:     1,
	}
	if !c.given("tie_word_embeddings") && text != config {
		s.Tied = config.Bool("tie_word_embeddings", s.Tied)
	}
	if err := s.readSizes(c); err != nil {
		return nil, err
	}
	if s.Activation, ok = activations[c.text("hidden_act")]; !ok {
		return nil, unsupported("config.json: %s %q", c.name("hidden_act"), c.text("hidden_act"))
	}
	s.Layers = make([]LayerSpec, s.L)
	for i := range s.Layers {
		s.Layers[i].AttentionScale = float32(1 / math.Sqrt(float64(s.HeadSize)))
	}
	if err := s.readRopes(c); err != nil {
		return nil, err
	}
	if err := f.read(c, s); err != nil {
		return nil, err
	}
	if err := text.Err(); err != nil {
		return nil, err
	}
	if s.Ropes != nil && s.Ropes[0].Kind != "" && !s.typed {
		return nil, unsupported("config.json: rope_parameters.%s", s.Ropes[0].Kind)
	}
	return s, s.check()
}

// inFourBits reports whether a quantization_config is that of matrices that package nf4 reads.
func inFourBits(c *checkpoint.Config) bool {
	return c != nil && c.String("quant_method", "") == "bitsandbytes" && c.Bool("load_in_4bit", false) && c.String("bnb_4bit_quant_type", "") == "nf4"
}

// readSizes fills in the sizes that follow from others and checks them all.
func (s *Spec) readSizes(c settings) error {
	if err := checkSizes(c, size{"vocab_size", s.V}, size{"hidden_size", s.D}, size{"num_hidden_layers", s.L},
		size{"num_attention_heads", s.H}); err != nil {
		return err
	}
	if s.F == 0 && c.family.wideF > 0 {
		s.F = c.family.wideF * s.D
	}
	s.F /= max(c.family.partsF, 1)
	if s.K = c.number("num_key_value_heads"); s.K == 0 {
		s.K = s.H
	}
	if s.HeadSize = c.number("head_dim"); s.HeadSize == 0 {
		s.HeadSize = s.D / s.H
	}
	if err := checkSizes(c, size{"intermediate_size", s.F}, size{"num_key_value_heads", s.K}, size{"head_dim", s.HeadSize},
		size{"max_position_embeddings", s.Context}); err != nil {
		return err
	}
	switch e := float64(s.NormEps); {
	case s.HeadSize > maxHeadSize:
		return fmt.Errorf("decoder: config.json: %s is %d, expected at most %d", c.name("head_dim"), s.HeadSize, maxHeadSize)
	case s.H%s.K != 0:
		return fmt.Errorf("decoder: config.json: %s %d is no multiple of %s %d", c.name("num_attention_heads"), s.H, c.name("num_key_value_heads"), s.K)
	case s.HeadSize%2 != 0:
		return unsupported("config.json: an odd head size, %d,", s.HeadSize)
	case !(e > 0 && e < 1):
		return fmt.Errorf("decoder: config.json: %s is %g, expected a small positive number", c.name("rms_norm_eps"), e)
	}
	return nil
}

// check holds together what the family's own reading has filled in.
func (s *Spec) check() error {
	for key, v := range map[string]float32{"embedding scale": s.EmbeddingScale, "residual scale": s.ResidualScale,
		"logit scale": s.LogitScale, "attention scale": s.Layers[0].AttentionScale} {
		if !(v > 0 && v < 1e9) {
			return fmt.Errorf("decoder: config.json: the %s is %g, expected a positive number", key, v)
		}
	}
	if !(s.ScoreCap >= 0 && s.LogitCap >= 0) {
		return fmt.Errorf("decoder: config.json: soft caps are %g and %g, expected positive numbers or null", s.ScoreCap, s.LogitCap)
	}
	e := s.Experts
	sparse := false
	for _, l := range s.Layers {
		sparse = sparse || l.Sparse
	}
	if sparse && (e.Count < 1 || e.Count > maxExperts || e.Chosen < 1 || e.Chosen > e.Count || e.F < 1 || e.F > maxSize || e.SharedF < 0 || e.SharedF > maxSize) {
		return fmt.Errorf("decoder: config.json: %d of %d experts of size %d, and a shared one of %d, are no mixture of experts", e.Chosen, e.Count, e.F, e.SharedF)
	}
	return nil
}

// maxExperts is far above published models.
const maxExperts = 1 << 14

// size is what a key of config.json says.
type size struct {
	key string
	n   int
}

// checkSizes refuses sizes that are missing or absurd, naming their keys.
func checkSizes(c settings, sizes ...size) error {
	if err := c.Err(); err != nil {
		return err
	}
	for _, s := range sizes {
		if s.n < 1 || s.n > maxSize {
			return fmt.Errorf("decoder: config.json: %s is %d, expected 1 to %d", c.name(s.key), s.n, maxSize)
		}
	}
	return nil
}
