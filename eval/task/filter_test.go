package task_test

import (
	"path/filepath"
	"strings"
	"testing"

	"shallow/dataset"
	"shallow/eval/task"
	"shallow/internal/shared"
)

// TestExtraction puts written answers through both filters of GSM8K.
func TestExtraction(t *testing.T) {
	type taken struct {
		Extracted  string
		ExactMatch float64 `json:"exact_match"`
	}
	type row struct {
		Text, Target string
		Strict       taken `json:"strict-match"`
		Flexible     taken `json:"flexible-extract"`
	}
	file := filepath.Join(shared.Dir(t, "reference", "eval"), "gsm8k-extraction.jsonl")
	for i, r := range lines[row](t, file) {
		// A task of one question whose answer is the row's target. Nothing ends the text.
		run := generation(t, "include: gsm8k.yaml\nnum_fewshot: 0\ngeneration_kwargs: {until: []}\n", dataset.Row{"question": "?", "answer": r.Target})
		scores, err := run.Score(run.Items[0], []task.Response{{Text: r.Text}}, 0)
		if err != nil || len(scores) != 2 {
			t.Errorf("%d: %v (%v)", i, scores, err)
			continue
		}
		for j, want := range []taken{r.Strict, r.Flexible} {
			if s := scores[j]; s.Extracted != want.Extracted || s.Values[0].Value != want.ExactMatch {
				t.Errorf("%d: %s takes %q of %q, right %v; want %q, %v", i, s.Filter, s.Extracted, r.Text, s.Values[0].Value, want.Extracted, want.ExactMatch)
			}
		}
	}
}

// table gives the same rows for every split.
type table []dataset.Row

// generation builds a task file with rows.
func generation(t testing.TB, file string, rows ...dataset.Row) *task.Run {
	t.Helper()
	run, err := load(t, own(t, file)).Tasks[0].Build(t.Context(), table(rows), task.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return run
}

const writing = `
task: writing
dataset_path: x
test_split: test
doc_to_text: "{{q}}"
doc_to_target: "{{a}}"
`

func TestFilters(t *testing.T) {
	for filter, want := range map[string]string{
		`[{function: take_first}]`: " One 12,\nTwo ",
		`[{function: remove_whitespace}, {function: lowercase}, {function: take_first}]`:                                                        "one 12,\ntwo",
		`[{function: uppercase}, {function: take_first}]`:                                                                                       " ONE 12,\nTWO ",
		`[{function: regex, regex_pattern: "([A-Z])(\\w+)", group_select: -1}, {function: take_first}]`:                                         "T",
		`[{function: regex, regex_pattern: "x", fallback: none}, {function: take_first}]`:                                                       "none",
		`[{function: regex, regex_pattern: "x?(y)?"}, {function: take_first}]`:                                                                  "",
		`[{function: regex, regex_pattern: "\\d+"}, {function: map, mapping_dict: {12: twelve}, default_value: other}, {function: take_first}]`: "twelve",
		`[{function: map, mapping_dict: {a: b}, default_value: other}, {function: majority_vote}, {function: take_first}]`:                      "other",
		`[{function: take_first_k, k: 2}, {function: majority_vote}, {function: take_first}]`:                                                   " One 12,\nTwo ",
	} {
		run := generation(t, writing+"repeats: 3\nfilter_list: [{name: f, filter: "+filter+"}]\n", dataset.Row{"q": "?", "a": "x"})
		text := " One 12,\nTwo \n\nrest"
		scores, err := run.Score(run.Items[0], []task.Response{{Text: text}, {Text: text}, {Text: "other"}}, 0)
		if err != nil || scores[0].Extracted != want {
			t.Errorf("%s gives %q, want %q (%v)", filter, scores[0].Extracted, want, err)
		}
	}
}

func TestExactMatch(t *testing.T) {
	for options, want := range map[string]float64{
		"": 0, "ignore_case: true": 0, "ignore_case: true, ignore_punctuation: true": 0,
		"ignore_case: true, ignore_punctuation: true, ignore_numbers: true":    1,
		"ignore_case: true, regexes_to_ignore: ['[!.]', ' ?\\d', '(?i)^the ']": 1,
	} {
		run := generation(t, writing+"metric_list: [{metric: exact_match, "+options+"}]\n", dataset.Row{"q": "?", "a": "The Éa!3"})
		if options == "ignore_case: true, regexes_to_ignore: ['[!.]', ' ?\\d', '(?i)^the ']" {
			run = generation(t, writing+"metric_list: [{metric: exact_match, "+options+"}]\n", dataset.Row{"q": "?", "a": "THE éa!"})
		}
		scores, err := run.Score(run.Items[0], []task.Response{{Text: "the éA.\n\n"}}, 0)
		if err != nil || scores[0].Values[0].Value != want {
			t.Errorf("%s: %v, want %v (%v)", options, scores, want, err)
		}
	}
	run := generation(t, strings.Replace(writing, `"{{a}}"`, "a", 1), dataset.Row{"q": "?", "a": []any{"x", "y"}})
	if scores, err := run.Score(run.Items[0], []task.Response{{Text: "y"}}, 0); err != nil || scores[0].Values[0].Value != 1 || run.Items[0].Target != "['x', 'y']" {
		t.Errorf("one of several targets: %v, %q (%v)", scores, run.Items[0].Target, err)
	}
}

func TestCut(t *testing.T) {
	for _, c := range []struct {
		text  string
		until []string
		want  string
	}{
		{"a b c", []string{"c", " b"}, "a"}, {"a b c", []string{""}, "a b c"}, {"a", nil, "a"}, {"xx", []string{"x"}, ""}, {"a</s>b", []string{"b", "</s>"}, "a"},
	} {
		if got := task.Cut(c.text, c.until); got != c.want {
			t.Errorf("%q until %q is %q, want %q", c.text, c.until, got, c.want)
		}
	}
}

// FuzzFilters puts patterns, choices of a match and texts through regex filters.
func FuzzFilters(f *testing.F) {
	f.Add(`#### (\-?[0-9\.\,]+)`, 0, "#### 18")
	f.Add(`(-?[$0-9.,]{2,})|(-?[0-9]+)`, -1, "7 and 8")
	f.Add(`(?P<x>a)|b`, 3, "ab")
	f.Fuzz(func(t *testing.T, pattern string, pick int, text string) {
		if len(pattern) > 30 || len(text) > 12 { // longer ones only backtrack longer
			return
		}
		run, err := fuzzed(pattern, pick)
		if err != nil {
			return
		}
		run.Score(run.Items[0], []task.Response{{Text: text}}, 0)
	})
}
