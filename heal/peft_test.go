package heal

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"shallow/checkpoint"
	"shallow/decoder"
	"shallow/internal/shared"
)

// writeAdapterDir puts an adapter_config.json and float32 tensors of zeros into a new directory.
func writeAdapterDir(t testing.TB, config string, shapes map[string][]int) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, adapterConfigFile), []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	var tensors []stored
	for name, shape := range shapes {
		n := 4
		for _, d := range shape {
			n *= d
		}
		tensors = append(tensors, stored{name, shape, func() ([]byte, error) { return make([]byte, n), nil }})
	}
	if err := writeTensors(filepath.Join(dir, adapterFile), tensors, map[string]string{"format": "pt"}); err != nil {
		t.Fatal(err)
	}
	return dir
}

// pair are the tensors of a module of 6 inputs and 5 outputs.
func pair(module string, rank int) map[string][]int {
	return map[string][]int{peftPrefix + module + ".lora_A.weight": {rank, 6}, peftPrefix + module + ".lora_B.weight": {5, rank}}
}

func TestReadPEFTScales(t *testing.T) {
	const config = `{"peft_type":"LORA","r":4,"lora_alpha":%s,"target_modules":%s,"rank_pattern":%s,"alpha_pattern":%s,"use_rslora":%s}`
	for _, c := range []struct {
		alpha, targets, ranks, alphas, stabilised string
		rank                                      int
		want                                      float32
	}{
		{"8", `["up_proj"]`, `{}`, `{}`, "false", 4, 2},
		{"8", `["up_proj"]`, `null`, `null`, "null", 4, 2},
		{"6", `["mlp.up_proj"]`, `{}`, `{}`, "true", 4, 3},
		{"8", `".*up_proj"`, `{"up_proj":2}`, `{}`, "false", 2, 4},
		{"8", `"all-linear"`, `{"layers.1.mlp.up_proj":2}`, `{"up.*":5}`, "false", 4, 1.25},
		{"8", `["model.layers.0.mlp.up_proj"]`, `{"^model\\.layers\\.0.*":1}`, `{"model.layers.0.mlp.up_proj":3}`, "true", 1, 3},
	} {
		text := fmt.Sprintf(config, c.alpha, c.targets, c.ranks, c.alphas, c.stabilised)
		p, err := ReadPEFT(writeAdapterDir(t, text, pair("model.layers.0.mlp.up_proj", c.rank)))
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if m := p.Modules[0]; m.Scale != c.want || m.Rank != c.rank || m.In != 6 || m.Out != 5 || m.Module != "model.layers.0.mlp.up_proj" {
			t.Errorf("%s: %+v, want scale %g", text, m, c.want)
		}
	}
}

func TestReadPEFTRefuses(t *testing.T) {
	const module = "model.layers.0.mlp.up_proj"
	with := func(name string, shape ...int) map[string][]int {
		all := pair(module, 4)
		all[name] = shape
		return all
	}
	for _, c := range []struct {
		more   string // in adapter_config.json
		shapes map[string][]int
		want   string
	}{
		{`"peft_type":"LOHA"`, pair(module, 4), `peft_type is "LOHA"`},
		{`"use_dora":true`, pair(module, 4), "use_dora is true"},
		{`"modules_to_save":["lm_head"]`, pair(module, 4), "modules_to_save is"},
		{`"layer_replication":[[0,2],[1,3]]`, pair(module, 4), "layer_replication is"},
		{`"lora_bias":true`, pair(module, 4), "lora_bias is true"},
		{`"bias":"all"`, pair(module, 4), `bias is "all"`},
		{`"r":0`, pair(module, 4), "r is 0"},
		{`"r":8`, pair(module, 4), "has rank 4, adapter_config.json says 8"},
		{`"rank_pattern":{"(":4}`, pair(module, 4), "no regular expression"},
		{`"target_modules":["down_proj"]`, pair(module, 4), "no module that target_modules names"},
		{`"r":4`, map[string][]int{peftPrefix + module + ".lora_A.weight": {4, 6}}, "has no lora_B beside it"},
		{`"r":4`, map[string][]int{peftPrefix + module + ".lora_B.weight": {5, 4}}, "is no pair of lora_A and lora_B"},
		{`"r":4`, with(peftPrefix+module+".lora_magnitude_vector", 5), "is no pair of lora_A and lora_B"},
		{`"r":4`, with(peftPrefix+module+".lora_B.weight", 5, 3), "A is [4 6], B is [5 3]"},
		{`"r":4`, with(peftPrefix+module+".lora_B.weight", 20), "B is [20]"},
	} {
		config := `{"peft_type":"LORA","r":4,"lora_alpha":8,"target_modules":["up_proj"],` + c.more + `}`
		if key, _, _ := strings.Cut(c.more, ":"); strings.Count(config, key) > 1 { // a key stands once
			config = strings.Replace(strings.Replace(config, `"peft_type":"LORA",`, "", 1), `"r":4,`, "", 1)
			config = strings.Replace(config, `"target_modules":["up_proj"],`, "", 1)
			for _, k := range []string{`"peft_type":"LORA"`, `"r":4`, `"target_modules":["up_proj"]`} {
				if name, _, _ := strings.Cut(k, ":"); name != key {
					config = strings.Replace(config, "{", "{"+k+",", 1)
				}
			}
		}
		_, err := ReadPEFT(writeAdapterDir(t, config, c.shapes))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", config, err, c.want)
		}
	}
}

// TestReadPEFTHalves reads numbers that are stored in two bytes.
func TestReadPEFTHalves(t *testing.T) {
	for kind, bits := range map[string]uint16{"BF16": 0x3fc0, "F16": 0x3e00} { // 1.5
		dir := writeAdapterDir(t, `{"peft_type":"LORA","r":1,"lora_alpha":1,"target_modules":["up_proj"]}`, nil)
		header := fmt.Sprintf(`{"a.up_proj.lora_A.weight":{"dtype":%q,"shape":[1,2],"data_offsets":[0,4]},"a.up_proj.lora_B.weight":{"dtype":%q,"shape":[1,1],"data_offsets":[4,6]}}`, kind, kind)
		data := append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header...)
		for range 3 {
			data = binary.LittleEndian.AppendUint16(data, bits)
		}
		if err := os.WriteFile(filepath.Join(dir, adapterFile), data, 0o644); err != nil {
			t.Fatal(err)
		}
		p, err := ReadPEFT(dir)
		if err != nil {
			t.Fatal(err)
		}
		if m := p.Modules[0]; !slices.Equal(m.A, []float32{1.5, 1.5}) || !slices.Equal(m.B, []float32{1.5}) {
			t.Errorf("%s: %v, %v", kind, m.A, m.B)
		}
	}
}

// TestPEFTAsPEFTWritesIt reads adapters that PEFT wrote, writes them again, and compares files: the tensors' bytes and the
// config's keys and values are the same.
func TestPEFTAsPEFTWritesIt(t *testing.T) {
	for _, family := range []string{"llama", "phi", "phi3", "gemma2"} {
		for _, targets := range []string{"mlp", "all"} {
			dir := shared.Dir(t, "reference", "lora", family, "adapter-"+targets)
			m := openModel(t, filepath.Dir(dir), 1, decoder.Options{})
			p, err := ReadPEFT(dir)
			if err != nil {
				t.Fatal(err)
			}
			out := t.TempDir()
			var all []string
			for _, x := range modules(m.Spec) {
				all = append(all, x.name)
			}
			if err := p.Write(out, peftName(m), all, false); err != nil {
				t.Fatal(err)
			}
			var want, got map[string]any
			for path, to := range map[string]*map[string]any{dir: &want, out: &got} {
				if _, err := readJSON(filepath.Join(path, adapterConfigFile), to); err != nil {
					t.Fatal(err)
				}
			}
			// PEFT names them in the order of a set, and sometimes each by its whole name.
			for _, c := range []map[string]any{want, got} {
				var meant []string
				for _, x := range all {
					if slices.ContainsFunc(c["target_modules"].([]any), func(end any) bool { return strings.HasSuffix("."+x, "."+end.(string)) }) {
						meant = append(meant, x)
					}
				}
				c["target_modules"] = meant
			}
			if !reflect.DeepEqual(want, got) {
				t.Errorf("%s: adapter_config.json is %v, PEFT wrote %v", dir, got, want)
			}
			a, err := checkpoint.OpenFile(dir, adapterFile)
			if err != nil {
				t.Fatal(err)
			}
			defer a.Close()
			b, err := checkpoint.OpenFile(out, adapterFile)
			if err != nil {
				t.Fatal(err)
			}
			defer b.Close()
			if !slices.Equal(a.Names(), b.Names()) {
				t.Errorf("%s: tensors %v, PEFT wrote %v", dir, b.Names(), a.Names())
				continue
			}
			for _, name := range a.Names() {
				x, _ := a.Tensor(name)
				y, _ := b.Tensor(name)
				if !slices.Equal(x.Bytes(), y.Bytes()) || !slices.Equal(x.Shape, y.Shape) {
					t.Errorf("%s: %s is another", dir, name)
				}
			}
		}
	}
}

func TestNewAdapter(t *testing.T) {
	m := module{name: "model.layers.3.mlp.up_proj", in: 100, out: 30}
	a := newAdapter(m, 8, 16, 7)
	if a.Scale != 2 || len(a.A) != 800 || len(a.B) != 240 || slices.ContainsFunc(a.B, func(v float32) bool { return v != 0 }) {
		t.Errorf("scale %g, %d and %d numbers", a.Scale, len(a.A), len(a.B))
	}
	var sum, squares float64
	for _, v := range a.A {
		if math.Abs(float64(v)) > 0.1 {
			t.Fatalf("%g is beyond 1/√in", v)
		}
		sum += float64(v)
		squares += float64(v) * float64(v)
	}
	// Uniform within ±0.1: mean 0, variance 0.01/3; three standard errors of 800 numbers.
	if mean, variance := sum/800, squares/800; math.Abs(mean) > 0.0062 || math.Abs(variance-0.01/3) > 0.0004 {
		t.Errorf("mean %g, variance %g", mean, variance)
	}
	if again := newAdapter(m, 8, 16, 7); !slices.Equal(again.A, a.A) {
		t.Error("the same seed gives other numbers")
	}
	if other := newAdapter(m, 8, 16, 8); slices.Equal(other.A, a.A) {
		t.Error("another seed gives the same numbers")
	}
	m.name = "model.layers.4.mlp.up_proj"
	if other := newAdapter(m, 8, 16, 7); slices.Equal(other.A, a.A) {
		t.Error("another module gets the same numbers")
	}
}

func TestTargetModules(t *testing.T) {
	all := []string{"h.0.attn.c_attn", "h.0.attn.c_proj", "h.0.mlp.c_fc", "h.0.mlp.c_proj", "h.1.attn.c_attn", "h.1.attn.c_proj", "h.1.mlp.c_fc", "h.1.mlp.c_proj"}
	for _, c := range []struct{ names, want []string }{
		{all, []string{"c_attn", "c_fc", "c_proj"}},
		{[]string{all[2], all[6]}, []string{"c_fc"}},
		{[]string{all[2], all[3], all[6], all[7]}, []string{"mlp.c_fc", "mlp.c_proj"}},
		{[]string{all[2]}, []string{"h.0.mlp.c_fc"}},
	} {
		if got := targetModules(c.names, all); !slices.Equal(got, c.want) {
			t.Errorf("%v: %v, want %v", c.names, got, c.want)
		}
	}
}

func TestChosenTargets(t *testing.T) {
	var all []module
	for _, name := range []string{"q_proj", "k_proj", "up_proj"} {
		all = append(all, module{name: "model.layers.0.x." + name, feedForward: name == "up_proj"})
	}
	for targets, want := range map[string]int{"all": 3, "mlp": 1, "q_proj": 1, "q_proj,x.k_proj": 2} {
		if got, err := chosen(all, targets); err != nil || len(got) != want {
			t.Errorf("%s: %v, %v", targets, got, err)
		}
	}
	for _, targets := range []string{"proj", "q_proj,w", "", ","} {
		if _, err := chosen(all, targets); err == nil || !strings.Contains(err.Error(), "x.q_proj, x.k_proj, x.up_proj") {
			t.Errorf("%s: %v", targets, err)
		}
	}
}

// FuzzReadPEFT never panics, and what it takes has numbers of the sizes that it says.
func FuzzReadPEFT(f *testing.F) {
	f.Add(`{"peft_type":"LORA","r":4,"target_modules":["up_proj"],"rank_pattern":{"a":1}}`, "up_proj", 4)
	f.Add(`{"peft_type":"LORA","r":-1e300,"lora_alpha":null,"target_modules":"(a+)+$","alpha_pattern":{"(?=x)":"y"}}`, "a", 1)
	f.Add(`{"peft_type":"LORA","target_modules":{"up_proj":1},"rank_pattern":[1]}`, ".", 1)
	f.Fuzz(func(t *testing.T, config, module string, rank int) {
		if rank < 1 || rank > 9 || !validName(module) {
			return
		}
		p, err := ReadPEFT(writeAdapterDir(t, config, pair(module, rank)))
		if err != nil {
			return
		}
		for _, m := range p.Modules {
			if len(m.A) != m.Rank*m.In || len(m.B) != m.Rank*m.Out {
				t.Errorf("%+v", m)
			}
		}
	})
}

func validName(s string) bool { return strings.ToValidUTF8(s, "") == s }
