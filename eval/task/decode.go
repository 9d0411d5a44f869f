package task

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"

	"shallow/dataset"
	"shallow/internal/strictyaml"
)

const (
	mostShots   = 1000
	mostRepeats = 1000
	mostTokens  = 1 << 20
)

// newTask reads a task of the merged keys of its file and what that includes.
func newTask(file string, m *mapping) (*Task, error) {
	t := &Task{File: file, OutputType: Generate, targetDelimiter: " ", fewshotDelimiter: "\n\n", repeats: 1, fewshot: fewshot{sampler: "default"}}
	// What a value means hangs on the output type, and what an example leaves open on the question's keys.
	early, late := strictyaml.NewMapping(), strictyaml.NewMapping()
	for _, k := range m.Keys {
		switch k {
		case "metric_list", "fewshot_config", "fewshot_split", "generation_kwargs":
			late.Set(k, m.At[k])
		default:
			early.Set(k, m.At[k])
		}
	}
	keys := t.keys()
	if err := keys.read(early, ""); err != nil {
		return nil, err
	}
	t.fewshot.processDocs, t.fewshot.text, t.fewshot.target, t.fewshot.choice, t.fewshot.genPrefix = t.processDocs, t.text, t.target, t.choice, t.genPrefix
	t.fewshot.targetDelimiter, t.fewshot.fewshotDelimiter = t.targetDelimiter, t.fewshotDelimiter
	if t.OutputType == Generate {
		t.Generation = Generation{Until: []string{t.fewshotDelimiter}, MaxTokens: 256}
	}
	slices.SortStableFunc(late.Keys, func(a, b string) int { return strings.Compare(b, a) }) // fewshot_split before fewshot_config
	if err := keys.read(late, ""); err != nil {
		return nil, err
	}
	return t, t.check(file, m)
}

// check looks at what no single key shows, and fills in defaults.
func (t *Task) check(file string, m *mapping) error {
	at := func(key string) *node {
		if n := m.At[key]; n != nil {
			return n
		}
		return dialect.At(file, 1)
	}
	switch {
	case t.Name == "":
		return at("task").Fail("task: the task has no name")
	case len(t.Name) > 200 || strings.ContainsAny(t.Name, "/\\\x00\n"):
		return at("task").Fail("task: the name %.40q cannot be part of a file's name", t.Name)
	case t.DatasetPath == "":
		return at("dataset_path").Fail("dataset_path: the task %s names no data set", t.Name)
	case t.evaluated() == "":
		return at("test_split").Fail("test_split: the task %s has neither a test_split nor a validation_split", t.Name)
	case t.target == nil:
		return at("doc_to_target").Fail("doc_to_target: the task %s lacks it", t.Name)
	case t.text == nil && !t.rolling():
		return at("doc_to_text").Fail("doc_to_text: the task %s lacks it", t.Name)
	case t.choice == nil && t.choices():
		return at("doc_to_choice").Fail("doc_to_choice: the task %s lacks it, which output_type %s needs", t.Name, t.OutputType)
	case len(t.Filters) > 0 && t.OutputType != Generate:
		return at("filter_list").Fail("filter_list: filters are for generated texts, the output_type is %s", t.OutputType)
	case (t.OutputType == Continuation) != (t.Lengths.Prompt > 0 && t.Lengths.Of != nil):
		return at("continuation").Fail("continuation: prompt_tokens and lengths go with output_type %s, the output_type is %s", Continuation, t.OutputType)
	case t.fewshot.dropToFit && t.OutputType != AnswerToken:
		return at("fewshot_config").Fail("fewshot_config: drop_to_fit: it goes with output_type %s only", AnswerToken)
	}
	if t.Metrics == nil {
		var list []any
		for _, name := range defaults[t.OutputType] {
			metric, err := newMetric(name, t.OutputType)
			if err != nil {
				return at("metric_list").Fail("%v", err)
			}
			t.Metrics = append(t.Metrics, metric)
			list = append(list, map[string]any{"metric": name})
		}
		t.metricList = list
	}
	if t.Filters == nil {
		t.Filters = []Filter{first}
	}
	t.Version = "Yaml" // as the harness calls what has none
	for _, member := range t.metadata {
		if member.Key == "version" {
			t.Version = member.Value
		}
	}
	if t.OutputType == Generate && t.generationPlain == nil {
		t.generationPlain = map[string]any{"temperature": json.Number("0.0"), "do_sample": false, "max_gen_toks": t.Generation.MaxTokens, "until": t.Generation.Until}
	}
	return nil
}

// keys says how each key of a task file is read.
func (t *Task) keys() table {
	text := func(to *string) func(string) func(*node) error {
		return func(key string) func(*node) error {
			return func(n *node) (err error) {
				*to, err = n.Text(key)
				return err
			}
		}
	}
	into := func(to **field, key string) func(*node) error {
		return func(n *node) (err error) {
			*to, err = newField(key, n)
			return err
		}
	}
	return table{
		"task":             text(&t.Name)("task"),
		"task_alias":       text(&t.Alias)("task_alias"),
		"group":            func(*node) error { return nil }, // of old files, where it was what a tag is now
		"tag":              func(n *node) (err error) { t.Tags, err = n.Texts("tag"); return err },
		"dataset_path":     text(&t.DatasetPath)("dataset_path"),
		"dataset_name":     text(&t.DatasetName)("dataset_name"),
		"dataset_kwargs":   t.readFiles,
		"continuation":     t.readLengths,
		"training_split":   text(&t.TrainingSplit)("training_split"),
		"validation_split": text(&t.ValidationSplit)("validation_split"),
		"test_split":       text(&t.TestSplit)("test_split"),
		"fewshot_split":    text(&t.fewshot.split)("fewshot_split"),
		"process_docs":     readProcess(&t.processDocs, "process_docs"),
		"doc_to_text":      into(&t.text, "doc_to_text"),
		"doc_to_target":    into(&t.target, "doc_to_target"),
		"doc_to_choice":    into(&t.choice, "doc_to_choice"),
		"gen_prefix":       into(&t.genPrefix, "gen_prefix"),
		"description":      into(&t.description, "description"),
		"process_results": func(n *node) error {
			name, err := n.Text("process_results")
			if _, known := counts[name]; err == nil && !known {
				return n.Fail("process_results: %s: functions are Python there; here are only those of wikitext and c4", name)
			}
			t.count = name
			return err
		},
		"target_delimiter":  text(&t.targetDelimiter)("target_delimiter"),
		"fewshot_delimiter": text(&t.fewshotDelimiter)("fewshot_delimiter"),
		"fewshot_config":    t.readFewshot,
		"num_fewshot": func(n *node) error {
			if n.Value == nil {
				return nil
			}
			shots, err := n.Count("num_fewshot", mostShots)
			t.NumFewshot = &shots
			return err
		},
		"output_type": func(n *node) error {
			name, err := n.Text("output_type")
			if t.OutputType = OutputType(name); err == nil && !slices.Contains(outputTypes, t.OutputType) {
				var names []string
				for _, o := range outputTypes {
					names = append(names, string(o))
				}
				return n.Fail("output_type: %q is not one of %s", name, strings.Join(names, ", "))
			}
			return err
		},
		"generation_kwargs":            t.readGeneration,
		"metric_list":                  t.readMetrics,
		"filter_list":                  t.readFilters,
		"repeats":                      func(n *node) (err error) { t.repeats, err = n.Count("repeats", mostRepeats); return err },
		"should_decontaminate":         func(n *node) (err error) { t.decontaminate, err = n.Truth("should_decontaminate"); return err },
		"doc_to_decontamination_query": func(n *node) error { s, err := n.Text("doc_to_decontamination_query"); t.query = &s; return err },
		"metadata": func(n *node) error {
			m, err := n.Object("metadata: ")
			if err == nil {
				t.metadata = plainObject(m)
			}
			return err
		},
	}
}

func readProcess(to *string, key string) func(*node) error {
	return func(n *node) error {
		name, err := n.Text(key)
		*to = name
		if _, known := processes[name]; err == nil && !known && name != "" {
			var names []string
			for k := range processes {
				names = append(names, k)
			}
			slices.Sort(names)
			return n.Fail("%s: %s: functions are Python there; here are only %s", key, name, strings.Join(names, ", "))
		}
		return err
	}
}

// readFiles reads dataset_kwargs. Where dataset_path is a kind of file, data_files names the files of the splits, from the
// task file's folder on; other arguments are those of a Python library and are kept for results.json alone.
func (t *Task) readFiles(n *node) error {
	if n.Value == nil {
		return nil
	}
	m, err := n.Object("dataset_kwargs: ")
	if err != nil {
		return err
	}
	t.kwargs = plain(n)
	files, ok := m.At["data_files"]
	if !ok {
		return nil
	}
	splits, err := files.Object("dataset_kwargs: data_files: ")
	if err != nil {
		return err
	}
	t.files = map[string][]string{}
	for _, split := range splits.Keys {
		names, err := splits.At[split].Texts("dataset_kwargs: data_files: " + split)
		if err != nil {
			return err
		}
		for i, name := range names {
			if !filepath.IsAbs(name) {
				names[i] = filepath.Join(filepath.Dir(n.File), filepath.FromSlash(name))
			}
		}
		t.files[split] = names
	}
	return nil
}

// split is how package dataset calls a split of the task's data set.
func (t *Task) split(name string) dataset.Split {
	plain, _, _ := strings.Cut(t.Name, "@") // boolq-validation.jsonl is boolq@paper's too
	s := dataset.Split{Path: t.DatasetPath, Config: t.DatasetName, Split: name, Task: plain}
	switch t.DatasetPath {
	case "json", "csv", "parquet", "text":
		s.Files = t.files[name]
	}
	return s
}

func (t *Task) readFewshot(n *node) error {
	if n.Value == nil {
		return nil
	}
	m, err := n.Object("fewshot_config: ")
	if err != nil {
		return err
	}
	f := &t.fewshot
	into := func(to **field, key string) func(*node) error {
		return func(n *node) (err error) {
			*to, err = newField(key, n)
			return err
		}
	}
	text := func(to *string, key string) func(*node) error {
		return func(n *node) (err error) {
			*to, err = n.Text("fewshot_config: " + key)
			return err
		}
	}
	return table{
		"sampler": func(n *node) error {
			name, err := n.Text("fewshot_config: sampler")
			if f.sampler = name; err == nil && name != "default" && name != "first_n" {
				return n.Fail("fewshot_config: sampler: %q is neither default nor first_n", name)
			}
			return err
		},
		"split":        text(&f.split, "split"),
		"process_docs": readProcess(&f.processDocs, "fewshot_config: process_docs"),
		"samples": func(n *node) error {
			list, err := n.Objects("fewshot_config: samples: ")
			for _, m := range list {
				f.samples = append(f.samples, row(m))
			}
			return err
		},
		"doc_to_text":       into(&f.text, "doc_to_text"),
		"doc_to_target":     into(&f.target, "doc_to_target"),
		"doc_to_choice":     into(&f.choice, "doc_to_choice"),
		"gen_prefix":        into(&f.genPrefix, "gen_prefix"),
		"target_delimiter":  text(&f.targetDelimiter, "target_delimiter"),
		"fewshot_delimiter": text(&f.fewshotDelimiter, "fewshot_delimiter"),
		"drop_to_fit":       truthInto(&f.dropToFit, "fewshot_config: drop_to_fit"),
	}.read(m, "fewshot_config: ")
}

// row is an example that is written in the task file.
func row(m *mapping) dataset.Row {
	row := dataset.Row{}
	for _, k := range m.Keys {
		row[k] = cell(m.At[k])
	}
	return row
}

func cell(n *node) any {
	switch v := n.Value.(type) {
	case int:
		return int64(v)
	case []*node:
		list := make([]any, len(v))
		for i, e := range v {
			list[i] = cell(e)
		}
		return list
	case *mapping:
		return row(v)
	}
	return n.Value
}

func (t *Task) readGeneration(n *node) error {
	if n.Value == nil {
		return nil
	}
	m, err := n.Object("generation_kwargs: ")
	if err != nil {
		return err
	}
	g := &t.Generation
	g.MaxTokens = 256
	tokens := func(n *node) (err error) {
		g.MaxTokens, err = n.Count("generation_kwargs: max_gen_toks", mostTokens)
		return err
	}
	sampling := false
	err = table{
		"until":        func(n *node) (err error) { g.Until, err = n.Texts("generation_kwargs: until"); return err },
		"max_gen_toks": tokens, "max_new_tokens": tokens, "max_tokens": tokens, "max_completion_tokens": tokens,
		"do_sample": func(n *node) (err error) {
			sampling = true
			g.DoSample, err = n.Truth("generation_kwargs: do_sample")
			return err
		},
		"temperature": func(n *node) error {
			switch v := n.Value.(type) {
			case int:
				g.Temperature = float64(v)
			case float64:
				g.Temperature = v
			default:
				return n.Fail("generation_kwargs: temperature: it is %s, a number is expected", n.Kind())
			}
			if g.Temperature < 0 || g.Temperature > 100 {
				return n.Fail("generation_kwargs: temperature: %v is not from 0 to 100", g.Temperature)
			}
			return nil
		},
	}.read(m, "generation_kwargs: ")
	if !sampling {
		g.DoSample = g.Temperature > 0
	}
	if !g.DoSample {
		g.Temperature = 0
	}
	t.generationPlain = plain(n)
	return err
}
