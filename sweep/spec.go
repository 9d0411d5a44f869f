package sweep

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"shallow/internal/strictyaml"
)

// Spec is what a sweep computes: every combination of its models, strategies, depths, healings and tasks.
type Spec struct {
	Models     []ModelSpec `json:"models"`
	Strategies []string    `json:"strategies"` // similarity, deepest
	Drop       Depths      `json:"drop"`
	From       float64     `json:"from,omitempty"` // of strategy similarity, as in plan.Options
	AllowLast  bool        `json:"allow_last,omitempty"`
	Corpus     TextsSpec   `json:"corpus,omitzero"` // to measure on
	// Unhealed says that cells without healing are wanted, as they are by default.
	Unhealed bool          `json:"unhealed"`
	Healings []HealingSpec `json:"healing,omitempty"`
	Tasks    []TaskSpec    `json:"tasks"`
	// Precision and Memory are as --precision and --memory; Memory 0 is the program's default.
	Precision string `json:"precision"`
	Memory    int64  `json:"memory,omitempty"`
	MaxLength int    `json:"max_length,omitempty"` // tokens that a model is given at most; 0 is its own length
	Bootstrap int    `json:"bootstrap_iters"`
	// KeepCheckpoints leaves pruned and healed checkpoints in the output.
	KeepCheckpoints bool `json:"keep_checkpoints,omitempty"`
}

// ModelSpec is a model as a spec names it.
type ModelSpec struct {
	Name  string `json:"name"`
	Model string `json:"model"` // directory, GGUF file or hub id
}

// TextsSpec is texts to measure on.
type TextsSpec struct {
	Files   []string `json:"files"`
	Field   string   `json:"field,omitempty"`
	Split   string   `json:"split,omitempty"`
	Samples int      `json:"samples"`
	Length  int      `json:"length"`
}

// TaskSpec is a task or group with how it is evaluated.
type TaskSpec struct {
	Name       string   `json:"name"` // "" is what the task calls itself
	Task       string   `json:"task"`
	NumFewshot *int     `json:"num_fewshot,omitempty"`
	Limit      *float64 `json:"limit,omitempty"`
	Data       []string `json:"data,omitempty"`
	Include    []string `json:"include,omitempty"`
	Seed       *uint64  `json:"seed,omitempty"`
	MaxTokens  int      `json:"max_gen_toks,omitempty"`
}

// ReadSpec reads a spec. Paths in it are relative to its own folder.
func ReadSpec(name string) (*Spec, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, fmt.Errorf("sweep: %w", err)
	}
	if !info.Mode().IsRegular() || info.Size() > strictyaml.Largest {
		return nil, fmt.Errorf("sweep: %s: no file of at most %d bytes", name, strictyaml.Largest)
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("sweep: %w", err)
	}
	return ParseSpec(name, data)
}

// NewSpec is a spec with everything that need not be said.
func NewSpec() *Spec {
	return &Spec{
		Strategies: []string{Similarity}, Unhealed: true, Precision: "auto", Bootstrap: 100000,
		Corpus: TextsSpec{Field: "text", Split: "none", Samples: 128, Length: 512},
	}
}

// ParseSpec reads the text of a spec. file is its name, for errors and for paths.
func ParseSpec(file string, data []byte) (*Spec, error) {
	n, err := parseYAML(file, data)
	if err != nil {
		return nil, err
	}
	r := &specReader{Spec: NewSpec(), dir: filepath.Dir(file)}
	if err := r.read(n); err != nil {
		return nil, err
	}
	if err := r.Check(); err != nil {
		return nil, fmt.Errorf("sweep: %s: %w", file, err)
	}
	return r.Spec, nil
}

// Check refuses a spec that is no grid.
func (s *Spec) Check() error {
	switch {
	case len(s.Models) == 0:
		return fmt.Errorf("models: there is none: name directories or hub ids")
	case len(s.Tasks) == 0:
		return fmt.Errorf("tasks: there is none: name some, as boolq or my-task.yaml")
	case len(s.Drop) == 0:
		return fmt.Errorf("drop: it does not say how many layers go: write numbers, shares or a range, as [1, 2, 4], 25%% or 1..L/2")
	case !s.Unhealed && len(s.Healings) == 0:
		return fmt.Errorf("healing: there is none")
	}
	names := map[string]bool{}
	for _, m := range s.Models {
		if names[m.Name] {
			return fmt.Errorf("models: two are called %s: give one another name", m.Name)
		}
		names[m.Name] = true
	}
	measured := slices.Contains(s.Strategies, Similarity)
	for _, h := range s.Healings {
		measured = measured || slices.Contains(h.Strategies, Similarity)
	}
	if measured && len(s.Corpus.Files) == 0 {
		return fmt.Errorf("corpus: strategy similarity measures the models: name the texts to measure on")
	}
	return nil
}

// specReader reads a spec's nodes.
type specReader struct {
	*Spec
	dir    string
	common TaskSpec // what tasks have that do not say otherwise
	tasks  *node
}

func (r *specReader) read(n *node) error {
	var from, limit *float64
	err := table{
		"models":           r.models,
		"strategies":       r.strategies("strategies", &r.Strategies),
		"drop":             depths("drop", &r.Drop),
		"from":             number("from", 1, &from),
		"allow_last":       truth("allow_last", &r.AllowLast),
		"corpus":           r.corpus,
		"healing":          r.healings,
		"tasks":            func(n *node) error { r.tasks = n; return nil }, // behind what they have in common
		"num_fewshot":      optional("num_fewshot", 0, &r.common.NumFewshot),
		"limit":            number("limit", most, &limit),
		"data":             r.folders("data", &r.common.Data),
		"include":          r.folders("include", &r.common.Include),
		"seed":             seed("seed", &r.common.Seed),
		"max_gen_toks":     whole("max_gen_toks", 0, &r.common.MaxTokens),
		"precision":        oneOf("precision", &r.Precision, "auto", "bfloat16", "float32"),
		"memory":           size("memory", &r.Memory),
		"max_length":       whole("max_length", 0, &r.MaxLength),
		"bootstrap_iters":  whole("bootstrap_iters", 0, &r.Bootstrap),
		"keep_checkpoints": truth("keep_checkpoints", &r.KeepCheckpoints),
	}.read(n, "")
	if err != nil {
		return err
	}
	if from != nil {
		r.From = *from
	}
	r.common.Limit = limit
	if r.tasks == nil {
		return nil
	}
	return r.readTasks(r.tasks)
}

func (r *specReader) models(n *node) error {
	for _, e := range n.Entries() {
		var m ModelSpec
		var err error
		if _, object := e.Value.(*mapping); object {
			err = table{"name": text("models: name", &m.Name), "model": text("models: model", &m.Model)}.read(e, "models: ")
			if err == nil && m.Model == "" {
				err = e.Fail("models: model is missing, a directory or hub id")
			}
		} else {
			err = text("models", &m.Model)(e)
		}
		if err != nil {
			return err
		}
		if m.Name == "" {
			m.Name = ModelName(m.Model)
		}
		m.Model = r.beside(m.Model)
		r.Models = append(r.Models, m)
	}
	return nil
}

// ModelName is what a model is called by its directory or id.
func ModelName(model string) string {
	clean := filepath.ToSlash(filepath.Clean(model))
	if strings.Count(clean, "/") == 1 && !strings.HasPrefix(clean, ".") && !exists(model) {
		return clean // an id of the hub
	}
	return filepath.Base(clean)
}

func (r *specReader) strategies(key string, to *[]string) func(*node) error {
	return func(n *node) error {
		*to = nil
		for _, e := range n.Entries() {
			var s string
			if err := oneOf(key, &s, Similarity, Deepest)(e); err != nil {
				return err
			}
			if !slices.Contains(*to, s) {
				*to = append(*to, s)
			}
		}
		return nil
	}
}

func depths(key string, to *Depths) func(*node) error {
	return func(n *node) error {
		*to = nil
		for _, e := range n.Entries() {
			switch v := e.Value.(type) {
			case int, string:
				s := strings.TrimSpace(fmt.Sprint(v))
				if err := checkDepth(s); err != nil {
					return e.Fail("%s: %v", key, err)
				}
				*to = append(*to, s)
			default:
				return e.Fail("%s: it is %s, a number, a share or a range is expected, as 8, 25%% or 1..L/2", key, e.Kind())
			}
		}
		if len(*to) == 0 {
			return n.Fail("%s: the list is empty", key)
		}
		return nil
	}
}

func (r *specReader) corpus(n *node) error {
	c := &r.Corpus
	if _, object := n.Value.(*mapping); !object {
		return r.paths("corpus", &c.Files)(n)
	}
	return table{
		"files":   r.paths("corpus: files", &c.Files),
		"field":   text("corpus: field", &c.Field),
		"split":   oneOf("corpus: split", &c.Split, "none", "blank"),
		"samples": whole("corpus: samples", 0, &c.Samples),
		"length":  whole("corpus: length", 0, &c.Length),
	}.read(n, "corpus: ")
}

func (r *specReader) readTasks(n *node) error {
	for _, e := range n.Entries() {
		t := r.common
		var err error
		if _, object := e.Value.(*mapping); object {
			var limit *float64
			err = table{
				"name":         text("tasks: name", &t.Name),
				"task":         text("tasks: task", &t.Task),
				"num_fewshot":  optional("tasks: num_fewshot", 0, &t.NumFewshot),
				"limit":        number("tasks: limit", most, &limit),
				"data":         r.folders("tasks: data", &t.Data),
				"include":      r.folders("tasks: include", &t.Include),
				"seed":         seed("tasks: seed", &t.Seed),
				"max_gen_toks": whole("tasks: max_gen_toks", 0, &t.MaxTokens),
			}.read(e, "tasks: ")
			if limit != nil {
				t.Limit = limit
			}
			if err == nil && t.Task == "" {
				err = e.Fail("tasks: task is missing, a task's name or file")
			}
		} else {
			err = text("tasks", &t.Task)(e)
		}
		if err != nil {
			return err
		}
		if ending := strings.ToLower(filepath.Ext(t.Task)); ending == ".yaml" || ending == ".yml" || strings.ContainsAny(t.Task, `/\`) {
			t.Task = r.join(t.Task)
		}
		if t.Limit != nil && *t.Limit == 0 {
			t.Limit = nil
		}
		r.Tasks = append(r.Tasks, t)
	}
	return nil
}

// paths reads files or data sets of the hub.
func (r *specReader) paths(key string, to *[]string) func(*node) error {
	return func(n *node) error {
		if err := texts(key, to)(n); err != nil {
			return err
		}
		for i, p := range *to {
			(*to)[i] = r.beside(p)
		}
		return nil
	}
}

// folders reads folders, which are never of the hub.
func (r *specReader) folders(key string, to *[]string) func(*node) error {
	return func(n *node) error {
		if err := texts(key, to)(n); err != nil {
			return err
		}
		for i, p := range *to {
			(*to)[i] = r.join(p)
		}
		return nil
	}
}

// beside is a path relative to the spec's folder where something is there or the name is that of a file; else it is an id of
// the hub and stays as it is.
func (r *specReader) beside(name string) string {
	joined := r.join(name)
	if exists(joined) || strings.HasPrefix(name, ".") {
		return joined
	}
	switch strings.ToLower(filepath.Ext(name)) {
	case ".txt", ".jsonl", ".json", ".parquet", ".gguf":
		return joined
	}
	return name
}

func (r *specReader) join(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(r.dir, filepath.FromSlash(name))
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
