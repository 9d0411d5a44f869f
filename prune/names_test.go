package prune

import (
	"regexp"
	"strconv"
	"strings"
	"testing"

	"shallow/checkpoint"
)

// named is a model of 24 layers and one behind the last, with a tower for pictures, from which layers 3 and 10 … 14 are cut.
func named(prefix string) layerNames {
	return namesOf(checkpoint.Layout{Prefix: prefix, Layers: 24, Extra: make([][]string, 1),
		Outside: []string{"lm_head.weight", "vision_tower.encoder.layers.3.q.weight", "vision_tower.encoder.layers.4.q.weight"}},
		[]int{3, 10, 11, 12, 13, 14})
}

const gone = "(gone)"

func TestRenumber(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"lm_head", "lm_head"},
		{"model.layers.2.mlp", "model.layers.2.mlp"},
		{"model.layers.4.mlp", "model.layers.3.mlp"},
		{"model.layers.15", "model.layers.9"},
		{"model.layers.3.mlp.experts.15.w1", gone},
		{"model.layers.15.mlp.experts.3.w1", "model.layers.9.mlp.experts.3.w1"},
		{"model.layers.24.eh_proj", "model.layers.18.eh_proj"}, // behind the last
		{"language_model.model.layers.4.mlp", "language_model.model.layers.3.mlp"},
		{"vision_tower.encoder.layers.4.mlp", "vision_tower.encoder.layers.4.mlp"},
		{"model.vision_tower.encoder.layers.4", "model.vision_tower.encoder.layers.4"},
		{"model.multilayers.4.mlp", "model.multilayers.4.mlp"},
		{"model.layers.norm", "model.layers.norm"},
		{"model.layers.*.mlp.gate", "model.layers.*.mlp.gate"},
		{"*.layers.4.mlp*", "*.layers.3.mlp*"},
		{"model.layers.24*", "model.layers.18*"}, // as a glob, it means no other layer
		{`re:.*mlp.gate$`, `re:.*mlp.gate$`},
		{`re:model\.layers\.4\.mlp`, `re:model\.layers\.3\.mlp`},
		{`re:model\.layers\.\d+\.mlp`, `re:model\.layers\.\d+\.mlp`},
		{`re:model\.layers\.[0-9]+\.mlp`, `re:model\.layers\.[0-9]+\.mlp`},
		{`re:model[.]layers[.]4[.]mlp`, `re:model[.]layers[.]3[.]mlp`},
		{`re:model\.layers\..*\.mlp`, `re:model\.layers\..*\.mlp`},
		{`-:model\.layers\.(3|4|15)\..*`, `-:model\.layers\.(?:3|9)\..*`},
		{`+:model\.layers\.(1[0-4])\..*`, gone},
		{`+:model\.layers\.1[0-9]\..*`, `+:model\.layers\.(?:9|10|11|12|13)\..*`},
		{`+:.*layers\.(?:[0-9]|1[0-9])\.mlp`, `+:.*layers\.(?:0|1|2|3|4|5|6|7|8|9|10|11|12|13)\.mlp`},
		{`^model.layers.4.self_attn.q_proj`, `^model.layers.3.self_attn.q_proj`},
		{`(model\.layers\.4|model\.layers\.5)\.mlp`, `(model\.layers\.3|model\.layers\.4)\.mlp`},
		{`model.layers.4.mlp|model.layers.5.mlp`, `model.layers.3.mlp|model.layers.4.mlp`},
		{"layers.4 and layers", "layers.4 and layers"},
	} {
		n := named("model.layers.")
		if strings.HasPrefix(c.text, "layers.4") || strings.Contains(c.text, ".*layers") || strings.HasPrefix(c.text, "*.") {
			n.others = nil // of one list only, what is before it does not matter
			if strings.HasSuffix(c.text, "layers") {
				continue
			}
		}
		got, keep, err := n.renumber(c.text)
		if !keep {
			got = gone
		}
		if err != nil || got != c.want {
			t.Errorf("%s: %q, %v; want %q", c.text, got, err, c.want)
		}
	}
}

func TestRenumberRefuses(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"model.layers.25.mlp", "names layer 25, there are 25"},
		{"layers.4.mlp", "without saying which model's"},
		{`re:.*layers\.4\.mlp`, "without saying which model's"},
		{"model.layers.1*", "every layer whose number starts with 1"},
		{`re:model.layers.1.*mlp`, "every layer whose number starts with 1"},
		{`re:model\.layers\.(?!4)\d+\.mlp`, "which is not understood"},
		{"model.layers.[45].mlp", "several layers"},
	} {
		if got, keep, err := named("model.layers.").renumber(c.text); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %q, %t, %v; want an error with %q", c.text, got, keep, err, c.want)
		}
	}
}

func TestRenumberOtherLists(t *testing.T) {
	for _, c := range []struct{ prefix, text, want string }{
		{"h.", "transformer.h.4.attn.c_attn", "transformer.h.3.attn.c_attn"},
		{"transformer.h.", "h.3.mlp", gone},
		{"gpt_neox.layers.", "base_model.model.gpt_neox.layers.4.mlp", "base_model.model.gpt_neox.layers.3.mlp"},
		{"model.language_model.layers.", "base_model.model.model.language_model.layers.4.mlp.lora_A.weight", "base_model.model.model.language_model.layers.3.mlp.lora_A.weight"},
		{"model.decoder.layers.", "model.decoder.layers.4.fc1", "model.decoder.layers.3.fc1"},
	} {
		got, keep, err := named(c.prefix).renumber(c.text)
		if !keep {
			got = gone
		}
		if err != nil || got != c.want {
			t.Errorf("%s: %s: %q, %v; want %q", c.prefix, c.text, got, err, c.want)
		}
	}
}

// FuzzRenumber holds that an expression which is renumbered matches a module's new name where the old one matched its old name.
func FuzzRenumber(f *testing.F) {
	for _, s := range []string{`(3|4|15)`, `1[0-9]`, `\d+`, `(?:2|1\d)`, `4`, `2[0-3]?`, `[^3]`, `1?`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		if _, err := regexp.Compile(in); err != nil {
			return
		}
		n := named("model.layers.")
		text := `re:model\.layers\.` + in + `\.mlp`
		old, err := regexp.Compile("^(?:" + strings.TrimPrefix(text, "re:") + ")$")
		if err != nil || strings.ContainsAny(in, ".") || strings.ContainsAny(in, `|$^/"`) && !strings.HasPrefix(in, "(") || strings.Contains(in, "layers") || len(in) > 50 {
			return
		}
		changed, keep, err := n.renumber(text)
		if err != nil {
			return
		}
		renewed, err := regexp.Compile("^(?:" + strings.TrimPrefix(changed, "re:") + ")$")
		if err != nil {
			t.Fatalf("%q became %q: %v", text, changed, err)
		}
		for l := range n.total {
			to, kept := n.to[l]
			if !kept {
				continue
			}
			was := old.MatchString("model.layers." + strconv.Itoa(l) + ".mlp")
			is := keep && renewed.MatchString("model.layers."+strconv.Itoa(to)+".mlp")
			if was != is {
				t.Errorf("%q matched layer %d: %t; %q matches %d: %t", text, l, was, changed, to, is)
			}
		}
	})
}
