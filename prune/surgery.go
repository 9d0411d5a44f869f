package prune

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"shallow/checkpoint"
)

// surgery turns a config.json into that of the model without some layers.
type surgery struct {
	config  *checkpoint.Config
	decoder *checkpoint.Config
	path    []string // of the decoder in the config
	layers  int      // L
	drop    []int
	kept    []int
	edits   []checkpoint.Edit
	notes   []string
}

// rewrite gives the new text of config.json and says, a line each, what changed beyond the number of layers. list is the
// name of the list of layers in tensor names, such as "layers".
func rewrite(c *checkpoint.Config, list string, drop []int) (text []byte, notes []string, err error) {
	s := &surgery{config: c, decoder: c.Decoder(), layers: c.Layers(), drop: drop}
	s.path = s.decoder.Path()
	for l := range s.layers {
		if !slices.Contains(drop, l) {
			s.kept = append(s.kept, l)
		}
	}
	if s.layers == 0 {
		return nil, nil, fmt.Errorf("prune: config.json has none of %s: the number of layers cannot be rewritten", strings.Join(checkpoint.LayerCountKeys, ", "))
	}
	for _, v := range c.Values() {
		if !s.concerns(v) {
			continue
		}
		if name, ok := namedLayer(v, list); ok {
			return nil, nil, fmt.Errorf("prune: config.json: %s names layers inside text (%s), which are not renumbered there", v.Name(), name)
		}
		if err := s.apply(v); err != nil {
			return nil, nil, fmt.Errorf("prune: config.json: %w", err)
		}
	}
	s.writeThresholds()
	if err := s.writeOut(); err != nil {
		return nil, nil, fmt.Errorf("prune: config.json: %w", err)
	}
	text, err = c.Rewrite(s.edits)
	return text, s.notes, err
}

// concerns reports whether a value speaks of the decoder: it stands in its object or outside of all other models' objects.
// What is inside the elements of a list is the list's own matter.
func (s *surgery) concerns(v checkpoint.Value) bool {
	for _, part := range v.Path {
		if strings.Contains(part, "[") {
			return false
		}
	}
	if len(s.path) > 0 && len(v.Path) > len(s.path) && slices.Equal(v.Path[:len(s.path)], s.path) {
		return true
	}
	return len(v.Path) == 1 || !anotherModel(v.Path[0], s.config.Sub(v.Path[0]))
}

// anotherModel reports whether an object of config.json describes a model beside the decoder: it counts layers of its own.
func anotherModel(key string, c *checkpoint.Config) bool {
	if c == nil {
		return false
	}
	for _, count := range append([]string{"depth", "encoder_layers", "num_layers_vision"}, checkpoint.LayerCountKeys...) {
		if c.Has(count) {
			return true
		}
	}
	return key == "vision_config" || key == "audio_config"
}

// own reports whether a value is a direct member of the decoder's object.
func (s *surgery) own(v checkpoint.Value) bool {
	return len(v.Path) == len(s.path)+1 && slices.Equal(v.Path[:len(s.path)], s.path)
}

// apply does with a value what its class says.
func (s *surgery) apply(v checkpoint.Value) error {
	switch c := rules[v.Key()]; {
	case v.Kind == checkpoint.Null || c == none || v.Kind == checkpoint.List && len(v.Items) == 0:
		return nil
	case c == slice && v.Kind == checkpoint.List, c == period && v.Kind == checkpoint.List:
		return s.slice(v)
	case c == slice && v.Kind == checkpoint.String && v.Key() == "hybrid_override_pattern":
		return s.sliceLetters(v)
	case c == remap && v.Kind == checkpoint.List:
		return s.remap(v)
	case v.Kind == checkpoint.Number && c == count && s.own(v):
		return s.count(v)
	case v.Kind == checkpoint.Number && c == threshold:
		return s.shift(v)
	case v.Kind == checkpoint.Number && c == period:
		return s.period(v)
	case v.Kind == checkpoint.String && c == period:
		if !s.hasList("layer_types") {
			return fmt.Errorf("%s is %s, a pattern in letters that is not known", v.Name(), v.Literal)
		}
	case v.Kind == checkpoint.Number && c == tail:
		if v.Literal != "0" {
			return fmt.Errorf("%s is %s: layers share what lies outside of them, and no cut is known to be right", v.Name(), v.Literal)
		}
	case c == "" && v.Kind == checkpoint.List && len(v.Items) == s.layers:
		return fmt.Errorf("%s is a list of %d elements, as many as there are layers, and what it means is not known: "+
			"whether to cut it cannot be guessed", v.Name(), s.layers)
	case c == "" && v.Kind == checkpoint.List && strings.Contains(v.Key(), "layer") && numbers(v.Items):
		return fmt.Errorf("%s lists numbers, perhaps of layers, and what it means is not known: whether to renumber them cannot be guessed", v.Name())
	case c == "" && v.Kind == checkpoint.Object && numbers(v.Keys):
		return fmt.Errorf("%s has numbers as keys, perhaps of layers, and what it means is not known: whether to renumber them cannot be guessed", v.Name())
	case c == "" && v.Kind == checkpoint.Number && (strings.HasSuffix(v.Key(), "_layers") || strings.HasSuffix(v.Key(), "_layer")) && v.Literal != "0":
		s.note("%s is left at %s, and what it means is not known", v.Name(), v.Literal)
	}
	return nil
}

// numbers reports whether texts are whole numbers, and there are any.
func numbers(texts []string) bool {
	for _, text := range texts {
		if _, err := strconv.Atoi(text); err != nil {
			return false
		}
	}
	return len(texts) > 0
}

// hasList reports whether the decoder has a list that is not empty: readers take an empty one for none.
func (s *surgery) hasList(key string) bool {
	for _, v := range s.decoder.Values() {
		if len(v.Path) == 1 && v.Path[0] == key {
			return v.Kind == checkpoint.List && len(v.Items) > 0
		}
	}
	return false
}

func (s *surgery) count(v checkpoint.Value) error {
	if v.Literal != strconv.Itoa(s.layers) {
		return fmt.Errorf("%s is %s, but the model has %d layers", v.Name(), v.Literal, s.layers)
	}
	s.set(v.Path, strconv.Itoa(len(s.kept)))
	return nil
}

func (s *surgery) slice(v checkpoint.Value) error {
	if len(v.Items) != s.layers {
		return fmt.Errorf("%s has %d elements, expected one for each of the %d layers", v.Name(), len(v.Items), s.layers)
	}
	var items []string
	for _, l := range s.kept {
		items = append(items, v.Items[l])
	}
	s.set(v.Path, jsonList(items))
	s.note("%s: %d of %d elements stay", v.Name(), len(items), s.layers)
	return nil
}

func (s *surgery) sliceLetters(v checkpoint.Value) error {
	var text string
	if err := json.Unmarshal([]byte(v.Literal), &text); err != nil || len(text) != s.layers {
		return fmt.Errorf("%s has %d letters, expected one for each of the %d layers", v.Name(), len(text), s.layers)
	}
	var letters []byte
	for _, l := range s.kept {
		letters = append(letters, text[l])
	}
	b, err := json.Marshal(string(letters))
	if err != nil {
		return err
	}
	s.set(v.Path, string(b))
	s.note("%s: %d of %d letters stay", v.Name(), len(letters), s.layers)
	return nil
}

func (s *surgery) remap(v checkpoint.Value) error {
	if v.Key() == "mlp_only_layers" && s.decoder.Int("decoder_sparse_step", 1) > 1 {
		return nil // sparse writes it
	}
	var items []string
	for _, item := range v.Items {
		l, err := strconv.Atoi(item)
		if err != nil || l < 0 || l >= s.layers {
			return fmt.Errorf("%s has %.40s, expected layers from 0 to %d", v.Name(), item, s.layers-1)
		}
		if at, ok := slices.BinarySearch(s.kept, l); ok {
			items = append(items, strconv.Itoa(at))
		}
	}
	s.set(v.Path, jsonList(items))
	s.note("%s: %s is now %s", v.Name(), jsonList(v.Items), jsonList(items))
	return nil
}

func (s *surgery) shift(v checkpoint.Value) error {
	old, err := strconv.Atoi(v.Literal)
	if err != nil || old < 0 {
		return fmt.Errorf("%s is %.40s, expected a layer's number", v.Name(), v.Literal)
	}
	s.setShifted(v.Path, old)
	return nil
}

// setShifted lowers a threshold by the number of dropped layers below it.
func (s *surgery) setShifted(path []string, old int) {
	shifted := old
	for _, l := range s.drop {
		if l < old {
			shifted--
		}
	}
	if shifted != old {
		s.set(path, strconv.Itoa(shifted))
		s.note("%s: %d is now %d", strings.Join(path, "."), old, shifted)
	}
}

// writeThresholds writes out what the family's readers would imply, where the cut shifts it.
func (s *surgery) writeThresholds() {
	for _, t := range impliedThresholds {
		if slices.Contains(t.models, s.decoder.ModelType()) && !s.decoder.Has(t.key) && t.used(s.decoder) {
			s.setShifted(append(slices.Clone(s.path), t.key), t.value)
		}
	}
}

// period checks a period that no list stands in for.
func (s *surgery) period(v checkpoint.Value) error {
	n, err := strconv.Atoi(v.Literal)
	switch {
	case err != nil || n < 0 || n > checkpoint.MaxLayers:
		return fmt.Errorf("%s is %.40s, expected a number of layers", v.Name(), v.Literal)
	case n <= 1 || s.listed(v.Key()) || slices.Contains(attentionPeriods, v.Key()) && s.hasList("layer_types"):
		return nil
	case v.Key() == "decoder_sparse_step":
		return s.sparse(v, n)
	}
	for at, l := range s.kept {
		if at%n != l%n {
			return fmt.Errorf("%s is %d: layer %d would take the part of layer %d. Drop a multiple of %d layers in each block, so that the rest keeps its place",
				v.Name(), n, l, at, n)
		}
	}
	return nil
}

// sparse writes the step of expert layers out: each layer is one, but for a list of those that are not.
// Source: layers i with (i+1) a multiple of the step, and not in mlp_only_layers, have experts (Qwen MoE in transformers).
func (s *surgery) sparse(v checkpoint.Value, step int) error {
	only := s.decoder.Ints("mlp_only_layers")
	var dense []string
	for at, l := range s.kept {
		if (l+1)%step != 0 || slices.Contains(only, l) {
			dense = append(dense, strconv.Itoa(at))
		}
	}
	path := append(slices.Clone(s.path), "mlp_only_layers")
	s.set(path, jsonList(dense))
	s.set(v.Path, "1")
	s.note("%s: %d is now 1, and mlp_only_layers lists the layers without experts", v.Name(), step)
	return nil
}

// listed reports whether a pattern of this family stands for the key, so that writeOut sees to it.
func (s *surgery) listed(key string) bool {
	return slices.ContainsFunc(patterns, func(p pattern) bool { return p.key == key && p.of(s.decoder.ModelType()) })
}

// of reports whether the pattern is a family's.
func (p pattern) of(model string) bool { return slices.Contains(p.models, model) }

// writeOut makes lists of the family's patterns, where config.json does not have the list already.
func (s *surgery) writeOut() error {
	for _, p := range patterns {
		if !p.of(s.decoder.ModelType()) || s.hasList(p.list) {
			continue
		}
		n := p.period
		if p.key != "" {
			n = s.decoder.Int(p.key, n)
		}
		if err := s.decoder.Err(); err != nil {
			return err
		}
		if n < 1 {
			continue
		}
		var items []string
		shifted := false
		for at, l := range s.kept {
			items = append(items, p.element(l, n))
			shifted = shifted || p.element(l, n) != p.element(at, n)
		}
		if !shifted {
			continue
		}
		s.set(append(slices.Clone(s.path), p.list), jsonList(items))
		s.note("%s: written out, one element for each layer that stays; readers that do not know the key would go by the old period of %d", p.list, n)
	}
	return nil
}

func (s *surgery) set(path []string, text string) {
	s.edits = append(s.edits, checkpoint.Edit{Path: path, JSON: text})
}

func (s *surgery) note(format string, a ...any) { s.notes = append(s.notes, fmt.Sprintf(format, a...)) }

func jsonList(items []string) string { return "[" + strings.Join(items, ", ") + "]" }

// namedLayer looks for a layer's name, as "layers.7", inside a value's texts.
func namedLayer(v checkpoint.Value, list string) (text string, ok bool) {
	texts := append(slices.Clone(v.Items), v.Keys...)
	if v.Kind == checkpoint.String {
		texts = append(texts, v.Literal)
	}
	for _, text := range texts {
		for before, rest, found := strings.Cut(text, list+"."); found; before, rest, found = strings.Cut(rest, list+".") {
			whole := before == "" || strings.ContainsAny(before[len(before)-1:], `".^*(:\`)
			if whole && rest != "" && rest[0] >= '0' && rest[0] <= '9' {
				return text, true
			}
		}
	}
	return "", false
}
