package similarity

import (
	"path/filepath"
	"strings"

	"shallow/checkpoint"
)

// ModelOf describes a checkpoint by the name of its folder, or by its id where that is in the hub's cache, and by its config.
func ModelOf(c *checkpoint.Checkpoint) Model {
	dir := c.Dir
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	name := filepath.Base(dir)
	// The cache has models--owner--name/snapshots/<commit>.
	if snapshots := filepath.Dir(dir); filepath.Base(snapshots) == "snapshots" {
		if id, ok := strings.CutPrefix(filepath.Base(filepath.Dir(snapshots)), "models--"); ok {
			name = strings.Replace(id, "--", "/", 1)
		}
	}
	// transformers 5 writes dtype where earlier versions wrote torch_dtype.
	d := c.Config.Decoder()
	dtype := d.String("dtype", d.String("torch_dtype", ""))
	return Model{Name: name, ConfigHash: c.Config.Hash(), Type: c.Config.ModelType(), DType: dtype}
}
