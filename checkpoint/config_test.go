package checkpoint

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"shallow/internal/shared"
)

const sample = `{
  "architectures": [
    "LlamaForCausalLM"
  ],
  "rms_norm_eps": 1e-05,
  "big": 12345678901234567890.10,
  "model_type": "llama",
  "num_hidden_layers": 6,
  "rope_theta": 500000.0,
  "rope_scaling": null,
  "time_step_limit": [0.0, Infinity],
  "use_cache": true,
  "rope_parameters": {"factor": 8, "name": "caf\u00e9"},
  "layer_types": [
    "full",
    "full"
  ]
}
`

func parsed(t testing.TB, text string) *Config {
	t.Helper()
	c, err := ParseConfig([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestConfigAccessors(t *testing.T) {
	c := parsed(t, sample)
	if c.Layers() != 6 || c.ModelType() != "llama" || c.Int("absent", 7) != 7 || c.Float("rms_norm_eps", 0) != 1e-5 ||
		c.Int("rope_theta", 0) != 500000 || !c.Bool("use_cache", false) || c.Float("rope_scaling", 3) != 3 {
		t.Error("a value was read wrongly")
	}
	if c.Has("rope_scaling") || !c.Has("use_cache") || c.Has("absent") {
		t.Error("Has is wrong")
	}
	if got := c.Floats("time_step_limit"); len(got) != 2 || !math.IsInf(got[1], 1) {
		t.Errorf("time_step_limit is %v", got)
	}
	if got := c.Strings("layer_types"); !slices.Equal(got, []string{"full", "full"}) {
		t.Errorf("layer_types is %v", got)
	}
	sub := c.Sub("rope_parameters")
	if sub == nil || sub.Int("factor", 0) != 8 || sub.String("name", "") != "café" || c.Sub("absent") != nil {
		t.Error("the nested object was read wrongly")
	}
	if c.Err() != nil {
		t.Fatal(c.Err())
	}
	if sub.Int("name", 5) != 5 {
		t.Error("no default for a wrong type")
	}
	checkError(t, c.Err(), "rope_parameters.name", "a whole number")
	if c.Ints("layer_types") != nil {
		t.Error("texts were read as numbers")
	}
	if !bytes.Equal(c.Bytes(), []byte(sample)) {
		t.Error("the text changed")
	}
}

func TestConfigErrors(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", "is not JSON"},
		{"[]", "is not a JSON object"},
		{"null", "is not a JSON object"},
		{`{"a":1`, "is not JSON"},
		{`{"a":01}`, "is not JSON"},
		{`{"a":"` + "\n" + `"}`, "control character"},
		{`{"a":"\`, "ends within a string"},
		{`{"a":1,"a":2}`, "twice"},
		{`{"a":1} {}`, "after the end"},
		{`{"a":` + strings.Repeat(`[`, 1000), "nested deeper"},
		{`{"num_hidden_layers":0}`, "number of layers"},
		{`{"num_hidden_layers":-3}`, "number of layers"},
		{`{"n_layer":2000000000}`, "number of layers"},
		{`{"num_layers":"many"}`, "number of layers"},
		{`{"text_config":{"num_hidden_layers":1.5}}`, "text_config.num_hidden_layers"},
		{strings.Repeat(" ", maxConfig+1), "not a model's config"},
	} {
		_, err := ParseConfig([]byte(c.text))
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "checkpoint: config.json") {
			t.Errorf("%.60q: error %v, want %q", c.text, err, c.want)
		}
	}
}

func TestNestedDecoder(t *testing.T) {
	c := parsed(t, `{"model_type":"llava","text_config":{"num_hidden_layers":4},"vision_config":{"num_hidden_layers":9}}`)
	if c.Layers() != 4 || !slices.Equal(c.Decoder().Path(), []string{"text_config"}) {
		t.Errorf("%d layers at %v", c.Layers(), c.Decoder().Path())
	}
}

func TestRewriteKeepsEveryOtherByte(t *testing.T) {
	c := parsed(t, sample)
	got, err := c.Rewrite([]Edit{
		{Path: []string{"num_hidden_layers"}, JSON: "5"},
		{Path: []string{"layer_types"}, JSON: `["full","window","full"]`},
		{Path: []string{"time_step_limit"}, JSON: `[1,2]`},
		{Path: []string{"rope_parameters", "extra"}, JSON: "true"},
		{Path: []string{"list"}, JSON: "[1,2]"},
		{Path: []string{"more"}, JSON: "3"},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := strings.NewReplacer(
		`"num_hidden_layers": 6`, `"num_hidden_layers": 5`,
		`[0.0, Infinity]`, `[1,2]`,
		`"caf\u00e9"}`, `"caf\u00e9","extra": true}`,
		"    \"full\",\n    \"full\"\n  ]", "    \"full\",\n    \"window\",\n    \"full\"\n  ],\n  \"list\": [\n    1,\n    2\n  ],\n  \"more\": 3",
	).Replace(sample)
	if string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if _, err := c.Rewrite([]Edit{{Path: []string{"absent", "x"}, JSON: "1"}}); err == nil {
		t.Error("an edit in an absent object was accepted")
	}
	if _, err := c.Rewrite([]Edit{{Path: []string{"big"}, JSON: "1"}, {Path: []string{"big"}, JSON: "2"}}); err == nil {
		t.Error("two edits of one value were accepted")
	}
}

func TestValuesVisitsEverything(t *testing.T) {
	c := parsed(t, `{"a":[1,[2,3],{"b":[4]}],"c":{"d":"x"}}`)
	var got []string
	for _, v := range c.Values() {
		got = append(got, v.Name()+"="+v.Literal)
	}
	want := []string{`a=[1,[2,3],{"b":[4]}]`, `a[1]=[2,3]`, `a[2]={"b":[4]}`, `a[2].b=[4]`, `c={"d":"x"}`, `c.d="x"`}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestConfigAgreesWithJSON holds the parser against encoding/json on every published-style config.
func TestConfigAgreesWithJSON(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join(shared.Dir(t, "reference", "families"), "*", "*.json"))
	if err != nil || len(paths) == 0 {
		t.Fatal("no files", err)
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		c, err := ParseConfig(data)
		if err != nil {
			t.Errorf("%s: %v", filepath.Base(filepath.Dir(path)), err)
			continue
		}
		var want map[string]any
		if err := json.Unmarshal(data, &want); err != nil {
			t.Fatal(err)
		}
		if len(c.Keys()) != len(want) {
			t.Errorf("%s: %d keys, want %d", path, len(c.Keys()), len(want))
		}
		for key, v := range want {
			switch v := v.(type) {
			case float64:
				if c.Float(key, -1) != v {
					t.Errorf("%s: %s is %v, want %v", path, key, c.Float(key, -1), v)
				}
			case string:
				if c.String(key, "?") != v {
					t.Errorf("%s: %s is %q, want %q", path, key, c.String(key, "?"), v)
				}
			}
		}
	}
}

func FuzzConfig(f *testing.F) {
	f.Add([]byte(sample))
	f.Add([]byte(`{"num_hidden_layers":1e1,"x":[[],{"y":[NaN]}]}`))
	f.Add([]byte(`{"text_config":{"n_layer":3},"\ud800":"\u0000"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := ParseConfig(text)
		if err != nil {
			return
		}
		if n := c.Layers(); n < 0 || n > MaxLayers {
			t.Fatalf("%d layers were let through", n)
		}
		c.Values()
		for _, key := range c.Keys() {
			c.Int(key, 0)
			c.Floats(key)
			c.Sub(key)
		}
		again, err := c.Rewrite([]Edit{{Path: []string{"added by the test"}, JSON: `["x",1]`}})
		if err != nil {
			t.Fatal(err)
		}
		d, err := ParseConfig(again)
		if c.Has("added by the test") {
			return
		}
		if err != nil && len(again) <= maxConfig {
			t.Fatalf("the rewritten text does not parse: %v\n%s", err, again)
		}
		if err == nil && len(d.Keys()) != len(c.Keys())+1 {
			t.Fatalf("%d keys, want %d", len(d.Keys()), len(c.Keys())+1)
		}
	})
}
