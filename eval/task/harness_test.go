package task_test

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"shallow/dataset"
	"shallow/eval/task"
	"shallow/internal/shared"
)

// fixture is a line of reference/eval/harness/*/*.items.jsonl.
type fixture struct {
	Task           string
	DocID          int `json:"doc_id"`
	Context        *string
	Contexts       []string
	Continuations  []string
	LogLikelihoods []float64
	IsGreedy       []bool `json:"is_greedy"`
	Gold           int
	PredAcc        int `json:"pred_acc"`
	Acc            float64
	ChoiceChars    []int    `json:"choice_chars"`
	PredAccNorm    int      `json:"pred_acc_norm"`
	AccNorm        *float64 `json:"acc_norm"`

	Filter           string
	GenerationKwargs struct {
		Until      []string
		MaxGenToks int `json:"max_gen_toks"`
	} `json:"generation_kwargs"`
	Text                 string
	Extracted            string
	Target               string
	ExactMatch           float64 `json:"exact_match"`
	ShotIndices          []int   `json:"shot_indices"`
	LogLikelihood        float64
	Words, Bytes, Tokens int
}

// lines reads a file of JSON lines.
func lines[T any](t *testing.T, path string) []T {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []T
	in := bufio.NewScanner(f)
	in.Buffer(nil, 64<<20)
	for in.Scan() {
		var v T
		if err := json.Unmarshal(in.Bytes(), &v); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		out = append(out, v)
	}
	if err := in.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

func source(t testing.TB) *dataset.Source {
	return dataset.Open([]string{shared.Dir(t, "data")}, nil)
}

func load(t testing.TB, names ...string) *task.Set {
	t.Helper()
	set, err := task.Load(names, task.LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func build(t testing.TB, name string, o task.Options) *task.Run {
	t.Helper()
	run, err := load(t, name).Tasks[0].Build(context.Background(), source(t), o)
	if err != nil {
		t.Fatal(err)
	}
	return run
}

// results is what the harness wrote beside the items.
type results struct {
	Results        map[string]map[string]any
	Configs        map[string]map[string]any
	Versions       map[string]json.Number
	NShot          map[string]int                               `json:"n-shot"`
	HigherIsBetter map[string]map[string]bool                   `json:"higher_is_better"`
	Samples        map[string]struct{ Original, Effective int } `json:"n-samples"`
	Hashes         map[string]string                            `json:"task_hashes"`
}

// TestHarness builds the items of every recorded run and gives them the model's recorded answers: texts, predictions,
// totals and standard errors are the harness's.
func TestHarness(t *testing.T) {
	dir := shared.Dir(t, "reference", "eval", "harness")
	files, err := filepath.Glob(filepath.Join(dir, "*", "*.items.jsonl"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no runs in %s (%v)", dir, err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".items.jsonl")
		if name == "edges" {
			continue // single requests without a task
		}
		t.Run(filepath.Base(filepath.Dir(file))+"/"+name, func(t *testing.T) {
			data, err := os.ReadFile(filepath.Join(filepath.Dir(file), name+".results.json"))
			if err != nil {
				t.Fatal(err)
			}
			var want results
			if err := json.Unmarshal(data, &want); err != nil {
				t.Fatal(err)
			}
			byTask := map[string][]fixture{}
			for _, f := range lines[fixture](t, file) {
				byTask[f.Task] = append(byTask[f.Task], f)
			}
			for name, items := range byTask {
				compareRun(t, name, items, &want)
			}
		})
	}
}

func compareRun(t *testing.T, name string, items []fixture, want *results) {
	shots := want.NShot[name]
	o := task.Options{NumFewshot: &shots, Limit: float64(want.Samples[name].Effective)}
	tasks := load(t, name)
	if c, _ := want.Configs[name]["fewshot_config"].(map[string]any); name == "gsm8k" && c["sampler"] == "first_n" {
		tasks = load(t, own(t, "include: gsm8k.yaml\nfewshot_config: {sampler: first_n}\n"))
	}
	run, err := tasks.Tasks[0].Build(context.Background(), source(t), o)
	if err != nil {
		t.Error(err)
		return
	}
	vocabulary := 32000
	var scores [][]task.Score
	var samples []json.RawMessage
	for _, it := range run.Items {
		var mine []fixture
		for _, f := range items {
			if f.DocID == it.DocID {
				mine = append(mine, f)
			}
		}
		if len(mine) == 0 {
			t.Errorf("%s: item %d is not in the reference", name, it.DocID)
			continue
		}
		s := compareItem(t, run, it, mine, vocabulary)
		scores = append(scores, s)
		for _, one := range s {
			line, err := run.Sample(it, responses(mine[0]), one)
			if err != nil {
				t.Error(err)
			}
			samples = append(samples, line)
		}
	}
	total, err := run.Total(scores, task.TotalOptions{Draws: 1000})
	if err != nil {
		t.Error(err)
		return
	}
	compareTotal(t, total, want.Results[name])
	hash, err := task.Hash(samples)
	if err != nil {
		t.Error(err)
	}
	// Of documents of one column, whose order is no matter, the hash is the harness's.
	if run.Task.OutputType == task.Rolling && hash != want.Hashes[name] {
		t.Errorf("%s: the hash of the samples is %s, want %s", name, hash, want.Hashes[name])
	}
	if run.NumFewshot != shots || strings.HasPrefix(name, "mmlu") && run.Original != want.Samples[name].Original {
		t.Errorf("%s: %d shots, %d documents; want %d, %d", name, run.NumFewshot, run.Original, shots, want.Samples[name].Original)
	}
	for metric, higher := range want.HigherIsBetter[name] {
		if got, ok := run.Task.HigherIsBetter()[metric]; !ok || got != higher {
			t.Errorf("%s: higher_is_better of %s is %t, want %t", name, metric, got, higher)
		}
	}
	compareConfig(t, name, run.Task.Config(run.NumFewshot), want.Configs[name])
}

// own writes a task file of a person.
func own(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "own.yaml")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func responses(f fixture) []task.Response {
	if f.Filter != "" {
		return []task.Response{{Text: f.Text}}
	}
	if f.Words > 0 {
		return []task.Response{{LogLikelihood: f.LogLikelihood, Tokens: f.Tokens}}
	}
	var out []task.Response
	for i, ll := range f.LogLikelihoods {
		out = append(out, task.Response{LogLikelihood: ll, Greedy: f.IsGreedy[i]})
	}
	return out
}

func compareItem(t *testing.T, run *task.Run, it *task.Item, want []fixture, vocabulary int) []task.Score {
	f := want[0]
	contexts := f.Contexts
	if f.Context != nil {
		contexts = slices.Repeat([]string{*f.Context}, max(1, len(f.Continuations)))
	}
	switch {
	case f.Filter != "":
		if it.Context(0) != contexts[0] {
			t.Errorf("%s %d: the context is\n%s\nwant\n%s", f.Task, f.DocID, it.Context(0), contexts[0])
		}
		if it.Target != f.Target || !slices.Equal(it.Generation.Until, f.GenerationKwargs.Until) || !slices.Equal(it.ShotIndices, f.ShotIndices) {
			t.Errorf("%s %d: target %q, until %q, shots %v; want %q, %q, %v", f.Task, f.DocID, it.Target, it.Generation.Until, it.ShotIndices, f.Target, f.GenerationKwargs.Until, f.ShotIndices)
		}
	case f.Words > 0:
		if it.Text != f.Text || it.Words != f.Words || it.Bytes != f.Bytes {
			t.Errorf("%s %d: a text of %d words and %d bytes, want %d and %d; equal: %t", f.Task, f.DocID, it.Words, it.Bytes, f.Words, f.Bytes, it.Text == f.Text)
		}
	default:
		if got := it.Contexts(); !slices.Equal(got, contexts) || !slices.Equal(it.Continuations, f.Continuations) || it.Gold != f.Gold {
			t.Errorf("%s %d: %q, %q, gold %d; want %q, %q, gold %d", f.Task, f.DocID, got, it.Continuations, it.Gold, contexts, f.Continuations, f.Gold)
		}
		if it.MultiInput() != (f.Contexts != nil) {
			t.Errorf("%s %d: several contexts: %t", f.Task, f.DocID, it.MultiInput())
		}
	}
	for i, n := range f.ChoiceChars {
		if got := len([]rune(it.Choices[i])); got != n {
			t.Errorf("%s %d: choice %d has %d characters, want %d", f.Task, f.DocID, i, got, n)
		}
	}
	scores, err := run.Score(it, responses(f), vocabulary)
	if err != nil {
		t.Error(err)
		return nil
	}
	for _, s := range scores {
		compareScore(t, s, want)
	}
	return scores
}

func compareScore(t *testing.T, s task.Score, want []fixture) {
	for _, f := range want {
		if f.Filter != "" && f.Filter != s.Filter || f.Words > 0 {
			continue
		}
		expected := map[string]float64{"acc": f.Acc, "exact_match": f.ExactMatch}
		if f.AccNorm != nil {
			expected["acc_norm"] = *f.AccNorm
			if s.PredNorm != f.PredAccNorm {
				t.Errorf("%s %d: the best choice by character is %d, want %d", f.Task, f.DocID, s.PredNorm, f.PredAccNorm)
			}
		}
		if f.Filter == "" && s.Pred != f.PredAcc {
			t.Errorf("%s %d: the best choice is %d, want %d", f.Task, f.DocID, s.Pred, f.PredAcc)
		}
		if s.Extracted != f.Extracted {
			t.Errorf("%s %d: %s takes %q, want %q", f.Task, f.DocID, s.Filter, s.Extracted, f.Extracted)
		}
		for _, v := range s.Values {
			if v.Value != expected[v.Metric] {
				t.Errorf("%s %d: %s is %v, want %v", f.Task, f.DocID, v.Metric, v.Value, expected[v.Metric])
			}
		}
	}
}

// compareTotal looks for every key of the harness in ours. Numbers are equal to the last bits.
func compareTotal(t *testing.T, got task.Result, want map[string]any) {
	data, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	var ours map[string]any
	if err := json.Unmarshal(data, &ours); err != nil {
		t.Fatal(err)
	}
	for k, w := range want {
		x, number := w.(float64)
		y, also := ours[k].(float64)
		if number != also || !number && ours[k] != w || math.Abs(x-y) > 1e-14*math.Abs(x) {
			t.Errorf("%s: %s is %v, want %v", got.Name, k, ours[k], w)
		}
	}
}

// compareConfig compares the entry under "configs", but for what is a matter of the fixtures' own data location or Python's.
func compareConfig(t *testing.T, name string, got json.RawMessage, want map[string]any) {
	var ours map[string]any
	if err := json.Unmarshal(got, &ours); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	ignore := []string{"dataset_path", "dataset_name", "dataset_kwargs", "training_split", "validation_split", "metadata", "process_docs", "fewshot_config",
		"doc_to_text", "doc_to_target", "doc_to_choice", "process_results", "generation_kwargs", "metric_list"}
	for k, w := range want {
		a, _ := json.Marshal(w)
		b, _ := json.Marshal(ours[k])
		if !slices.Contains(ignore, k) && string(a) != string(b) {
			t.Errorf("%s: config %s is %s, want %s", name, k, b, a)
		}
	}
}

func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

func writeFile(dir, name, text string) error {
	return os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644)
}
