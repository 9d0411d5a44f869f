package heal

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"shallow/checkpoint"
	"shallow/compute/cpu"
	"shallow/decoder"
)

// beginning is a directory with a config.json and nothing else: a Llama of two layers whose head is its embedding.
func beginning(t testing.TB, change map[string]any) string {
	t.Helper()
	config := map[string]any{
		"architectures": []string{"LlamaForCausalLM"}, "model_type": "llama", "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
		"num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 40, "max_position_embeddings": 64, "rms_norm_eps": 1e-5,
		"tie_word_embeddings": true, "torch_dtype": "bfloat16",
	}
	maps.Copy(config, change)
	text, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, checkpoint.ConfigFile), text, 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// counting is prompts of a number with the next numbers as completions, and as many texts.
func counting(t testing.TB) *Data {
	t.Helper()
	var asked, told []Document
	for i := range 30 {
		asked = append(asked, Document{IDs: []int{0, i, i + 1, i + 2, 39}, Prompt: 2})
		told = append(told, Document{IDs: []int{38, i, i + 1, i + 2, i + 3, 39}})
	}
	d, err := NewData([]Source{{Name: "asked", Documents: asked, Weight: 1}, {Name: "told", Documents: told, Weight: 1}},
		DataOptions{Length: 8, Shuffle: true, Seed: 3, CompletionWeight: 4})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// train trains what a directory holds, from scratch where it has no weights.
func train(t testing.TB, dir, out string, threads int, change func(*Options)) (*Result, error) {
	t.Helper()
	dev, err := cpu.New(cpu.Options{Threads: threads})
	if err != nil {
		t.Fatal(err)
	}
	defer dev.Close()
	o := Options{Output: out, Method: Full, Budget: Budget{Steps: 150}, Batch: 16, Accumulate: 1, Peak: 1e-2, Warmup: 10, Clip: 1, Decay: 0.1, Beta2: 0.95, Seed: 5, Length: 8, Kernels: "these"}
	c, err := checkpoint.Open(dir)
	if errors.Is(err, checkpoint.ErrNoWeights) {
		o.FromScratch = true
		c, err = decoder.Blank(dir)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	m, err := decoder.Open(dev, c, decoder.Options{Precision: decoder.Float32, Base: decoder.NF4})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if change != nil {
		change(&o)
	}
	return Run(t.Context(), m, counting(t), nil, o)
}

// What has no weights learns to count, and a run that was stopped ends with the bytes of one that was not, whatever the threads.
// The next leg goes on from what the first wrote.
func TestScratchLearns(t *testing.T) {
	dir, whole, parts := beginning(t, nil), t.TempDir(), t.TempDir()
	r, err := train(t, dir, whole, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	if r.Loss > 0.5 {
		t.Errorf("after %d steps the loss is %.3f, want at most 0.5", r.Steps, r.Loss)
	}
	for i, stop := range []int{40, 90, 0} {
		_, err := train(t, dir, parts, 3-i, func(o *Options) { o.stopAt = func(step int) bool { return step == stop } })
		var stopped *StoppedError
		if stop > 0 != errors.As(err, &stopped) || stop == 0 && err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{filepath.Join(modelFolder, checkpoint.SingleFile), logFile} {
		if !bytes.Equal(read(t, filepath.Join(whole, name)), read(t, filepath.Join(parts, name))) {
			t.Errorf("%s is another where the run was stopped", name)
		}
	}
	if r, err = train(t, filepath.Join(whole, modelFolder), t.TempDir(), 2, func(o *Options) { o.Budget.Steps, o.Peak = 20, 1e-3 }); err != nil {
		t.Fatal(err)
	}
	if r.Loss > 0.5 {
		t.Errorf("in the second leg the loss is %.3f", r.Loss)
	}
}

// Layers that are left out by chance are left out by the same chance on any threads, and when the run goes on; the loss without them
// still falls.
func TestLayerDrop(t *testing.T) {
	dir, whole, parts := beginning(t, map[string]any{"num_hidden_layers": 4}), t.TempDir(), t.TempDir()
	options := func(o *Options) { o.LayerDrop, o.Accumulate, o.Batch, o.Budget.Steps = 0.5, 2, 8, 60 }
	if _, err := train(t, dir, whole, 1, options); err != nil {
		t.Fatal(err)
	}
	lines := readLog(t, whole)
	if first, last := lines[0].Loss, lines[59].Loss; last > first/2 {
		t.Errorf("the loss was %.3f at first and is %.3f at last", first, last)
	}
	var stopped *StoppedError
	if _, err := train(t, dir, parts, 2, func(o *Options) { options(o); o.stopAt = func(step int) bool { return step == 31 } }); !errors.As(err, &stopped) {
		t.Fatal(err)
	}
	if _, err := train(t, dir, parts, 3, func(o *Options) { options(o); o.Memory = 1 }); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{filepath.Join(modelFolder, checkpoint.SingleFile), logFile} {
		if !bytes.Equal(read(t, filepath.Join(whole, name)), read(t, filepath.Join(parts, name))) {
			t.Errorf("%s is another where the run was stopped", name)
		}
	}
	if _, err := train(t, dir, parts, 1, func(o *Options) { options(o); o.LayerDrop = 0.4 }); err == nil || !strings.Contains(err.Error(), "layer-drop was 0.5 and is now 0.4") {
		t.Errorf("another probability in the same directory: %v", err)
	}

	l := &loop{Options: Options{LayerDrop: 0.5, Seed: 1}, model: &decoder.Model{Spec: &decoder.Spec{L: 4}}}
	counts := make([]float64, 4)
	const steps = 4000
	for l.Step = range steps {
		for _, i := range l.skipped(1) {
			counts[i]++
		}
	}
	for i, n := range counts {
		if want := 0.125 * float64(i+1) * steps; n < 0.85*want || n > 1.15*want {
			t.Errorf("layer %d was left out %.0f times of %d, want about %.0f", i, n, steps, want)
		}
	}
}

// The weights are of the type that config.json names, or of the one that is asked for, which it names then.
func TestScratchTypes(t *testing.T) {
	for _, test := range []struct {
		config string
		asked  checkpoint.DType
		want   checkpoint.DType
		named  string
	}{
		{`torch_dtype`, "", checkpoint.BF16, "bfloat16"},
		{`torch_dtype`, checkpoint.F32, checkpoint.F32, "float32"},
		{`dtype`, checkpoint.F16, checkpoint.F16, "float16"},
	} {
		out := t.TempDir()
		dir := beginning(t, map[string]any{test.config: "bfloat16"})
		if _, err := train(t, dir, out, 2, func(o *Options) { o.Budget.Steps, o.DType = 1, test.asked }); err != nil {
			t.Fatal(err)
		}
		c, err := checkpoint.Open(filepath.Join(out, modelFolder))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range c.Names() {
			if x, _ := c.Tensor(name); x.DType != test.want {
				t.Errorf("%s is %s, want %s", name, x.DType, test.want)
			}
		}
		if got := c.Config.ElementType(); got != test.named {
			t.Errorf("config.json says %s, want %s", got, test.named)
		}
		if _, ok := c.Tensor("lm_head.weight"); ok {
			t.Error("a tied head was written")
		}
		c.Close()
	}
}

// The first values are those that a network of this depth begins with, and others with another seed.
func TestScratchValues(t *testing.T) {
	first := func(seed uint64, change map[string]any) map[string]float64 {
		out := t.TempDir()
		if _, err := train(t, beginning(t, change), out, 2, func(o *Options) { o.Budget.Steps, o.Seed, o.Peak, o.DType = 1, seed, 1e-30, checkpoint.F32 }); err != nil {
			t.Fatal(err)
		}
		c, err := checkpoint.Open(filepath.Join(out, modelFolder))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		squares := map[string]float64{}
		for _, name := range c.Names() {
			x, _ := c.Tensor(name)
			values, err := floats(x)
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range values {
				squares[name] += float64(v) * float64(v) / float64(len(values))
			}
		}
		return squares
	}
	near := func(name string, got, want float64) {
		t.Helper()
		if got < 0.9*want || got > 1.1*want {
			t.Errorf("%s has a mean square of %.3g, want about %.3g", name, got, want)
		}
	}
	a, b := first(1, nil), first(2, map[string]any{"initializer_range": 0.1})
	near("embedding", a["model.embed_tokens.weight"], 0.02*0.02)
	near("embedding", b["model.embed_tokens.weight"], 0.1*0.1)
	near("up", a["model.layers.1.mlp.up_proj.weight"], 0.02*0.02)
	near("down", a["model.layers.1.mlp.down_proj.weight"], 0.02*0.02/4)
	near("output", b["model.layers.0.self_attn.o_proj.weight"], 0.1*0.1/4)
	near("norm", a["model.norm.weight"], 1)
	if c := first(3, nil); c["model.embed_tokens.weight"] == a["model.embed_tokens.weight"] {
		t.Error("another seed gives the same weights")
	}
}

func TestScratchRefuses(t *testing.T) {
	for want, change := range map[string]func(*Options){
		"--method full":       func(o *Options) { o.Method = Tail },
		"layers are left out": func(o *Options) { o.LayerDrop = 1 },
		"second moment":       func(o *Options) { o.Beta2 = 1 },
		"type of the weight":  func(o *Options) { o.Method, o.FromScratch, o.DType = Tail, false, checkpoint.F32 },
	} {
		if _, err := train(t, beginning(t, nil), t.TempDir(), 1, change); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if _, err := train(t, beginning(t, map[string]any{"initializer_range": 2}), t.TempDir(), 1, nil); err == nil || !strings.Contains(err.Error(), "initializer_range of 2") {
		t.Errorf("weights of a deviation of 2: %v", err)
	}
	for want, change := range map[string]map[string]any{
		`weights of type "int8"`: {"torch_dtype": "int8"},
		"more than this machine": {"hidden_size": 1 << 20, "intermediate_size": 1 << 20, "vocab_size": 1 << 24, "num_attention_heads": 64},
		`model_type "another"`:   {"model_type": "another"},
		"hidden_size":            {"hidden_size": "many"},
		"vocab_size":             {"vocab_size": -1},
	} {
		if _, err := decoder.Blank(beginning(t, change)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
