package task

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"shallow/dataset"
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
	early, late := &mapping{at: map[string]*node{}}, &mapping{at: map[string]*node{}}
	for _, k := range m.keys {
		switch k {
		case "metric_list", "fewshot_config", "fewshot_split", "generation_kwargs":
			late.set(k, m.at[k])
		default:
			early.set(k, m.at[k])
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
	slices.SortStableFunc(late.keys, func(a, b string) int { return strings.Compare(b, a) }) // fewshot_split before fewshot_config
	if err := keys.read(late, ""); err != nil {
		return nil, err
	}
	return t, t.check(file, m)
}

// check looks at what no single key shows, and fills in defaults.
func (t *Task) check(file string, m *mapping) error {
	at := func(key string) *node {
		if n := m.at[key]; n != nil {
			return n
		}
		return &node{file: file, line: 1}
	}
	switch {
	case t.Name == "":
		return at("task").fail("task: the task has no name")
	case len(t.Name) > 200 || strings.ContainsAny(t.Name, "/\\\x00\n"):
		return at("task").fail("task: the name %.40q cannot be part of a file's name", t.Name)
	case t.DatasetPath == "":
		return at("dataset_path").fail("dataset_path: the task %s names no data set", t.Name)
	case t.evaluated() == "":
		return at("test_split").fail("test_split: the task %s has neither a test_split nor a validation_split", t.Name)
	case t.target == nil:
		return at("doc_to_target").fail("doc_to_target: the task %s lacks it", t.Name)
	case t.text == nil && !t.rolling():
		return at("doc_to_text").fail("doc_to_text: the task %s lacks it", t.Name)
	case t.choice == nil && t.choices():
		return at("doc_to_choice").fail("doc_to_choice: the task %s lacks it, which output_type %s needs", t.Name, t.OutputType)
	case len(t.Filters) > 0 && t.OutputType != Generate:
		return at("filter_list").fail("filter_list: filters are for generated texts, the output_type is %s", t.OutputType)
	case (t.OutputType == Continuation) != (t.Lengths.Prompt > 0 && t.Lengths.Of != nil):
		return at("continuation").fail("continuation: prompt_tokens and lengths go with output_type %s, the output_type is %s", Continuation, t.OutputType)
	case t.fewshot.dropToFit && t.OutputType != AnswerToken:
		return at("fewshot_config").fail("fewshot_config: drop_to_fit: it goes with output_type %s only", AnswerToken)
	}
	if t.Metrics == nil {
		var list []any
		for _, name := range defaults[t.OutputType] {
			metric, err := newMetric(name, t.OutputType)
			if err != nil {
				return at("metric_list").fail("%v", err)
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
				*to, err = n.text(key)
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
		"tag":              func(n *node) (err error) { t.Tags, err = n.texts("tag"); return err },
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
			name, err := n.text("process_results")
			if _, known := counts[name]; err == nil && !known {
				return n.fail("process_results: %s: functions are Python there; here are only those of wikitext and c4", name)
			}
			t.count = name
			return err
		},
		"target_delimiter":  text(&t.targetDelimiter)("target_delimiter"),
		"fewshot_delimiter": text(&t.fewshotDelimiter)("fewshot_delimiter"),
		"fewshot_config":    t.readFewshot,
		"num_fewshot": func(n *node) error {
			if n.value == nil {
				return nil
			}
			shots, err := n.count("num_fewshot", mostShots)
			t.NumFewshot = &shots
			return err
		},
		"output_type": func(n *node) error {
			name, err := n.text("output_type")
			if t.OutputType = OutputType(name); err == nil && !slices.Contains(outputTypes, t.OutputType) {
				var names []string
				for _, o := range outputTypes {
					names = append(names, string(o))
				}
				return n.fail("output_type: %q is not one of %s", name, strings.Join(names, ", "))
			}
			return err
		},
		"generation_kwargs":            t.readGeneration,
		"metric_list":                  t.readMetrics,
		"filter_list":                  t.readFilters,
		"repeats":                      func(n *node) (err error) { t.repeats, err = n.count("repeats", mostRepeats); return err },
		"should_decontaminate":         func(n *node) (err error) { t.decontaminate, err = n.truth("should_decontaminate"); return err },
		"doc_to_decontamination_query": func(n *node) error { s, err := n.text("doc_to_decontamination_query"); t.query = &s; return err },
		"metadata": func(n *node) error {
			m, err := n.members("metadata")
			if err == nil {
				t.metadata = m.plain()
			}
			return err
		},
	}
}

func readProcess(to *string, key string) func(*node) error {
	return func(n *node) error {
		name, err := n.text(key)
		*to = name
		if _, known := processes[name]; err == nil && !known && name != "" {
			var names []string
			for k := range processes {
				names = append(names, k)
			}
			slices.Sort(names)
			return n.fail("%s: %s: functions are Python there; here are only %s", key, name, strings.Join(names, ", "))
		}
		return err
	}
}

// readFiles reads dataset_kwargs. Where dataset_path is a kind of file, data_files names the files of the splits, from the
// task file's folder on; other arguments are those of a Python library and are kept for results.json alone.
func (t *Task) readFiles(n *node) error {
	if n.value == nil {
		return nil
	}
	m, err := n.members("dataset_kwargs")
	if err != nil {
		return err
	}
	t.kwargs = n.plain()
	files, ok := m.at["data_files"]
	if !ok {
		return nil
	}
	splits, err := files.members("dataset_kwargs: data_files")
	if err != nil {
		return err
	}
	t.files = map[string][]string{}
	for _, split := range splits.keys {
		names, err := splits.at[split].texts("dataset_kwargs: data_files: " + split)
		if err != nil {
			return err
		}
		for i, name := range names {
			if !filepath.IsAbs(name) {
				names[i] = filepath.Join(filepath.Dir(n.file), filepath.FromSlash(name))
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
	if n.value == nil {
		return nil
	}
	m, err := n.members("fewshot_config")
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
			*to, err = n.text("fewshot_config: " + key)
			return err
		}
	}
	return table{
		"sampler": func(n *node) error {
			name, err := n.text("fewshot_config: sampler")
			if f.sampler = name; err == nil && name != "default" && name != "first_n" {
				return n.fail("fewshot_config: sampler: %q is neither default nor first_n", name)
			}
			return err
		},
		"split":        text(&f.split, "split"),
		"process_docs": readProcess(&f.processDocs, "fewshot_config: process_docs"),
		"samples": func(n *node) error {
			list, err := n.objects("fewshot_config: samples")
			for _, m := range list {
				f.samples = append(f.samples, m.row())
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
func (m *mapping) row() dataset.Row {
	row := dataset.Row{}
	for _, k := range m.keys {
		row[k] = m.at[k].cell()
	}
	return row
}

func (n *node) cell() any {
	switch v := n.value.(type) {
	case int:
		return int64(v)
	case json.Number:
		f, _ := strconv.ParseFloat(v.String(), 64)
		return f
	case []*node:
		list := make([]any, len(v))
		for i, e := range v {
			list[i] = e.cell()
		}
		return list
	case *mapping:
		return v.row()
	}
	return n.value
}

func (t *Task) readGeneration(n *node) error {
	if n.value == nil {
		return nil
	}
	m, err := n.members("generation_kwargs")
	if err != nil {
		return err
	}
	g := &t.Generation
	g.MaxTokens = 256
	tokens := func(n *node) (err error) {
		g.MaxTokens, err = n.count("generation_kwargs: max_gen_toks", mostTokens)
		return err
	}
	sampling := false
	err = table{
		"until":        func(n *node) (err error) { g.Until, err = n.texts("generation_kwargs: until"); return err },
		"max_gen_toks": tokens, "max_new_tokens": tokens, "max_tokens": tokens, "max_completion_tokens": tokens,
		"do_sample": func(n *node) (err error) {
			sampling = true
			g.DoSample, err = n.truth("generation_kwargs: do_sample")
			return err
		},
		"temperature": func(n *node) error {
			switch v := n.value.(type) {
			case int:
				g.Temperature = float64(v)
			case json.Number:
				g.Temperature, _ = strconv.ParseFloat(v.String(), 64)
			default:
				return n.fail("generation_kwargs: temperature: it is %s, a number is expected", n.kind())
			}
			if g.Temperature < 0 || g.Temperature > 100 {
				return n.fail("generation_kwargs: temperature: %v is not from 0 to 100", g.Temperature)
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
	t.generationPlain = n.plain()
	return err
}
