package checkpoint

import (
	"fmt"
	"path/filepath"
	"strings"
)

// parseIndex reads model.safetensors.index.json: the file of each tensor. Every file name is checked to be a plain name.
func parseIndex(data []byte) (map[string]string, error) {
	weights := map[string]string{}
	found := false
	s := &scanner{src: data}
	err := s.object(func(key string) error {
		if key != "weight_map" {
			return s.skip()
		}
		if found {
			return fmt.Errorf("has weight_map twice")
		}
		found = true
		return s.object(func(name string) error {
			file, err := s.string()
			if err != nil {
				return err
			}
			if err := checkShardName(file); err != nil {
				return fmt.Errorf("tensor %q: %w", name, err)
			}
			if _, twice := weights[name]; twice {
				return fmt.Errorf("has the tensor %q twice", name)
			}
			weights[name] = file
			return nil
		})
	})
	if err == nil {
		err = s.end()
	}
	if err != nil {
		return nil, err
	}
	if len(weights) == 0 {
		return nil, fmt.Errorf("has no weight_map: it names no tensors")
	}
	return weights, nil
}

// checkShardName refuses every name that could lead out of the model's directory.
func checkShardName(file string) error {
	if strings.ContainsAny(file, "/\\:\x00") || !filepath.IsLocal(file) {
		return fmt.Errorf("file %q is not a plain name within the model's directory", file)
	}
	if !strings.HasSuffix(file, ".safetensors") {
		return fmt.Errorf("file %q is not a safetensors file", file)
	}
	return nil
}
