package sweep

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"shallow/dataset"
	"shallow/eval"
	"shallow/eval/task"
	"shallow/tokenizer"
)

// taskInputs are what a score depends on beside the model.
type taskInputs struct {
	Name      string   `json:"name"`
	Configs   string   `json:"configs"` // hash of the files of tasks and groups, as they are understood
	Data      []string `json:"data"`    // SHA-256 of the files of documents and examples
	Shots     []int    `json:"num_fewshot"`
	Limit     float64  `json:"limit,omitempty"`
	Seed      uint64   `json:"seed"`
	MaxTokens int      `json:"max_gen_toks,omitempty"`
	MaxLength int      `json:"max_length,omitempty"`
	Bootstrap int      `json:"bootstrap_iters"`
}

// prepared is a task of the sweep with its documents.
type prepared struct {
	name   string // of its cells
	inner  string // the task's or group's own
	spec   TaskSpec
	set    *task.Set
	rows   task.Rows
	inputs taskInputs
	items  int               // documents that are scored
	bytes  float64           // of all that is scored, about
	sample []string          // some of it
	data   map[string]string // for people: file to SHA-256
	chance *float64

	counted map[*tokenizer.Tokenizer]float64 // tokens, by whose they are
}

// rowsOnce keeps the tables that several runs read.
type rowsOnce struct {
	from   task.Rows
	tables map[string]*dataset.Table
}

func (r *rowsOnce) Rows(ctx context.Context, split dataset.Split) (*dataset.Table, error) {
	key := fmt.Sprintf("%+v", split)
	if t, ok := r.tables[key]; ok {
		return t, nil
	}
	t, err := r.from.Rows(ctx, split)
	if err == nil {
		r.tables[key] = t
	}
	return t, err
}

// prepare loads the tasks of a spec and reads their documents.
func prepare(ctx context.Context, s *Spec, loader Loader) ([]*prepared, error) {
	var all []*prepared
	sources := map[string]task.Rows{}
	for _, spec := range s.Tasks {
		set, err := task.Load([]string{spec.Task}, task.LoadOptions{Include: spec.Include})
		if err != nil {
			return nil, err
		}
		p := &prepared{spec: spec, set: set, name: spec.Name, counted: map[*tokenizer.Tokenizer]float64{}}
		if p.inner, err = outermost(spec.Task, set); err != nil {
			return nil, err
		}
		if p.name == "" {
			p.name = p.inner
		}
		if slices.ContainsFunc(all, func(o *prepared) bool { return o.name == p.name }) {
			return nil, fmt.Errorf("sweep: tasks: two are called %s: give one a name", p.name)
		}
		key := strings.Join(spec.Data, "\x00")
		if sources[key] == nil {
			rows, err := loader.Rows(spec.Data)
			if err != nil {
				return nil, err
			}
			sources[key] = &rowsOnce{rows, map[string]*dataset.Table{}}
		}
		p.rows = sources[key]
		if err := p.identify(ctx, s); err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

// outermost is the one task or group that a name stands for.
func outermost(name string, set *task.Set) (string, error) {
	inside := map[string]bool{}
	for _, g := range set.Groups {
		for _, child := range g.Children {
			inside[child] = true
		}
	}
	var tops []string
	for _, g := range set.Groups {
		if !inside[g.Name] {
			tops = append(tops, g.Name)
		}
	}
	for _, t := range set.Tasks {
		if !inside[t.Name] {
			tops = append(tops, t.Name)
		}
	}
	if len(tops) != 1 {
		return "", fmt.Errorf("sweep: tasks: %s stands for several, %s: list them one by one, or name a group", name, strings.Join(tops[:min(len(tops), 4)], ", "))
	}
	return tops[0], nil
}

// options are the task's for package task.
func (p *prepared) options() task.Options {
	o := task.Options{NumFewshot: p.spec.NumFewshot, Seed: p.spec.Seed, MaxTokens: p.spec.MaxTokens}
	if p.spec.Limit != nil {
		o.Limit = *p.spec.Limit
	}
	return o
}

func (p *prepared) seed() uint64 {
	if p.spec.Seed != nil {
		return *p.spec.Seed
	}
	return task.DefaultSeed
}

// tokenBytes are about those of a token; one that is generated costs four times as much as one that is read.
const (
	tokenBytes     = 4
	generatedBytes = 4 * tokenBytes
)

// identify reads the documents and notes what the scores depend on. The items themselves are made again when they are scored.
func (p *prepared) identify(ctx context.Context, s *Spec) error {
	p.inputs = taskInputs{Name: p.inner, Limit: p.options().Limit, Seed: p.seed(), MaxTokens: p.spec.MaxTokens, MaxLength: s.MaxLength, Bootstrap: s.Bootstrap}
	p.data = map[string]string{}
	var configs []any
	var guesses float64
	for _, t := range p.set.Tasks {
		run, err := t.Build(ctx, p.rows, p.options())
		if err != nil {
			return err
		}
		configs = append(configs, t.Config(run.NumFewshot), t.Lengths)
		p.inputs.Shots = append(p.inputs.Shots, run.NumFewshot)
		for _, f := range run.Files {
			p.inputs.Data = append(p.inputs.Data, f.SHA256)
			p.data[f.Path] = f.SHA256
		}
		const looked = 8
		for i, it := range run.Items {
			guesses += guess(t, it)
			text := it.Text
			if text == "" {
				text = it.Context(0)
			}
			if i%max(1, len(run.Items)/looked) == 0 {
				p.sample = append(p.sample, text)
			}
			switch read := float64(len(text) + len(strings.Join(it.Continuations, ""))); t.OutputType {
			case task.Generate:
				p.bytes += read + generatedBytes*float64(it.Generation.MaxTokens)
			case task.Continuation: // generated, and then read by the unpruned model
				prompt, most := float64(t.Lengths.Prompt), float64(slices.Max(t.Lengths.Of))
				p.bytes += 2*min(read, tokenBytes*prompt) + (generatedBytes+tokenBytes)*most
			default:
				p.bytes += read
			}
		}
		p.items += len(run.Items)
	}
	for _, g := range p.set.Groups {
		configs = append(configs, g.Name, g.Children, fmt.Sprint(g.Version))
	}
	p.inputs.Configs = hashJSON(configs)
	if chance := guesses / float64(p.items); !math.IsNaN(chance) {
		p.chance = &chance
	}
	return nil
}

// guess is what guessing scores on an item in the task's first metric, NaN where there is no such number.
func guess(t *task.Task, it *task.Item) float64 {
	if len(t.Metrics) == 0 {
		return math.NaN()
	}
	switch t.Metrics[0].Name {
	case "acc", "acc_norm", "acc_bytes", "exact_match":
		choices := max(len(it.Continuations), len(it.Questions))
		if (t.OutputType == task.MultipleChoice || t.OutputType == task.AnswerToken) && choices > 1 {
			return 1 / float64(choices)
		}
	case "loss_norm": // divided by that of a uniform distribution
		return 1
	}
	return math.NaN()
}

// generates reports whether texts are generated, which needs all layers in memory.
func (p *prepared) generates() bool {
	return slices.ContainsFunc(p.set.Tasks, func(t *task.Task) bool { return t.OutputType == task.Generate || t.OutputType == task.Continuation })
}

// tokens is about how many tokens go through a layer to score the task, by the texts of some items.
func (p *prepared) tokens(t *tokenizer.Tokenizer) float64 {
	if n, known := p.counted[t]; known {
		return n
	}
	tokens, bytes := 0, 0
	for _, text := range p.sample {
		tokens += len(t.Encode(text, true))
		bytes += len(text)
	}
	p.counted[t] = p.bytes * float64(tokens) / float64(max(bytes, 1))
	return p.counted[t]
}

// fill puts what was found into a cell.
func (p *prepared) fill(c *Cell, v *eval.Evaluation) {
	higher := v.Set.HigherIsBetter()
	c.Kind, c.Chance = string(p.set.Tasks[0].OutputType), p.chance
	c.Samples, c.Limit = p.items, p.spec.Limit
	c.Shots = p.inputs.Shots[0]
	c.Settings.Seed, c.Settings.Data = p.seed(), p.data
	for _, g := range v.Groups {
		if g.Name == p.inner {
			c.Metrics = metrics(g, higher[g.Name])
		}
	}
	for _, t := range v.Tasks {
		found := metrics(t.Total, higher[t.Task.Name])
		if t.Task.Name == p.inner {
			c.Metrics = found
		} else {
			c.Parts = append(c.Parts, Part{Task: t.Task.Name, Metrics: found, Samples: len(t.Items)})
		}
	}
}

// metrics are a result's, with numbers that JSON can hold: a perplexity may be too large for any.
func metrics(r task.Result, higher map[string]*bool) []Metric {
	var all []Metric
	finite := func(v float64) float64 { return min(max(v, -math.MaxFloat64), math.MaxFloat64) }
	for _, m := range r.Metrics {
		x := Metric{Metric: m.Metric, Filter: m.Filter, Value: finite(m.Value), HigherIsBetter: higher[m.Metric]}
		if !math.IsNaN(m.Stderr) {
			stderr := finite(m.Stderr)
			x.Stderr = &stderr
		}
		all = append(all, x)
	}
	return all
}
