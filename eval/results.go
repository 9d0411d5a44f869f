package eval

import (
	"bufio"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"shallow/dataset"
	"shallow/eval/task"
	"shallow/internal/atomicfile"
)

// Results is results.json: lm-evaluation-harness's names, and what only shallow knows under "shallow".
type Results struct {
	Results        map[string]task.Result      `json:"results"`
	Groups         map[string]task.Result      `json:"groups,omitempty"`
	Subtasks       map[string][]string         `json:"group_subtasks"`
	Configs        map[string]json.RawMessage  `json:"configs"`
	Versions       map[string]json.RawMessage  `json:"versions"`
	Shots          map[string]int              `json:"n-shot"`
	HigherIsBetter map[string]map[string]*bool `json:"higher_is_better"`
	Samples        map[string]Samples          `json:"n-samples"`
	Config         Config                      `json:"config"`
	Date           float64                     `json:"date"` // seconds since 1970
	Length         int                         `json:"max_length"`
	Source         string                      `json:"model_source"`
	Model          string                      `json:"model_name"`
	Seconds        string                      `json:"total_evaluation_time_seconds"`
	Shallow        Settings                    `json:"shallow"`
}

// Samples is how many documents a task has, and how many were scored.
type Samples struct {
	Original  int `json:"original"`
	Effective int `json:"effective"`
}

// Config is what the harness says of a run.
type Config struct {
	Model       string   `json:"model"`
	Args        string   `json:"model_args"`
	Parameters  int64    `json:"model_num_parameters"`
	DType       string   `json:"model_dtype"`
	Device      string   `json:"device"`
	Limit       *float64 `json:"limit"`
	Bootstrap   int      `json:"bootstrap_iters"`
	FewshotSeed uint64   `json:"fewshot_seed"`
}

// Settings are what a score depends on beside the task.
type Settings struct {
	Tool       string                    `json:"tool"`
	ConfigHash string                    `json:"config_hash"`
	Layers     int                       `json:"layers"`         // of the checkpoint
	Drop       []int                     `json:"drop,omitempty"` // left out of them
	Adapter    string                    `json:"adapter_hash,omitempty"`
	AdapterDir string                    `json:"adapter,omitempty"`
	Kernels    string                    `json:"kernels"`
	Precision  string                    `json:"precision"` // in which products are multiplied
	Baseline   string                    `json:"baseline,omitempty"`
	Paired     []Difference              `json:"paired_differences,omitempty"`
	Data       map[string][]dataset.File `json:"data"` // that each task was read from
}

// Write writes results.json and a samples_<task>.jsonl for each task to a directory.
func (v *Evaluation) Write(dir string, r *Results) error {
	for _, t := range v.Tasks {
		if err := t.writeSamples(filepath.Join(dir, "samples_"+fileName(t.Task.Name)+".jsonl")); err != nil {
			return err
		}
	}
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("eval: results.json: %w", err)
	}
	return atomicfile.Write(filepath.Join(dir, "results.json"), append(data, '\n'))
}

// Fill adds what was found to what the caller knows of the model.
func (v *Evaluation) Fill(r *Results, o Options, took time.Duration) {
	r.Results, r.Configs, r.Samples = map[string]task.Result{}, map[string]json.RawMessage{}, map[string]Samples{}
	r.Shallow.Data = map[string][]dataset.File{}
	for _, t := range v.Tasks {
		r.Results[t.Task.Name] = t.Total
		r.Configs[t.Task.Name] = t.Task.Config(t.NumFewshot)
		r.Samples[t.Task.Name] = Samples{t.Original, len(t.Items)}
		r.Shallow.Data[t.Task.Name] = t.Files
	}
	for _, g := range v.Groups {
		r.Results[g.Name] = g
		if r.Groups == nil {
			r.Groups = map[string]task.Result{}
		}
		r.Groups[g.Name] = g
	}
	r.Subtasks, r.Versions, r.HigherIsBetter = v.Set.Subtasks(), v.Set.Versions(), v.Set.HigherIsBetter()
	r.Shots = map[string]int{}
	for _, t := range v.Tasks {
		r.Shots[t.Task.Name] = t.NumFewshot
	}
	r.Config.Bootstrap = o.Bootstrap
	r.Config.FewshotSeed = task.DefaultSeed
	if o.Task.Seed != nil {
		r.Config.FewshotSeed = *o.Task.Seed
	}
	if o.Task.Limit > 0 {
		r.Config.Limit = &o.Task.Limit
	}
	r.Date, r.Length, r.Seconds = float64(time.Now().UnixMicro())/1e6, v.Length, fmt.Sprint(took.Seconds())
}

// writeSamples writes a line for each item and filter.
func (t *Evaluated) writeSamples(name string) error {
	f, err := atomicfile.Create(name)
	if err != nil {
		return err
	}
	defer f.Abort()
	w := bufio.NewWriter(f)
	for i, it := range t.Items {
		for _, s := range t.Scores[i] {
			data, err := t.Sample(it, t.Responses[i], s)
			if err != nil {
				return fmt.Errorf("eval: %s, document %d: %w", t.Task.Name, it.DocID, err)
			}
			if _, err := w.Write(append(data, '\n')); err != nil {
				return fmt.Errorf("eval: %w", err)
			}
		}
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("eval: %w", err)
	}
	return f.Commit()
}

// fileName is a task's name as part of a file's.
func fileName(task string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(`/\:*?"<>|`, r) || r < ' ' {
			return '_'
		}
		return r
	}, task)
}
