package plan

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"shallow/checkpoint"
	"shallow/similarity"
)

// measured is a table of 6 layers whose rows have their minimum where the test wants it.
func measured(t *testing.T) *similarity.Distances {
	t.Helper()
	rows := similarity.Table{
		{0.40, 0.10, 0.12, 0.09, 0.11, 0.05}, // the last layer alone is the smallest
		{0.41, 0.20, 0.15, 0.16, 0.14},
		{0.42, 0.17, 0.18, 0.30},
		{0.19, 0.21, 0.50},
		{0.25, 0.60},
		{0.70},
	}
	d, err := similarity.Reduce(6, []similarity.Table{rows})
	if err != nil {
		t.Fatal(err)
	}
	d.Tokens = 10
	d.Model = similarity.Model{Name: "tiny", ConfigHash: "c0"}
	d.Corpus.Hash = "d1"
	d.Influence = &similarity.Influence{Metric: "1-cosine", Tokens: 10, Layers: []float64{0.5, 0.2, 0.1, 0.3, 0.1}}
	return d
}

func TestParseDrop(t *testing.T) {
	for _, c := range []struct {
		s      string
		layers int
		want   int
		err    string
	}{
		{"8", 32, 8, ""},
		{"25%", 32, 8, ""},
		{"25%", 30, 7, ""},
		{"29%", 100, 29, ""}, // 28.999… in binary
		{"12.5%", 32, 4, ""},
		{"31", 32, 31, ""},
		{"32", 32, 0, "at least one must stay"},
		{"100%", 32, 0, "at least one must stay"},
		{"0", 32, 0, "at least one"},
		{"1%", 32, 0, "at least one"},
		{"-1", 32, 0, "at least one"},
		{"-25%", 32, 0, "between 0% and 100%"},
		{"101%", 32, 0, "between 0% and 100%"},
		{"1e9999999%", 32, 0, "cannot read"},
		{"1/3%", 32, 0, "cannot read"},
		{"", 32, 0, "cannot read"},
		{"%", 32, 0, "cannot read"},
		{"eight", 32, 0, "cannot read"},
		{"0.25", 32, 0, "cannot read"},
	} {
		got, err := ParseDrop(c.s, c.layers)
		if got != c.want || !failsWith(err, c.err) {
			t.Errorf("ParseDrop(%q, %d) = %d, %v; want %d, %q", c.s, c.layers, got, err, c.want, c.err)
		}
	}
}

func TestStrategies(t *testing.T) {
	d := measured(t)
	for _, c := range []struct {
		name string
		plan func() (*Plan, error)
		want []int
		err  string
	}{
		{"similarity spares the last layer", func() (*Plan, error) { return Similarity(d, 1, Options{}) }, []int{3}, ""},
		{"similarity may take the last layer", func() (*Plan, error) { return Similarity(d, 1, Options{AllowLast: true}) }, []int{5}, ""},
		{"similarity, two", func() (*Plan, error) { return Similarity(d, 2, Options{}) }, []int{2, 3}, ""},
		{"similarity in the deeper half: from ⌊0.5·4⌋", func() (*Plan, error) { return Similarity(d, 3, Options{From: 0.5}) }, []int{2, 3, 4}, ""},
		{"similarity, no start left", func() (*Plan, error) { return Similarity(d, 5, Options{From: 0.5}) }, nil, "starts at 1 or later"},
		{"similarity, from 1", func() (*Plan, error) { return Similarity(d, 1, Options{From: 1}) }, nil, "not in [0, 1)"},
		{"similarity, all layers", func() (*Plan, error) { return Similarity(d, 6, Options{}) }, nil, "cannot drop 6 of 6"},
		{"deepest", func() (*Plan, error) { return Deepest(6, 2) }, []int{3, 4}, ""},
		{"deepest, the most", func() (*Plan, error) { return Deepest(6, 5) }, []int{0, 1, 2, 3, 4}, ""},
		{"deepest, too many", func() (*Plan, error) { return Deepest(6, 6) }, nil, "cannot drop 6 of 6"},
		{"block-influence", func() (*Plan, error) { return BlockInfluence(d, 3, Options{}) }, []int{1, 2, 4}, ""},
		{"block-influence takes the first of equals", func() (*Plan, error) { return BlockInfluence(d, 1, Options{}) }, []int{2}, ""},
		{"block-influence of an unmeasured last layer", func() (*Plan, error) { return BlockInfluence(d, 1, Options{AllowLast: true}) }, nil, "--influence full"},
		{"by hand", func() (*Plan, error) { return Explicit(6, "3:5,0,4:6") }, []int{0, 3, 4, 5}, ""},
		{"by hand, all", func() (*Plan, error) { return Explicit(6, "0:6") }, nil, "at least one must stay"},
	} {
		p, err := c.plan()
		if !failsWith(err, c.err) {
			t.Errorf("%s: %v, want %q", c.name, err, c.err)
			continue
		}
		if err == nil && !slices.Equal(p.Drop, c.want) {
			t.Errorf("%s: drops %v, want %v", c.name, p.Drop, c.want)
		}
	}
}

// TestPaper repeats the choices that the authors stored for Llama-2-70B: the simple strategy drops [77, 78] for n = 2
// and [73 … 78] for n = 6.
func TestPaper(t *testing.T) {
	for n, want := range map[int]string{2: "drops 2 of 80 layers, [77, 79): 77 78", 6: "drops 6 of 80 layers, [73, 79): 73 74 75 76 77 78"} {
		p, err := Deepest(80, n)
		if err != nil || p.String() != want {
			t.Errorf("deepest %d of 80: %v, %v; want %q", n, p, err, want)
		}
	}
}

func TestParseLayers(t *testing.T) {
	for _, c := range []struct {
		list string
		want []int
		err  string
	}{
		{"1:3", []int{1, 2}, ""},
		{"4,1:3,2:4", []int{1, 2, 3, 4}, ""},
		{"3:3", nil, "holds no layer"},
		{"4:3", nil, "holds no layer"},
		{"4:7", nil, "not within the model's layers, 0:6"},
		{"-1:2", nil, "not within"},
		{"6", nil, "not within"},
		{"9223372036854775807", nil, "holds no layer"},
		{"0:99999999999999999999", nil, "cannot read"},
		{"", nil, "cannot read"},
		{"1-3", nil, "cannot read"},
		{"1:2:3", nil, "cannot read"},
	} {
		got, err := ParseLayers(c.list, 6)
		if !slices.Equal(got, c.want) || !failsWith(err, c.err) {
			t.Errorf("ParseLayers(%q) = %v, %v; want %v, %q", c.list, got, err, c.want, c.err)
		}
	}
}

func TestWriteThenRead(t *testing.T) {
	p, err := Similarity(measured(t), 2, Options{})
	if err != nil {
		t.Fatal(err)
	}
	p.From = "ab"
	name := filepath.Join(t.TempDir(), "plan.json")
	if err := p.Write(name); err != nil {
		t.Fatal(err)
	}
	got, err := Read(name)
	if err != nil || !reflect.DeepEqual(got, p) {
		t.Errorf("read %+v, %v; wrote %+v", got, err, p)
	}
	const want = `{"version":1,"tool":"shallow","model":{"name":"tiny","config_hash":"c0"},"strategy":"similarity",` +
		`"layers":6,"n":2,"start":2,"drop":[2,3],"ranges":[[2,4]],"distance":0.15,"row":[0.41,0.2,0.15,0.16,0.14],` +
		`"corpus":{"hash":"d1"},"from":"ab"}` + "\n"
	if data, _ := os.ReadFile(name); string(data) != want {
		t.Errorf("plan.json is\n%swant\n%s", data, want)
	}
}

func TestReadRefuses(t *testing.T) {
	const good = `{"version":1,"tool":"t","model":{"name":"m"},"strategy":"layers","layers":6,"n":2,"start":2,"drop":[2,3],"ranges":[[2,4]]}`
	if _, err := Parse([]byte(good)); err != nil {
		t.Fatalf("a good plan: %v", err)
	}
	for _, c := range []struct{ old, new, err string }{
		{`"version":1`, `"version":2`, "version is 2"},
		{`"layers":6`, `"layers":2`, "at least one must stay"},
		{`"layers":6`, `"layers":3`, "drop has layer 3"},
		{`"layers":6`, `"layers":1000000000`, "not between 2 and"},
		{`"n":2`, `"n":3`, "drop lists 2"},
		{`[2,3]`, `[3,2]`, "must ascend"},
		{`[2,3]`, `[2,2]`, "must ascend"},
		{`[2,3]`, `[-2,3]`, "drop has layer -2"},
		{`[2,3]`, `[]`, "drops no layer"},
		{`[[2,4]]`, `[[2,3],[3,4]]`, "are not those of drop"},
		{`[[2,4]]`, `[[21,29]]`, "are not those of drop"},
		{`"start":2`, `"start":1`, "start is 1"},
		{`"tool":"t"`, `"tool":"t","row":[0.5]`, "row has 1 distances"},
		{`"tool":"t"`, `"tool":"t","influence":[0.5]`, "influence has 1"},
		{`"tool":"t"`, `"tools":"t"`, "unknown field"},
		{`]]}`, `]]}{}`, "something follows"},
		{good, `[]`, "not a plan.json"},
		{good, ``, "not a plan.json"},
	} {
		if _, err := Parse([]byte(strings.Replace(good, c.old, c.new, 1))); !failsWith(err, c.err) {
			t.Errorf("with %s for %s: %v, want %q", c.new, c.old, err, c.err)
		}
	}
}

func TestTwins(t *testing.T) {
	p, err := Explicit(6, "2:4")
	if err != nil {
		t.Fatal(err)
	}
	const yaml = `slices:
  - sources:
      - model: "org/base"
        layer_range: [0, 2]
  - sources:
      - model: "org/base"
        layer_range: [4, 6]
merge_method: passthrough
dtype: bfloat16
`
	if got := p.Mergekit("org/base", "bfloat16"); got != yaml {
		t.Errorf("mergekit:\n%swant\n%s", got, yaml)
	}
	if got := p.LlamaCPP(); got != "2,3\n" {
		t.Errorf("llama.cpp: %q", got)
	}
}

func TestPEFT(t *testing.T) {
	p, err := Explicit(6, "2:4")
	if err != nil {
		t.Fatal(err)
	}
	const kinds = `["sliding_attention","full_attention","sliding_attention","full_attention","sliding_attention","full_attention"]`
	for _, c := range []struct{ config, warning, err string }{
		{`{"model_type":"llama"}`, "", ""},
		{`{"model_type":"mistral","sliding_window":7}`, "", ""},
		{`{"model_type":"gemma2"}`, "for i in [0, 1, 4, 5]]", ""},
		{`{"model_type":"gemma2","layer_types":` + kinds + `}`, "", ""}, // every layer lands on its own kind
		{`{"model_type":"qwen2","use_sliding_window":true}`, "for i in [0, 1, 4, 5]]", ""},
		{`{"model_type":"qwen2","layer_types":["full_attention","full_attention","full_attention","full_attention","sliding_attention","full_attention"]}`, "for i in [0, 1, 4, 5]]", ""},
		{`{"model_type":"gpt2"}`, "", `not known to be right for model_type "gpt2"`},
		{`{"model_type":"llama","layer_types":3}`, "", "layer_types"},
	} {
		config, err := checkpoint.ParseConfig([]byte(c.config))
		if err != nil {
			t.Fatal(err)
		}
		got, warning, err := p.PEFT("base", config)
		if !failsWith(err, c.err) || (c.warning == "") != (warning == "") || !strings.Contains(warning, c.warning) {
			t.Errorf("%s: warning %q, %v; want %q, %q", c.config, warning, err, c.warning, c.err)
		}
		if err == nil && !strings.Contains(strings.Join(strings.Fields(string(got)), ""), `"layer_replication":[[0,2],[4,6]]`) {
			t.Errorf("%s: %s", c.config, got)
		}
	}
}

func FuzzPlan(f *testing.F) {
	f.Add([]byte(`{"version":1,"tool":"t","model":{"name":"m"},"strategy":"layers","layers":6,"n":2,"start":2,"drop":[2,3],"ranges":[[2,4]]}`))
	f.Add([]byte(`{"version":1,"layers":1000000000,"n":1,"drop":[999999999]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := Parse(data)
		if err != nil {
			return
		}
		if p.N < 1 || p.N >= p.Layers || len(p.Kept()) == 0 {
			t.Errorf("accepted %+v", p)
		}
		again, err := p.JSON()
		if err != nil {
			t.Fatal(err)
		}
		if q, err := Parse(again); err != nil || !reflect.DeepEqual(q.Drop, p.Drop) {
			t.Errorf("%s does not survive: %v", again, err)
		}
	})
}

// failsWith reports whether err contains want, or is nil where want is empty.
func failsWith(err error, want string) bool {
	if want == "" {
		return err == nil
	}
	return err != nil && strings.Contains(err.Error(), want)
}
