package prune_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"shallow/checkpoint"
	"shallow/compute/cpu"
	"shallow/internal/shared"
	"shallow/plan"
	"shallow/prune"
)

// synthetic writes a checkpoint of small tensors: every name of inner in each of layers layers, and those of outside.
func synthetic(t *testing.T, config string, prefix string, layers int, inner map[string]checkpoint.DType, outside ...string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "model")
	w, err := checkpoint.NewWriter(dir, checkpoint.WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var outputs []checkpoint.Output
	add := func(name string, kind checkpoint.DType) {
		data := make([]byte, 4*kind.Size())
		for i := range data {
			data[i] = byte(len(outputs)*7 + i)
		}
		outputs = append(outputs, checkpoint.Output{Name: name, Data: data, DType: kind, Shape: []int{4}})
	}
	for l := range layers {
		for name, kind := range inner {
			add(fmt.Sprintf("%s%d.%s", prefix, l, name), kind)
		}
	}
	for _, name := range outside {
		add(name, "BF16")
	}
	if err := w.WriteTensors(t.Context(), outputs, 0, nil); err != nil {
		t.Fatal(err)
	}
	if err := w.WriteFile(checkpoint.ConfigFile, []byte(config)); err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	return dir
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// moved holds that every tensor of the pruned checkpoint has the bytes of the one that it was, by layers that stay, and gives the new names.
func moved(t *testing.T, source, out, prefix string, kept []int) []string {
	t.Helper()
	a, b := open(t, source), open(t, out)
	count := 0
	for _, name := range a.Names() {
		as := name
		if rest, ok := strings.CutPrefix(name, prefix); ok {
			var l int
			if _, err := fmt.Sscanf(rest, "%d.", &l); err != nil {
				t.Fatal(err)
			}
			at := slices.Index(kept, l)
			if at < 0 {
				continue
			}
			as = strings.Replace(name, fmt.Sprintf("%s%d.", prefix, l), fmt.Sprintf("%s%d.", prefix, at), 1)
		}
		count++
		x, _ := a.Tensor(name)
		y, ok := b.Tensor(as)
		if !ok || x.DType != y.DType || string(x.Bytes()) != string(y.Bytes()) {
			t.Errorf("%s is not %s", as, name)
		}
	}
	if got := b.Names(); len(got) != count {
		t.Errorf("%d tensors, want %d: %v", len(got), count, got)
	}
	return b.Names()
}

// TestQuantised prunes checkpoints as quantisers write them: bytes are moved, names of layers renumbered everywhere, and only with --unproved.
func TestQuantised(t *testing.T) {
	linear := func(kinds map[string]checkpoint.DType) map[string]checkpoint.DType {
		all := map[string]checkpoint.DType{"input_layernorm.weight": "BF16"}
		for part, kind := range kinds {
			all["self_attn.q_proj."+part] = kind
			all["mlp.down_proj."+part] = kind
		}
		return all
	}
	const head = `{"model_type":"llama","hidden_size":4,"num_hidden_layers":6,`
	for _, c := range []struct {
		name   string
		config string
		inner  map[string]checkpoint.DType
		files  map[string]string
		want   map[string][]string // file: what it must have, or with a leading ! must not
	}{
		{"gptq", head + `"quantization_config":{"quant_method":"gptq","bits":4,"group_size":128,"dynamic":{"-:model\\.layers\\.(1|4)\\..*":{},"+:model\\.layers\\.2\\.mlp\\..*":{"bits":8},"+:.*\\.layers\\.5\\..*":{"bits":8}}}}`,
			linear(map[string]checkpoint.DType{"qweight": "I32", "qzeros": "I32", "scales": "F16", "g_idx": "I32"}),
			map[string]string{"quantize_config.json": `{"bits":4,"desc_act":true,"dynamic":{"-:model\\.layers\\.4\\..*":{}}}` + "\n"},
			map[string][]string{
				"config.json":          {`"-:model\\.layers\\.2\\..*": {}`, `"+:.*\\.layers\\.3\\..*": {"bits":8}`, `!"bits":8},"+:model`},
				"quantize_config.json": {`{"bits":4,"desc_act":true,"dynamic":{"-:model\\.layers\\.2\\..*": {}}}` + "\n"},
			}},
		{"awq", head + `"quantization_config":{"quant_method":"awq","bits":4,"version":"gemm","modules_to_not_convert":["model.layers.0.mlp","model.layers.1.mlp","model.layers.5","lm_head"]}}`,
			linear(map[string]checkpoint.DType{"qweight": "I32", "qzeros": "I32", "scales": "F16"}), nil,
			map[string][]string{"config.json": {`["model.layers.0.mlp","model.layers.3","lm_head"]`}}},
		{"fp8", head + `"quantization_config":{"quant_method":"fp8","fmt":"e4m3","weight_block_size":[128,128],"ignored_layers":["model.layers.3.mlp.gate","model.layers.2.mlp.gate"],"modules_to_not_convert":["model.layers.2.mlp.gate"]}}`,
			linear(map[string]checkpoint.DType{"weight": "F8_E4M3", "weight_scale_inv": "F32"}), nil,
			map[string][]string{"config.json": {`"ignored_layers":["model.layers.1.mlp.gate"]`, `"modules_to_not_convert":[]`}}},
		{"bitsandbytes", head + `"quantization_config":{"quant_method":"bitsandbytes","load_in_4bit":true,"bnb_4bit_quant_type":"nf4","llm_int8_skip_modules":["lm_head","model.layers.4.self_attn"]}}`,
			linear(map[string]checkpoint.DType{"weight": "U8", "weight.absmax": "U8", "weight.nested_absmax": "F32", "weight.nested_quant_map": "F32", "weight.quant_map": "F32", "weight.quant_state.bitsandbytes__nf4": "U8"}), nil,
			map[string][]string{"config.json": {`["lm_head","model.layers.2.self_attn"]`}}},
		{"compressed-tensors", head + `"quantization_config":{"quant_method":"compressed-tensors","format":"float-quantized","config_groups":{"group_0":{"targets":["re:.*layers\\.(1|2|3)\\..*q_proj","Linear"],"weights":{"num_bits":8}}},"ignore":["lm_head","model.layers.1.mlp.down_proj","model.layers.4.mlp.down_proj","re:.*mlp.gate$"]}}`,
			linear(map[string]checkpoint.DType{"weight": "F8_E4M3", "weight_scale": "BF16", "input_scale": "BF16"}),
			map[string]string{"recipe.yaml": "ignore:\n- model.layers.4.mlp.down_proj\n"},
			map[string][]string{
				"config.json": {`"re:.*layers\\.1\\..*q_proj","Linear"`, `"ignore":["lm_head","model.layers.2.mlp.down_proj","re:.*mlp.gate$"]`},
				"recipe.yaml": {"layers.4"},
				"README.md":   {"recipe.yaml is carried over as it is, and names layers by their old numbers"},
			}},
		{"modelopt", head[:len(head)-1] + "}",
			linear(map[string]checkpoint.DType{"weight": "U8", "weight_scale": "F8_E4M3", "weight_scale_2": "F32", "input_scale": "F32"}),
			map[string]string{"hf_quant_config.json": `{"producer":{"name":"modelopt"},"quantization":{"quant_algo":"NVFP4","group_size":16,"exclude_modules":["lm_head","model.layers.2*","model.layers.5.self_attn*"],"quantized_layers":{"model.layers.1.mlp.down_proj":{"quant_algo":"FP8"},"model.layers.4.mlp.down_proj":{"quant_algo":"FP8"}}}}`},
			map[string][]string{"hf_quant_config.json": {`["lm_head","model.layers.3.self_attn*"]`, `{"model.layers.2.mlp.down_proj": {"quant_algo":"FP8"}}`}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := synthetic(t, c.config, "model.layers.", 6, c.inner, "model.embed_tokens.weight", "model.norm.weight", "lm_head.weight")
			for name, text := range c.files {
				write(t, dir, name, text)
			}
			parent := t.TempDir()
			o := prune.Options{Output: filepath.Join(parent, "out"), Plan: explicit(t, 6, "1:3"), Device: device(t)}
			if _, err := prune.Prune(t.Context(), open(t, dir), o); err == nil || !strings.Contains(err.Error(), "the weights are quantised (") || !strings.Contains(err.Error(), "--unproved") {
				t.Errorf("without --unproved: %v", err)
			}
			untouched(t, parent)
			o.Unproved = true
			r, err := prune.Prune(t.Context(), open(t, dir), o)
			if err != nil {
				t.Fatal(err)
			}
			if r.Proof != nil || !strings.Contains(r.Reason, "quantised") {
				t.Errorf("%+v", r)
			}
			moved(t, dir, o.Output, "model.layers.", []int{0, 3, 4, 5})
			for name, wants := range c.want {
				text := read(t, o.Output, name)
				for _, want := range wants {
					if has := strings.Contains(text, strings.TrimPrefix(want, "!")); has == strings.HasPrefix(want, "!") {
						t.Errorf("%s: %s\nis at odds with %s", name, text, want)
					}
				}
			}
		})
	}
}

// TestExpertsAndFurtherTokens holds that routers and experts move with their layer, and what predicts further tokens is kept.
func TestExpertsAndFurtherTokens(t *testing.T) {
	bf := func(names ...string) map[string]checkpoint.DType {
		m := map[string]checkpoint.DType{"input_layernorm.weight": "BF16"}
		for _, name := range names {
			m[name] = "BF16"
		}
		return m
	}
	for _, c := range []struct {
		name, config, prefix string
		tensors              int // layers with tensors, those behind the last too
		inner                map[string]checkpoint.DType
		outside              []string
		kept                 []int
		note                 string
	}{
		{"mixtral", `{"model_type":"mixtral","num_hidden_layers":5,"num_local_experts":8}`, "model.layers.", 5,
			bf("block_sparse_moe.gate.weight", "block_sparse_moe.experts.0.w1.weight", "block_sparse_moe.experts.7.w2.weight"), nil, []int{0, 3, 4}, ""},
		{"qwen3_moe", `{"model_type":"qwen3_moe","num_hidden_layers":5}`, "model.layers.", 5,
			bf("mlp.gate.weight", "mlp.experts.1.gate_proj.weight", "mlp.experts.127.down_proj.weight"), nil, []int{0, 3, 4}, ""},
		{"deepseek_v3", `{"model_type":"deepseek_v3","num_hidden_layers":5,"first_k_dense_replace":2,"num_nextn_predict_layers":1,"moe_layer_freq":1}`, "model.layers.", 6,
			bf("mlp.gate.weight", "mlp.gate.e_score_correction_bias", "mlp.shared_experts.up_proj.weight", "mlp.experts.255.up_proj.weight"), nil, []int{0, 3, 4, 5},
			"the weights of 1 layers behind the last, which predict further tokens, are kept, numbered from 3 on"},
		{"mimo", `{"model_type":"mimo","num_hidden_layers":5,"num_nextn_predict_layers":1}`, "model.layers.", 5,
			bf("mlp.up_proj.weight"), []string{"model.mtp_layers.0.mlp.up_proj.weight"}, []int{0, 3, 4}, "the weights that predict further tokens (model.mtp_layers.0."},
		{"qwen3_next", `{"model_type":"qwen3_next","num_hidden_layers":5,"full_attention_interval":4}`, "model.layers.", 5,
			bf("mlp.shared_expert_gate.weight", "mlp.experts.3.up_proj.weight"), []string{"mtp.layers.0.mlp.up_proj.weight", "mtp.fc.weight"}, []int{0, 3, 4}, "the weights that predict further tokens (mtp."},
		{"tower as deep", `{"model_type":"x","text_config":{"model_type":"llama","num_hidden_layers":5},"vision_config":{"num_hidden_layers":5}}`, "language_model.model.layers.", 5,
			bf("mlp.up_proj.weight"), []string{"vision_tower.layers.0.a", "vision_tower.layers.1.a", "vision_tower.layers.2.a", "vision_tower.layers.3.a", "vision_tower.layers.4.a"}, []int{0, 3, 4}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := synthetic(t, c.config, c.prefix, c.tensors, c.inner, append(c.outside, "lm_head.weight")...)
			out := filepath.Join(t.TempDir(), "out")
			r, err := prune.Prune(t.Context(), open(t, dir), prune.Options{Output: out, Plan: explicit(t, 5, "1:3"), Device: device(t), Unproved: true})
			if err != nil {
				t.Fatal(err)
			}
			moved(t, dir, out, c.prefix, c.kept)
			if !strings.Contains(strings.Join(r.Config, "\n"), c.note) {
				t.Errorf("%q is not in %q", c.note, r.Config)
			}
		})
	}
}

func TestOneTensorForAllLayers(t *testing.T) {
	dir := synthetic(t, `{"model_type":"x","num_hidden_layers":5}`, "model.layers.", 5, map[string]checkpoint.DType{"a.weight": "BF16"}, "model.embed_tokens_per_layer.weight")
	_, err := prune.Prune(t.Context(), open(t, dir), prune.Options{Output: filepath.Join(t.TempDir(), "out"), Plan: explicit(t, 5, "1:3"), Device: device(t), Unproved: true})
	if err == nil || !strings.Contains(err.Error(), `"model.embed_tokens_per_layer.weight" has a part for each layer`) {
		t.Error(err)
	}
}

// TestFilesBeside: chat templates in their folder come along, an adapter that lies in the model's directory does not.
func TestFilesBeside(t *testing.T) {
	dir := model(t)
	write(t, dir, "additional_chat_templates/tool_use.jinja", "{{ tools }}")
	write(t, dir, "additional_chat_templates/deep/x.jinja", "x")
	write(t, dir, "adapter_config.json", "{}")
	write(t, dir, "README.md", "---\nlicense: mit\nbase_model: someone/base\ntags:\n- text\n---\n# The original\n")
	out := filepath.Join(t.TempDir(), "out")
	p := explicit(t, 16, "3:5")
	p.Model.Name = "owner/name-7b"
	r, err := prune.Prune(t.Context(), open(t, dir), prune.Options{Output: out, Plan: p, Device: device(t)})
	if err != nil {
		t.Fatal(err)
	}
	if got := read(t, out, "additional_chat_templates", "tool_use.jinja"); got != "{{ tools }}" {
		t.Error(got)
	}
	if want := []string{"adapter_config.json", filepath.Join("additional_chat_templates", "deep")}; !slices.Equal(slices.Sorted(slices.Values(r.LeftOut)), want) {
		t.Errorf("left out: %q", r.LeftOut)
	}
	if card := read(t, out, "README.md"); !strings.HasPrefix(card, "---\nlicense: mit\ntags:\n- text\n- pruned\nbase_model: owner/name-7b\n---\n\n# name-7b with 14 of 16") {
		t.Error(card)
	}
}

// A model in bitsandbytes' NF4 is run, and so its cut is proved.
func TestFourBitsAreProved(t *testing.T) {
	source, err := checkpoint.Open(shared.Dir(t, "reference", "nf4", "tiny-llama-double-f32"))
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	dev, err := cpu.New(cpu.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer dev.Close()
	p, err := plan.Explicit(2, "0:1")
	if err != nil {
		t.Fatal(err)
	}
	r, err := prune.Prune(t.Context(), source, prune.Options{Output: filepath.Join(t.TempDir(), "out"), Plan: p, Device: dev})
	if err != nil {
		t.Fatal(err)
	}
	if r.Proof == nil || r.Reason != "" {
		t.Errorf("proof %v, not proved because %q", r.Proof, r.Reason)
	}
}
