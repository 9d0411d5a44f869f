package prune

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"shallow/checkpoint"
)

// adapterKinds are the kinds of PEFT adapters whose tensors belong to a module each, by whose name the layer is known.
// Not among them: PREFIX_TUNING and ADAPTION_PROMPT (all layers in one tensor, or a number of layers from the end), XLORA (a classifier over
// layers), POLY and others whose files are not known.
var adapterKinds = []string{"LORA", "IA3", "LOHA", "LOKR", "ADALORA", "OFT", "BOFT", "VERA", "FOURIERFT", "HRA", "BONE", "MISS", "LN_TUNING", "VBLORA", "TRAINABLE_TOKENS", "PROMPT_TUNING", "P_TUNING"}

// rewriteAdapter gives the new text of adapter_config.json: names of layers renumbered wherever they stand, layers_to_transform too, the base
// model's name replaced if there is another.
func rewriteAdapter(c *checkpoint.Config, names layerNames, base string) (text []byte, notes []string, err error) {
	if kind := c.String("peft_type", ""); !slices.Contains(adapterKinds, kind) {
		return nil, nil, fmt.Errorf("peft_type is %q: whether its tensors belong to single layers is not known", kind)
	}
	for _, v := range c.Values() {
		if v.Name() == "layer_replication" && v.Kind != checkpoint.Null && len(v.Items) > 0 {
			return nil, nil, fmt.Errorf("layer_replication is %.80s: the adapter stacks layers of its base anew, and has its own numbers for them: "+
				"merge it into a model of its own first", v.Literal)
		}
	}
	changed, err := c.ChangeTexts(nil, names.renumber)
	if err != nil {
		return nil, nil, err
	}
	if changed != string(c.Bytes()) {
		notes = append(notes, "names of layers are renumbered, those of dropped ones left out")
	}
	renamed, err := checkpoint.ParseObject(adapterConfig, []byte(changed))
	if err != nil {
		return nil, nil, err
	}
	if err := refuseEmptied(c, renamed); err != nil {
		return nil, nil, err
	}
	var edits []checkpoint.Edit
	edit, err := remapTransform(c, names)
	if err != nil {
		return nil, nil, err
	}
	if edit != nil {
		edits = append(edits, *edit)
		notes = append(notes, "layers_to_transform is now "+edit.JSON)
	}
	if base != "" {
		name, err := json.Marshal(base)
		if err != nil {
			return nil, nil, err
		}
		edits = append(edits, checkpoint.Edit{Path: []string{"base_model_name_or_path"}, JSON: string(name)})
		if renamed.Has("revision") {
			edits = append(edits, checkpoint.Edit{Path: []string{"revision"}, JSON: "null"})
		}
		notes = append(notes, "base_model_name_or_path is now "+base)
	}
	if err := c.Err(); err != nil {
		return nil, nil, err
	}
	text, err = renamed.Rewrite(edits)
	return text, notes, err
}

// refuseEmptied refuses a list of modules that has lost all its elements: PEFT takes an empty one for another thing than one that names
// nothing that is there.
func refuseEmptied(old, renamed *checkpoint.Config) error {
	for _, key := range []string{"target_modules", "modules_to_save", "target_parameters", "feedforward_modules"} {
		if old.KindOf(key) == checkpoint.List && len(old.Strings(key)) > 0 && len(renamed.Strings(key)) == 0 {
			return fmt.Errorf("%s names layers that are cut alone: nothing is left of it", key)
		}
	}
	return nil
}

// remapTransform renumbers layers_to_transform, one layer or a list. Source: check_target_module_exists in PEFT: an empty list means every
// layer, so that one must not become empty.
func remapTransform(c *checkpoint.Config, names layerNames) (*checkpoint.Edit, error) {
	const key = "layers_to_transform"
	var old []int
	single := false
	switch c.KindOf(key) {
	case checkpoint.Null:
		return nil, nil
	case checkpoint.Number:
		old, single = []int{c.Int(key, 0)}, true
	default:
		old = c.Ints(key)
	}
	if len(old) == 0 {
		return nil, c.Err()
	}
	patterns := c.Values()
	for _, v := range patterns {
		if v.Name() != "layers_pattern" || v.Kind == checkpoint.Null {
			continue
		}
		lists := append(slices.Clone(v.Items), v.Literal)
		if v.Literal != `""` && v.Literal != "[]" && !slices.ContainsFunc(lists, func(s string) bool {
			s = strings.Trim(s, `"`)
			return s == names.list || strings.HasSuffix(s, "."+names.list)
		}) {
			return nil, fmt.Errorf("layers_pattern is %.40s, and the layers are named %q: which layers layers_to_transform counts is not known", v.Literal, names.list)
		}
	}
	var kept []string
	for _, l := range old {
		if l < 0 || l >= names.total {
			return nil, fmt.Errorf("%s has %d, the model has %d layers: the adapter is another model's", key, l, names.total)
		}
		if to, ok := names.to[l]; ok {
			kept = append(kept, strconv.Itoa(to))
		}
	}
	if len(kept) == 0 {
		return nil, fmt.Errorf("%s names layers that are cut alone: nothing is left of it", key)
	}
	text := jsonList(kept)
	if single {
		text = kept[0]
	}
	return &checkpoint.Edit{Path: []string{key}, JSON: text}, nil
}
