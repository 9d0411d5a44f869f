package plan

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"shallow/checkpoint"
)

// Mergekit is the plan as mergekit's YAML: a passthrough merge of the ranges that stay. model is a directory or a hub id,
// dtype the kind of the weights in Hugging Face's spelling, left out where it is empty.
func (p *Plan) Mergekit(model, dtype string) string {
	var b strings.Builder
	b.WriteString("slices:\n")
	for _, r := range p.Kept() {
		fmt.Fprintf(&b, "  - sources:\n      - model: %s\n        layer_range: [%d, %d]\n", yamlString(model), r[0], r[1])
	}
	b.WriteString("merge_method: passthrough\n")
	if dtype != "" {
		fmt.Fprintf(&b, "dtype: %s\n", dtype)
	}
	return b.String()
}

// yamlString quotes a string as JSON does, which YAML reads too: unquoted, a name such as "1e3" would be a number.
func yamlString(s string) string {
	quoted, err := json.Marshal(s)
	if err != nil {
		panic(err) // a string always has a JSON form
	}
	return string(quoted)
}

// LlamaCPP is the plan as the list that llama-quantize takes after --prune-layers.
func (p *Plan) LlamaCPP() string {
	var list []string
	for _, l := range p.Drop {
		list = append(list, strconv.Itoa(l))
	}
	return strings.Join(list, ",") + "\n"
}

// replicable are the families whose pruned model PEFT's layer_replication was seen to build bit for bit, as long as all
// layers are of one kind.
var replicable = []string{"llama", "mistral", "qwen2", "qwen3", "phi", "phi3", "olmo2", "smollm3"}

// alternating are the families that mix windowed and full attention, with or without saying so in layer_types.
var alternating = []string{"gemma2", "gemma3_text", "olmo3"}

// PEFT is the plan as the start of an adapter_config.json: layer_replication names the ranges that stay, and PEFT builds
// the pruned model of them when it loads the adapter. It is refused for families where that was never seen to work. Where
// it works only after a correction, because PEFT does not cut layer_types, warning says which.
func (p *Plan) PEFT(model string, c *checkpoint.Config) (config []byte, warning string, err error) {
	family := c.ModelType()
	mixed := p.misplaced(c)
	if err := c.Err(); err != nil {
		return nil, "", fmt.Errorf("plan: %w", err)
	}
	switch {
	case mixed && (slices.Contains(replicable, family) || slices.Contains(alternating, family)):
		warning = fmt.Sprintf("PEFT does not cut layer_types, so that layers land on places of another kind and the model is "+
			"silently wrong; after loading, before use, run\n\tmodel.config.layer_types = [model.config.layer_types[i] for i in %s]", p.keptList())
	case !slices.Contains(replicable, family) && !slices.Contains(alternating, family):
		return nil, "", fmt.Errorf("plan: PEFT's layer_replication is not known to be right for model_type %q, only for %s; write a pruned checkpoint with prune instead",
			family, strings.Join(append(slices.Clone(replicable), alternating...), ", "))
	}
	config, err = json.MarshalIndent(struct {
		PEFTType         string  `json:"peft_type"`
		TaskType         string  `json:"task_type"`
		Base             string  `json:"base_model_name_or_path"`
		LayerReplication []Range `json:"layer_replication"`
	}{"LORA", "CAUSAL_LM", model, p.Kept()}, "", "  ")
	return append(config, '\n'), warning, err
}

// misplaced reports whether a kept layer's new place is, or may be, of another kind of attention than its old one.
func (p *Plan) misplaced(c *checkpoint.Config) bool {
	if kinds := c.Strings("layer_types"); len(kinds) == p.Layers {
		place := 0
		for l, kind := range kinds {
			if slices.Contains(p.Drop, l) {
				continue
			}
			if kinds[place] != kind {
				return true
			}
			place++
		}
		return false
	}
	return slices.Contains(alternating, c.ModelType()) || c.Bool("use_sliding_window", false)
}

// keptList is the layers that stay as a Python list.
func (p *Plan) keptList() string {
	var kept []string
	for _, r := range p.Kept() {
		for l := r[0]; l < r[1]; l++ {
			kept = append(kept, strconv.Itoa(l))
		}
	}
	return "[" + strings.Join(kept, ", ") + "]"
}
