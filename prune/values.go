package prune

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"shallow/checkpoint"
)

// The methods below rewrite one value each, by its class.

func (s *surgery) count(v checkpoint.Value) error {
	switch {
	case v.Literal == strconv.Itoa(s.layers):
		s.set(v.Path, strconv.Itoa(len(s.kept)))
	case s.model == "longcat_flash" && v.Key() == "num_hidden_layers" && v.Literal == strconv.Itoa(2*s.layers):
		s.set(v.Path, strconv.Itoa(2*len(s.kept)))
	default:
		return fmt.Errorf("%s is %s, but the model has %d layers", v.Name(), v.Literal, s.layers)
	}
	return nil
}

func (s *surgery) slice(v checkpoint.Value) error {
	if len(v.Items) != s.layers {
		return fmt.Errorf("%s has %d elements, expected one for each of the %d layers", v.Name(), len(v.Items), s.layers)
	}
	s.set(v.Path, jsonList(s.pick(v.Items)))
	s.note("%s: %d of %d elements stay", v.Name(), len(s.kept), s.layers)
	return nil
}

func (s *surgery) pick(items []string) (kept []string) {
	for _, l := range s.kept {
		kept = append(kept, items[l])
	}
	return kept
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
	s.note("%s: %d of %d letters stay", v.Name(), len(s.kept), s.layers)
	return nil
}

// sliceNested rewrites GPT-Neo's attention_types, [[["global", "local"], 12]]: kinds, and how often they are repeated.
func (s *surgery) sliceNested(v checkpoint.Value) error {
	var groups [][2]json.RawMessage
	if err := json.Unmarshal([]byte(v.Literal), &groups); err != nil {
		return fmt.Errorf("%s is %.40s, expected lists of kinds and how often they are repeated", v.Name(), v.Literal)
	}
	var kinds []string
	for _, g := range groups {
		var one []string
		var times int
		if json.Unmarshal(g[0], &one) != nil || json.Unmarshal(g[1], &times) != nil || times < 0 || times > checkpoint.MaxLayers {
			return fmt.Errorf("%s is %.40s, expected lists of kinds and how often they are repeated", v.Name(), v.Literal)
		}
		for range times {
			if kinds = append(kinds, one...); len(kinds) > s.layers {
				break
			}
		}
	}
	if len(kinds) != s.layers {
		return fmt.Errorf("%s has %d kinds, expected one for each of the %d layers", v.Name(), len(kinds), s.layers)
	}
	text, err := json.Marshal([]any{[]any{s.pick(kinds), 1}})
	if err != nil {
		return err
	}
	s.set(v.Path, string(text))
	s.note("%s: %d of %d kinds stay, written out", v.Name(), len(s.kept), s.layers)
	return nil
}

// remap renumbers layers in a list, in a text with commas, or as the keys of an object.
func (s *surgery) remap(v checkpoint.Value, c class) error {
	if v.Key() == "mlp_only_layers" && s.seenTo("decoder_sparse_step") && s.decoder.Int("decoder_sparse_step", 1) > 1 {
		return nil // settleImplied writes it
	}
	from := map[bool]int{true: 1}[c == remapOne]
	items := v.Items
	switch v.Kind {
	case checkpoint.Object:
		return s.remapKeys(v)
	case checkpoint.String:
		items = strings.Split(strings.Trim(v.Literal, `"`), ",")
	case checkpoint.List:
	default:
		return fmt.Errorf("%s is %.40s, expected a list of layers", v.Name(), v.Literal)
	}
	var renumbered []string
	for _, item := range items {
		at, ok, err := s.renumber(v, strings.TrimSpace(item), from)
		if err != nil {
			return err
		}
		if ok {
			renumbered = append(renumbered, strconv.Itoa(at+from))
		}
	}
	text := jsonList(renumbered)
	if v.Kind == checkpoint.String {
		text = `"` + strings.Join(renumbered, ",") + `"`
	}
	s.set(v.Path, text)
	s.note("%s: %s is now %s", v.Name(), strings.Join(strings.Fields(v.Literal), " "), text)
	return nil
}

// renumber finds the place of a layer that a text counts from from. ok is false where it is dropped.
func (s *surgery) renumber(v checkpoint.Value, text string, from int) (at int, ok bool, err error) {
	l, err := strconv.Atoi(text)
	if err != nil || l < from || l >= s.layers+from {
		return 0, false, fmt.Errorf("%s has %.40s, expected layers from %d to %d", v.Name(), text, from, s.layers-1+from)
	}
	at, ok = slices.BinarySearch(s.kept, l-from)
	return at, ok, nil
}

func (s *surgery) remapKeys(v checkpoint.Value) error {
	text, err := s.config.ChangeKeys(v.Path, func(key string) (string, bool, error) {
		at, ok, err := s.renumber(v, key, 0)
		return strconv.Itoa(at), ok, err
	})
	if err != nil {
		return err
	}
	s.edits = append(s.edits, checkpoint.Edit{Path: v.Path, JSON: text, Verbatim: true})
	s.note("%s: the layers that are its keys are renumbered", v.Name())
	return nil
}

func (s *surgery) shift(v checkpoint.Value, c class) error {
	old, err := strconv.Atoi(v.Literal)
	if c == last && old == -1 && err == nil {
		return nil // the last layer, whichever that is
	}
	if err != nil || old < 0 {
		return fmt.Errorf("%s is %.40s, expected a layer's number", v.Name(), v.Literal)
	}
	if c == last {
		if s.below(old+1) == 0 {
			return &misfit{fmt.Sprintf("%s is %d, and no layer up to it stays", v.Name(), old)}
		}
		s.setShifted(v.Path, old, s.below(old+1)-1)
		return nil
	}
	s.setShifted(v.Path, old, old-(min(old, s.layers)-s.below(old)))
	return nil
}

// below counts the layers below a number that stay.
func (s *surgery) below(number int) int {
	at, _ := slices.BinarySearch(s.kept, number)
	return at
}

func (s *surgery) setShifted(path []string, old, shifted int) {
	if shifted != old {
		s.set(path, strconv.Itoa(shifted))
		s.note("%s: %d is now %d", strings.Join(path, "."), old, shifted)
	}
}

// writeThresholds writes out what the family's readers would imply, where the cut shifts it.
func (s *surgery) writeThresholds() error {
	for _, t := range impliedThresholds {
		if slices.Contains(t.models, s.model) && !s.decoder.Has(t.key) && t.used(reader{s.decoder, s.config, s.layers}) {
			for _, home := range s.homes {
				s.setShifted(append(slices.Clone(home), t.key), t.value, t.value-(min(t.value, s.layers)-s.below(t.value)))
			}
		}
	}
	return nil
}

// attentionPeriods mean nothing to a reader that finds layer_types.
var attentionPeriods = []string{"sliding_window_pattern", "_sliding_window_pattern", "full_attention_interval", "global_attn_every_n_layers", "prefix_dense_sliding_window_pattern"}

// period checks a period that no list stands in for.
func (s *surgery) period(v checkpoint.Value) error {
	n, err := strconv.Atoi(v.Literal)
	switch {
	case err != nil || n < 0 || n > checkpoint.MaxLayers:
		return fmt.Errorf("%s is %.40s, expected a number of layers", v.Name(), v.Literal)
	case n <= 1 || s.seenTo(v.Key()) || slices.Contains(attentionPeriods, v.Key()) && s.hasList("layer_types"):
		return nil
	}
	for at, l := range s.kept {
		if at%n != l%n {
			return &misfit{fmt.Sprintf("%s is %d, and no list is known to stand in for it: layer %d would take the part of layer %d", v.Name(), n, l, at)}
		}
	}
	return nil
}

// scaleDepth keeps scale_depth / √L, by which MiniCPM multiplies what a layer adds to the stream.
// Source: MiniCPMDecoderLayer in OpenBMB's modeling_minicpm.py and in transformers.
func (s *surgery) scaleDepth(v checkpoint.Value) error {
	old, err := strconv.ParseFloat(v.Literal, 64)
	if err != nil || math.IsInf(old, 0) {
		return fmt.Errorf("%s is %.40s, expected a number", v.Name(), v.Literal)
	}
	s.setScale(v.Path, old)
	return nil
}

func (s *surgery) setScale(path []string, old float64) {
	want := old / math.Sqrt(float64(s.layers))
	root := math.Sqrt(float64(len(s.kept)))
	scaled := want * root
	// The product is rounded: one of its neighbours may give the quotient to the last bit.
	for _, candidate := range []float64{scaled, math.Nextafter(scaled, math.Inf(1)), math.Nextafter(scaled, math.Inf(-1))} {
		if candidate/root == want {
			scaled = candidate
			break
		}
	}
	text := strconv.FormatFloat(scaled, 'g', -1, 64)
	s.set(path, text)
	s.note("%s: %v is now %s, since it is divided by the root of the number of layers", strings.Join(path, "."), old, text)
}

// impliedScales are what readers take for scale_depth where config.json has no such key.
var impliedScales = map[string]float64{"minicpm": 1, "minicpm3": 1.4}

func (s *surgery) writeScale() error {
	if implied, ok := impliedScales[s.model]; ok && !slices.Contains(s.decoder.Keys(), "scale_depth") {
		for _, home := range s.homes {
			s.setScale(append(slices.Clone(home), "scale_depth"), implied)
		}
	}
	return nil
}
