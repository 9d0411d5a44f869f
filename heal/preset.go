package heal

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"shallow/decoder"
)

// Preset is settings for a model.
type Preset struct {
	Name    string
	Rank    int // of LoRA; alpha is the same
	Dropout float64
	Rate    float64 // the learning rate's peak
	Length  int     // tokens of a row
	Rows    int     // of an optimizer step
	Steps   int
}

// Default is the paper's recipe for models that it does not name.
// Source: Gromov et al., The Unreasonable Ineffectiveness of the Deeper Layers, appendix A.1; so are the other presets.
var Default = Preset{Name: "default", Rank: 64, Dropout: 0.05, Rate: 3e-4, Length: 2048, Rows: 16, Steps: 5000}

// paper are the presets by their models. Depth does not tell, because models come here pruned.
var paper = []struct {
	preset     Preset
	model      string // model_type
	d, f, k, v int    // v 0 is any: Qwen's tables are padded differently
	// like tells a model from others of its shape, where there are any; its name, if it matches, does so too.
	like func(*decoder.Spec) bool
	name *regexp.Regexp
}{
	{named("llama-2-7b", 2, 3e-4, 2048), "llama", 4096, 11008, 32, 32000, context4096, nameOf("llama", "2", "7b")},
	{named("llama-2-13b", 64, 3e-4, 4096), "llama", 5120, 13824, 40, 32000, context4096, nameOf("llama", "2", "13b")},
	{named("llama-2-70b", 8, 3e-5, 4096), "llama", 8192, 28672, 8, 32000, nil, nil},
	{named("mistral-7b-v0.1", 4, 3e-6, 2048), "mistral", 4096, 14336, 8, 32000, window4096, nameOf("mistral", "7b", `v0[._]?1`)},
	{named("qwen-7b", 64, 3e-4, 2048), "qwen", 4096, 11008, 32, 0, nil, nil},
	{named("qwen-14b", 64, 3e-4, 4096), "qwen", 5120, 13696, 40, 0, nil, nil},
	{named("phi-2", 64, 2e-4, 2048), "phi", 2560, 10240, 32, 51200, nil, nil},
}

func named(name string, rank int, rate float64, length int) Preset {
	p := Default
	p.Name, p.Rank, p.Rate, p.Length = name, rank, rate, length
	return p
}

// nameOf matches the last part of a path or hub id that begins with parts, whatever stands between them.
func nameOf(parts ...string) *regexp.Regexp {
	return regexp.MustCompile(`(?i)(^|/)` + strings.Join(parts, `[-_.]?`) + `([-_.@][^/]*)?/*$`)
}

// context4096 tells Llama 2 from the first LLaMA, which was made for 2048 tokens.
func context4096(s *decoder.Spec) bool { return s.Context == 4096 }

// window4096 tells the first Mistral from its successors, which see everything.
func window4096(s *decoder.Spec) bool { return s.L > 0 && s.Layers[0].Window == 4096 }

// PresetOf is the preset for a model of a name, which may be a path, a hub id or unknown: the paper's for the models in it,
// pruned ones and finetuned ones included, else Default. Its rows are no longer than the model's context.
func PresetOf(name string, s *decoder.Spec) Preset {
	p := Default
	for _, known := range paper {
		shape := s.ModelType == known.model && s.D == known.d && s.F == known.f && s.K == known.k && (known.v == 0 || s.V == known.v)
		if shape && (known.like == nil || known.like(s) || known.name.MatchString(name)) {
			p = known.preset
			break
		}
	}
	if s.Context > 1 {
		p.Length = min(p.Length, s.Context)
	}
	return p
}

// PresetNamed is the preset of a name, as a person gives it.
func PresetNamed(name string) (Preset, error) {
	names := []string{Default.Name}
	for _, known := range paper {
		names = append(names, known.preset.Name)
	}
	switch i := slices.Index(names, strings.ToLower(name)); i {
	case -1:
		return Preset{}, fmt.Errorf("heal: preset %q is none of %s", name, strings.Join(names, ", "))
	case 0:
		return Default, nil
	default:
		return paper[i-1].preset, nil
	}
}
