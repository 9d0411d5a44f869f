package prune

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"shallow/checkpoint"
)

// quantFiles are the files beside config.json that say how weights were quantised, and name layers: of GPTQ, AWQ and ModelOpt.
var quantFiles = []string{"quantize_config.json", "quant_config.json", "hf_quant_config.json", "quantization_config.json"}

// quantisation says how the weights were quantised; it is empty where they were not.
func (r *run) quantisation() string {
	for _, c := range []*checkpoint.Config{r.source.Config, r.source.Config.Decoder()} {
		for _, key := range []string{"quantization_config", "compression_config"} {
			if q := c.Sub(key); q != nil {
				method := q.KindOf("quant_method")
				if method == checkpoint.String {
					return q.String("quant_method", "")
				}
				return key
			}
		}
	}
	for _, name := range quantFiles {
		if r.companions[name] != nil {
			return name
		}
	}
	return ""
}

// readCompanions rewrites the files that name layers beside config.json.
func (r *run) readCompanions() error {
	r.companions = map[string][]byte{}
	names := namesOf(r.layout, r.Plan.Drop)
	for _, name := range quantFiles {
		c, err := checkpoint.ReadObject(r.source.Dir, name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		text, err := rewriteCompanion(c, names)
		if err != nil {
			return fmt.Errorf("prune: %s: %w", name, err)
		}
		if text != string(c.Bytes()) {
			r.result.Config = append(r.result.Config, name+": layers that are named in it are renumbered, dropped ones left out")
		}
		r.companions[name] = []byte(text)
	}
	return nil
}

// rewriteCompanion renumbers layers in texts, and refuses what may be numbers of layers without a name.
func rewriteCompanion(c *checkpoint.Config, names layerNames) (string, error) {
	for _, v := range c.Values() {
		switch {
		case v.Kind == checkpoint.List && numbers(v.Items) && rules[v.Key()] != none && (len(v.Items) == names.total || strings.Contains(v.Key(), "layer")):
			return "", fmt.Errorf("%s lists numbers, perhaps of layers, and what it means is not known", v.Name())
		case v.Kind == checkpoint.Object && numbers(v.Keys):
			return "", fmt.Errorf("%s has numbers as keys, perhaps of layers, and what it means is not known", v.Name())
		}
	}
	return c.ChangeTexts(nil, names.renumber)
}

// maxNotes bounds the files that are looked through for names of layers, in bytes.
const maxNotes = 4 << 20

// namesLayers reports whether a file that is carried over as it is speaks of layers that have another number now: a quantiser's recipe, say.
func (r *run) namesLayers(name, path string) bool {
	ending := strings.ToLower(filepath.Ext(name))
	if !slices.Contains([]string{".json", ".yaml", ".yml"}, ending) || strings.HasPrefix(name, "tokenizer") || strings.HasPrefix(name, "vocab") {
		return false
	}
	if info, err := os.Stat(path); err != nil || info.Size() > maxNotes {
		return false
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return false
	}
	names := namesOf(r.layout, r.Plan.Drop)
	for line := range strings.Lines(string(text)) {
		if changed, keep, err := names.renumber(line); err != nil || !keep || changed != line {
			return true
		}
	}
	return false
}
