package heal

import (
	"encoding/binary"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"shallow/checkpoint"
	"shallow/decoder"
	"shallow/internal/shared"
)

// TestTargetsArePEFTs compares the modules that get an adapter, and their sizes, with the adapters that PEFT made.
func TestTargetsArePEFTs(t *testing.T) {
	configs, err := filepath.Glob(filepath.Join(shared.Dir(t, "reference", "lora"), "*", "config.json"))
	if err != nil || len(configs) < 10 {
		t.Fatalf("%d families, %v", len(configs), err)
	}
	for _, path := range configs {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		s := specOf(t, string(data))
		for _, targets := range []string{"mlp", "all"} {
			want := sizesIn(t, filepath.Join(filepath.Dir(path), "adapter-"+targets, "adapter_model.safetensors"))
			got := sizesOf(t, s, targets)
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%s, %s: %v, want %v", path, targets, got, want)
			}
		}
	}
}

// sizesIn are the inputs and outputs of each module in a file of PEFT's.
func sizesIn(t *testing.T, path string) map[string][2]int {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var header map[string]struct{ Shape []int }
	if err := json.Unmarshal(data[8:8+binary.LittleEndian.Uint64(data)], &header); err != nil {
		t.Fatal(err)
	}
	sizes := map[string][2]int{}
	for name, tensor := range header {
		name = strings.TrimPrefix(name, "base_model.model.")
		if module, ok := strings.CutSuffix(name, ".lora_A.weight"); ok {
			sizes[module] = [2]int{tensor.Shape[1], header["base_model.model."+module+".lora_B.weight"].Shape[0]}
		}
	}
	return sizes
}

func sizesOf(t *testing.T, s *decoder.Spec, targets string) map[string][2]int {
	t.Helper()
	some, err := chosen(modules(s), targets)
	if err != nil {
		t.Fatal(err)
	}
	sizes := map[string][2]int{}
	for _, m := range some {
		sizes[m.name] = [2]int{m.in, m.out}
	}
	if len(sizes) != len(some) {
		t.Errorf("%s names a module twice", targets)
	}
	return sizes
}

// TestFeedForwardByFamily holds the feed-forward matrices of a layer, which the paper trains, against the names it gives and
// those of families with names of their own. Qwen's attention has a c_proj too, which is none of them.
func TestFeedForwardByFamily(t *testing.T) {
	for family, want := range map[string]map[string][2]int{
		"qwen":     {"transformer.h.0.mlp.w1": {0, 1}, "transformer.h.0.mlp.w2": {0, 1}, "transformer.h.0.mlp.c_proj": {1, 0}},
		"phi":      {"model.layers.0.mlp.fc1": {0, 1}, "model.layers.0.mlp.fc2": {1, 0}},
		"phi3":     {"model.layers.0.mlp.gate_up_proj": {0, 2}, "model.layers.0.mlp.down_proj": {1, 0}},
		"glm4":     {"model.layers.0.mlp.gate_up_proj": {0, 2}, "model.layers.0.mlp.down_proj": {1, 0}},
		"gpt2":     {"transformer.h.0.mlp.c_fc": {0, 1}, "transformer.h.0.mlp.c_proj": {1, 0}},
		"gpt_neox": {"gpt_neox.layers.0.mlp.dense_h_to_4h": {0, 1}, "gpt_neox.layers.0.mlp.dense_4h_to_h": {1, 0}},
		"llama":    {"model.layers.0.mlp.gate_proj": {0, 1}, "model.layers.0.mlp.up_proj": {0, 1}, "model.layers.0.mlp.down_proj": {1, 0}},
	} {
		found, err := filepath.Glob(filepath.Join(shared.Dir(t, "reference", "families"), "*", "config.json"))
		if err != nil {
			t.Fatal(err)
		}
		met := false
		for _, path := range found {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			c, err := checkpoint.ParseConfig(data)
			if err != nil || c.ModelType() != family {
				continue
			}
			met = true
			s := specOf(t, string(data))
			sizes := [3]int{s.D, s.F, 2 * s.F}
			first := map[string][2]int{}
			for name, x := range sizesOf(t, s, "mlp") {
				if _, ok := want[name]; ok {
					first[name] = x
				} else if strings.Contains(name, ".0.") {
					t.Errorf("%s: %s is no feed-forward matrix of the paper's rule", path, name)
				}
			}
			for name, x := range want {
				if first[name] != [2]int{sizes[x[0]], sizes[x[1]]} {
					t.Errorf("%s: %s has %v inputs and outputs, want %v", path, name, first[name], [2]int{sizes[x[0]], sizes[x[1]]})
				}
			}
		}
		if !met {
			t.Errorf("no reference checkpoint is a %s", family)
		}
	}
}
