package task_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"shallow/eval/task"
	"shallow/internal/shared"
)

// paperItem is a line of reference/eval/paper/*/*.items.jsonl.
type paperItem struct {
	Subject    string
	Index      int
	MaxLength  int `json:"max_length"`
	Shots      int
	Prompt     string
	SHA256     string `json:"prompt_sha256"`
	Logits     []float64
	Pred, Gold int
}

// paperRun scores the recorded logits of the items with the most room: later lines repeat them with less.
func paperRun(t *testing.T, name string, items []paperItem, continuations []string) task.Result {
	t.Helper()
	run := build(t, name, task.Options{})
	var scores [][]task.Score
	for _, f := range items {
		it := run.Items[f.Index]
		if !slices.Equal(it.Continuations, continuations) || it.Gold != f.Gold || it.MultiInput() {
			t.Errorf("%s %d: %q, gold %d; want %q, %d", name, f.Index, it.Continuations, it.Gold, continuations, f.Gold)
		}
		prompt := it.ContextWith(0, f.Shots)
		if f.Prompt != "" && prompt != f.Prompt || f.SHA256 != "" && digest(prompt) != f.SHA256 {
			t.Errorf("%s %d: with %d examples the prompt is\n%s\nwant\n%s", name, f.Index, f.Shots, prompt, f.Prompt)
		}
		var responses []task.Response
		for _, z := range f.Logits {
			responses = append(responses, task.Response{LogLikelihood: z})
		}
		s, err := run.Score(it, responses, 32000)
		if err != nil {
			t.Error(err)
			continue
		}
		if s[0].Pred != f.Pred {
			t.Errorf("%s %d: the answer is %d, want %d", name, f.Index, s[0].Pred, f.Pred)
		}
		if f.MaxLength == items[0].MaxLength {
			scores = append(scores, s)
		}
	}
	total, err := run.Total(scores, task.TotalOptions{Draws: 1})
	if err != nil {
		t.Error(err)
	}
	return total
}

func TestPaper(t *testing.T) {
	dir := shared.Dir(t, "reference", "eval", "paper")
	data, err := os.ReadFile(filepath.Join(dir, "paper-summary.json"))
	if err != nil {
		t.Fatal(err)
	}
	var summary map[string]struct {
		MMLU struct {
			Accuracy map[string]float64
			Mean     float64 `json:"macro_mean"`
		}
		BoolQ struct{ Accuracy float64 }
	}
	if err := json.Unmarshal(data, &summary); err != nil || len(summary) == 0 {
		t.Fatalf("%d checkpoints (%v)", len(summary), err)
	}
	for checkpoint, want := range summary {
		bySubject, order := map[string][]paperItem{}, []string{}
		for _, f := range lines[paperItem](t, filepath.Join(dir, checkpoint, "paper-mmlu.items.jsonl")) {
			if bySubject[f.Subject] == nil {
				order = append(order, f.Subject)
			}
			bySubject[f.Subject] = append(bySubject[f.Subject], f)
		}
		// The subjects of the fixtures as a group of their own.
		group := "group: some@paper\ntask:\n"
		for _, s := range order {
			group += fmt.Sprintf("  - mmlu_%s@paper\n", s)
		}
		set := load(t, own(t, group+"aggregate_metric_list: {metric: acc, weight_by_size: false}\n"))
		results := map[string]task.Result{}
		for subject, items := range bySubject {
			r := paperRun(t, "mmlu_"+subject+"@paper", items, []string{" A", " B", " C", " D"})
			results[r.Name] = r
			if m, _ := r.Find("acc", ""); m.Value != want.MMLU.Accuracy[subject] {
				t.Errorf("%s: accuracy of %s is %v, want %v", checkpoint, subject, m.Value, want.MMLU.Accuracy[subject])
			}
		}
		if m, _ := set.Groups[0].Aggregate(results).Find("acc", "none"); !near(m.Value, want.MMLU.Mean) {
			t.Errorf("%s: the mean over subjects is %v, want %v", checkpoint, m.Value, want.MMLU.Mean)
		}
		items := lines[paperItem](t, filepath.Join(dir, checkpoint, "paper-boolq.items.jsonl"))
		if m, _ := paperRun(t, "boolq@paper", items, []string{"No", "Yes"}).Find("acc", "none"); !near(m.Value, want.BoolQ.Accuracy) {
			t.Errorf("%s: accuracy of BoolQ is %v, want %v", checkpoint, m.Value, want.BoolQ.Accuracy)
		}
	}
}

// A model that always says one thing scores the share of questions that it is right for.
func TestConstantAnswers(t *testing.T) {
	for _, name := range []string{"boolq", "boolq@paper"} {
		run := build(t, name, task.Options{})
		for answer, want := range []string{"0.3783", "0.6217"} {
			var scores [][]task.Score
			for _, it := range run.Items {
				responses := make([]task.Response, 2)
				responses[1-answer].LogLikelihood = -1
				s, err := run.Score(it, responses, 32000)
				if err != nil {
					t.Fatal(err)
				}
				scores = append(scores, s)
			}
			total, err := run.Total(scores, task.TotalOptions{})
			if m, _ := total.Find("acc", "none"); err != nil || fmt.Sprintf("%.4f", m.Value) != want {
				t.Errorf("%s: always %q scores %v, want %s (%v)", name, run.Items[0].Choices[answer], m.Value, want, err)
			}
		}
	}
}

// A model that knows nothing has a loss of ln V in each token.
func TestUniformLoss(t *testing.T) {
	run := build(t, "c4@paper", task.Options{Limit: 5})
	var scores [][]task.Score
	for i, it := range run.Items {
		tokens := 100 * (i + 1)
		s, err := run.Score(it, []task.Response{{LogLikelihood: -float64(tokens) * 10.373491181781864, Tokens: tokens}}, 32000)
		if err != nil {
			t.Fatal(err)
		}
		scores = append(scores, s)
		if it.Text != it.Doc["text"] {
			t.Errorf("document %d is not scored as it is", i)
		}
	}
	total, err := run.Total(scores, task.TotalOptions{Draws: 1})
	if m, _ := total.Find("loss_norm", "none"); err != nil || !near(m.Value, 1) {
		t.Errorf("the loss is %v (%v)", m, err)
	}
}
