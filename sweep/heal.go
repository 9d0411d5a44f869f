package sweep

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"shallow/checkpoint"
	"shallow/corpus"
	"shallow/decoder"
	"shallow/gguf"
	"shallow/heal"
	"shallow/internal/machine"
	"shallow/plan"
	"shallow/prune"
)

// healingInputs are what a healing depends on beside the model and the layers that are gone.
type healingInputs struct {
	Method      string      `json:"method"`
	Loss        string      `json:"loss"`
	Temperature float64     `json:"temperature,omitempty"`
	TailLayers  int         `json:"tail_layers,omitempty"`
	Base        string      `json:"base"`
	Rank        int         `json:"rank,omitempty"`
	Alpha       float64     `json:"alpha,omitempty"`
	Targets     string      `json:"targets,omitempty"`
	Dropout     float64     `json:"dropout"`
	Budget      heal.Budget `json:"budget"`
	Usual       int         `json:"usual"`
	Batch       int         `json:"batch"`
	Accumulate  int         `json:"accumulate"`
	Length      int         `json:"length"`
	Peak        float64     `json:"lr"`
	Warmup      int         `json:"warmup"`
	Clip        float64     `json:"clip"`
	Beta2       float64     `json:"beta2,omitempty"`
	Decay       float64     `json:"weight_decay"`
	Seed        uint64      `json:"seed"`
	Data        string      `json:"data"` // hash of the documents and how they are drawn
}

// healer heals a model's variants by one setting of the spec.
type healer struct {
	spec    *HealingSpec
	sources []heal.Source
	data    heal.DataOptions
	options heal.Options
	inputs  healingInputs
	tokens  float64 // of a step
}

// healer reads the corpora of a healing for a model, once.
func (s *sweep) healer(ctx context.Context, m *subject, h *HealingSpec) (*healer, error) {
	if r := m.healings[h.Name]; r != nil {
		return r, nil
	}
	if h.Method != string(heal.LoRA) && gguf.Is(m.path) {
		return nil, fmt.Errorf("sweep: healing %s: %s is a GGUF file: method %s writes a Hugging Face checkpoint, and needs one", h.Name, m.path, h.Method)
	}
	r := &healer{spec: h}
	if err := r.settle(s, m); err != nil {
		return nil, fmt.Errorf("sweep: healing %s: %w", h.Name, err)
	}
	if err := r.read(ctx, s, m); err != nil {
		return nil, fmt.Errorf("sweep: healing %s: %w", h.Name, err)
	}
	d, err := r.rows()
	if err != nil {
		return nil, fmt.Errorf("sweep: healing %s: %w", h.Name, err)
	}
	o := r.options
	r.tokens = d.TokensPerRow() * float64(o.Batch*o.Accumulate)
	r.inputs = healingInputs{
		Method: h.Method, Loss: h.Loss, Base: h.Base, Dropout: o.Dropout, Budget: o.Budget, Usual: o.Usual, Batch: o.Batch, Accumulate: o.Accumulate,
		Length: o.Length, Peak: o.Peak, Warmup: o.Warmup, Clip: o.Clip, Beta2: o.Beta2, Decay: o.Decay, Seed: o.Seed, Data: d.Cursor().Data,
	}
	switch heal.Method(h.Method) {
	case heal.LoRA:
		r.inputs.Rank, r.inputs.Alpha, r.inputs.Targets = o.Rank, o.Alpha, o.Targets
	case heal.Tail:
		r.inputs.TailLayers = o.TailLayers
	}
	if h.Loss == string(heal.Distilled) {
		r.inputs.Temperature = r.temperature()
	}
	m.healings[h.Name] = r
	return r, nil
}

// settle fills in the preset's settings where the spec has none, as shallow heal does.
func (r *healer) settle(s *sweep, m *subject) error {
	h, p := r.spec, heal.PresetOf(m.spec.Model, m.model.Spec)
	if h.Preset != "" {
		var err error
		if p, err = heal.PresetNamed(h.Preset); err != nil {
			return err
		}
	}
	o := heal.Options{
		Base: m.spec.Model, Method: heal.Method(h.Method), TailLayers: h.TailLayers, Objective: heal.Loss(h.Loss), Targets: h.Targets,
		Budget: heal.Budget{Steps: h.Steps}, Usual: p.Steps, Batch: h.Batch, Memory: s.memory(), Limit: machine.Memory(),
		CheckpointEvery: h.CheckpointEvery, Kernels: s.Kernels,
		Rank: or(h.Rank, p.Rank), Dropout: given(h.Dropout, p.Dropout), Accumulate: or(h.Accumulate, max(1, p.Rows/h.Batch)), Length: or(h.Length, p.Length),
		Peak: given(h.LR, p.Rate), Warmup: given(h.Warmup, -1), Clip: given(h.Clip, 1), Beta2: given(h.Beta2, 0), Decay: given(h.Decay, 0), Seed: given(h.Seed, 1),
	}
	o.Alpha = given(h.Alpha, float64(o.Rank))
	if h.Tokens != "" {
		var err error
		if o.Budget.Tokens, err = heal.ParseCount(h.Tokens); err != nil {
			return err
		}
	}
	r.options = o
	return nil
}

func or(n, otherwise int) int {
	if n == 0 {
		return otherwise
	}
	return n
}

func given[T any](v *T, otherwise T) T {
	if v == nil {
		return otherwise
	}
	return *v
}

func (r *healer) temperature() float64 { return given(r.spec.Temperature, 1) }

// read reads the documents to train on.
func (r *healer) read(ctx context.Context, s *sweep, m *subject) error {
	h, o := r.spec, &r.options
	r.data = heal.DataOptions{Pack: h.Pack, Shuffle: h.Shuffle, Seed: o.Seed, PromptWeight: given(h.PromptWeight, 0), CompletionWeight: given(h.CompletionWeight, 1)}
	if end := endOfText(m.checkpoint.Config); end >= 0 {
		r.data.End = []int{end}
	}
	var corpora []heal.CorpusSpec
	for _, text := range h.Corpus {
		c, err := heal.ParseCorpus(text)
		if err != nil {
			return err
		}
		corpora = append(corpora, c)
	}
	groups, err := heal.Groups(corpora)
	if err != nil {
		return err
	}
	longest := 0
	for _, g := range groups {
		take := corpus.Options{Field: h.Field, Blank: h.Split == "blank", Length: o.Length, Vocabulary: m.model.Spec.V, End: r.data.End}
		if h.Pack {
			take.Length = 0
		}
		if slices.ContainsFunc(g.Names, func(name string) bool { return !exists(name) }) {
			take.Samples, take.Tokens = r.enough()
		}
		found, err := s.Loader.Texts(ctx, g.Names, m.encoder, take)
		if err != nil {
			return err
		}
		source := heal.Source{Name: g.Name, Weight: g.Weight, Documents: heal.Documents(found)}
		for _, x := range source.Documents {
			longest = max(longest, len(x.IDs))
		}
		r.sources = append(r.sources, source)
	}
	if !h.Pack {
		o.Length = max(2, min(o.Length, longest))
	}
	r.data.Length = o.Length
	return nil
}

// enough bounds what is read of a data set of the hub, which may be larger than any disk: what the training can use of it.
func (r *healer) enough() (samples, tokens int) {
	o := &r.options
	rows := or(o.Budget.Steps, o.Usual) * o.Batch * o.Accumulate
	switch {
	case o.Budget.Tokens > 0:
		return 0, int(o.Budget.Tokens)
	case r.spec.Pack:
		return 0, rows * o.Length
	}
	return rows, 0
}

// rows are the training's, from the first on.
func (r *healer) rows() (*heal.Data, error) { return heal.NewData(r.sources, r.data) }

// endOfText is the token that ends a text, -1 where config.json names none.
func endOfText(c *checkpoint.Config) int {
	if c.KindOf("eos_token_id") == checkpoint.List {
		if ids := c.Ints("eos_token_id"); len(ids) > 0 {
			return slices.Min(ids)
		}
		return -1
	}
	return c.Int("eos_token_id", -1)
}

// describe is the healing for people.
func (h *HealingSpec) describe() Healing {
	settings := map[string]string{}
	data, err := json.Marshal(h)
	var all map[string]any
	if err == nil {
		err = json.Unmarshal(data, &all)
	}
	if err != nil {
		panic("sweep: " + err.Error()) // plain values
	}
	for key, v := range all {
		if key != "name" {
			settings[key] = fmt.Sprint(v)
		}
	}
	return Healing{Name: h.Name, Settings: settings}
}

// healed is where a healed variant's files are.
type healed struct {
	pruned  string // the checkpoint without the layers
	output  string // what the healing writes
	adapter string // "" where the weights themselves were trained
	model   string // what is evaluated
}

// places says where the files of a healed variant go.
func (s *sweep) places(m *subject, u *unit) healed {
	name := fmt.Sprintf("%s-%s-%s", fileName(m.spec.Name), u.healing.Name, u.key[:12])
	h := healed{pruned: filepath.Join(s.Output, "work", name+"-pruned"), output: filepath.Join(s.Output, "healed", name)}
	if s.spec.KeepCheckpoints {
		h.pruned = filepath.Join(s.Output, "pruned", fmt.Sprintf("%s-%s-%s", fileName(m.spec.Name), label(u.points[0].drop), hashJSON(s.inputs(m))[:8]))
	}
	if s.Keep {
		h.pruned, h.output = filepath.Join(s.Output, keptPruned), filepath.Join(s.Output, keptHealed)
	}
	if gguf.Is(m.path) {
		h.pruned += ".gguf"
	}
	if len(u.points[0].drop) == 0 {
		h.pruned = m.path
	}
	h.model = h.pruned
	if u.healing.Method == string(heal.LoRA) {
		h.adapter = h.output
	} else {
		h.model = filepath.Join(h.output, "model")
	}
	return h
}

// label is dropped layers as part of a file's name.
func label(drop []int) string {
	if len(drop) == 0 {
		return "whole"
	}
	if n := len(drop); drop[n-1]-drop[0] == n-1 {
		return fmt.Sprintf("without-%d-%d", drop[0], drop[n-1])
	}
	return "without-" + hashJSON(drop)[:8]
}

// prune writes the checkpoint without a variant's layers, unless it is there. It appears under its name when it is whole.
func (s *sweep) prune(ctx context.Context, m *subject, p *plan.Plan, to string) error {
	if p == nil || exists(to) { // of the whole model there is nothing to do
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o777); err != nil {
		return fmt.Errorf("sweep: %w", err)
	}
	s.stage("prune", m.spec.Name+" "+label(p.Drop))
	progress := func(_ string, done, total int64) { s.progress(done, total) }
	if !gguf.Is(m.path) {
		_, err := prune.Prune(ctx, m.checkpoint, prune.Options{Output: to, Plan: p, Tool: s.Tool, Force: true, Device: s.Device, Progress: progress})
		return err
	}
	f, err := gguf.Open(m.path)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = gguf.Prune(ctx, f, gguf.PruneOptions{Output: to, Plan: p, Force: true, Device: s.Device, Progress: progress})
	return err
}

// heal prunes and heals a variant, going on where an earlier attempt was stopped.
func (s *sweep) heal(ctx context.Context, m *subject, u *unit, at healed) (*heal.Result, error) {
	r, err := s.healer(ctx, m, u.healing)
	if err != nil {
		return nil, err
	}
	drop := u.points[0].drop
	if at.adapter == "" && exists(filepath.Join(at.output, "heal.json")) && !exists(at.model) {
		// The training is through, and its checkpoint was removed.
		if err := os.RemoveAll(at.output); err != nil {
			return nil, fmt.Errorf("sweep: %w", err)
		}
	}
	if err := s.prune(ctx, m, u.points[0].plan, at.pruned); err != nil {
		return nil, err
	}
	c, err := openCheckpoint(at.pruned)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	o := r.options
	base := baseOptions(u.healing.Base)
	model, err := decoder.Open(s.Device, c, base)
	if err != nil {
		return nil, err
	}
	defer model.Close()
	if o.Objective != heal.NextToken {
		base.Base = decoder.Stored
		teacher, err := decoder.Open(s.Device, m.checkpoint, base)
		if err != nil {
			return nil, err
		}
		defer teacher.Close()
		o.Teacher = &heal.Teacher{Model: teacher, Temperature: r.temperature()}
	}
	if n := len(drop); n > 0 {
		last := drop[n-1] + 1
		o.Cut = &heal.Cut{Layer: last - n, Behind: last}
	}
	data, err := r.rows()
	if err != nil {
		return nil, err
	}
	o.Output = at.output
	o.Given = map[string]string{"corpus": data.Cursor().Data, "base": u.healing.Base}
	s.stage("heal", u.String())
	o.Progress = func(_ heal.Line, done, total int) { s.progress(int64(done), int64(total)) }
	if err := os.MkdirAll(filepath.Dir(o.Output), 0o777); err != nil {
		return nil, fmt.Errorf("sweep: %w", err)
	}
	return heal.Run(ctx, model, data, nil, o)
}

// baseOptions open a model in the precision of a healing's base.
func baseOptions(base string) (o decoder.Options) {
	switch base {
	case "nf4":
		o.Base = decoder.NF4
	case "bf16":
		o.Precision = decoder.BFloat16
	case "float32":
		o.Precision = decoder.Float32
	}
	return o
}

// discard removes the checkpoints of a healed variant that nobody asked for. The adapter stays.
func (s *sweep) discard(m *subject, at healed) error {
	if s.spec.KeepCheckpoints || s.Keep {
		return nil
	}
	var err error
	if at.pruned != m.path {
		err = os.RemoveAll(at.pruned)
	}
	if at.adapter == "" {
		err = errors.Join(err, os.RemoveAll(at.model))
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("sweep: %w", err)
	}
	return nil
}
