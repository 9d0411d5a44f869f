package gguf

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"shallow/checkpoint"
	"shallow/compute/cpu"
	"shallow/decoder"
	"shallow/internal/shared"
	"shallow/similarity"
)

// convert makes a GGUF file of a Hugging Face checkpoint as llama.cpp's converter does, in the types that it has: names
// and metadata, and for Llama the rows of queries and keys reordered so that rotary pairs are neighbours
// (LlamaModel.permute).
func convert(t *testing.T, c *checkpoint.Checkpoint, arch string) *File {
	t.Helper()
	number := func(key string, def int) int64 { return int64(c.Config.Int(key, def)) }
	layers, heads := int64(c.Config.Layers()), number("num_attention_heads", 0)
	kv := number("num_key_value_heads", int(heads))
	p := c.Config.Sub("rope_parameters")
	if p == nil {
		p = c.Config
	}
	hd := number("head_dim", int(number("hidden_size", 0)/heads))
	b := newBuilder(arch, int(layers)).add(
		u32(arch+".context_length", number("max_position_embeddings", 2048)),
		u32(arch+".embedding_length", number("hidden_size", 0)),
		u32(arch+".feed_forward_length", number("intermediate_size", 0)),
		u32(arch+".attention.head_count", heads),
		u32(arch+".attention.head_count_kv", kv),
		u32(arch+".attention.key_length", hd),
		u32(arch+".rope.dimension_count", hd),
		f32(arch+".attention.layer_norm_rms_epsilon", float32(c.Config.Float("rms_norm_eps", 0))),
		f32(arch+".rope.freq_base", float32(p.Float("rope_theta", 10000))),
	)
	for key, from := range map[string]string{"embedding_scale": "embedding_multiplier", "residual_scale": "residual_multiplier", "attention.scale": "attention_multiplier", "logit_scale": "logits_scaling"} {
		if v := c.Config.Float(from, 0); v != 0 {
			b.add(f32(arch+"."+key, float32(v)))
		}
	}
	if s := c.Config.Sub("rope_scaling"); s != nil && s.String("type", "") == "linear" {
		b.add(text(arch+".rope.scaling.type", "linear"), f32(arch+".rope.scaling.factor", float32(s.Float("factor", 0))))
	} else if s != nil && s.String("rope_type", "") == "llama3" {
		b.factors(s, int(hd), c.Config.Float("rope_theta", 0))
	}
	hub := map[string]string{}
	for name, other := range families[arch].names {
		hub[other] = name
	}
	for _, name := range c.Names() {
		if strings.Contains(name, "rotary_emb") {
			continue
		}
		tensor, _ := c.Tensor(name)
		prefix, rest, data := "", name, tensor.Bytes()
		var layer int
		if n, _ := fmt.Sscanf(name, "model.layers.%d.", &layer); n == 1 {
			prefix = fmt.Sprintf("blk.%d.", layer)
			rest = strings.TrimPrefix(name, fmt.Sprintf("model.layers.%d.", layer))
		}
		at := strings.LastIndexByte(rest, '.')
		as, ok := hub[rest[:at]]
		if !ok {
			t.Fatalf("%s has no name in GGUF", name)
		}
		if rows := tensor.Shape[0]; families[arch].neighbours && (as == "attn_q" || as == "attn_k") {
			data = neighbours(data, rows, rows/int(hd))
		}
		var dims []int64
		for i := range tensor.Shape {
			dims = append(dims, int64(tensor.Shape[len(tensor.Shape)-1-i]))
		}
		kind := map[checkpoint.DType]Type{"F32": F32, "F16": F16, "BF16": BF16}[tensor.DType]
		b.tensor(prefix+as+rest[at:], kind, dims...)
		last := b.tensors[len(b.tensors)-1]
		copy(b.data[last.Offset:], data)
	}
	return b.open(t)
}

// factors adds the tensor into which the converter turns a llama3 scaling.
func (b *builder) factors(s *checkpoint.Config, dim int, base float64) {
	factor, low, high := s.Float("factor", 0), s.Float("low_freq_factor", 0), s.Float("high_freq_factor", 0)
	context := s.Float("original_max_position_embeddings", 0)
	b.tensor("rope_freqs.weight", F32, int64(dim/2))
	at := b.tensors[len(b.tensors)-1].Offset
	for j := range dim / 2 {
		wavelength := 2 * math.Pi * math.Pow(base, float64(2*j)/float64(dim))
		v := 1.0
		switch {
		case wavelength < context/high:
		case wavelength > context/low:
			v = factor
		default:
			smooth := (context/wavelength - low) / (high - low)
			v = 1 / ((1-smooth)/factor + smooth)
		}
		binary.LittleEndian.PutUint32(b.data[at+int64(4*j):], math.Float32bits(float32(v)))
	}
}

// neighbours reorders rows: the first and second half of each head, one row of each in turn.
func neighbours(data []byte, rows, heads int) []byte {
	size, hd := len(data)/rows, rows/heads
	var out bytes.Buffer
	for h := range heads {
		for i := range hd {
			row := h*hd + i/2 + i%2*(hd/2)
			out.Write(data[row*size : (row+1)*size])
		}
	}
	return out.Bytes()
}

// TestReference measures converted checkpoints: the distances are the reference's.
func TestReference(t *testing.T) {
	for family, arch := range map[string]string{
		"llama-plain": "llama", "llama-gqa-tied": "llama", "llama-bias": "llama", "llama-rope-linear": "llama",
		"llama-rope-llama3": "llama", "mistral-nowindow": "llama", "qwen3": "qwen3",
		"olmo2": "olmo2", "granite": "granite",
	} {
		t.Run(family, func(t *testing.T) {
			dir := shared.Dir(t, "reference", "families", family)
			hub, err := checkpoint.Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer hub.Close()
			c, err := convert(t, hub, arch).Checkpoint()
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			got := distances(t, c, dir)
			var want struct {
				L         int
				Distances map[string][]float64
			}
			data, err := os.ReadFile(filepath.Join(dir, "expected.json"))
			if err == nil {
				err = json.Unmarshal(data, &want)
			}
			if err != nil || want.L != got.Layers {
				t.Fatalf("%d layers, want %d (%v)", got.Layers, want.L, err)
			}
			for n, row := range got.Distances {
				for l, d := range row {
					if e := math.Abs(d - want.Distances[fmt.Sprint(n+1)][l]); !(e <= 1e-5) {
						t.Errorf("d(%d, %d) is %g, want %g", l, n+1, d, want.Distances[fmt.Sprint(n+1)][l])
					}
				}
			}
		})
	}
}

// distances measures a checkpoint with the sequences of the reference, in float32.
func distances(t *testing.T, c *checkpoint.Checkpoint, dir string) *similarity.Distances {
	t.Helper()
	device, err := cpu.New(cpu.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer device.Close()
	precision, err := decoder.ParsePrecision("float32")
	if err != nil {
		t.Fatal(err)
	}
	m, err := decoder.Open(device, c, decoder.Options{Precision: precision})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	d, err := similarity.Measure(t.Context(), m, sequences(t, dir), similarity.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// sequences are the token ids of a reference checkpoint.
func sequences(t *testing.T, dir string) [][]int {
	t.Helper()
	tmp := t.TempDir()
	values, err := os.ReadFile(filepath.Join(dir, "expected.safetensors"))
	if err == nil {
		err = errors.Join(os.WriteFile(filepath.Join(tmp, checkpoint.SingleFile), values, 0o644), os.WriteFile(filepath.Join(tmp, checkpoint.ConfigFile), []byte("{}"), 0o644))
	}
	if err != nil {
		t.Fatal(err)
	}
	expected, err := checkpoint.Open(tmp)
	if err != nil {
		t.Fatal(err)
	}
	defer expected.Close()
	var sequences [][]int
	for s := range 3 {
		tensor, _ := expected.Tensor(fmt.Sprintf("ids.%d", s))
		ids := make([]int, tensor.Elements())
		for i := range ids {
			ids[i] = int(binary.LittleEndian.Uint64(tensor.Bytes()[8*i:]))
		}
		sequences = append(sequences, ids)
	}
	return sequences
}

// TestConfig holds what is said to the decoder about layers that differ.
func TestConfig(t *testing.T) {
	small := func(arch string, more ...Entry) *checkpoint.Config {
		t.Helper()
		b := newBuilder(arch, 6).add(u32(arch+".embedding_length", 8), u32(arch+".context_length", 64), u32(arch+".feed_forward_length", 4),
			u32(arch+".attention.head_count", 2), f32(arch+".attention.layer_norm_rms_epsilon", 1e-5)).add(more...)
		c, err := b.tensor("token_embd.weight", F32, 8, 32).tensor("blk.0.attn_q.bias", F32, 8).open(t).Checkpoint()
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		return c.Config
	}
	c := small("llama")
	if got := c.String("rope_pairs", ""); got != "neighbours" || !c.Bool("attention_bias", false) || !c.Bool("tie_word_embeddings", false) ||
		c.Float("rms_norm_eps", 0) != 1e-5 || c.Int("head_dim", 0) != 4 || c.Int("vocab_size", 0) != 32 || c.Int("num_key_value_heads", 0) != 2 {
		t.Errorf("llama: %s", c.Bytes())
	}
	if c := small("qwen2"); c.Has("rope_pairs") {
		t.Errorf("qwen2: %s", c.Bytes())
	}
	if got := small("smollm3").Ints("no_rope_layers"); !slices.Equal(got, []int{1, 1, 1, 0, 1, 1}) {
		t.Errorf("smollm3: no_rope_layers %v", got)
	}
	if c := small("olmo2"); c.ModelType() != "olmo2" || c.Has("layer_types") {
		t.Errorf("olmo2: %s", c.Bytes())
	}
	for name, pattern := range map[string]Entry{
		"none": u32("olmo2.other", 1), "a period": u32("olmo2.attention.sliding_window_pattern", 4),
		"a list": flags("olmo2.attention.sliding_window_pattern", []bool{true, true, true, false, true, true}),
	} {
		c := small("olmo2", u32("olmo2.attention.sliding_window", 16), pattern)
		types := strings.Join(c.Strings("layer_types"), " ")
		if want := strings.Repeat("sliding_attention ", 3) + "full_attention sliding_attention sliding_attention"; types != want || c.ModelType() != "olmo3" || c.Int("sliding_window", 0) != 16 {
			t.Errorf("%s: %s", name, c.Bytes())
		}
	}
	c = small("qwen3", text("qwen3.rope.scaling.type", "yarn"), f32("qwen3.rope.scaling.factor", 4), u32("qwen3.rope.scaling.original_context_length", 16))
	if s := c.Sub("rope_scaling"); s == nil || s.String("rope_type", "") != "yarn" || s.Float("factor", 0) != 4 || s.Int("original_max_position_embeddings", 0) != 16 {
		t.Errorf("yarn: %s", c.Bytes())
	}
	c = small("llama", f32("llama.rope.scale_linear", 2)) // the old key
	if s := c.Sub("rope_scaling"); s == nil || s.String("rope_type", "") != "linear" || s.Float("factor", 0) != 2 {
		t.Errorf("linear: %s", c.Bytes())
	}
}

// TestUnsupported names what keeps a file from being run, and lists it all the same.
func TestUnsupported(t *testing.T) {
	keys := func(b *builder) *builder {
		return b.add(u32("llama.context_length", 64), u32("llama.embedding_length", 256), u32("llama.feed_forward_length", 4),
			u32("llama.attention.head_count", 2), f32("llama.attention.layer_norm_rms_epsilon", 1e-5))
	}
	for name, c := range map[string]struct {
		b    *builder
		want string
	}{
		"architecture": {newBuilder("mamba", 2).layers(2), `architecture "mamba" is not run`},
		"type":         {keys(newBuilder("llama", 2)).layers(2), `"blk.0.attn_q.weight" is Q4_K`},
		"tensor":       {keys(newBuilder("llama", 1)).tensor("blk.0.ffn_gate_exps.weight", F32, 4, 4, 4), `"blk.0.ffn_gate_exps.weight" of a llama is not known`},
		"experts":      {keys(newBuilder("llama", 1)).add(u32("llama.expert_count", 8)).tensor("blk.0.attn_q.weight", F32, 4, 4), "llama.expert_count is 8"},
		"head sizes":   {keys(newBuilder("llama", 1)).add(u32("llama.attention.value_length", 64)).tensor("blk.0.attn_q.weight", F32, 4, 4), "value_length is 64, the size of a head 128"},
		"heads":        {keys(newBuilder("llama", 2)).add(u32s("llama.attention.head_count_kv", 1, 2)).tensor("blk.0.attn_q.weight", F32, 4, 4), "differs from layer to layer"},
		"scaling":      {keys(newBuilder("llama", 1)).add(text("llama.rope.scaling.type", "longrope")).tensor("blk.0.attn_q.weight", F32, 4, 4), `"longrope"`},
		"factors":      {keys(newBuilder("llama", 1)).tensor("rope_freqs.weight", F16, 64), "expected F32"},
		"missing":      {newBuilder("llama", 1).tensor("blk.0.attn_q.weight", F32, 4, 4), "llama.embedding_length is missing"},
	} {
		f := c.b.open(t)
		_, err := f.Checkpoint()
		var cannot *UnsupportedError
		if !errors.As(err, &cannot) || !strings.Contains(cannot.Reason, c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
			continue
		}
		listed, err := OpenCheckpoint(f.Path)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := len(listed.Names()); got != len(f.Tensors) {
			t.Errorf("%s: %d of %d tensors are listed", name, got, len(f.Tensors))
		}
		listed.Close()
	}
}
