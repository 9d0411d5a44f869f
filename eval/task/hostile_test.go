package task_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"shallow/dataset"
	"shallow/eval/task"
)

func (t table) Rows(context.Context, dataset.Split) (*dataset.Table, error) {
	return &dataset.Table{Rows: t, Files: []dataset.File{{Path: "rows.jsonl", Rows: len(t)}}}, nil
}

// loadText loads a task file of this text.
func loadText(dir, text string) (*task.Set, error) {
	path := filepath.Join(dir, "own.yaml")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		return nil, err
	}
	return task.Load([]string{path}, task.LoadOptions{})
}

// fuzzed is a task with one regex filter.
func fuzzed(pattern string, pick int) (*task.Run, error) {
	dir, err := os.MkdirTemp("", "task")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	set, err := loadText(dir, writing+fmt.Sprintf("filter_list:\n  - name: f\n    filter:\n      - function: regex\n        regex_pattern: %q\n        group_select: %d\n      - function: take_first\n", pattern, pick))
	if err != nil {
		return nil, err
	}
	return set.Tasks[0].Build(context.Background(), table{{"q": "?", "a": "x"}}, task.Options{})
}

const choosing = `
task: choosing
dataset_path: x
test_split: test
output_type: multiple_choice
doc_to_text: "{{q}}"
doc_to_choice: [a, b]
doc_to_target: right
`

// TestMalformed says what is wrong with a file, and where.
func TestMalformed(t *testing.T) {
	for text, want := range map[string]string{
		"":                                       "line 1: it is empty",
		"[a, b]":                                 "line 1: it is a list, an object of keys is expected",
		"task: a\n---\ntask: b":                  "2 YAML documents",
		"task: [":                                "line 1",
		"task: a\n  b: c":                        "line",
		"task: a\ntask: b":                       "line 2",
		"a: &x [1]\nb: *x":                       "line 1: anchors and references",
		"task: " + strings.Repeat("[", 100):      "nested too deeply",
		strings.Repeat("- ", 100) + "x":          "nested too deeply",
		"task: \x00":                             "own.yaml",
		choosing + "doc_to_txt: x":               "line 9: doc_to_txt: the key is unknown; the nearest is doc_to_text",
		choosing + "use_prompt: x":               "line 9: use_prompt: this key of lm-evaluation-harness is not supported here",
		choosing + "num_fewshot: -1":             "num_fewshot: it is the number -1, a number from 0 to 1000 is expected",
		choosing + "num_fewshot: many":           `num_fewshot: it is the text "many"`,
		choosing + "output_type: guess":          "own.yaml: line",
		choosing + "description: '{{ a'":         "line 9: description:",
		choosing + "process_docs: utils.process": "line 9: process_docs: utils.process: functions are Python there; here are only hellaswag",
		choosing + "process_docs: !function x.y": "process_docs: x.y: functions are Python there",
		choosing + "gen_prefix: !function x.y":   "gen_prefix: !function x.y: functions are Python",
		choosing + "metric_list: [{metric: ac}]": `line 9: metric_list: metric "ac" is not known; the nearest is acc`,
		choosing + "metric_list: [{metric: word_perplexity}]":                                 "does not go with output_type multiple_choice",
		choosing + "metric_list: [{metric: acc}, {metric: acc}]":                              "is listed twice",
		choosing + "metric_list: [{metric: acc, aggregation: median}]":                        `acc is aggregated by mean, not by "median"`,
		choosing + "metric_list: [{metric: acc, ignore_case: true}]":                          "metric_list: ignore_case: the key is unknown",
		choosing + "metric_list: [acc]":                                                       "an object of keys is expected",
		choosing + "filter_list: [{name: f, filter: [{function: take_first}]}]":               "filters are for generated texts",
		choosing + "fewshot_config: {sampler: last_n}":                                        `sampler: "last_n" is neither default nor first_n`,
		choosing + "fewshot_config: {drop_to_fit: true}":                                      "drop_to_fit: it goes with output_type answer_token only",
		choosing + "include: nowhere.yaml":                                                    "nowhere.yaml",
		choosing + "include: own.yaml":                                                        "files include each other",
		choosing + "dataset_kwargs: {data_files: x}":                                          "data_files: it is the text",
		strings.Replace(choosing, "task: choosing", "task: a/b", 1):                           "cannot be part of a file's name",
		strings.Replace(choosing, "doc_to_choice: [a, b]", "", 1):                             "doc_to_choice: the task choosing lacks it",
		strings.Replace(choosing, "doc_to_choice: [a, b]", "doc_to_choice: [a, true]", 1):     "an entry is the truth value true, a text is expected: put it in quotes",
		strings.Replace(choosing, "test_split: test", "", 1):                                  "neither a test_split nor a validation_split",
		strings.Replace(choosing, "task: choosing", "", 1):                                    "names no task",
		writing + "filter_list: [{name: f, filter: [{function: regx}]}]":                      `function "regx" is not known; the nearest is regex`,
		writing + "filter_list: [{name: f, filter: [{function: regex, regex_pattern: '('}]}]": "regex_pattern: pattern",
		writing + "filter_list: [{name: f, filter: [{function: take_first, k: 1}]}]":          "take_first: k: the key is unknown",
		writing + "generation_kwargs: {top_q: 1}":                                             "generation_kwargs: top_q: the key is unknown",
		writing + "generation_kwargs: {until: [1]}":                                           "until: an entry is the number 1",
		"group: g\ntask: [nobody]":                                                            `line 2: task: "nobody" is no task, group or tag`,
		"group: g\ntask: [g]":                                                                 "group g is inside of itself",
		"group: g\ntask: [boolq]\nweight: 1":                                                  "line 3: weight: the key is unknown",
		"group: g\nsubjects: [a, b]":                                                          "there is no template",
		"group: g\nsubjects: [a, a]\ntemplate: _mmlu.yaml":                                    "each subject must be there once",
		"group: g\nsubjects: [a, b]\ntemplate: boolq.yaml":                                    "the template's task must hold $subject",
		"group: g\ntask: [boolq]\naggregate_metric_list: [{metric: acc, aggregation: max}]":   "only mean is known",
	} {
		_, err := loadText(t.TempDir(), text)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "task: ") || len(err.Error()) > 2000 {
			t.Errorf("%.80q: %v, want %q", text, err, want)
		}
	}
	if _, err := loadText(t.TempDir(), "#"+strings.Repeat("x", 1<<20)); err == nil {
		t.Error("a file of a megabyte is read")
	}
	if _, err := task.Load([]string{"boolk"}, task.LoadOptions{}); err == nil || !strings.Contains(err.Error(), "the nearest is boolq") {
		t.Errorf("a wrong name: %v", err)
	}
	if _, err := task.Load(nil, task.LoadOptions{}); err == nil {
		t.Error("no name is a list of tasks")
	}
	if _, err := task.Load([]string{t.TempDir() + "/none.yaml"}, task.LoadOptions{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
}

// TestBadRows says which row of which file cannot be a question.
func TestBadRows(t *testing.T) {
	good := dataset.Row{"q": "?", "right": int64(1)}
	for name, c := range map[string]struct {
		file string
		row  dataset.Row
		want string
	}{
		"no column":       {choosing, dataset.Row{"right": int64(1)}, "doc_to_text: jinja: line 1: 'q' is undefined (columns: right)"},
		"no target":       {choosing, dataset.Row{"q": "?"}, "doc_to_target: column right is missing"},
		"target too high": {choosing, dataset.Row{"q": "?", "right": int64(2)}, "the right answer is 2, which is not one of the 2 choices"},
		"no label":        {choosing, dataset.Row{"q": "?", "right": int64(-1)}, "splits without labels cannot be scored"},
		"unknown answer":  {choosing, dataset.Row{"q": "?", "right": "c"}, "the right answer is c"},
		"not a text":      {strings.Replace(choosing, `"{{q}}"`, "q", 1), dataset.Row{"q": 1.5, "right": int64(1)}, "doc_to_text: it gives float64"},
		"a number now":    {choosing, dataset.Row{"q": "7", "right": int64(1)}, "a number for some documents"},
		"not a list":      {strings.Replace(choosing, "[a, b]", `"{{q}}"`, 1), dataset.Row{"q": "q", "right": int64(1)}, "doc_to_choice"},
		"hellaswag":       {choosing + "process_docs: hellaswag\n", good, "ctx_a"},
	} {
		set, err := loadText(t.TempDir(), c.file)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		first := good
		switch name {
		case "not a list":
			first = dataset.Row{"q": "['x', 'y']", "right": int64(1)}
		case "not a text":
			first = dataset.Row{"q": "x", "right": int64(1)}
		}
		_, err = set.Tasks[0].Build(t.Context(), table{first, c.row}, task.Options{})
		place := "task: choosing: rows.jsonl: row 1, doc_id 1: "
		if name == "hellaswag" {
			place = "task: choosing: process_docs hellaswag: "
		}
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), place) {
			t.Errorf("%s: %v, want %s… %s", name, err, place, c.want)
		}
	}
	set, _ := loadText(t.TempDir(), choosing)
	if _, err := set.Tasks[0].Build(t.Context(), table{}, task.Options{}); err == nil {
		t.Error("a split without documents is scored")
	}
	shots := 3
	if _, err := set.Tasks[0].Build(t.Context(), table{good, good}, task.Options{NumFewshot: &shots}); err == nil || !strings.Contains(err.Error(), "a sample of 3 is wanted of 2") {
		t.Errorf("more examples than documents: %v", err)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := set.Tasks[0].Build(cancelled, table{good}, task.Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestBadResponses(t *testing.T) {
	run := generation(t, choosing, dataset.Row{"q": "?", "right": int64(1)})
	for name, responses := range map[string][]task.Response{
		"NaN": {{LogLikelihood: math.NaN()}, {}}, "infinite": {{}, {LogLikelihood: math.Inf(1)}}, "too few": {{}}, "too many": {{}, {}, {}},
	} {
		if _, err := run.Score(run.Items[0], responses, 10); err == nil || !strings.HasPrefix(err.Error(), "task: choosing: doc_id 0: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if s, err := run.Score(run.Items[0], []task.Response{{LogLikelihood: math.Inf(-1)}, {LogLikelihood: -3}}, 10); err != nil || s[0].Pred != 1 {
		t.Errorf("an impossible choice: %v (%v)", s, err)
	}
}

// FuzzTaskFile reads files of people, and builds what can be built.
func FuzzTaskFile(f *testing.F) {
	names, err := filepath.Glob("t*/*.yaml")
	if err != nil || len(names) == 0 {
		f.Fatal("no task files")
	}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(data))
	}
	f.Add(choosing)
	f.Add(writing + "filter_list: [{name: f, filter: [{function: regex, group_select: -1}]}]\n")
	dir := f.TempDir()
	rows := table{{"q": "?", "right": int64(1), "question": "x", "a": "b", "text": "t", "page": "p"}}
	f.Fuzz(func(t *testing.T, text string) {
		set, err := loadText(dir, text)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "task: ") {
				t.Errorf("an error without its package: %v", err)
			}
			return
		}
		for _, one := range set.Tasks[:min(3, len(set.Tasks))] {
			one.Build(context.Background(), rows, task.Options{Limit: 1})
		}
	})
}
