package checkpoint

import (
	"context"
	"fmt"
	"math"
)

// OpenFile opens one safetensors file that stands alone, such as an adapter's. Its Config is nil.
func OpenFile(dir, name string) (*Checkpoint, error) {
	c := &Checkpoint{Dir: dir, tensors: map[string]Tensor{}}
	s, err := c.open(name)
	if err != nil {
		return nil, err
	}
	for _, t := range s.header.tensors {
		c.tensors[t.Name] = t
		c.names = append(c.names, t.Name)
	}
	return c, nil
}

// ReadObject reads a small JSON file of a directory, such as adapter_config.json.
func ReadObject(dir, name string) (*Config, error) {
	data, err := readFile(dir, name, maxConfig)
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	return ParseObject(name, data)
}

// WriteFileOf writes tensors into one safetensors file of a name of its own, which may lie in a folder that is there. metadata may be nil.
func (w *Writer) WriteFileOf(ctx context.Context, name string, outputs []Output, metadata map[string]string) error {
	shards, total, err := divide(outputs, math.MaxInt64)
	if err != nil {
		return err
	}
	if err := w.CheckSpace(total); err != nil {
		return err
	}
	if len(shards) == 0 {
		return fmt.Errorf("checkpoint: %s: no tensor is to be written", name)
	}
	return w.writeShard(ctx, name, shards[0], metadata)
}
