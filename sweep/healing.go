package sweep

import (
	"fmt"
	"regexp"
	"strings"

	"shallow/heal"
)

// HealingSpec is a named setting of finetuning, in the words of shallow heal's flags. What is not given is the preset's, as there.
type HealingSpec struct {
	Name string `json:"name"`
	// Strategies and Drop narrow the grid for this healing; nil is the grid's own.
	Strategies []string `json:"strategies,omitempty"`
	Drop       Depths   `json:"drop,omitempty"`

	Corpus []string `json:"corpus"` // FILE or FILE:WEIGHT
	Field  string   `json:"field,omitempty"`
	Split  string   `json:"split,omitempty"`

	Method      string   `json:"method"`
	Loss        string   `json:"loss,omitempty"`
	Temperature *float64 `json:"temperature,omitempty"`
	TailLayers  int      `json:"tail_layers,omitempty"`
	Base        string   `json:"base,omitempty"`
	Preset      string   `json:"preset,omitempty"`
	Rank        int      `json:"rank,omitempty"`
	Alpha       *float64 `json:"alpha,omitempty"`
	Targets     string   `json:"targets,omitempty"`
	Dropout     *float64 `json:"dropout,omitempty"`

	Steps  int    `json:"steps,omitempty"`
	Tokens string `json:"tokens,omitempty"`

	Batch            int      `json:"batch"`
	Accumulate       int      `json:"accumulate,omitempty"`
	Length           int      `json:"length,omitempty"`
	Pack             bool     `json:"pack,omitempty"`
	Shuffle          bool     `json:"shuffle"`
	PromptWeight     *float64 `json:"prompt_weight,omitempty"`
	CompletionWeight *float64 `json:"completion_weight,omitempty"`
	LR               *float64 `json:"lr,omitempty"`
	Warmup           *int     `json:"warmup,omitempty"`
	Clip             *float64 `json:"clip,omitempty"`
	Beta2            *float64 `json:"beta2,omitempty"`
	Decay            *float64 `json:"weight_decay,omitempty"`
	Seed             *uint64  `json:"seed,omitempty"`
	// CheckpointEvery changes no result.
	CheckpointEvery int `json:"checkpoint_every,omitempty"`
}

// NewHealing is a healing with everything that need not be said.
func NewHealing(name string) HealingSpec {
	return HealingSpec{Name: name, Field: "text", Split: "none", Method: string(heal.LoRA), Loss: string(heal.NextToken), TailLayers: 1,
		Base: "nf4", Targets: "mlp", Batch: 1, Shuffle: true, CheckpointEvery: 50}
}

// ParseHealing reads a healing as a command line says it, steps=200,rank=8,lr=1e-4, in the words of a spec. corpus is what it trains
// on unless the text says otherwise.
func ParseHealing(name, settings string, corpus []string) (HealingSpec, error) {
	h := NewHealing(name)
	h.Corpus = corpus
	var lines strings.Builder
	for setting := range strings.SplitSeq(settings, ",") {
		if strings.TrimSpace(setting) == "" {
			continue
		}
		key, value, ok := strings.Cut(setting, "=")
		if !ok || strings.ContainsAny(setting, "\n\r") {
			return h, fmt.Errorf("sweep: healing: %q is not KEY=VALUE, as steps=200", setting)
		}
		fmt.Fprintf(&lines, "%s: %s\n", strings.ReplaceAll(strings.TrimSpace(key), "-", "_"), value)
	}
	if lines.Len() > 0 {
		n, err := parseYAML("--heal", []byte(lines.String()))
		if err != nil {
			return h, err
		}
		r := &specReader{Spec: NewSpec(), dir: "."}
		if err := r.healing(n, &h); err != nil {
			return h, err
		}
	}
	if err := h.check(); err != nil {
		return h, fmt.Errorf("sweep: healing: %w", err)
	}
	return h, nil
}

// healingName is short and goes into names of folders.
var healingName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,40}$`)

// healings reads the list: none, and named settings.
func (r *specReader) healings(n *node) error {
	r.Unhealed = false
	seen := map[string]bool{}
	for _, e := range n.Entries() {
		if s, ok := e.Value.(string); ok && s == Unhealed {
			r.Unhealed = true
			continue
		}
		h := NewHealing("")
		if err := r.healing(e, &h); err != nil {
			return err
		}
		if err := h.check(); err != nil {
			return e.Fail("healing: %v", err)
		}
		if seen[h.Name] {
			return e.Fail("healing: name: two are called %s", h.Name)
		}
		seen[h.Name] = true
		r.Healings = append(r.Healings, h)
	}
	return nil
}

func (r *specReader) healing(n *node, h *HealingSpec) error {
	if _, object := n.Value.(*mapping); !object {
		return n.Fail("healing: it is %s, none or an object with a name, corpus and settings is expected", n.Kind())
	}
	key := func(k string) string { return "healing: " + k }
	return table{
		"name":        text(key("name"), &h.Name),
		"strategies":  r.strategies(key("strategies"), &h.Strategies),
		"drop":        depths(key("drop"), &h.Drop),
		"corpus":      r.weighted(key("corpus"), &h.Corpus),
		"field":       text(key("field"), &h.Field),
		"split":       oneOf(key("split"), &h.Split, "none", "blank"),
		"method":      oneOf(key("method"), &h.Method, "lora", "full", "tail", "join"),
		"loss":        oneOf(key("loss"), &h.Loss, "next-token", "match", "distill"),
		"temperature": number(key("temperature"), 1e6, &h.Temperature),
		"tail_layers": whole(key("tail_layers"), 0, &h.TailLayers),
		"base":        oneOf(key("base"), &h.Base, "nf4", "bf16", "float32"),
		"preset":      text(key("preset"), &h.Preset),
		"rank":        whole(key("rank"), 1, &h.Rank),
		"alpha":       number(key("alpha"), 1e6, &h.Alpha),
		"targets":     text(key("targets"), &h.Targets),
		"dropout":     number(key("dropout"), 1, &h.Dropout),
		"steps":       whole(key("steps"), 1, &h.Steps),
		"tokens":      func(n *node) error { return text(key("tokens"), &h.Tokens)(plain(n)) },
		"hours": func(n *node) error {
			return n.Fail("healing: hours: what comes of them depends on the machine: give steps or tokens")
		},
		"batch":             whole(key("batch"), 1, &h.Batch),
		"accumulate":        whole(key("accumulate"), 1, &h.Accumulate),
		"length":            whole(key("length"), 2, &h.Length),
		"pack":              truth(key("pack"), &h.Pack),
		"shuffle":           truth(key("shuffle"), &h.Shuffle),
		"prompt_weight":     number(key("prompt_weight"), 1e6, &h.PromptWeight),
		"completion_weight": number(key("completion_weight"), 1e6, &h.CompletionWeight),
		"lr":                number(key("lr"), 100, &h.LR),
		"warmup":            optional(key("warmup"), 0, &h.Warmup),
		"clip":              number(key("clip"), 1e9, &h.Clip),
		"beta2":             number(key("beta2"), 1, &h.Beta2),
		"weight_decay":      number(key("weight_decay"), 1e3, &h.Decay),
		"seed":              seed(key("seed"), &h.Seed),
		"checkpoint_every":  whole(key("checkpoint_every"), 0, &h.CheckpointEvery),
	}.read(n, "healing: ")
}

// plain is a node with its value as a text: 20M is one, 20000 a number.
func plain(n *node) *node {
	if v, ok := n.Value.(int); ok {
		out := *n
		out.Value = fmt.Sprint(v)
		return &out
	}
	return n
}

// weighted reads corpora that may have weights behind them.
func (r *specReader) weighted(key string, to *[]string) func(*node) error {
	return func(n *node) error {
		if err := texts(key, to)(n); err != nil {
			return err
		}
		for i, t := range *to {
			c, err := heal.ParseCorpus(t)
			if err != nil {
				return n.Fail("%s: %v", key, err)
			}
			(*to)[i] = r.beside(c.Name) + strings.TrimPrefix(t, c.Name)
		}
		return nil
	}
}

// check refuses a healing that means nothing.
func (h *HealingSpec) check() error {
	switch {
	case !healingName.MatchString(h.Name):
		return fmt.Errorf("name: %q is no short name of letters, digits and .-_", h.Name)
	case h.Name == Unhealed:
		return fmt.Errorf("name: none is what is not healed")
	case len(h.Corpus) == 0:
		return fmt.Errorf("%s: corpus is missing, the texts to train on", h.Name)
	case h.Steps > 0 && h.Tokens != "":
		return fmt.Errorf("%s: give steps or tokens", h.Name)
	}
	if h.Tokens != "" {
		if _, err := heal.ParseCount(h.Tokens); err != nil {
			return fmt.Errorf("%s: tokens: %w", h.Name, err)
		}
	}
	if h.Preset != "" {
		if _, err := heal.PresetNamed(h.Preset); err != nil {
			return fmt.Errorf("%s: %w", h.Name, err)
		}
	}
	return nil
}
