package prune

import (
	"encoding/json"
	"errors"
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
	model   string     // the decoder's model_type
	homes   [][]string // the objects that describe the decoder: it may be described twice
	names   layerNames
	layers  int // L
	drop    []int
	kept    []int
	edits   []checkpoint.Edit
	notes   []string
}

// rewrite gives the new text of config.json and says, a line each, what changed beyond the number of layers.
func rewrite(c *checkpoint.Config, layout checkpoint.Layout, drop []int) (text []byte, notes []string, err error) {
	text, notes, err = cut(c, layout, drop)
	var m *misfit
	if errors.As(err, &m) {
		err = fmt.Errorf("%w. %s", err, aligned(c, layout, drop))
	}
	return text, notes, err
}

// cut is rewrite without advice.
func cut(c *checkpoint.Config, layout checkpoint.Layout, drop []int) ([]byte, []string, error) {
	s := &surgery{config: c, decoder: c.Decoder(), names: namesOf(layout, drop), layers: c.Layers(), drop: drop}
	if s.layers == 0 {
		return nil, nil, fmt.Errorf("prune: config.json has none of %s: the number of layers cannot be rewritten", strings.Join(checkpoint.LayerCountKeys, ", "))
	}
	for l := range s.layers {
		if !slices.Contains(drop, l) {
			s.kept = append(s.kept, l)
		}
	}
	if s.model = s.decoder.ModelType(); s.model == "" {
		s.model = c.ModelType()
	}
	s.findHomes()
	for _, step := range []func() error{s.applyRules, s.writeThresholds, s.writeScale, s.checkSharing, s.settleImplied} {
		if err := step(); err != nil {
			return nil, nil, fmt.Errorf("prune: config.json: %w", err)
		}
	}
	text, err := c.Rewrite(s.edits)
	return text, s.notes, err
}

// findHomes lists the objects that count the decoder's layers: its own first, then others with the same number.
func (s *surgery) findHomes() {
	s.homes = [][]string{s.decoder.Path()}
	candidates := []*checkpoint.Config{s.config}
	for _, key := range checkpoint.TextConfigs {
		candidates = append(candidates, s.config.Sub(key))
	}
	for _, c := range candidates {
		if c == nil || slices.Equal(c.Path(), s.decoder.Path()) {
			continue
		}
		for _, key := range checkpoint.LayerCountKeys {
			if c.KindOf(key) == checkpoint.Number && c.Int(key, 0) == s.layers {
				s.homes = append(s.homes, c.Path())
				break
			}
		}
	}
}

// applyRules goes through all values of config.json that speak of the decoder.
func (s *surgery) applyRules() error {
	var renumbered []string // the path of an object whose texts have been seen to
	for _, v := range s.config.Values() {
		inside := renumbered != nil && len(v.Path) > len(renumbered) && slices.Equal(v.Path[:len(renumbered)], renumbered)
		if !s.concerns(v) {
			continue
		}
		if rules[v.Key()] == names && v.Kind == checkpoint.Object && !inside {
			if err := s.renumberTexts(v); err != nil {
				return err
			}
			renumbered = v.Path
			continue
		}
		if !inside {
			if err := s.refuseNames(v); err != nil {
				return err
			}
		}
		if inside && (v.Kind != checkpoint.List || !numbers(v.Items)) {
			continue
		}
		if err := s.apply(v); err != nil {
			return err
		}
	}
	return nil
}

// concerns reports whether a value speaks of the decoder: it stands in its object or outside of all other models' objects.
// What is inside the elements of a list is the list's own matter.
func (s *surgery) concerns(v checkpoint.Value) bool {
	for _, part := range v.Path {
		if strings.Contains(part, "[") {
			return false
		}
	}
	for _, home := range s.homes {
		if len(home) > 0 && len(v.Path) > len(home) && slices.Equal(v.Path[:len(home)], home) {
			return true
		}
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

// own reports whether a value is a direct member of an object that describes the decoder.
func (s *surgery) own(v checkpoint.Value) bool {
	return slices.ContainsFunc(s.homes, func(home []string) bool {
		return len(v.Path) == len(home)+1 && slices.Equal(v.Path[:len(home)], home)
	})
}

// apply does with a value what its class says.
func (s *surgery) apply(v checkpoint.Value) error {
	switch c := rules[v.Key()]; {
	case v.Kind == checkpoint.Null || c == none || v.Kind == checkpoint.List && len(v.Items) == 0:
		return nil
	case v.Key() == "attention_types" && v.Kind == checkpoint.List:
		return s.sliceNested(v)
	case c == slice && v.Kind == checkpoint.List, c == period && v.Kind == checkpoint.List:
		return s.slice(v)
	case c == slice && v.Kind == checkpoint.String && !numbers([]string{strings.Trim(v.Literal, `"`)}):
		return s.sliceLetters(v)
	case c == remap || c == remapOne:
		return s.remap(v, c)
	case v.Kind == checkpoint.Number && c == count && s.own(v):
		return s.count(v)
	case v.Kind == checkpoint.Number && (c == threshold || c == last):
		return s.shift(v, c)
	case v.Kind == checkpoint.Number && c == period:
		return s.period(v)
	case v.Kind == checkpoint.String && c == period:
		if !s.hasList("layer_types") && !s.seenTo(v.Key()) {
			return fmt.Errorf("%s is %s, a pattern in letters that is not known", v.Name(), v.Literal)
		}
	case c == shared:
		if v.Literal != "0" && v.Literal != "false" {
			return fmt.Errorf("%s is %s: layers share what lies outside of them, and no cut is known to be right", v.Name(), v.Literal)
		}
	case v.Kind == checkpoint.Number && c == tail:
		return s.tail(v)
	case v.Kind == checkpoint.Number && c == scale:
		return s.scaleDepth(v)
	case c == "" && v.Kind == checkpoint.List && len(v.Items) == s.layers:
		return fmt.Errorf("%s is a list of %d elements, as many as there are layers, and what it means is not known: "+
			"whether to cut it cannot be guessed", v.Name(), s.layers)
	case c == "" && v.Kind == checkpoint.List && speaksOfLayers(v.Key()) && numbers(v.Items):
		return fmt.Errorf("%s lists numbers, perhaps of layers, and what it means is not known: whether to renumber them cannot be guessed", v.Name())
	case c == "" && v.Kind == checkpoint.Object && numbers(v.Keys):
		return fmt.Errorf("%s has numbers as keys, perhaps of layers, and what it means is not known: whether to renumber them cannot be guessed", v.Name())
	case c == "" && v.Kind == checkpoint.Number && (strings.HasSuffix(v.Key(), "_layers") || strings.HasSuffix(v.Key(), "_layer")) && v.Literal != "0":
		s.note("%s is left at %s, and what it means is not known", v.Name(), v.Literal)
	}
	return nil
}

// renumberTexts sees to the layers that are named inside texts of an object.
func (s *surgery) renumberTexts(v checkpoint.Value) error {
	text, err := s.config.ChangeTexts(v.Path, s.names.renumber)
	if err != nil {
		return err
	}
	if text != v.Literal {
		s.edits = append(s.edits, checkpoint.Edit{Path: v.Path, JSON: text, Verbatim: true})
		s.note("%s: layers that are named in it are renumbered, dropped ones left out", v.Name())
	}
	return nil
}

// refuseNames refuses names of layers where they are not known to stand.
func (s *surgery) refuseNames(v checkpoint.Value) error {
	if rules[v.Key()] == none {
		return nil
	}
	texts := slices.Clone(v.Keys)
	for _, literal := range append(slices.Clone(v.Items), v.Literal) {
		var text string
		if strings.HasPrefix(literal, `"`) && json.Unmarshal([]byte(literal), &text) == nil {
			texts = append(texts, text)
		}
	}
	for _, text := range texts {
		if changed, keep, err := s.names.renumber(text); err != nil || !keep || changed != text {
			return fmt.Errorf("%s names layers inside text (%.80s), where it is not known what that means", v.Name(), text)
		}
	}
	return nil
}

// speaksOfLayers reports whether a list of numbers under a key may be one of layers.
func speaksOfLayers(key string) bool {
	for _, part := range []string{"layer", "_idx", "indices", "indexes"} {
		if strings.Contains(key, part) {
			return true
		}
	}
	return false
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

// set gives a key a new value, in place of an earlier one.
func (s *surgery) set(path []string, text string) {
	s.edits = slices.DeleteFunc(s.edits, func(e checkpoint.Edit) bool { return slices.Equal(e.Path, path) })
	s.edits = append(s.edits, checkpoint.Edit{Path: path, JSON: text})
}

// setBoth gives a key a value in every object that describes the decoder.
func (s *surgery) setBoth(key, text string) {
	for _, home := range s.homes {
		s.set(append(slices.Clone(home), key), text)
	}
}

func (s *surgery) note(format string, a ...any) {
	if note := fmt.Sprintf(format, a...); !slices.Contains(s.notes, note) {
		s.notes = append(s.notes, note)
	}
}

func jsonList(items []string) string { return "[" + strings.Join(items, ", ") + "]" }
