package task_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"shallow/dataset"
	"shallow/eval/task"
	"shallow/eval/task/internal/pytext"
)

// prompts are the digests in testdata/harness.json: of all requests that the harness makes for a task and a number of
// examples, drawn with a seed or the first ones, from the split that is scored where the local data has no other.
type prompts struct {
	Items  int
	SHA256 string
}

func harnessPrompts(t *testing.T) map[string]prompts {
	data, err := os.ReadFile("testdata/harness.json")
	if err != nil {
		t.Fatal(err)
	}
	var want map[string]prompts
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatal(err)
	}
	return want
}

// requests are the lines that were digested: the arguments of every request of an item, and its target.
func requests(t *testing.T, run *task.Run) string {
	var b strings.Builder
	for _, it := range run.Items {
		var arguments []any
		switch run.Task.OutputType {
		case task.Rolling:
			arguments = []any{[]string{it.Text}}
		case task.Generate:
			arguments = []any{[]string{it.Context(0)}}
		default:
			for i, context := range it.Contexts() {
				arguments = append(arguments, []string{context, it.Continuations[i]})
			}
		}
		line, err := pytext.JSON([]any{arguments, it.Target}, "")
		if err != nil {
			t.Fatal(err)
		}
		b.Write(line)
	}
	return b.String()
}

func TestPromptsOfHarness(t *testing.T) {
	data := source(t)
	limits := map[string]float64{"/3": 200, "/3/seed 7": 0.05, "/2/first_n": 30, "/2/seed 42": 50, "/8/first_n": 10}
	for name, want := range harnessPrompts(t) {
		parts := strings.Split(name, "/")
		if parts[0] == "own" || parts[0] == "mmlu" {
			continue
		}
		text := "include: " + parts[0] + ".yaml\n"
		if parts[0] != "gsm8k" {
			text += "training_split: null\n"
		}
		if slices.Contains([]string{"arc_easy", "arc_challenge", "openbookqa", "wikitext"}, parts[0]) {
			text += "validation_split: null\n"
		}
		var shots int
		if _, err := fmt.Sscan(parts[1], &shots); err != nil {
			t.Fatal(err)
		}
		o := task.Options{NumFewshot: &shots, Limit: limits[strings.TrimPrefix(name, parts[0])]}
		if strings.HasSuffix(name, "first_n") {
			text += "fewshot_config: {sampler: first_n}\n"
		}
		var seed uint64
		if n, _ := fmt.Sscanf(parts[len(parts)-1], "seed %d", &seed); n == 1 {
			o.Seed = &seed
		}
		run, err := load(t, own(t, text)).Tasks[0].Build(context.Background(), data, o)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := digest(requests(t, run)); len(run.Items) != want.Items || got != want.SHA256 {
			t.Errorf("%s: %d items of digest %s, want %d of %s", name, len(run.Items), got, want.Items, want.SHA256)
		}
	}
}

// TestMMLUPrompts builds all questions of all subjects.
func TestMMLUPrompts(t *testing.T) {
	data, shots, items := source(t), 5, 0
	var digests []string
	set := load(t, "mmlu")
	slices.SortFunc(set.Tasks, func(a, b *task.Task) int { return strings.Compare(a.Name, b.Name) })
	for _, one := range set.Tasks {
		run, err := one.Build(context.Background(), data, task.Options{NumFewshot: &shots})
		if err != nil {
			t.Fatal(err)
		}
		items += len(run.Items)
		digests = append(digests, digest(requests(t, run)))
	}
	want := harnessPrompts(t)["mmlu/5"]
	if got := digest(strings.Join(digests, "")); items != want.Items || got != want.SHA256 {
		t.Errorf("%d items of digest %s, want %d of %s", items, got, want.Items, want.SHA256)
	}
}

// TestOwnTasks reads the files of testdata/own, which the harness reads too, with rows that lie beside them.
func TestOwnTasks(t *testing.T) {
	for name, want := range harnessPrompts(t) {
		file, isOwn := strings.CutPrefix(name, "own/")
		if !isOwn {
			continue
		}
		file, none := strings.CutSuffix(file, "/0")
		o := task.Options{}
		if none {
			o.NumFewshot = new(int)
		}
		run, err := load(t, "testdata/own/"+file+".yaml").Tasks[0].Build(context.Background(), dataset.Open(nil, nil), o)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		lines := requests(t, run)
		if got := digest(lines); len(run.Items) != want.Items || got != want.SHA256 {
			t.Errorf("%s: %d items of digest %s, want %d of %s:\n%s", name, len(run.Items), got, want.Items, want.SHA256, lines)
		}
	}
}
