package sweep

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"shallow/checkpoint"
	"shallow/corpus"
	"shallow/gguf"
	"shallow/heal"
	"shallow/internal/machine"
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
