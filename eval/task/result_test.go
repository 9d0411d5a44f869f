package task_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"shallow/eval/task"
)

// scored are items with one value each.
func scored(metric string, values ...[2]float64) [][]task.Score {
	var out [][]task.Score
	for _, v := range values {
		out = append(out, []task.Score{{Filter: "none", Values: []task.Value{{Metric: metric, Value: v[0], Weight: v[1]}}}})
	}
	return out
}

func near(a, b float64) bool {
	return math.IsNaN(a) && math.IsNaN(b) || math.Abs(a-b) <= 1e-14*math.Abs(b)
}

// The numbers of the harness's own metrics are those of its functions.
func TestTotal(t *testing.T) {
	run := &task.Run{Task: load(t, "boolq").Tasks[0]}
	lls := scored("perplexity", [2]float64{-1.5, 1}, [2]float64{-0.25, 1}, [2]float64{-3, 1}, [2]float64{-2, 1}, [2]float64{-0.75, 1})
	accs := scored("acc", [2]float64{1, 1}, [2]float64{0, 1}, [2]float64{1, 1}, [2]float64{1, 1})
	weighted := [][2]float64{{-10, 3}, {-20.5, 7}, {-1.25, 1}}
	losses := [][2]float64{{10, 3}, {20.5, 7}, {1.25, 1}}
	nan := math.NaN()
	// Σ(v − rw)² of the losses is 4.56301652892562; n/(n−1) = 3/2; Σw = 11.
	lossError := math.Sqrt(4.56301652892562*1.5) / 11
	for name, c := range map[string]struct {
		scores        [][]task.Score
		draws         int
		value, stderr float64
	}{
		"perplexity":             {lls, 1000, 4.4816890703380645, 2.2242465592850826},
		"perplexity, many draws": {lls, 2500, 4.4816890703380645, 2.2706354655354843},
		"perplexity, few draws":  {lls, 20, 4.4816890703380645, 1.9189579140223736},
		"perplexity, no draws":   {lls, 0, 4.4816890703380645, nan},
		"mean":                   {accs, 1000, 0.75, 0.25},
		"mean without error":     {accs, 0, 0.75, nan},
		"mean of one":            {accs[:1], 1000, 1, nan},
		"weighted perplexity":    {scored("word_perplexity", weighted...), 1000, 17.927998204779996, nan},
		"bits per byte":          {scored("bits_per_byte", weighted...), 1000, 4.164142504384054, nan},
		"token perplexity, ours": {scored("token_perplexity", weighted...), 1000, 17.927998204779996, 17.927998204779996 * lossError},
		"loss, ours":             {scored("loss_norm", losses...), 1000, 31.75 / 11, lossError},
	} {
		got, err := run.Total(c.scores, task.TotalOptions{Draws: c.draws})
		if err != nil || len(got.Metrics) != 1 {
			t.Errorf("%s: %v (%v)", name, got, err)
			continue
		}
		if m := got.Metrics[0]; !near(m.Value, c.value) || math.Abs(m.Stderr-c.stderr) > 1e-13 || math.IsNaN(m.Stderr) != math.IsNaN(c.stderr) {
			t.Errorf("%s: %v ± %v, want %v ± %v", name, m.Value, m.Stderr, c.value, c.stderr)
		}
	}
	for name, scores := range map[string][][]task.Score{"no item": nil, "no weight": scored("word_perplexity", [2]float64{0, 0})} {
		if got, err := run.Total(scores, task.TotalOptions{}); err == nil {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestPaired(t *testing.T) {
	values := func(scores [][]task.Score) (out []task.Value) {
		for _, s := range scores {
			out = append(out, s[0].Values[0])
		}
		return out
	}
	from := values(scored("acc", [2]float64{1, 1}, [2]float64{0, 1}, [2]float64{1, 1}, [2]float64{1, 1}))
	to := values(scored("acc", [2]float64{0, 1}, [2]float64{0, 1}, [2]float64{1, 1}, [2]float64{0, 1}))
	d, e, err := task.Paired("acc", from, to)
	// The differences are −1, 0, 0, −1: their mean is −1/2, their deviation sqrt(1/3).
	if err != nil || !near(d, -0.5) || !near(e, math.Sqrt(1.0/3)/2) {
		t.Errorf("%v ± %v (%v)", d, e, err)
	}
	if d, e, err = task.Paired("acc", from, from); err != nil || d != 0 || e != 0 {
		t.Errorf("of equal models: %v ± %v (%v)", d, e, err)
	}
	if _, _, err = task.Paired("acc", from, to[1:]); err == nil {
		t.Error("different items are paired")
	}
}

const groupFile = `
group: animals
group_alias: all animals
task:
  - cats
  - group: others
    task: [dogs, birds]
aggregate_metric_list:
  - metric: acc
    weight_by_size: true
metadata:
  version: 3
`

func TestGroups(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		if err := writeFile(dir, name, text); err != nil {
			t.Fatal(err)
		}
	}
	write("animals.yml", groupFile)
	write("plain.yml", strings.NewReplacer("group: animals", "group: plain", "true", "false").Replace(strings.ReplaceAll(groupFile, "  - group: others\n    task: [dogs, birds]", "  - others")))
	for _, name := range []string{"cats", "dogs", "birds"} {
		write(name+".yaml", "include: boolq.yaml\ntask: "+name+"\ntag: pets\nnum_fewshot: 2\n")
	}
	set, err := task.Load([]string{"animals", "plain", "cats"}, task.LoadOptions{Include: []string{dir}})
	if err != nil {
		t.Fatal(err)
	}
	results := map[string]task.Result{}
	for i, one := range set.Tasks {
		value, stderr, size := []float64{0.5, 0.25, 1}[i], []float64{0.1, 0.05, 0.2}[i], []int{10, 40, 7}[i]
		results[one.Name] = task.Result{Name: one.Name, SampleLen: size, Metrics: []task.Measure{{Metric: "acc", Filter: "none", Value: value, Stderr: stderr}}}
	}
	want := map[string]string{
		"animals": `{"alias": "all animals", "name": "animals", "sample_len": 57, "acc,none": 0.38596491228070173, "acc_stderr,none": 0.04588314677411236, "sample_count": {"acc,none": 57}}`,
		"plain":   `{"alias": "all animals", "name": "plain", "sample_len": 57, "acc,none": 0.5833333333333334, "acc_stderr,none": 0.07637626158259735, "sample_count": {"acc,none": 57}}`,
		"others":  `{"alias": "others", "name": "others"}`,
	}
	if len(set.Tasks) != 3 || len(set.Groups) != 3 || set.Groups[0].Name != "others" {
		t.Fatalf("%d tasks, groups %v", len(set.Tasks), set.Groups)
	}
	for _, g := range set.Groups {
		got, err := g.Aggregate(results).MarshalJSON()
		if err != nil || string(got) != want[g.Name] {
			t.Errorf("%s is %s, want %s (%v)", g.Name, got, want[g.Name], err)
		}
	}
	if got := set.Shots(map[string]int{"cats": 2, "dogs": 2, "birds": 2}); got["others"] != 2 || got["animals"] != 2 {
		t.Errorf("shots are %v", got)
	}
	if got := set.HigherIsBetter(); got["animals"]["acc"] == nil || !*got["animals"]["acc"] {
		t.Errorf("directions are %v", got)
	}
	versions, err := json.Marshal(set.Versions())
	if err != nil || string(versions) != `{"animals":"3","birds":2.0,"cats":2.0,"dogs":2.0,"others":"N/A","plain":"3"}` {
		t.Errorf("versions are %s (%v)", versions, err)
	}
	tagged, err := task.Load([]string{"pets", "?irds"}, task.LoadOptions{Include: []string{dir}})
	if err != nil || len(tagged.Tasks) != 3 || tagged.Tasks[0].Name != "birds" {
		t.Errorf("the tag has %d tasks (%v)", len(tagged.Tasks), err)
	}
}

func TestBuiltInGroups(t *testing.T) {
	set := load(t, "mmlu", "mmlu@paper")
	if len(set.Tasks) != 114 || len(set.Groups) != 6 {
		t.Fatalf("%d tasks, %d groups", len(set.Tasks), len(set.Groups))
	}
	sizes := map[string]int{}
	for _, g := range set.Groups {
		sizes[g.Name] = len(g.Tasks)
	}
	for name, want := range map[string]int{"mmlu": 57, "mmlu@paper": 57, "mmlu_stem": 19, "mmlu_other": 13, "mmlu_social_sciences": 12, "mmlu_humanities": 13} {
		if sizes[name] != want {
			t.Errorf("%s has %d tasks, want %d", name, sizes[name], want)
		}
	}
}
