package prune_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"shallow/checkpoint"
	"shallow/internal/shared"
	"shallow/prune"
)

// writeAdapter makes a PEFT adapter with tensors of the names given, each with bytes of its own.
func writeAdapter(t *testing.T, config string, names ...string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "lora")
	w, err := checkpoint.NewWriter(dir, checkpoint.WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var outputs []checkpoint.Output
	for i, name := range names {
		outputs = append(outputs, checkpoint.Output{Name: name, Data: []byte{byte(i), 1, 2, 3}, DType: "F32", Shape: []int{1}})
	}
	if err := w.WriteFileOf(t.Context(), "adapter_model.safetensors", outputs, nil); err != nil {
		t.Fatal(err)
	}
	if err := w.WriteFile("adapter_config.json", []byte(config)); err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestAdapter(t *testing.T) {
	source := open(t, model(t))
	const of = "base_model.model.model.layers."
	dir := writeAdapter(t, `{
  "peft_type": "LORA", "base_model_name_or_path": "old/base", "revision": "main",
  "layers_to_transform": [2, 3, 5, 15], "layers_pattern": "layers", "layer_replication": null,
  "target_modules": ["q_proj", "model.layers.5.mlp.up_proj", "model.layers.4.mlp.up_proj"],
  "exclude_modules": "model\\.layers\\.(3|5|6)\\.mlp",
  "rank_pattern": {"layers.3.self_attn.q_proj": 2, "^model.layers.15.mlp.up_proj": 8},
  "alpha_pattern": {"model.layers.2.self_attn.q_proj": 4}
}
`,
		of+"2.self_attn.q_proj.lora_A.weight", of+"3.self_attn.q_proj.lora_A.weight", of+"5.self_attn.q_proj.lora_B.weight",
		of+"15.mlp.up_proj.lora_magnitude_vector", of+"4.mlp.down_proj.ia3_l", of+"5.mlp.up_proj.base_layer.bias", of+"15.input_layernorm.weight",
		"base_model.model.lm_head.weight", "base_model.model.model.embed_tokens.lora_embedding_A")
	write(t, dir, "tokenizer_config.json", "{}")
	write(t, dir, "optimizer.pt", "state")
	write(t, dir, "README.md", "---\nlibrary_name: peft\nbase_model: old/base\n---\n# Mine\n")

	out := filepath.Join(t.TempDir(), "out")
	r, err := prune.Prune(t.Context(), source, prune.Options{Output: out, Plan: explicit(t, 16, "3:5"), Device: device(t), Adapter: dir})
	if err != nil {
		t.Fatal(err)
	}
	a := r.Adapter
	if a == nil || a.Output != filepath.Join(out, "adapter") || a.Tensors != 7 || a.Dropped != 2 || a.Hash == "" || fmt.Sprint(a.LeftOut) != "[optimizer.pt]" {
		t.Errorf("%+v", a)
	}
	moved, err := checkpoint.OpenFile(a.Output, "adapter_model.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	defer moved.Close()
	want := map[string]byte{
		of + "2.self_attn.q_proj.lora_A.weight": 0, of + "3.self_attn.q_proj.lora_B.weight": 2, of + "13.mlp.up_proj.lora_magnitude_vector": 3,
		of + "3.mlp.up_proj.base_layer.bias": 5, of + "13.input_layernorm.weight": 6, "base_model.model.lm_head.weight": 7, "base_model.model.model.embed_tokens.lora_embedding_A": 8,
	}
	if got := moved.Names(); len(got) != len(want) {
		t.Errorf("%q", got)
	}
	for name, first := range want {
		if x, ok := moved.Tensor(name); !ok || x.Bytes()[0] != first {
			t.Errorf("%s is not tensor %d", name, first)
		}
	}
	config := read(t, a.Output, "adapter_config.json")
	for _, part := range []string{
		`"layers_to_transform": [2, 3, 13]`, `["q_proj", "model.layers.3.mlp.up_proj"]`, `"model\\.layers\\.(?:3|4)\\.mlp"`,
		`"rank_pattern": {"^model.layers.13.mlp.up_proj": 8}`, `{"model.layers.2.self_attn.q_proj": 4}`, `"revision": null`,
		fmt.Sprintf(`"base_model_name_or_path": %q`, out),
	} {
		if !strings.Contains(config, part) {
			t.Errorf("adapter_config.json lacks %s:\n%s", part, config)
		}
	}
	if got := read(t, a.Output, "README.md"); !strings.HasPrefix(got, "---\nlibrary_name: peft\nbase_model: ") || !strings.Contains(got, "# Mine") || strings.Contains(got, "old/base") {
		t.Error(got)
	}
	if got := read(t, a.Output, "tokenizer_config.json"); got != "{}" {
		t.Error(got)
	}
}

// TestAdapterAlone moves an adapter for a model that was pruned before: its base keeps its name.
func TestAdapterAlone(t *testing.T) {
	source := open(t, model(t))
	dir := writeAdapter(t, `{"peft_type":"LORA","base_model_name_or_path":"b","layers_to_transform":7}`, "base_model.model.model.layers.7.mlp.up_proj.lora_A.weight")
	parent := t.TempDir()
	a, err := prune.MoveAdapter(t.Context(), source, explicit(t, 16, "3:5"), dir, filepath.Join(parent, "moved"), "", false)
	if err != nil {
		t.Fatal(err)
	}
	untouched(t, parent, "moved")
	if got := read(t, a.Output, "adapter_config.json"); got != `{"peft_type":"LORA","base_model_name_or_path":"b","layers_to_transform":5}` {
		t.Error(got)
	}
	// To a directory of its own, together with the model.
	out, other := filepath.Join(parent, "out"), filepath.Join(parent, "other")
	r, err := prune.Prune(t.Context(), source, prune.Options{Output: out, Plan: explicit(t, 16, "3:5"), Device: device(t), Adapter: dir, AdapterOutput: other})
	if err != nil || r.Adapter.Output != other {
		t.Fatal(r, err)
	}
	if _, err := os.Stat(filepath.Join(out, "adapter")); err == nil {
		t.Error("the adapter is in the model's directory too")
	}
	read(t, other, "adapter_model.safetensors")
	untouched(t, parent, "moved", "out", "other")
}

func TestAdapterRefuses(t *testing.T) {
	source := open(t, model(t))
	const name = "base_model.model.model.layers.7.mlp.up_proj.lora_A.weight"
	for _, c := range []struct {
		config string
		names  []string
		want   string
	}{
		{`{"peft_type":"LORA","layer_replication":[[0,8],[4,16]]}`, []string{name}, "layer_replication is [[0,8],[4,16]]"},
		{`{"peft_type":"PREFIX_TUNING"}`, []string{name}, `peft_type is "PREFIX_TUNING"`},
		{`{}`, []string{name}, `peft_type is ""`},
		{`{"peft_type":"LORA"`, []string{name}, "adapter_config.json is not JSON"},
		{`[]`, []string{name}, "not a JSON object"},
		{`{"peft_type":"LORA","layers_to_transform":[3,4]}`, []string{name}, "layers_to_transform names layers that are cut alone"},
		{`{"peft_type":"LORA","layers_to_transform":[16]}`, []string{name}, "layers_to_transform has 16, the model has 16 layers"},
		{`{"peft_type":"LORA","layers_to_transform":["a"]}`, []string{name}, "layers_to_transform is"},
		{`{"peft_type":"LORA","layers_to_transform":[7],"layers_pattern":["blocks"]}`, []string{name}, "which layers layers_to_transform counts"},
		{`{"peft_type":"LORA","target_modules":["model.layers.3.mlp.up_proj"]}`, []string{name}, "target_modules names layers that are cut alone"},
		{`{"peft_type":"LORA","target_modules":"model\\.layers\\.3\\.mlp"}`, []string{name}, "speaks of nothing that is left"},
		{`{"peft_type":"LORA"}`, []string{"base_model.model.model.layers.16.mlp.up_proj.lora_A.weight"}, "names layer 16, there are 16: the adapter is another model's"},
		{`{"peft_type":"LORA"}`, []string{"base_model.model.encoder.layers.1.mlp.lora_A.weight"}, "a list that the checkpoint does not have"},
		{`{"peft_type":"LORA"}`, []string{strings.Replace(name, "7", "3", 1)}, "nothing is left of it"},
	} {
		dir := writeAdapter(t, c.config, c.names...)
		parent := t.TempDir()
		_, err := prune.Prune(t.Context(), source, prune.Options{Output: filepath.Join(parent, "out"), Plan: explicit(t, 16, "3:5"), Device: device(t), Adapter: dir})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v; want an error with %q", c.config, err, c.want)
		}
		untouched(t, parent)
	}

	dir := writeAdapter(t, `{"peft_type":"LORA"}`, name)
	o := prune.Options{Output: filepath.Join(t.TempDir(), "out"), Plan: explicit(t, 16, "3:5"), Device: device(t), Adapter: dir, AdapterOutput: dir, Force: true}
	if _, err := prune.Prune(t.Context(), source, o); err == nil || !strings.Contains(err.Error(), "holds what is pruned") {
		t.Errorf("an adapter onto itself: %v", err)
	}
	o.AdapterOutput = ""
	for _, c := range []struct {
		name, text, want string
	}{
		{"adapter_model.safetensors", "not one", "too few"},
		{"adapter_model.safetensors", "\xff\xff\xff\xff\xff\xff\xff\x7f{}", "claims a header"},
		{"adapter_config.json", strings.Repeat("[", 10_000), "deeper"},
	} {
		write(t, dir, c.name, c.text)
		if _, err := prune.Prune(t.Context(), source, o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v; want an error with %q", c.name, err, c.want)
		}
	}
	pickled := writeAdapter(t, `{"peft_type":"LORA"}`, name)
	if err := os.Rename(filepath.Join(pickled, "adapter_model.safetensors"), filepath.Join(pickled, "adapter_model.bin")); err != nil {
		t.Fatal(err)
	}
	o.Adapter = pickled
	if _, err := prune.Prune(t.Context(), source, o); err == nil || !strings.Contains(err.Error(), "pickled weights are never opened") {
		t.Error(err)
	}
	o.Adapter = t.TempDir()
	if _, err := prune.Prune(t.Context(), source, o); err == nil || !strings.Contains(err.Error(), "it is no PEFT adapter") {
		t.Error(err)
	}
}

// TestReferenceAdapters moves adapters as PEFT writes them; every tensor of a layer that stays is there under its new number.
func TestReferenceAdapters(t *testing.T) {
	for _, family := range []string{"llama", "qwen3", "phi", "gemma2"} {
		dir := shared.Dir(t, "reference", "lora", family)
		from := filepath.Join(dir, "adapter-all")
		a, err := prune.MoveAdapter(t.Context(), open(t, dir), explicit(t, 4, "1:3"), from, filepath.Join(t.TempDir(), "a"), "m-2", false)
		if err != nil {
			t.Fatal(family, err)
		}
		old, err := checkpoint.OpenFile(from, "adapter_model.safetensors")
		if err != nil {
			t.Fatal(err)
		}
		moved, err := checkpoint.OpenFile(a.Output, "adapter_model.safetensors")
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range old.Names() {
			as := strings.Replace(name, ".layers.3.", ".layers.1.", 1)
			x, _ := old.Tensor(name)
			y, ok := moved.Tensor(as)
			if strings.Contains(name, ".layers.1.") || strings.Contains(name, ".layers.2.") {
				continue
			}
			if !ok || !slices.Equal(x.Bytes(), y.Bytes()) {
				t.Errorf("%s: %s is not %s", family, as, name)
			}
		}
		if len(moved.Names()) != len(old.Names())/2 {
			t.Errorf("%s: %d of %d tensors", family, len(moved.Names()), len(old.Names()))
		}
		old.Close()
		moved.Close()
	}
}
