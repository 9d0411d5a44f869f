package gguf

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"strconv"
)

// hubConfig is the config.json that is made, in the order in which it is written.
type hubConfig struct {
	ModelType   string         `json:"model_type"`
	Layers      int            `json:"num_hidden_layers"`
	Hidden      int            `json:"hidden_size"`
	Feed        int            `json:"intermediate_size"`
	Heads       int            `json:"num_attention_heads"`
	KVHeads     int            `json:"num_key_value_heads"`
	HeadSize    int            `json:"head_dim"`
	Vocabulary  int            `json:"vocab_size"`
	Context     int            `json:"max_position_embeddings"`
	NormEps     float64        `json:"rms_norm_eps"`
	Tied        bool           `json:"tie_word_embeddings"`
	QKVBias     bool           `json:"attention_bias"`
	MLPBias     bool           `json:"mlp_bias"`
	Activation  string         `json:"hidden_act"`
	RopeBase    float64        `json:"rope_theta"`
	RopeScaling map[string]any `json:"rope_scaling,omitempty"`
	RopePairs   string         `json:"rope_pairs,omitempty"`
	BOS         *int64         `json:"bos_token_id,omitempty"`
	EOS         *int64         `json:"eos_token_id,omitempty"`
	ElementType string         `json:"torch_dtype,omitempty"`

	NoRope   []int    `json:"no_rope_layers,omitempty"`
	Window   *int     `json:"sliding_window,omitempty"`
	Kinds    []string `json:"layer_types,omitempty"`
	UseOwn   *bool    `json:"use_sliding_window,omitempty"`
	Embedded *float64 `json:"embedding_multiplier,omitempty"`
	Residual *float64 `json:"residual_multiplier,omitempty"`
	Attended *float64 `json:"attention_multiplier,omitempty"`
	Logits   *float64 `json:"logits_scaling,omitempty"`

	Architecture string `json:"general.architecture"`
}

// config makes the text of a config.json from the metadata, as llama.cpp would read them.
func (f *File) config(s shape, a family) ([]byte, error) {
	if s.behind > 0 {
		return nil, unsupported("gguf: %s: %s.nextn_predict_layers is %d: layers that predict further tokens are not run", f.Path, s.arch, s.behind)
	}
	m := metadata{file: f, arch: s.arch}
	c := hubConfig{ModelType: a.modelType, Layers: s.layers, Activation: "silu", Architecture: s.arch}
	c.Hidden = m.size("embedding_length")
	c.Feed = m.perLayer("feed_forward_length", s.layers)
	c.Heads = m.perLayer("attention.head_count", s.layers)
	c.KVHeads = c.Heads
	if _, ok := f.Find(m.key("attention.head_count_kv")); ok {
		c.KVHeads = m.perLayer("attention.head_count_kv", s.layers)
	}
	c.Context = m.size("context_length")
	c.NormEps = m.float("attention.layer_norm_rms_epsilon", 0)
	c.RopeBase = m.float("rope.freq_base", 10000)
	if c.Heads > 0 {
		c.HeadSize = c.Hidden / c.Heads
	}
	c.HeadSize = m.sizeOr("attention.key_length", c.HeadSize)
	for _, same := range []string{"attention.value_length", "rope.dimension_count"} {
		if n := m.sizeOr(same, c.HeadSize); n != c.HeadSize {
			m.fail(unsupported("gguf: %s: %s is %d, the size of a head %d: models in which they differ are not run", f.Path, m.key(same), n, c.HeadSize))
		}
	}
	if v := m.float("rope.freq_base_swa", c.RopeBase); v != c.RopeBase {
		m.fail(unsupported("gguf: %s: %s is %g, of other layers %g: not run", f.Path, m.key("rope.freq_base_swa"), v, c.RopeBase))
	}
	for _, not := range []string{"expert_count", "attention.clamp_kqv", "attn_logit_softcapping", "final_logit_softcapping", "logit_scale", "residual_scale", "embedding_scale", "attention.scale", "attention.temperature_scale"} {
		if v := m.float(not, 0); v != 0 && (!a.scaled || !scales[not]) {
			m.fail(unsupported("gguf: %s: %s is %g, which is not run for a %s", f.Path, m.key(not), v, s.arch))
		}
	}
	c.RopeScaling = f.ropeScaling(&m)
	if a.neighbours {
		c.RopePairs = "neighbours"
	}
	f.tensorKeys(&c)
	if a.read != nil {
		a.read(&m, &c)
	}
	c.BOS, c.EOS = f.token("bos"), f.token("eos")
	if m.err != nil {
		return nil, m.err
	}
	return json.Marshal(c)
}

// tensorKeys are what only the tensors tell.
func (f *File) tensorKeys(c *hubConfig) {
	c.Tied = true
	for _, t := range f.Tensors {
		switch t.Name {
		case "token_embd.weight":
			if len(t.Dims) == 2 {
				c.Vocabulary = int(t.Dims[1])
			}
		case "output.weight":
			c.Tied = false
		case "blk.0.attn_q.bias":
			c.QKVBias = true
		case "blk.0.ffn_up.bias":
			c.MLPBias = true
		case "blk.0.ffn_down.weight":
			c.ElementType = map[Type]string{F32: "float32", F16: "float16", BF16: "bfloat16"}[t.Type]
		}
	}
}

// token is a special token's id.
func (f *File) token(name string) *int64 {
	e, ok := f.Find("tokenizer.ggml." + name + "_token_id")
	if n, whole := e.Int(); ok && whole {
		return &n
	}
	return nil
}

// ropeScaling is what stretches rotary frequencies: the factors of a tensor, or a rule and its factor.
func (f *File) ropeScaling(m *metadata) map[string]any {
	kind := "none"
	if e, ok := f.Find(m.key("rope.scaling.type")); ok {
		kind, _ = e.Text()
	} else if m.float("rope.scale_linear", 0) != 0 || m.float("rope.scaling.factor", 0) != 0 {
		kind = "linear" // llama.cpp's default
	}
	factor := m.float("rope.scaling.factor", m.float("rope.scale_linear", 1))
	if factors, err := f.factors(); err != nil || factors != nil {
		if err == nil && kind != "none" && factor != 1 {
			err = unsupported("gguf: %s: both %s and %s: not run", f.Path, ropeFactors, m.key("rope.scaling.type"))
		}
		m.fail(err)
		return map[string]any{"rope_type": "factors", "factors": factors}
	}
	for _, key := range []string{"attn_factor", "yarn_attn_factor", "yarn_ext_factor"} {
		if v := m.float("rope.scaling."+key, 1); v != 1 {
			m.fail(unsupported("gguf: %s: %s is %g: not run", f.Path, m.key("rope.scaling."+key), v))
		}
	}
	switch {
	case kind == "none" || kind == "linear" && factor <= 1:
		return nil
	case kind == "linear":
		return map[string]any{"rope_type": "linear", "factor": factor}
	case kind == "yarn":
		// The betas as the file has them: llama.cpp reads them for few architectures and takes 32 and 1 for the others.
		return map[string]any{
			"rope_type": "yarn", "factor": factor,
			"original_max_position_embeddings": m.sizeOr("rope.scaling.original_context_length", m.size("context_length")),
			"beta_fast":                        m.float("rope.scaling.yarn_beta_fast", 32),
			"beta_slow":                        m.float("rope.scaling.yarn_beta_slow", 1),
		}
	}
	m.fail(unsupported("gguf: %s: %s is %.20q: not run", f.Path, m.key("rope.scaling.type"), kind))
	return nil
}

// factors are the elements of rope_freqs.weight, nil where the file has none.
func (f *File) factors() ([]float64, error) {
	for _, t := range f.Tensors {
		if t.Name != ropeFactors {
			continue
		}
		if t.Type != F32 || len(t.Dims) != 1 || t.Dims[0] < 1 || t.Dims[0] > 1<<14 {
			return nil, unsupported("gguf: %s: %s is %v %v, expected F32 and one dimension", f.Path, t.Name, t.Type, t.Dims)
		}
		data := make([]byte, t.Length)
		if _, err := f.file.ReadAt(data, t.Offset); err != nil {
			return nil, err
		}
		factors := make([]float64, t.Dims[0])
		for i := range factors {
			factors[i] = float64(math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:])))
			if !(factors[i] > 0) || math.IsInf(factors[i], 1) {
				return nil, unsupported("gguf: %s: %s[%d] is %g", f.Path, t.Name, i, factors[i])
			}
		}
		return factors, nil
	}
	return nil, nil
}

// metadata reads an architecture's keys and keeps the first error.
type metadata struct {
	file *File
	arch string
	err  error
}

func (m *metadata) key(name string) string { return m.arch + "." + name }

func (m *metadata) fail(err error) {
	if m.err == nil {
		m.err = err
	}
}

// size is a number that must be there.
func (m *metadata) size(name string) int {
	n, ok := m.file.count(m.key(name))
	if !ok || n < 1 {
		m.fail(unsupported("gguf: %s: %s is missing or no positive number", m.file.Path, m.key(name)))
	}
	return n
}

// sizeOr is a number that may be there.
func (m *metadata) sizeOr(name string, def int) int {
	if _, ok := m.file.Find(m.key(name)); !ok {
		return def
	}
	return m.size(name)
}

func (m *metadata) float(name string, def float64) float64 {
	e, ok := m.file.Find(m.key(name))
	if !ok {
		return def
	}
	v, ok := e.Float()
	if !ok || math.IsNaN(v) || math.IsInf(v, 0) {
		m.fail(unsupported("gguf: %s: %s is no number", m.file.Path, m.key(name)))
		return def
	}
	// Metadata are float32; the shortest decimal of that is what was meant, as 1e-05 or 10000.
	if e.Kind == Float32 {
		v = shortest(float32(v))
	}
	return v
}

// perLayer is a number that may be a list, if all its elements are the same.
func (m *metadata) perLayer(name string, layers int) int {
	e, _ := m.file.Find(m.key(name))
	list, ok := e.Ints()
	if !ok {
		return m.size(name)
	}
	for _, n := range list {
		if n != list[0] || n < 1 || n > math.MaxInt32 {
			m.fail(unsupported("gguf: %s: %s differs from layer to layer: not run", m.file.Path, m.key(name)))
		}
	}
	if len(list) != layers {
		m.fail(unsupported("gguf: %s: %s has %d elements for %d layers", m.file.Path, m.key(name), len(list), layers))
		return 0
	}
	return int(list[0])
}

// shortest is the double whose shortest decimal is that of a float.
func shortest(v float32) float64 {
	d, err := strconv.ParseFloat(strconv.FormatFloat(float64(v), 'g', -1, 32), 64)
	if err != nil {
		return float64(v)
	}
	return d
}
