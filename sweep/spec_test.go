package sweep

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const small = `
models: m
drop: 2
strategies: deepest
tasks: boolq
`

func TestSpecIsRead(t *testing.T) {
	s, err := ParseSpec("dir/grid.yaml", []byte(`
# every key
models:
  - some/model
  - {name: local, model: ./m}
strategies: [similarity, deepest]
drop: [1, 25%, 1..L/2, 2..3L/4..2]
from: 0.5
allow_last: true
corpus: {files: [a.jsonl, owner/data], field: body, split: blank, samples: 8, length: 64}
healing:
  - none
  - name: q
    strategies: deepest
    drop: 4
    corpus: [web.jsonl:0.7, code.jsonl:0.3]
    field: body
    split: none
    method: lora
    loss: next-token
    temperature: 2
    tail_layers: 1
    base: bf16
    preset: default
    rank: 8
    alpha: 16
    targets: all
    dropout: 0.1
    tokens: 20M
    batch: 2
    accumulate: 4
    length: 128
    pack: true
    shuffle: false
    prompt_weight: 0.5
    completion_weight: 2
    lr: 3e-4
    warmup: 0
    clip: 0
    weight_decay: 0.01
    seed: 7
    checkpoint_every: 10
tasks:
  - mmlu
  - {task: own/t.yaml, name: mine, num_fewshot: 2, limit: 0.5, data: d2, include: i2, seed: 3, max_gen_toks: 9}
num_fewshot: 1
limit: 10
data: d1
include: i1
seed: 5
max_gen_toks: 20
precision: float32
memory: 2GB
max_length: 512
bootstrap_iters: 100
keep_checkpoints: true
`))
	if err != nil {
		t.Fatal(err)
	}
	at := func(name string) string { return filepath.Join("dir", name) }
	if s.Models[0] != (ModelSpec{"some/model", "some/model"}) || s.Models[1] != (ModelSpec{"local", at("m")}) {
		t.Errorf("models are %v", s.Models)
	}
	if !s.Unhealed || s.From != 0.5 || s.Memory != 2e9 || s.Precision != "float32" || !s.KeepCheckpoints || !s.AllowLast || s.MaxLength != 512 || s.Bootstrap != 100 {
		t.Errorf("%+v", s)
	}
	if c := s.Corpus; !slices.Equal(c.Files, []string{at("a.jsonl"), "owner/data"}) || c.Samples != 8 || c.Length != 64 || c.Field != "body" || c.Split != "blank" {
		t.Errorf("corpus is %+v", c)
	}
	h := s.Healings[0]
	if !slices.Equal(h.Corpus, []string{at("web.jsonl") + ":0.7", at("code.jsonl") + ":0.3"}) || *h.LR != 3e-4 || *h.Warmup != 0 || *h.Clip != 0 || *h.Seed != 7 || h.Shuffle || !h.Pack || h.Tokens != "20M" || h.Rank != 8 {
		t.Errorf("healing is %+v", h)
	}
	first, second := s.Tasks[0], s.Tasks[1]
	if first.Task != "mmlu" || *first.NumFewshot != 1 || *first.Limit != 10 || *first.Seed != 5 || first.MaxTokens != 20 || first.Data[0] != at("d1") {
		t.Errorf("the first task is %+v", first)
	}
	if second.Task != at("own/t.yaml") || second.Name != "mine" || *second.NumFewshot != 2 || *second.Limit != 0.5 || *second.Seed != 3 || second.MaxTokens != 9 || second.Include[0] != at("i2") {
		t.Errorf("the second task is %+v", second)
	}
}

func TestSpecIsRefused(t *testing.T) {
	for _, c := range []struct{ yaml, want string }{
		{"", "line 1: one YAML document with an object of keys is expected"},
		{"- a", "line 1: it is a list, an object of keys is expected"},
		{"models: m\ntasks: boolq\ndorp: 1", "line 3: dorp: the key is unknown; the nearest is drop"},
		{small + "zzzzzzzzz: 1", "line 6: zzzzzzzzz: the key is unknown; known are allow_last,"},
		{"drop: 1\ntasks: boolq\nstrategies: deepest", "grid.yaml: models: there is none"},
		{"drop: 1\nmodels: m\nstrategies: deepest", "tasks: there is none"},
		{"tasks: boolq\nmodels: m\nstrategies: deepest", "drop: it does not say"},
		{"tasks: boolq\nmodels: m\ndrop: 1", "corpus: strategy similarity measures the models"},
		{small + "strategies: [deepest]", "line 6: .*strategies"},
		{"models: m\nstrategies: deep", `line 2: strategies: it is the text "deep", one of similarity, deepest is expected`},
		{"models: [m, ./m]\ntasks: boolq\ndrop: 1\nstrategies: deepest", "two are called m"},
		{"models: [{name: a}]", "line 1: models: model is missing"},
		{"models: [{nam: a, model: b}]", "line 1: models: nam: the key is unknown; the nearest is name"},
		{"drop: 0.5", "line 1: drop: it is the number 0.5"},
		{"drop: half", `line 1: drop: cannot read "half"`},
		{"drop: 1..2..0", "a divisor and a step are at least 1"},
		{"drop: L/0", "a divisor and a step are at least 1"},
		{"drop: 1..2..3..4", "more than two pairs of dots"},
		{"drop: []", "line 1: drop: the list is empty"},
		{"from: 1", "line 1: from: it is the number 1, a number from 0 to below 1 is expected"},
		{"from: half", "from: it is the text"},
		{"memory: lots", "memory: it is the text \"lots\", a size is expected"},
		{"memory: -4GB", "a size is expected"},
		{"limit: -1", "limit: it is the number -1"},
		{"seed: -1", "seed: it is the number -1"},
		{"keep_checkpoints: 1", "true or false is expected"},
		{"precision: int8", "one of auto, bfloat16, float32"},
		{"healing: [qlora]", "line 1: healing: it is the text \"qlora\", none or an object"},
		{"healing:\n - name: a\n   steps: 1", "line 2: healing: a: corpus is missing"},
		{"healing:\n - {name: a, corpus: c, steps: 1, tokens: 2}", "give steps or tokens"},
		{"healing:\n - {name: a, corpus: c, hours: 1}", "hours: what comes of them depends on the machine"},
		{"healing:\n - {name: a, corpus: c, stepz: 1}", "healing: stepz: the key is unknown; the nearest is steps"},
		{"healing:\n - {name: a b, corpus: c}", "is no short name"},
		{"healing:\n - {name: none, corpus: c}", "name: none is what is not healed"},
		{"healing:\n - {name: a, corpus: c}\n - {name: a, corpus: c}", "line 3: healing: name: two are called a"},
		{"healing:\n - {name: a, corpus: c, tokens: many}", "tokens"},
		{"healing:\n - {name: a, corpus: c, preset: gpt}", "preset"},
		{"healing:\n - {name: a, corpus: 'c:0'}", "weight"},
		{"tasks: [{limit: 1}]", "tasks: task is missing"},
		{"tasks: [[boolq]]", "tasks: it is a list"},
		{"drop: 1\ndrop: 2", "line 2"},
		{"a: &x 1", "anchors"},
		{"a: !!binary x", "anchors"},
		{"a: [[[[[[[[[[[[[[1]]]]]]]]]]]]]]", "nested too deeply"},
		{"a: {", "line 1"},
		{"seed: 99999999999999999999", "seed"},
	} {
		_, err := ParseSpec("grid.yaml", []byte(c.yaml))
		if err == nil || !matches(c.want, err.Error()) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q gives %v, want %q", c.yaml, err, c.want)
		}
	}
}

// matches reports whether the parts of a pattern, with .* between them, stand in a text in their order.
func matches(pattern, text string) bool {
	for _, part := range strings.Split(pattern, ".*") {
		i := strings.Index(text, part)
		if i < 0 {
			return false
		}
		text = text[i+len(part):]
	}
	return true
}

func TestDepths(t *testing.T) {
	for _, c := range []struct {
		depths Depths
		layers int
		want   []int
		wrong  string
	}{
		{Depths{"4"}, 16, []int{4}, ""},
		{Depths{"0"}, 16, []int{0}, ""},
		{Depths{"8", "4", "8"}, 16, []int{4, 8}, ""},
		{Depths{"25%"}, 16, []int{4}, ""},
		{Depths{"29%"}, 100, []int{29}, ""},
		{Depths{"1%"}, 16, []int{0}, ""},
		{Depths{"1..L/2"}, 16, []int{1, 2, 3, 4, 5, 6, 7, 8}, ""},
		{Depths{"2..3L/4..5"}, 16, []int{2, 7, 12}, ""},
		{Depths{"2 .. 3*L/4 .. 5"}, 16, []int{2, 7, 12}, ""},
		{Depths{"L-1"}, 16, []int{15}, ""},
		{Depths{"L/2-1"}, 5, []int{1}, ""},
		{Depths{"10%..50%..2"}, 20, []int{2, 4, 6, 8, 10}, ""},
		{Depths{"16"}, 16, nil, "16 of 16 layers cannot be dropped"},
		{Depths{"1..L"}, 16, nil, "at least one must stay"},
		{Depths{"L/2-9"}, 16, nil, "of 16 layers cannot be dropped"},
		{Depths{"8..4"}, 16, nil, "which is empty"},
		{Depths{"100%"}, 16, nil, "at least one must stay"},
		{Depths{"x"}, 16, nil, "cannot read"},
	} {
		got, err := c.depths.In(c.layers)
		if c.wrong != "" {
			if err == nil || !strings.Contains(err.Error(), c.wrong) {
				t.Errorf("%v of %d gives %v, %v, want an error with %q", c.depths, c.layers, got, err, c.wrong)
			}
			continue
		}
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%v of %d gives %v, %v, want %v", c.depths, c.layers, got, err, c.want)
		}
	}
}

// FuzzSpec looks for a text that makes the reader panic, or a spec that cannot be written and laid out.
func FuzzSpec(f *testing.F) {
	f.Add([]byte(small))
	f.Add([]byte("models: [a, {name: b, model: c}]\ndrop: [1..L/2, 25%]\ntasks:\n - {task: x, limit: 3}\nhealing: [none, {name: h, corpus: c, lr: 1e-3}]\nstrategies: deepest\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := ParseSpec("grid.yaml", data)
		if err != nil {
			return
		}
		if _, err := json.Marshal(s); err != nil {
			t.Error(err)
		}
		for _, layers := range []int{2, 7, 32} {
			numbers, err := s.Drop.In(layers)
			for i, n := range numbers {
				if n < 0 || n >= layers || i > 0 && n <= numbers[i-1] {
					t.Errorf("%v of %d layers gives %v, %v", s.Drop, layers, numbers, err)
				}
			}
		}
	})
}

func TestShared(t *testing.T) {
	for _, c := range []struct {
		drops [][]int
		want  int
	}{
		{[][]int{{}}, 8},
		{[][]int{{6}}, 7},
		{[][]int{{}, {6}}, 9},                 // six together, then 6 and 7, and 7
		{[][]int{{}, {5, 6}, {6}}, 6 + 3 + 1}, // five together; 5 of two; 6 of one; 7 of each
		{[][]int{{2, 3}, {2, 3, 4}}, 2 + 1 + 3 + 3},
	} {
		if got := shared(c.drops, 8); got != c.want {
			t.Errorf("%v go through %d layers, want %d", c.drops, got, c.want)
		}
	}
}
