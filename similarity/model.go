package similarity

import (
	"path/filepath"

	"shallow/checkpoint"
)

// ModelOf describes a checkpoint by the name of its folder and by its config.
func ModelOf(c *checkpoint.Checkpoint) Model {
	name := filepath.Base(c.Dir)
	if abs, err := filepath.Abs(c.Dir); err == nil {
		name = filepath.Base(abs)
	}
	// transformers 5 writes dtype where earlier versions wrote torch_dtype.
	d := c.Config.Decoder()
	dtype := d.String("dtype", d.String("torch_dtype", ""))
	return Model{Name: name, ConfigHash: c.Config.Hash(), Type: c.Config.ModelType(), DType: dtype}
}
