package sweep

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"

	"shallow/internal/atomicfile"
	"shallow/similarity"
)

// ResultFile is in a sweep's directory, written again whenever a cell is done.
const ResultFile = "sweep.json"

// The strategies of a sweep, as cells and specs name them. None is that of the unpruned model.
const (
	None       = "none"
	Similarity = "similarity"
	Deepest    = "deepest"
)

// Unhealed is the healing of cells that were not healed.
const Unhealed = "none"

// Result is what a sweep has found so far, and the content of sweep.json.
type Result struct {
	Version  int             `json:"version"` // 1
	Tool     string          `json:"tool"`
	Spec     json.RawMessage `json:"spec"`    // as it was asked for, with what was left out filled in
	Planned  int             `json:"planned"` // cells of the whole grid; fewer in Cells means that it is not through
	Models   []Model         `json:"models"`
	Healings []Healing       `json:"healings,omitempty"` // in the spec's order, without none
	Cells    []Cell          `json:"cells"`              // in the order of models, tasks, healings, strategies, n
}

// Model is an unpruned model of a sweep.
type Model struct {
	Name        string `json:"name"`        // as the spec calls it
	Fingerprint string `json:"fingerprint"` // SHA-256 of the config and every tensor
	Type        string `json:"type"`        // model_type
	Layers      int    `json:"layers"`      // L
	Hidden      int    `json:"hidden"`      // D
	Vocabulary  int    `json:"vocabulary"`  // V
	Parameters  int64  `json:"parameters"`
	Bytes       int64  `json:"bytes"` // of all tensors, as they are stored
	// LayerBytes and LayerParameters are each layer's, which may differ; Bytes less those of dropped layers is the pruned size.
	LayerBytes      []int64 `json:"layer_bytes"`
	LayerParameters []int64 `json:"layer_parameters"`
	// CacheBytes is what a token's keys and values take in all layers, in bfloat16.
	CacheBytes int64 `json:"kv_bytes_per_token"`
	// Distances is the measurement behind the plans; nil where no strategy needed one.
	Distances *similarity.Distances `json:"distances,omitempty"`
}

// Healing is a named setting of finetuning.
type Healing struct {
	Name     string            `json:"name"`
	Settings map[string]string `json:"settings"` // for people: method, steps, lr, rank, base, corpus …
}

// Cell is one point of the grid: a model without some layers, healed or not, on one task.
type Cell struct {
	ID       string   `json:"id"` // SHA-256 of all that the result depends on
	Model    string   `json:"model"`
	Strategy string   `json:"strategy"` // none where nothing was dropped
	N        int      `json:"n"`
	Drop     []int    `json:"drop"`
	Start    int      `json:"start"`    // the first dropped layer; 0 where n is
	Distance *float64 `json:"distance"` // d(start, n), nil where it was not measured or n is 0
	Healing  string   `json:"healing"`  // none, or the name of one of the spec's
	Task     string   `json:"task"`     // a task or group as the spec names it
	// Kind is the task's output_type, as multiple_choice or generate_until, or that of the first task of a group.
	Kind    string   `json:"kind"`
	Metrics []Metric `json:"metrics"` // the first is the task's main one
	// Chance is the score that guessing would have in the main metric, nil where there is no such number.
	Chance  *float64 `json:"chance"`
	Shots   int      `json:"shots"`
	Limit   *float64 `json:"limit"`
	Samples int      `json:"samples"` // documents that were scored
	Parts   []Part   `json:"parts,omitempty"`
	// Settings are what else the result depends on.
	Settings Settings `json:"settings"`
	// Cost of the run that the cell was computed in, shared evenly where several were computed at once.
	Seconds float64 `json:"seconds"`
	// TokensPerSecond is how fast tokens went through this variant's layers, 0 where it was not timed alone.
	TokensPerSecond float64 `json:"tokens_per_s"`
	PeakMemory      int64   `json:"peak_memory"` // bytes, of the process; 0 where the system does not say
	// HealSeconds and HealLoss are those of the healing, which all tasks of one healed model share.
	HealSeconds float64  `json:"heal_seconds,omitempty"`
	HealLoss    *float64 `json:"heal_loss,omitempty"` // of the last step, nat per token
	// Recorded says that the cell was computed elsewhere and came along with the program.
	Recorded bool `json:"recorded"`
}

// Metric is one score of a cell.
type Metric struct {
	Metric string   `json:"metric"`
	Filter string   `json:"filter"`
	Value  float64  `json:"value"`
	Stderr *float64 `json:"stderr"`
	// HigherIsBetter is nil where the task does not say.
	HigherIsBetter *bool `json:"higher_is_better"`
}

// Part is a task of a group.
type Part struct {
	Task    string   `json:"task"`
	Metrics []Metric `json:"metrics"`
	Samples int      `json:"samples"`
}

// Settings are how a cell was computed.
type Settings struct {
	Precision string            `json:"precision"`
	Kernels   string            `json:"kernels"`
	Seed      uint64            `json:"seed"`
	Data      map[string]string `json:"data,omitempty"` // SHA-256 of each file of documents and examples
}

// maxResult bounds the size of a sweep.json that is read.
const maxResult = 256 << 20

// Read reads and checks the sweep.json of a sweep's directory.
func Read(dir string) (*Result, error) {
	name := filepath.Join(dir, ResultFile)
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("sweep: %s has no %s: give the directory that shallow sweep or run wrote", dir, ResultFile)
	}
	if err != nil {
		return nil, fmt.Errorf("sweep: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxResult+1))
	if err != nil {
		return nil, fmt.Errorf("sweep: %w", err)
	}
	if len(data) > maxResult {
		return nil, fmt.Errorf("sweep: %s: larger than %d MB; it is no %s", name, maxResult>>20, ResultFile)
	}
	r, err := Parse(data)
	if err != nil {
		return nil, fmt.Errorf("sweep: %s: %w", name, err)
	}
	return r, nil
}

// Parse reads the bytes of a sweep.json.
func Parse(data []byte) (*Result, error) {
	r := new(Result)
	dec := json.NewDecoder(bytes.NewReader(data))
	if err := dec.Decode(r); err != nil {
		return nil, fmt.Errorf("not a %s: %w", ResultFile, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the JSON object")
	}
	return r, r.Check()
}

// Write writes the sweep.json of a directory.
func (r *Result) Write(dir string) error {
	name := filepath.Join(dir, ResultFile)
	if err := r.Check(); err != nil {
		return fmt.Errorf("sweep: %s: %w", name, err)
	}
	data, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return fmt.Errorf("sweep: %s: %w", name, err)
	}
	if err := atomicfile.Write(name, append(data, '\n')); err != nil {
		return fmt.Errorf("sweep: %w", err)
	}
	return nil
}

// ModelNamed is the model that cells call so, nil if there is none.
func (r *Result) ModelNamed(name string) *Model {
	for i := range r.Models {
		if r.Models[i].Name == name {
			return &r.Models[i]
		}
	}
	return nil
}

// maxLayers bounds what a file may claim; the deepest published models have some hundred layers.
const maxLayers = 4096

// Check reports what is inconsistent in a result.
func (r *Result) Check() error {
	if r.Version != 1 {
		return fmt.Errorf("version is %d; this program reads version 1", r.Version)
	}
	seen := map[string]bool{}
	for i := range r.Models {
		m := &r.Models[i]
		switch {
		case m.Name == "" || seen[m.Name]:
			return fmt.Errorf("models[%d] is called %q: each model needs a name of its own", i, m.Name)
		case m.Layers < 1 || m.Layers > maxLayers:
			return fmt.Errorf("model %s: layers is %d, not between 1 and %d", m.Name, m.Layers, maxLayers)
		case len(m.LayerBytes) != m.Layers || len(m.LayerParameters) != m.Layers:
			return fmt.Errorf("model %s: layer_bytes and layer_parameters have %d and %d entries for %d layers", m.Name, len(m.LayerBytes), len(m.LayerParameters), m.Layers)
		case m.Distances != nil && m.Distances.Layers != m.Layers:
			return fmt.Errorf("model %s: it was measured with %d layers, not %d", m.Name, m.Distances.Layers, m.Layers)
		}
		seen[m.Name] = true
	}
	for i := range r.Cells {
		if err := r.checkCell(&r.Cells[i]); err != nil {
			return fmt.Errorf("cells[%d]: %w", i, err)
		}
	}
	return nil
}

func (r *Result) checkCell(c *Cell) error {
	m := r.ModelNamed(c.Model)
	switch {
	case m == nil:
		return fmt.Errorf("model %q is not among the models", c.Model)
	case c.N != len(c.Drop) || c.N >= m.Layers:
		return fmt.Errorf("n is %d, drop lists %d of %d layers", c.N, len(c.Drop), m.Layers)
	case c.Task == "" || c.Healing == "" || c.Strategy == "":
		return errors.New("task, healing or strategy is missing")
	}
	for j, l := range c.Drop {
		if l < 0 || l >= m.Layers || j > 0 && l <= c.Drop[j-1] {
			return fmt.Errorf("drop is %v; layers ascend, from 0 to %d", c.Drop, m.Layers-1)
		}
	}
	for _, x := range c.Metrics {
		if math.IsNaN(x.Value) || math.IsInf(x.Value, 0) {
			return fmt.Errorf("%s is %v", x.Metric, x.Value)
		}
	}
	return nil
}
