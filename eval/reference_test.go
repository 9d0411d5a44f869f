package eval_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"shallow/checkpoint"
	"shallow/compute/cpu"
	"shallow/dataset"
	"shallow/decoder"
	"shallow/eval"
	"shallow/eval/task"
	"shallow/generate"
	"shallow/internal/shared"
	"shallow/tokenizer"
)

// model opens a checkpoint in float32, and gives the options that every evaluation of it needs.
func model(t testing.TB, dir string, threads int) (*decoder.Model, eval.Options) {
	t.Helper()
	dev, err := cpu.New(cpu.Options{Threads: threads})
	if err != nil {
		t.Fatal(err)
	}
	c, err := checkpoint.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	m, err := decoder.Open(dev, c, decoder.Options{Precision: decoder.Float32, Pack: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		m.Close()
		c.Close()
		dev.Close()
	})
	tok, err := tokenizer.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return m, eval.Options{Tokenizer: tok, Ends: generate.Ends(c), Rows: dataset.Open([]string{shared.Dir(t, "data")}, nil)}
}

func load(t testing.TB, names ...string) *task.Set {
	t.Helper()
	set, err := task.Load(names, task.LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// reference is one run of the harness on a checkpoint.
type reference struct {
	model, run string
	tasks      []string
	limit      float64
	shots      int // -1 is the task's own
	length     int
	tokens     int // to generate
}

func references() (all []reference) {
	subjects := []string{"mmlu_abstract_algebra", "mmlu_astronomy", "mmlu_philosophy", "mmlu_high_school_european_history"}
	for _, name := range []string{"llama2-tok", "gpt2-tok"} {
		full := name == "llama2-tok"
		pick := func(first, second float64) float64 {
			if full {
				return first
			}
			return second
		}
		of := subjects
		if !full {
			of = []string{"mmlu_astronomy", "mmlu_high_school_european_history"}
		}
		all = append(all,
			reference{model: name, run: "mmlu-5shot", tasks: of, limit: pick(25, 8), shots: 5},
			reference{model: name, run: "mmlu-0shot", tasks: of, limit: pick(25, 8), shots: 0},
			reference{model: name, run: "choice-0shot", tasks: []string{"boolq", "hellaswag", "arc_challenge", "arc_easy"}, limit: pick(60, 20), shots: -1},
			reference{model: name, run: "choice-0shot", tasks: []string{"piqa", "winogrande", "openbookqa"}, limit: pick(40, 20), shots: -1},
			reference{model: name, run: "gsm8k-5shot", tasks: []string{"gsm8k"}, limit: pick(6, 3), shots: -1, tokens: 64},
			reference{model: name, run: "gsm8k-5shot-first_n", tasks: []string{"testdata/gsm8k_first_n.yaml"}, limit: pick(6, 3), shots: -1, tokens: 64},
			reference{model: name, run: "rolling", tasks: []string{"wikitext"}, limit: 3, shots: -1},
			reference{model: name, run: "rolling", tasks: []string{"c4"}, limit: pick(40, 12), shots: -1},
		)
	}
	return append(all, reference{model: "llama2-tok", run: "rolling-512", tasks: []string{"wikitext"}, limit: 3, shots: -1, length: 512})
}

// item is what is used here of a line of the reference's items.
type item struct {
	Task           string
	DocID          int `json:"doc_id"`
	Filter         string
	LogLikelihoods []float64
	LogLikelihood  float64
	Windows        []struct{}
	Tokens         int
	Greedy         []bool `json:"is_greedy"`
	Pred           int    `json:"pred_acc"`
	PredNorm       *int   `json:"pred_acc_norm"`
	Gold           int
	Acc            float64
	AccNorm        float64 `json:"acc_norm"`
	Text           string
	Extracted      string
	ExactMatch     float64 `json:"exact_match"`
}

// TestHarness evaluates what the harness evaluated: every log-likelihood within 1e-3, every prediction, text and total equal.
func TestHarness(t *testing.T) {
	for _, r := range references() {
		t.Run(r.model+"/"+r.run+"/"+filepath.Base(r.tasks[0]), func(t *testing.T) {
			m, o := model(t, shared.Dir(t, "reference", "eval", r.model), 2)
			o.Task.Limit, o.MaxLength, o.Task.MaxTokens, o.Bootstrap = r.limit, r.length, r.tokens, 1000
			if r.shots >= 0 {
				o.Task.NumFewshot = &r.shots
			}
			v, err := eval.Run(context.Background(), m, load(t, r.tasks...), o)
			if err != nil {
				t.Fatal(err)
			}
			base := filepath.Join(shared.Dir(t, "reference", "eval", "harness", r.model), r.run)
			want := map[string][]item{}
			for _, it := range readLines[item](t, base+".items.jsonl") {
				want[it.Task] = append(want[it.Task], it)
			}
			totals := readTotals(t, base+".results.json")
			for _, one := range v.Tasks {
				compareItems(t, one, want[one.Task.Name])
				compareTotals(t, one, totals[one.Task.Name])
			}
		})
	}
}

func compareItems(t *testing.T, one *eval.Evaluated, want []item) {
	t.Helper()
	seen := 0
	for _, w := range want {
		i := slices.IndexFunc(one.Items, func(it *task.Item) bool { return it.DocID == w.DocID })
		if i < 0 {
			t.Errorf("%s has no document %d", w.Task, w.DocID)
			continue
		}
		seen++
		what := fmt.Sprintf("%s, document %d", w.Task, w.DocID)
		got := one.Responses[i]
		switch {
		case len(w.LogLikelihoods) > 0:
			for c, ll := range w.LogLikelihoods {
				if !(math.Abs(got[c].LogLikelihood-ll) <= 1e-3) || got[c].Greedy != w.Greedy[c] {
					t.Errorf("%s, choice %d: %+v, want %v, %v", what, c, got[c], ll, w.Greedy[c])
				}
			}
			s := one.Scores[i][0]
			if s.Pred != w.Pred || value(s, "acc") != w.Acc || one.Items[i].Gold != w.Gold {
				t.Errorf("%s: predicts %d (gold %d, acc %v), want %d (%d, %v)", what, s.Pred, one.Items[i].Gold, value(s, "acc"), w.Pred, w.Gold, w.Acc)
			}
			if w.PredNorm != nil && (s.PredNorm != *w.PredNorm || value(s, "acc_norm") != w.AccNorm) {
				t.Errorf("%s: acc_norm predicts %d, want %d", what, s.PredNorm, *w.PredNorm)
			}
		case w.Filter != "":
			if got[0].Text != w.Text {
				t.Errorf("%s generates %q, want %q", what, got[0].Text, w.Text)
			}
			s := one.Scores[i][slices.IndexFunc(one.Scores[i], func(s task.Score) bool { return s.Filter == w.Filter })]
			if s.Extracted != w.Extracted || value(s, "exact_match") != w.ExactMatch {
				t.Errorf("%s, %s: %q, %v, want %q, %v", what, w.Filter, s.Extracted, value(s, "exact_match"), w.Extracted, w.ExactMatch)
			}
		default:
			if got[0].Tokens != w.Tokens || !(math.Abs(got[0].LogLikelihood-w.LogLikelihood) <= 1e-3*max(1, float64(w.Tokens)/100)) {
				t.Errorf("%s: %+v, want %v of %d tokens", what, got[0], w.LogLikelihood, w.Tokens)
			}
		}
	}
	if seen < len(one.Items) {
		t.Errorf("%s: %d items were compared of %d", one.Task.Name, seen, len(one.Items))
	}
}

func value(s task.Score, metric string) float64 {
	for _, v := range s.Values {
		if v.Metric == metric {
			return v.Value
		}
	}
	return math.NaN()
}

// compareTotals compares every number of the harness's results with ours: predictions are equal, so are their means and
// standard errors; perplexities within 1e-5 of them.
func compareTotals(t *testing.T, one *eval.Evaluated, want map[string]any) {
	t.Helper()
	if len(want) == 0 {
		t.Errorf("no totals of %s", one.Task.Name)
	}
	data, err := json.Marshal(one.Total)
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	for key, w := range want {
		if strings.HasPrefix(key, "name") || key == "alias" {
			continue
		}
		x, isNumber := w.(float64)
		y, _ := got[key].(float64)
		if isNumber && !(math.Abs(x-y) <= 1e-5*math.Abs(x)) || !isNumber && got[key] != w {
			t.Errorf("%s: %s is %v, want %v", one.Task.Name, key, got[key], w)
		}
	}
}

func readTotals(t *testing.T, path string) map[string]map[string]any {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var r struct{ Results map[string]map[string]any }
	if err := json.Unmarshal(data, &r); err != nil {
		t.Fatal(err)
	}
	return r.Results
}

func readLines[T any](t testing.TB, path string) (all []T) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		var x T
		if err := json.Unmarshal(lines.Bytes(), &x); err != nil {
			t.Fatal(err)
		}
		all = append(all, x)
	}
	return all
}

// paperItem is a line of the paper's protocols.
type paperItem struct {
	Subject    string
	Index      int
	MaxLength  int `json:"max_length"`
	Shots      int
	Candidates []int `json:"candidate_ids"`
	Logits     []float64
	LogSumExp  float64
	Pred, Gold int
	Probs      []float64 `json:"probabilities"`
}

// TestPaper scores MMLU and BoolQ as the paper's authors do, also where examples must be dropped.
func TestPaper(t *testing.T) {
	for _, name := range []string{"llama2-tok", "gpt2-tok"} {
		t.Run(name, func(t *testing.T) {
			m, o := model(t, shared.Dir(t, "reference", "eval", name), 2)
			dir := shared.Dir(t, "reference", "eval", "paper", name)
			var lengths []int
			subjects := map[string]map[int]paperItem{}
			for _, it := range readLines[paperItem](t, filepath.Join(dir, "paper-mmlu.items.jsonl")) {
				key := fmt.Sprint("mmlu_", it.Subject, "@paper ", it.MaxLength)
				if subjects[key] == nil {
					subjects[key] = map[int]paperItem{}
				}
				subjects[key][it.Index] = it
				if !slices.Contains(lengths, it.MaxLength) {
					lengths = append(lengths, it.MaxLength)
				}
			}
			o.Task.Limit = 25
			set := load(t, "mmlu@paper")
			set.Tasks = slices.DeleteFunc(set.Tasks, func(x *task.Task) bool {
				return subjects[fmt.Sprint(x.Name, " ", lengths[0])] == nil
			})
			set.Groups = nil
			for _, length := range lengths {
				o.MaxLength = length
				v, err := eval.Run(context.Background(), m, set, o)
				if err != nil {
					t.Fatal(err)
				}
				n := 0
				for _, one := range v.Tasks {
					for i, it := range one.Items {
						if want, ok := subjects[fmt.Sprint(one.Task.Name, " ", length)][it.DocID]; ok {
							comparePaper(t, one, i, want)
							n++
						}
					}
				}
				t.Logf("%d questions at %d tokens", n, length)
			}
			o.MaxLength, o.Task.Limit = 0, 60
			v, err := eval.Run(context.Background(), m, load(t, "boolq@paper"), o)
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range readLines[paperItem](t, filepath.Join(dir, "paper-boolq.items.jsonl")) {
				for i, p := range want.Probs { // the reference gives no log-sum-exp here
					want.LogSumExp = want.Logits[i] - math.Log(p)
				}
				comparePaper(t, v.Tasks[0], want.Index, want)
			}
		})
	}
}

func comparePaper(t *testing.T, one *eval.Evaluated, i int, want paperItem) {
	t.Helper()
	for c, logit := range want.Logits {
		if got := one.Responses[i][c].LogLikelihood; !(math.Abs(got-(logit-want.LogSumExp)) <= 1e-3) {
			t.Errorf("%s, document %d, answer %d: %v, want %v", one.Task.Name, i, c, got, logit-want.LogSumExp)
		}
	}
	if s := one.Scores[i][0]; s.Pred != want.Pred || one.Items[i].Gold != want.Gold {
		t.Errorf("%s, document %d: predicts %d of gold %d, want %d of %d", one.Task.Name, i, s.Pred, one.Items[i].Gold, want.Pred, want.Gold)
	}
}
