package decoder

import (
	"fmt"
	"math"
	"slices"

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

	HeadSize int // channels of one head; H·HeadSize may differ from D
	Context  int // max_position_embeddings: the length the model was made for

	NormEps        float32
	NormOffset     float32 // added to every norm weight
	EmbeddingScale float32
	Activation     compute.Activation

	QKVBias, OBias, MLPBias bool
	Tied                    bool // the head is the embedding

	Ropes  []Rope      // the position encodings that layers choose from
	Layers []LayerSpec // [L]
	Names  Names
}

// LayerSpec is what differs from layer to layer. A layer keeps it when others are cut out before it.
type LayerSpec struct {
	Window         int     // positions a row sees, itself included; 0 is all
	Rope           int     // index in Spec.Ropes, or -1 for none
	AttentionScale float32 // of the scores
}

// Names are a family's tensor names, without ".weight" and ".bias". Those of a layer follow Layer, a format with
// one %d. An empty name means that the family has no such tensor.
type Names struct {
	Embedding, FinalNorm, Head string

	Layer                     string
	AttentionNorm, MLPNorm    string
	Query, Key, Value, Output string
	QueryNorm, KeyNorm        string
	Gate, Up, Down            string
}

// Weight is a tensor that the model needs: its name in the checkpoint and its shape. A vector has Rows 0.
type Weight struct {
	Name       string
	Rows, Cols int
}

// Shape is the weight's shape as a checkpoint spells it.
func (w Weight) Shape() []int {
	if w.Rows == 0 {
		return []int{w.Cols}
	}
	return []int{w.Rows, w.Cols}
}

// Elements is the number of the weight's elements.
func (w Weight) Elements() int64 { return int64(max(w.Rows, 1)) * int64(w.Cols) }

// maxSize bounds every size in config.json, far above published models and far below what overflows.
const maxSize = 1 << 24

// maxHeadSize keeps rotary tables small; published heads have 256 channels at most.
const maxHeadSize = 1 << 14

// NewSpec reads a config by the table of families. The error is an *UnsupportedError where the family, or a setting
// that changes the result, is not known.
func NewSpec(c *checkpoint.Config) (*Spec, error) {
	f, ok := families[c.ModelType()]
	if !ok {
		return nil, unsupported("config.json: model_type %q", c.ModelType())
	}
	if c.Has("quantization_config") {
		return nil, unsupported("config.json: quantization_config")
	}
	s := &Spec{
		ModelType: c.ModelType(),
		V:         c.Int("vocab_size", 0),
		D:         c.Int("hidden_size", 0),
		L:         c.Layers(),
		H:         c.Int("num_attention_heads", 0),
		F:         c.Int("intermediate_size", 0),

		NormEps:        float32(c.Float("rms_norm_eps", 1e-6)),
		EmbeddingScale: 1,
		Tied:           c.Bool("tie_word_embeddings", false),
		Names:          f.names,
	}
	if err := checkSizes(c, size{"vocab_size", s.V}, size{"hidden_size", s.D}, size{"num_hidden_layers", s.L},
		size{"num_attention_heads", s.H}, size{"intermediate_size", s.F}); err != nil {
		return nil, err
	}
	s.K = c.Int("num_key_value_heads", f.keyValueHeads)
	if s.K == 0 || explicitNull(c, "num_key_value_heads") {
		s.K = s.H
	}
	s.HeadSize = c.Int("head_dim", f.headSize)
	if s.HeadSize == 0 || explicitNull(c, "head_dim") {
		s.HeadSize = s.D / s.H
	}
	s.Context = c.Int("max_position_embeddings", f.context)
	if err := checkSizes(c, size{"num_key_value_heads", s.K}, size{"head_dim", s.HeadSize}, size{"max_position_embeddings", s.Context}); err != nil {
		return nil, err
	}
	if s.HeadSize > maxHeadSize {
		return nil, fmt.Errorf("decoder: config.json: head_dim is %d, expected at most %d", s.HeadSize, maxHeadSize)
	}
	if s.H%s.K != 0 {
		return nil, fmt.Errorf("decoder: config.json: num_attention_heads %d is no multiple of num_key_value_heads %d", s.H, s.K)
	}
	if s.HeadSize%2 != 0 {
		return nil, unsupported("config.json: an odd head size, %d,", s.HeadSize)
	}
	if e := float64(s.NormEps); !(e > 0 && e < 1) {
		return nil, fmt.Errorf("decoder: config.json: rms_norm_eps is %g, expected a small positive number", e)
	}
	if act := c.String("hidden_act", "silu"); act != "silu" && act != "swish" {
		return nil, unsupported("config.json: hidden_act %q", act)
	}
	s.Activation = compute.SiLU

	rope, err := newRope(c, s)
	if err != nil {
		return nil, err
	}
	s.Ropes = []Rope{rope}
	s.Layers = make([]LayerSpec, s.L)
	for i := range s.Layers {
		s.Layers[i].AttentionScale = float32(1 / math.Sqrt(float64(s.HeadSize)))
	}
	if err := f.read(c, s); err != nil {
		return nil, err
	}
	return s, c.Err()
}

// size is what a key of config.json says.
type size struct {
	key string
	n   int
}

// checkSizes refuses sizes that are missing or absurd, naming their keys.
func checkSizes(c *checkpoint.Config, sizes ...size) error {
	if err := c.Err(); err != nil {
		return err
	}
	for _, s := range sizes {
		if s.n < 1 || s.n > maxSize {
			return fmt.Errorf("decoder: config.json: %s is %d, expected 1 to %d", s.key, s.n, maxSize)
		}
	}
	return nil
}

// explicitNull tells a key that is null from one that is absent: absent keys have a family's default.
func explicitNull(c *checkpoint.Config, key string) bool {
	return !c.Has(key) && slices.Contains(c.Keys(), key)
}

// LayerName is the name of a tensor of layer i, as LayerName(0, s.Names.Query) + ".weight".
func (s *Spec) LayerName(i int, name string) string { return fmt.Sprintf(s.Names.Layer, i) + name }

// LayerWeights lists the tensors of layer i in the order in which data meets them.
func (s *Spec) LayerWeights(i int) []Weight {
	n, hd := s.Names, s.HeadSize
	var ws []Weight
	vector := func(name string, size int) {
		if name != "" {
			ws = append(ws, Weight{Name: s.LayerName(i, name) + ".weight", Cols: size})
		}
	}
	matrix := func(name string, rows, cols int, bias bool) {
		ws = append(ws, Weight{Name: s.LayerName(i, name) + ".weight", Rows: rows, Cols: cols})
		if bias {
			ws = append(ws, Weight{Name: s.LayerName(i, name) + ".bias", Cols: rows})
		}
	}
	vector(n.AttentionNorm, s.D)
	matrix(n.Query, s.H*hd, s.D, s.QKVBias)
	matrix(n.Key, s.K*hd, s.D, s.QKVBias)
	matrix(n.Value, s.K*hd, s.D, s.QKVBias)
	vector(n.QueryNorm, hd)
	vector(n.KeyNorm, hd)
	matrix(n.Output, s.D, s.H*hd, s.OBias)
	vector(n.MLPNorm, s.D)
	matrix(n.Gate, s.F, s.D, s.MLPBias)
	matrix(n.Up, s.F, s.D, s.MLPBias)
	matrix(n.Down, s.D, s.F, s.MLPBias)
	return ws
}

// EmbeddingWeight is what tokens are looked up in.
func (s *Spec) EmbeddingWeight() Weight {
	return Weight{Name: s.Names.Embedding + ".weight", Rows: s.V, Cols: s.D}
}

// FinalNormWeight is the norm before the head.
func (s *Spec) FinalNormWeight() Weight {
	return Weight{Name: s.Names.FinalNorm + ".weight", Cols: s.D}
}

// HeadWeight turns normed states into logits. A tied head is the embedding.
func (s *Spec) HeadWeight() Weight {
	if s.Tied {
		return s.EmbeddingWeight()
	}
	return Weight{Name: s.Names.Head + ".weight", Rows: s.V, Cols: s.D}
}
