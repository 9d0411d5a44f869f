package eval_test

import (
	"context"
	"math"
	"testing"

	"shallow/decoder"
	"shallow/eval"
	"shallow/eval/task"
	"shallow/generate"
	"shallow/internal/shared"
	"shallow/tokenizer"
)

// TestContinuation holds a cut model's continuations against the whole model's, each generated and scored here by itself.
func TestContinuation(t *testing.T) {
	dir := shared.Dir(t, "reference", "eval", "llama2-tok")
	m, o := model(t, dir, 2)
	o.Task.Limit = 4
	set := load(t, "testdata/continue.yaml")
	o.Drop = []int{2}
	v, err := eval.Run(context.Background(), m, set, o)
	if err != nil {
		t.Fatal(err)
	}
	if names := metrics(v.Tasks[0].Total); len(names) != 3 || names["repetition,5"] != 0 {
		t.Errorf("without a baseline there are %v", names)
	}
	whole := o
	whole.Drop, whole.Judge = nil, v
	b, err := eval.Run(context.Background(), m, set, whole)
	if err != nil {
		t.Fatal(err)
	}
	tok, err := tokenizer.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	got := metrics(v.Tasks[0].Total)
	for _, n := range []int{1, 5, 24} {
		var agreement, loss, own float64
		for _, it := range v.Tasks[0].Items {
			prompt := tok.Encode(it.Text, true)[:20]
			mine, theirs := greedy(t, m, o.Drop, prompt, 24), greedy(t, m, nil, prompt, 24)
			same := 0
			for same < n && mine[same] == theirs[same] {
				same++
			}
			agreement += float64(same) / float64(n)
			loss += lossOf(t, m, prompt, mine[:n])
			own += lossOf(t, m, prompt, theirs[:n])
		}
		check := func(name string, got, want float64) {
			if !(math.Abs(got-want) < 1e-4) {
				t.Errorf("%s after %d tokens is %v, want %v", name, n, got, want)
			}
		}
		filter := map[int]string{1: "1", 5: "5", 24: "24"}[n]
		check("agreement", got["agreement,"+filter], agreement/4)
		check("baseline_loss", got["baseline_loss,"+filter], loss/4)
		check("the baseline's own loss", metrics(b.Tasks[0].Total)["baseline_loss,"+filter], own/4)
		check("the baseline's agreement with itself", metrics(b.Tasks[0].Total)["agreement,"+filter], 1)
	}
	if got["agreement,24"] == 1 {
		t.Error("the cut model writes what the whole one does: the test shows nothing")
	}
}

func metrics(r task.Result) map[string]float64 {
	all := map[string]float64{}
	for _, m := range r.Metrics {
		all[m.Metric+","+m.Filter] = m.Value
	}
	return all
}

// greedy goes on from a prompt, alone.
func greedy(t *testing.T, m *decoder.Model, drop, prompt []int, n int) []int {
	t.Helper()
	stack, err := m.Resident(drop, false)
	if err != nil {
		t.Fatal(err)
	}
	defer stack.Release()
	s, err := stack.NewSession(decoder.Room{Length: len(prompt) + n})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Release()
	ids, _, err := generate.Run(context.Background(), s, prompt, generate.Options{MaxTokens: n}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

// lossOf is the mean loss of a continuation, from the logits of the whole sequence, in float64.
func lossOf(t *testing.T, m *decoder.Model, prompt, ids []int) float64 {
	t.Helper()
	all := append(append([]int{}, prompt...), ids...)
	g, err := m.Start([][]int{all})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	for l, err := range m.Layers(nil) {
		if err != nil {
			t.Fatal(err)
		}
		g.Forward(l)
	}
	h := m.Head()
	defer h.Release()
	logits, err := g.Logits(h, nil)
	if err != nil {
		t.Fatal(err)
	}
	var sum float64
	for i := len(prompt); i < len(all); i++ {
		row := logits[(i-1)*m.Spec.V : i*m.Spec.V]
		var z float64
		for _, x := range row {
			z += math.Exp(float64(x))
		}
		sum += math.Log(z) - float64(row[all[i]])
	}
	return sum / float64(len(ids))
}
