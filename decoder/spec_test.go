package decoder_test

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"shallow/checkpoint"
	"shallow/compute"
	"shallow/decoder"
)

const baseConfig = `"vocab_size":32000,"hidden_size":4096,"num_hidden_layers":32,"num_attention_heads":32,"intermediate_size":11008,"rms_norm_eps":1e-5`

func parse(t *testing.T, text string) (*decoder.Spec, error) {
	t.Helper()
	c, err := checkpoint.ParseConfig([]byte("{" + text + "}"))
	if err != nil {
		t.Fatal(err)
	}
	return decoder.NewSpec(c)
}

// The counts are those of transformers 5.23 for the same configs.
func TestSizesOfPublishedModels(t *testing.T) {
	for _, c := range []struct {
		name, config string
		parameters   int64
	}{
		{"Llama-2-7B", `"model_type":"llama",` + baseConfig, 6738415616},
		{"Mistral-7B", `"model_type":"mistral","vocab_size":32000,"hidden_size":4096,"num_hidden_layers":32,"num_attention_heads":32,"num_key_value_heads":8,"intermediate_size":14336`, 7241732096},
		{"Qwen2.5-0.5B", `"model_type":"qwen2","vocab_size":151936,"hidden_size":896,"num_hidden_layers":24,"num_attention_heads":14,"num_key_value_heads":2,"intermediate_size":4864,"tie_word_embeddings":true`, 494032768},
		{"Qwen3-0.6B", `"model_type":"qwen3","vocab_size":151936,"hidden_size":1024,"head_dim":128,"num_hidden_layers":28,"num_attention_heads":16,"num_key_value_heads":8,"intermediate_size":3072,"tie_word_embeddings":true`, 596049920},
		{"phi-2", `"model_type":"phi","vocab_size":51200,"hidden_size":2560,"intermediate_size":10240,"num_hidden_layers":32,"num_attention_heads":32,"partial_rotary_factor":0.4`, 2779683840},
		{"Phi-3-mini", `"model_type":"phi3","vocab_size":32064,"hidden_size":3072,"intermediate_size":8192,"num_hidden_layers":32,"num_attention_heads":32,"num_key_value_heads":32`, 3821079552},
		{"gemma-2-2b", `"model_type":"gemma2","vocab_size":256000,"hidden_size":2304,"intermediate_size":9216,"num_hidden_layers":26,"num_attention_heads":8,"num_key_value_heads":4,"head_dim":256`, 2614341888},
		{"gemma-3-1b", `"model_type":"gemma3_text","vocab_size":262144,"hidden_size":1152,"intermediate_size":6912,"num_hidden_layers":26,"num_attention_heads":4,"num_key_value_heads":1,"head_dim":256`, 999885952},
		{"OLMo-2-7B", `"model_type":"olmo2","vocab_size":100352,"hidden_size":4096,"intermediate_size":11008,"num_hidden_layers":32,"num_attention_heads":32`, 7298617344},
		{"SmolLM3-3B", `"model_type":"smollm3","vocab_size":128256,"hidden_size":2048,"intermediate_size":11008,"num_hidden_layers":36,"num_attention_heads":16,"num_key_value_heads":4`, 3075098624},
		{"GPT-2", `"model_type":"gpt2","vocab_size":50257,"n_embd":768,"n_layer":12,"n_head":12`, 124439808},
		{"Pythia-160m", `"model_type":"gpt_neox","vocab_size":50304,"hidden_size":768,"num_hidden_layers":12,"num_attention_heads":12,"intermediate_size":3072`, 162322944},
		{"Mixtral-8x7B", `"model_type":"mixtral","vocab_size":32000,"hidden_size":4096,"num_hidden_layers":32,"num_attention_heads":32,"num_key_value_heads":8,"intermediate_size":14336`, 46702792704},
		{"Qwen3-30B-A3B", `"model_type":"qwen3_moe","vocab_size":151936,"hidden_size":2048,"num_hidden_layers":48,"num_attention_heads":32,"num_key_value_heads":4,"head_dim":128,"intermediate_size":6144,"moe_intermediate_size":768`, 30532122624},
		{"Qwen1.5-MoE-A2.7B", `"model_type":"qwen2_moe","vocab_size":151936,"hidden_size":2048,"num_hidden_layers":24,"num_attention_heads":16,"num_key_value_heads":16,"intermediate_size":5632`, 14315784192},
		{"granite-3.0-2b", `"model_type":"granite","vocab_size":49155,"hidden_size":2048,"num_hidden_layers":40,"num_attention_heads":32,"num_key_value_heads":8,"intermediate_size":8192,"tie_word_embeddings":true`, 2533531648},
		{"GLM-4-9B-0414", `"model_type":"glm4","vocab_size":151552,"hidden_size":4096,"num_hidden_layers":40,"num_attention_heads":32,"num_key_value_heads":2,"intermediate_size":13696`, 9400279040},
		{"stablelm-2-1.6b", `"model_type":"stablelm","vocab_size":100352,"hidden_size":2048,"num_hidden_layers":24,"num_attention_heads":32,"intermediate_size":5632,"use_qkv_bias":true`, 1644515328},
	} {
		s, err := parse(t, c.config)
		if err != nil {
			t.Fatal(c.name, err)
		}
		if got := s.Parameters(); got != c.parameters {
			t.Errorf("%s has %d parameters, want %d", c.name, got, c.parameters)
		}
	}
	s, _ := parse(t, `"model_type":"llama",`+baseConfig)
	if got, want := s.LayerBytes(0, compute.BFloat16), int64(2*202383360); got != want {
		t.Errorf("a layer of %d bytes, want %d", got, want)
	}
	if got, want := s.CacheBytes(compute.BFloat16), int64(32*2*4096*2); got != want {
		t.Errorf("a position's keys and values take %d bytes, want %d", got, want)
	}
	// Two operations a weight of the products, and 4·D for each position that is seen.
	if got, want := s.FLOPsPerToken(1), 32*(2*(4.*4096*4096+3*4096*11008)+4*4096); got != want {
		t.Errorf("%g operations a token, want %g", got, want)
	}
}

func TestAttentionFLOPsCountWhatWindowsShow(t *testing.T) {
	s, err := parse(t, `"model_type":"mistral","sliding_window":3,`+baseConfig)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := s.AttentionFLOPs(0, 5), 4*4096.*(1+2+3+3+3); got != want {
		t.Errorf("%g operations, want %g", got, want)
	}
}

func TestDefaultsOfAbsentKeys(t *testing.T) {
	s, err := parse(t, `"model_type":"mistral",`+baseConfig)
	if err != nil {
		t.Fatal(err)
	}
	if s.K != 8 || s.Layers[0].Window != 4096 || s.Context != 131072 {
		t.Errorf("mistral: K %d, window %d, context %d", s.K, s.Layers[0].Window, s.Context)
	}
	s, err = parse(t, `"model_type":"mistral","sliding_window":null,"num_key_value_heads":null,`+baseConfig)
	if err != nil {
		t.Fatal(err)
	}
	if s.K != 32 || s.Layers[0].Window != 0 {
		t.Errorf("mistral with nulls: K %d, window %d", s.K, s.Layers[0].Window)
	}
	s, err = parse(t, `"model_type":"qwen2","use_sliding_window":true,"layer_types":["full_attention","sliding_attention"],"vocab_size":9,"hidden_size":64,"num_hidden_layers":2,"num_attention_heads":32,"intermediate_size":8`)
	if err != nil {
		t.Fatal(err)
	}
	if s.Layers[0].Window != 0 || s.Layers[1].Window != 4096 {
		t.Errorf("qwen2 with layer_types: windows %d, %d", s.Layers[0].Window, s.Layers[1].Window)
	}
}

func TestWhatIsNotKnownIsRefusedByName(t *testing.T) {
	for config, want := range map[string]string{
		`"model_type":"mamba",` + baseConfig: `model_type "mamba"`,
		baseConfig:                           `model_type ""`,
		`"model_type":"llama","hidden_act":"mish",` + baseConfig:                                                     `hidden_act "mish"`,
		`"model_type":"llama","rope_scaling":{"type":"spiral","factor":2},` + baseConfig:                             `rope_type "spiral"`,
		`"model_type":"llama","rope_parameters":{"rope_type":"axial"},` + baseConfig:                                 `rope_type "axial"`,
		`"model_type":"llama","rope_parameters":{"full_attention":{"rope_type":"default"}},` + baseConfig:            `rope_parameters.full_attention`,
		`"model_type":"llama","quantization_config":{"quant_method":"gptq"},` + baseConfig:                           `quantization_config`,
		`"model_type":"qwen3","num_hidden_layers":1,"layer_types":["linear_attention"],` + less("num_hidden_layers"): `layer_types[0] "linear_attention"`,
	} {
		_, err := parse(t, config)
		var u *decoder.UnsupportedError
		if !errors.As(err, &u) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want an UnsupportedError with %s", config, err, want)
		}
	}
}

// less is baseConfig without a key.
func less(key string) string {
	return regexp.MustCompile(`"`+key+`":[^,]*,`).ReplaceAllString(baseConfig, "")
}

func TestConfigsThatMakeNoSense(t *testing.T) {
	for config, want := range map[string]string{
		`"model_type":"llama",` + less("hidden_size"):                                                     "hidden_size",
		`"model_type":"llama","num_key_value_heads":5,` + baseConfig:                                      "num_key_value_heads",
		`"model_type":"llama","head_dim":-4,` + baseConfig:                                                "head_dim",
		`"model_type":"llama","vocab_size":99999999999,` + less("vocab_size"):                             "vocab_size",
		`"model_type":"llama","vocab_size":"many",` + less("vocab_size"):                                  "vocab_size",
		`"model_type":"llama","rope_theta":0,` + baseConfig:                                               "rope_theta",
		`"model_type":"llama","rope_scaling":{"type":"linear"},` + baseConfig:                             "factor",
		`"model_type":"llama","rope_scaling":{"type":"linear","factor":-1},` + baseConfig:                 "factor",
		`"model_type":"llama","rope_scaling":{"rope_type":"llama3","factor":8},` + baseConfig:             "low_freq_factor",
		`"model_type":"llama","partial_rotary_factor":0.0001,` + baseConfig:                               "partial_rotary_factor",
		`"model_type":"llama","rms_norm_eps":0,` + strings.TrimSuffix(baseConfig, `,"rms_norm_eps":1e-5`): "rms_norm_eps",
		`"model_type":"mistral","sliding_window":-3,` + baseConfig:                                        "sliding_window",
		`"model_type":"qwen2","layer_types":["full_attention"],` + baseConfig:                             "layer_types",
	} {
		if _, err := parse(t, config); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want an error about %s", config, err, want)
		}
	}
}

// A family is data: its name occurs in the table and nowhere else.
func TestFamiliesAreNamedInTheTableAlone(t *testing.T) {
	name := regexp.MustCompile(`(?i)llama|mi[sx]tral|qwen|gemma|\bphi|olmo|smollm|gpt|neox|pythia|granite|glm|stablelm|falcon|cohere|deepseek`)
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) < 10 {
		t.Fatal(files, err)
	}
	found := false
	for _, f := range files {
		if strings.HasSuffix(f, "_test.go") {
			continue
		}
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(string(text), "\n") {
			switch {
			case !name.MatchString(line):
			case strings.HasPrefix(f, "families"):
				found = true
			default:
				t.Errorf("%s:%d names a family: %s", f, i+1, line)
			}
		}
	}
	if !found {
		t.Error("the table names no family")
	}
}

func FuzzSpec(f *testing.F) {
	f.Add(`{"model_type":"llama",` + baseConfig + `}`)
	f.Add(`{"model_type":"qwen2","use_sliding_window":true,"max_window_layers":3,"rope_scaling":{"type":"yarn","factor":4},` + baseConfig + `}`)
	f.Add(`{"model_type":"mistral","rope_parameters":{"rope_type":"llama3","factor":8,"low_freq_factor":1,"high_freq_factor":4},` + baseConfig + `}`)
	f.Fuzz(func(t *testing.T, text string) {
		c, err := checkpoint.ParseConfig([]byte(text))
		if err != nil {
			return
		}
		s, err := decoder.NewSpec(c)
		if err != nil {
			return
		}
		if len(s.Layers) != s.L || s.H%s.K != 0 || s.Parameters() <= 0 || s.FLOPsPerToken(100) <= 0 {
			t.Errorf("%s gives %+v", text, s)
		}
	})
}
