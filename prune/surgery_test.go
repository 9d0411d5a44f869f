package prune

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"shallow/checkpoint"
)

// llama is a layout of tensors as most families have it.
func llama(c *checkpoint.Config) checkpoint.Layout {
	return checkpoint.Layout{Prefix: "model.layers.", Layers: c.Layers(), Outside: []string{"model.norm.weight"}}
}

// TestRewrite goes through the table of classes row by row, on configs written as published ones are.
func TestRewrite(t *testing.T) {
	for _, c := range []struct {
		name   string
		config string
		drop   []int
		want   string // the keys that must have changed, with their new values
	}{
		{"count", `{"model_type":"llama","num_hidden_layers":4}`, []int{1, 2}, `{"num_hidden_layers":2}`},
		{"count of GPT-2", `{"model_type":"gpt2","n_layer":4,"n_head":4}`, []int{1}, `{"n_layer":3}`},
		{"count within text_config", `{"model_type":"gemma3","text_config":{"model_type":"x","num_hidden_layers":4},"vision_config":{"num_hidden_layers":27}}`,
			[]int{0}, `{"text_config":{"model_type":"x","num_hidden_layers":3}}`},
		{"slice", `{"model_type":"qwen3","num_hidden_layers":4,"layer_types":["a","b","c","d"]}`, []int{1, 2}, `{"num_hidden_layers":2,"layer_types":["a","d"]}`},
		{"slice of numbers", `{"model_type":"openelm","num_layers":3,"num_query_heads":[2,4,6],"ffn_multipliers":[0.5,1.0,2.5]}`, []int{1},
			`{"num_layers":2,"num_query_heads":[2,6],"ffn_multipliers":[0.5,2.5]}`},
		{"slice of objects", `{"model_type":"decilm","num_hidden_layers":2,"block_configs":[{"attention":{"n":[1,2]}},{"attention":{"n":[3,4]}}]}`, []int{0},
			`{"num_hidden_layers":1,"block_configs":[{"attention":{"n":[3,4]}}]}`},
		{"slice of letters", `{"model_type":"nemotron_h","num_hidden_layers":5,"hybrid_override_pattern":"M-M*-"}`, []int{1, 3}, `{"num_hidden_layers":3,"hybrid_override_pattern":"MM-"}`},
		{"remap", `{"model_type":"mllama","num_hidden_layers":8,"cross_attention_layers":[1,3,6]}`, []int{2, 3}, `{"num_hidden_layers":6,"cross_attention_layers":[1,4]}`},
		{"threshold, below it", `{"model_type":"qwen2","num_hidden_layers":6,"max_window_layers":3}`, []int{1, 4}, `{"num_hidden_layers":4,"max_window_layers":2}`},
		{"threshold, at the end", `{"model_type":"qwen2","num_hidden_layers":28,"max_window_layers":28}`, []int{20, 21}, `{"num_hidden_layers":26,"max_window_layers":26}`},
		{"threshold of experts", `{"model_type":"deepseek_v3","num_hidden_layers":6,"first_k_dense_replace":3,"moe_layer_freq":1}`, []int{0, 5}, `{"num_hidden_layers":4,"first_k_dense_replace":2}`},
		{"list where a number may stand", `{"model_type":"x","num_hidden_layers":3,"moe_layer_freq":[0,1,1]}`, []int{1}, `{"num_hidden_layers":2,"moe_layer_freq":[0,1]}`},
		{"period with its list", `{"model_type":"smollm3","num_hidden_layers":4,"no_rope_layer_interval":4,"no_rope_layers":[1,0,1,0]}`, []int{2}, `{"num_hidden_layers":3,"no_rope_layers":[1,0,0]}`},
		{"period written out", `{"model_type":"gemma3_text","num_hidden_layers":7,"sliding_window_pattern":3}`, []int{1, 2},
			`{"num_hidden_layers":5,"layer_types":["sliding_attention","sliding_attention","sliding_attention","full_attention","sliding_attention"]}`},
		{"period that is only implied", `{"model_type":"gemma2","num_hidden_layers":4}`, []int{1}, `{"num_hidden_layers":3,"layer_types":["sliding_attention","sliding_attention","full_attention"]}`},
		{"interval written out", `{"model_type":"qwen3_next","num_hidden_layers":8,"full_attention_interval":4}`, []int{0, 1, 2, 4, 5},
			`{"num_hidden_layers":3,"layer_types":["full_attention","linear_attention","full_attention"]}`},
		{"expert step written out", `{"model_type":"qwen3_moe","num_hidden_layers":6,"decoder_sparse_step":2,"mlp_only_layers":[3]}`, []int{2},
			`{"num_hidden_layers":5,"decoder_sparse_step":1,"mlp_only_layers":[0,2,3]}`},
		{"expert step, no list before", `{"model_type":"qwen2_moe","num_hidden_layers":4,"decoder_sparse_step":2}`, []int{0}, `{"num_hidden_layers":3,"decoder_sparse_step":1,"mlp_only_layers":[1]}`},
		{"period left whole", `{"model_type":"jamba","num_hidden_layers":12,"attn_layer_period":4}`, []int{4, 5, 6, 7}, `{"num_hidden_layers":8}`},
		{"null and absent", `{"model_type":"mistral","num_hidden_layers":3,"sliding_window":null,"layer_types":null,"num_kv_shared_layers":0}`, []int{0}, `{"num_hidden_layers":2}`},
		{"empty lists", `{"model_type":"llama4_text","num_hidden_layers":8,"no_rope_layers":[],"moe_layers":[]}`, []int{4, 5, 6, 7}, `{"num_hidden_layers":4}`},
		{"period that stays in step", `{"model_type":"gemma2","num_hidden_layers":6}`, []int{2, 3}, `{"num_hidden_layers":4}`},
		{"period beside its list", `{"model_type":"gemma3_text","num_hidden_layers":3,"_sliding_window_pattern":2,"layer_types":["a","b","c"]}`, []int{0}, `{"num_hidden_layers":2,"layer_types":["b","c"]}`},
		{"letters beside their list", `{"model_type":"exaone4","num_hidden_layers":3,"sliding_window_pattern":"LLG","layer_types":["a","b","c"]}`, []int{0}, `{"num_hidden_layers":2,"layer_types":["b","c"]}`},
		{"threshold that is only implied", `{"model_type":"qwen2","num_hidden_layers":32,"use_sliding_window":true}`, []int{3, 30}, `{"num_hidden_layers":30,"max_window_layers":27}`},
		{"threshold that is not used", `{"model_type":"qwen2","num_hidden_layers":32}`, []int{3, 30}, `{"num_hidden_layers":30}`},
		{"experts in some layers", `{"model_type":"llama4_text","num_hidden_layers":8,"moe_layers":[1,3,5,7]}`, []int{4, 5, 6, 7}, `{"num_hidden_layers":4,"moe_layers":[1,3]}`},
		{"scale of the depth", `{"model_type":"minicpm","num_hidden_layers":40,"scale_depth":1.4}`, []int{30, 31, 32, 33, 34, 35, 36, 37}, `{"num_hidden_layers":32,"scale_depth":1.2521980673998823}`},
		{"scale of the depth that is only implied", `{"model_type":"minicpm3","num_hidden_layers":4}`, []int{1, 2, 3}, `{"num_hidden_layers":1,"scale_depth":0.7}`},
		{"no scale of the depth", `{"model_type":"minicpm3","num_hidden_layers":4,"scale_depth":null}`, []int{1}, `{"num_hidden_layers":3}`},
		{"layers behind the last", `{"model_type":"x","num_hidden_layers":3,"num_nextn_predict_layers":1}`, []int{1}, `{"num_hidden_layers":2}`},
		{"another model's list", `{"model_type":"x","num_hidden_layers":3,"vision_config":{"depth":3,"secret":[1,2,3]}}`, []int{1}, `{"num_hidden_layers":2}`},
		{"text that only looks like a layer", `{"model_type":"x","num_hidden_layers":3,"_name_or_path":"multilayers.3"}`, []int{1}, `{"num_hidden_layers":2}`},
		{"lists that are no layers'", `{"model_type":"llama","num_hidden_layers":2,"eos_token_id":[1,2],"rope_scaling":{"long_factor":[1.0,2.0],"type":"su"}}`, []int{0}, `{"num_hidden_layers":1}`},
	} {
		config, err := checkpoint.ParseConfig([]byte(c.config))
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		text, _, err := rewrite(config, llama(config), c.drop)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		var got, want, changed map[string]any
		for _, x := range []struct {
			text string
			to   *map[string]any
		}{{string(text), &got}, {c.config, &want}, {c.want, &changed}} {
			if err := json.Unmarshal([]byte(x.text), x.to); err != nil {
				t.Fatalf("%s: %v in %s", c.name, err, x.text)
			}
		}
		for key, v := range changed {
			want[key] = v
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got\n%s\nwant\n%v", c.name, text, want)
		}
	}
}

func TestRewriteRefuses(t *testing.T) {
	for _, c := range []struct{ config, want string }{
		{`{"model_type":"llama","num_hidden_layers":3,"per_layer_secret":[1,2,3]}`, "per_layer_secret is a list of 3"},
		{`{"model_type":"llama","num_hidden_layers":3,"extra":{"per_layer_secret":[1,2,3]}}`, "extra.per_layer_secret is a list of 3"},
		{`{"model_type":"llama","num_hidden_layers":3,"layer_types":["a","b"]}`, "layer_types has 2 elements"},
		{`{"model_type":"llama","num_hidden_layers":3,"layer_types":["a","b","c","d"]}`, "layer_types has 4 elements"},
		{`{"model_type":"nemotron_h","num_hidden_layers":3,"hybrid_override_pattern":"MM"}`, "hybrid_override_pattern has 2 letters"},
		{`{"model_type":"llama","num_hidden_layers":3,"mlp_only_layers":[7]}`, "mlp_only_layers has 7"},
		{`{"model_type":"llama","num_hidden_layers":3,"mlp_only_layers":["x"]}`, "mlp_only_layers has"},
		{`{"model_type":"jamba","num_hidden_layers":3,"attn_layer_period":2}`, "no reader takes a list: layer 2, as layer 1, would not be what it was. The nearest block of 1 layers that can go is [2, 3)"},
		{`{"model_type":"x","num_hidden_layers":9,"attn_layer_period":3}`, "attn_layer_period is 3, and no list is known to stand in for it: layer 2 would take the part of layer 1"},
		{`{"model_type":"gemma3n","num_hidden_layers":3,"num_kv_shared_layers":1}`, "num_kv_shared_layers is 1: layers from 2 on use the keys and values of layer 1"},
		{`{"model_type":"x","num_hidden_layers":3,"use_cla":true,"cla_share_factor":2}`, "use_cla is true"},
		{`{"model_type":"llama","num_hidden_layers":3,"n_layer":4}`, "n_layer is 4, but the model has 3"},
		{`{"model_type":"qwen2","num_hidden_layers":3,"max_window_layers":-1}`, "max_window_layers is -1"},
		{`{"model_type":"qwen2","num_hidden_layers":3,"max_window_layers":1.5}`, "max_window_layers is 1.5"},
		{`{"model_type":"llama","num_hidden_layers":3,"notes":{"ignore":["lm_head","model.layers.1.mlp"]}}`, "notes.ignore names layers"},
		{`{"model_type":"llama","num_hidden_layers":12,"quantization_config":{"ignore":["re:.*layers.1.*mlp"]}}`, "every layer whose number starts with 1"},
		{`{"model_type":"llama","num_hidden_layers":3,"quantization_config":{"ignore":["model.layers.3.mlp"]}}`, "names layer 3, there are 3"},
		{`{"model_type":"x","num_hidden_layers":9,"skip_layers":[3,7]}`, "skip_layers lists numbers"},
		{`{"model_type":"x","num_hidden_layers":9,"linear_attn_config":{"other_layers":[4,8]}}`, "linear_attn_config.other_layers lists numbers"},
		{`{"model_type":"gpt2","n_layer":9,"secret_heads":{"3":[0,1]}}`, "secret_heads has numbers as keys"},
		{`{"model_type":"x","num_hidden_layers":8,"sliding_window_pattern":"LLLG"}`, "a pattern in letters"},
		{`{"model_type":"gemma3n_text","num_hidden_layers":8,"hidden_size_per_layer_input":256}`, "hidden_size_per_layer_input is 256"},
		{`{"model_type":"llama"}`, "none of num_hidden_layers"},
	} {
		config, err := checkpoint.ParseConfig([]byte(c.config))
		if err != nil {
			t.Fatal(err)
		}
		text, _, err := rewrite(config, llama(config), []int{1})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, %s; want an error with %q", c.config, err, text, c.want)
		}
	}
}

// TestRewriteKeepsTheRest holds every byte that does not speak of layers.
func TestRewriteKeepsTheRest(t *testing.T) {
	const config = "{\n  \"model_type\": \"llama\",\n  \"rms_norm_eps\": 1e-05,\n  \"num_hidden_layers\": 3,\n  \"x\": {\"y\": 1.50}\n}\n"
	c, err := checkpoint.ParseConfig([]byte(config))
	if err != nil {
		t.Fatal(err)
	}
	got, _, err := rewrite(c, llama(c), []int{1})
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.Replace(config, "\"num_hidden_layers\": 3", "\"num_hidden_layers\": 2", 1); string(got) != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
