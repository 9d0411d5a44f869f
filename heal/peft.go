package heal

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"shallow/checkpoint"
	"shallow/internal/atomicfile"
)

// The files of a PEFT adapter.
const (
	adapterConfigFile = "adapter_config.json"
	adapterFile       = "adapter_model.safetensors"
	peftPrefix        = "base_model.model."
	peftVersion       = "0.21.2" // whose files these are
)

// LowRank is the adapter of one module: y += Scale · B·A·x.
type LowRank struct {
	Module string // its name in the model's file
	Rank   int
	Alpha  float64
	Scale  float32   // alpha/rank; alpha/√rank for rank-stabilised adapters
	A, B   []float32 // [rank, in], [out, rank]
	In     int
	Out    int
}

// PEFT is an adapter directory as PEFT lays it out.
type PEFT struct {
	Base           string // the model that it belongs to, as its maker named it
	Rank           int    // of modules that have none of their own
	Alpha          float64
	Dropout        float64
	RankStabilised bool
	Modules        []LowRank // sorted by name
}

// ReadPEFT reads an adapter directory. Everything but LoRA as it was first published is refused, by the name of the setting.
func ReadPEFT(dir string) (*PEFT, error) {
	c, err := checkpoint.ReadObject(dir, adapterConfigFile)
	if err != nil {
		return nil, err
	}
	p, patterns, err := readPEFTConfig(c)
	if err != nil {
		return nil, fmt.Errorf("heal: %s: %w", filepath.Join(dir, adapterConfigFile), err)
	}
	weights, err := checkpoint.OpenFile(dir, adapterFile)
	if err != nil {
		return nil, err
	}
	defer weights.Close()
	if err := p.readTensors(weights, patterns); err != nil {
		return nil, fmt.Errorf("heal: %s: %w", filepath.Join(dir, adapterFile), err)
	}
	return p, nil
}

// unknownSettings change what an adapter computes or which tensors it has. They are null, false or empty in what is read here.
var unknownSettings = []string{
	"use_dora", "use_qalora", "use_bdlora", "lora_bias", "layer_replication", "modules_to_save", "trainable_token_indices", "target_parameters",
	"alora_invocation_tokens", "megatron_config", "velora_config", "kasa_config", "arrow_config", "monteclora_config",
}

// patterns are the settings that some modules have of their own.
type patterns struct {
	rank, alpha []pattern
	targets     func(module string) bool
}

type pattern struct {
	match *regexp.Regexp
	value float64
}

func readPEFTConfig(c *checkpoint.Config) (*PEFT, *patterns, error) {
	if kind := c.String("peft_type", ""); kind != "LORA" {
		return nil, nil, fmt.Errorf("peft_type is %q: only LORA can be trained on or merged", kind)
	}
	values := map[string]checkpoint.Value{}
	for _, v := range c.Values() {
		values[v.Name()] = v
	}
	for _, key := range unknownSettings {
		v, ok := values[key]
		if ok && v.Kind != checkpoint.Null && v.Literal != "false" && len(v.Items)+len(v.Keys) > 0 || ok && (v.Kind == checkpoint.Number || v.Kind == checkpoint.String || v.Literal == "true") {
			return nil, nil, fmt.Errorf("%s is %.60s: only plain LoRA is supported", key, v.Literal)
		}
	}
	if bias := c.String("bias", "none"); bias != "none" {
		return nil, nil, fmt.Errorf("bias is %q: adapters that train biases are not supported", bias)
	}
	p := &PEFT{
		Base: c.String("base_model_name_or_path", ""), Rank: c.Int("r", 8), Alpha: c.Float("lora_alpha", 8),
		Dropout: c.Float("lora_dropout", 0), RankStabilised: c.Bool("use_rslora", false),
	}
	var ps patterns
	var err error
	if ps.rank, err = readPatterns(c, "rank_pattern"); err != nil {
		return nil, nil, err
	}
	if ps.alpha, err = readPatterns(c, "alpha_pattern"); err != nil {
		return nil, nil, err
	}
	if ps.targets, err = readTargets(c); err != nil {
		return nil, nil, err
	}
	if err := c.Err(); err != nil {
		return nil, nil, err
	}
	if p.Rank < 1 || p.Rank > 1<<16 || math.IsInf(p.Alpha, 0) || math.IsNaN(p.Alpha) || !(p.Dropout >= 0 && p.Dropout < 1) {
		return nil, nil, fmt.Errorf("r is %d, lora_alpha %g, lora_dropout %g", p.Rank, p.Alpha, p.Dropout)
	}
	return p, &ps, nil
}

// readPatterns reads the numbers that belong to regular expressions of module names. PEFT matches them against the end of a name.
func readPatterns(c *checkpoint.Config, key string) ([]pattern, error) {
	sub := c.Sub(key)
	if sub == nil {
		return nil, nil
	}
	var all []pattern
	for _, k := range sub.Keys() {
		match, err := regexp.Compile(`^(?:.*\.)?(?:` + k + `)$`)
		if err != nil {
			return nil, fmt.Errorf("%s: %q is no regular expression that is understood: %w", key, k, err)
		}
		all = append(all, pattern{match, sub.Float(k, 0)})
	}
	return all, sub.Err()
}

// readTargets says which modules PEFT would give the adapter to.
func readTargets(c *checkpoint.Config) (func(string) bool, error) {
	const key = "target_modules"
	if c.KindOf(key) != checkpoint.String {
		names := c.Strings(key)
		return func(module string) bool {
			return slices.ContainsFunc(names, func(n string) bool { return module == n || strings.HasSuffix(module, "."+n) })
		}, c.Err()
	}
	text := c.String(key, "")
	if text == "all-linear" {
		return func(string) bool { return true }, nil
	}
	match, err := regexp.Compile(`^(?:` + text + `)$`)
	if err != nil {
		return nil, fmt.Errorf("%s: %q is no regular expression that is understood: %w", key, text, err)
	}
	return match.MatchString, nil
}

// value is that of the first pattern that a module's name matches.
func value(all []pattern, module string, otherwise float64) float64 {
	for _, p := range all {
		if p.match.MatchString(module) {
			return p.value
		}
	}
	return otherwise
}

func (p *PEFT) readTensors(weights *checkpoint.Checkpoint, ps *patterns) error {
	for _, name := range weights.Names() {
		module, ok := strings.CutSuffix(strings.TrimPrefix(name, peftPrefix), ".lora_A.weight")
		if !ok {
			if stem, b := strings.CutSuffix(name, ".lora_B.weight"); b && has(weights, stem+".lora_A.weight") {
				continue
			}
			return fmt.Errorf("tensor %q is no pair of lora_A and lora_B: only plain LoRA is supported", name)
		}
		if !ps.targets(module) {
			return fmt.Errorf("tensor %q belongs to no module that target_modules names", name)
		}
		a, _ := weights.Tensor(name)
		b, ok := weights.Tensor(strings.TrimSuffix(name, "lora_A.weight") + "lora_B.weight")
		if !ok {
			return fmt.Errorf("tensor %q has no lora_B beside it", name)
		}
		if len(a.Shape) != 2 || len(b.Shape) != 2 || a.Shape[0] != b.Shape[1] {
			return fmt.Errorf("module %q: A is %v, B is %v", module, a.Shape, b.Shape)
		}
		m := LowRank{Module: module, Rank: a.Shape[0], In: a.Shape[1], Out: b.Shape[0], Alpha: value(ps.alpha, module, p.Alpha)}
		if want := value(ps.rank, module, float64(p.Rank)); float64(m.Rank) != want {
			return fmt.Errorf("module %q has rank %d, %s says %g", module, m.Rank, adapterConfigFile, want)
		}
		m.Scale = scaleOf(m.Alpha, m.Rank, p.RankStabilised)
		var err error
		if m.A, err = floats(a); err != nil {
			return err
		}
		if m.B, err = floats(b); err != nil {
			return err
		}
		p.Modules = append(p.Modules, m)
	}
	if len(p.Modules) == 0 {
		return fmt.Errorf("there is no adapter in it")
	}
	slices.SortFunc(p.Modules, func(a, b LowRank) int { return strings.Compare(a.Module, b.Module) })
	return nil
}

func has(c *checkpoint.Checkpoint, name string) bool {
	_, ok := c.Tensor(name)
	return ok
}

// scaleOf is what B·A is multiplied by. Source: Hu et al., 2021, section 4.1; Kalajdzievski, 2023, for the root.
func scaleOf(alpha float64, rank int, stabilised bool) float32 {
	if stabilised {
		return float32(alpha / math.Sqrt(float64(rank)))
	}
	return float32(alpha / float64(rank))
}

// Write writes the directory's two files, each when it is whole, as PEFT would. module gives the name under which PEFT knows a
// module, all lists the names of all modules that could have an adapter, transposed says that matrices are stored [in, out].
func (p *PEFT) Write(dir string, module func(string) string, all []string, transposed bool) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return fmt.Errorf("heal: %w", err)
	}
	var tensors []stored
	names := make([]string, len(p.Modules))
	for i, m := range p.Modules {
		names[i] = module(m.Module)
		name := peftPrefix + names[i]
		tensors = append(tensors,
			stored{name + ".lora_A.weight", []int{m.Rank, m.In}, func() ([]byte, error) { return littleEndian(m.A), nil }},
			stored{name + ".lora_B.weight", []int{m.Out, m.Rank}, func() ([]byte, error) { return littleEndian(m.B), nil }})
	}
	if err := writeTensors(filepath.Join(dir, adapterFile), tensors, map[string]string{"format": "pt"}); err != nil {
		return err
	}
	known := make([]string, len(all))
	for i, name := range all {
		known[i] = module(name)
	}
	text, err := json.MarshalIndent(p.config(names, known, transposed), "", "  ")
	if err != nil {
		return fmt.Errorf("heal: %w", err)
	}
	if err := atomicfile.Write(filepath.Join(dir, adapterConfigFile), text); err != nil {
		return fmt.Errorf("heal: %w", err)
	}
	return nil
}

// config is adapter_config.json, with every key that PEFT writes.
func (p *PEFT) config(names, all []string, transposed bool) map[string]any {
	ranks, alphas := map[string]int{}, map[string]float64{}
	for i, m := range p.Modules {
		key := regexp.QuoteMeta(names[i])
		if m.Rank != p.Rank {
			ranks[key] = m.Rank
		}
		if m.Alpha != p.Alpha {
			alphas[key] = m.Alpha
		}
	}
	c := map[string]any{
		"bias": "none", "ensure_weight_tying": false, "fan_in_fan_out": transposed, "inference_mode": true, "init_lora_weights": true,
		"loftq_config": map[string]any{}, "lora_bias": false, "megatron_core": "megatron.core", "peft_type": "LORA", "peft_version": peftVersion,
		"qalora_group_size": 16, "task_type": "CAUSAL_LM", "use_dora": false, "use_qalora": false, "use_rslora": p.RankStabilised,
		"base_model_name_or_path": p.Base, "r": p.Rank, "lora_alpha": p.Alpha, "lora_dropout": p.Dropout,
		"rank_pattern": ranks, "alpha_pattern": alphas, "target_modules": targetModules(names, all),
	}
	for _, key := range []string{
		"alora_invocation_tokens", "arrow_config", "auto_mapping", "corda_config", "eva_config", "exclude_modules", "kasa_config", "layer_replication",
		"layers_pattern", "layers_to_transform", "lora_ga_config", "megatron_config", "modules_to_save", "monteclora_config", "revision",
		"target_parameters", "trainable_token_indices", "use_bdlora", "velora_config",
	} {
		c[key] = nil
	}
	return c
}

// layerNumber is what stands in a module's name up to the layer's number.
var layerNumber = regexp.MustCompile(`^.*?\.\d+\.`)

// targetModules is the shortest kind of names that means these modules and none else: the last part of each (down_proj), the
// path within a layer (mlp.c_proj), or the whole.
func targetModules(names, all []string) []string {
	last := func(name string) string { return name[strings.LastIndexByte(name, '.')+1:] }
	within := func(name string) string { return layerNumber.ReplaceAllString(name, "") }
	for _, short := range []func(string) string{last, within} {
		var ends []string
		for _, n := range names {
			if s := short(n); !slices.Contains(ends, s) {
				ends = append(ends, s)
			}
		}
		meant := 0
		for _, n := range all {
			if slices.ContainsFunc(ends, func(e string) bool { return n == e || strings.HasSuffix(n, "."+e) }) {
				meant++
			}
		}
		if meant == len(names) {
			slices.Sort(ends)
			return ends
		}
	}
	return names
}
