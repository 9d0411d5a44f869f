package checkpoint

import (
	"fmt"
	"sort"

	"shallow/internal/machine"
)

// Blank opens a model directory that has a config.json and no weights, for a training that begins from nothing: its tensors are
// those that wanted gives the names, types and shapes of, and all their elements are zero.
func Blank(dir string, wanted func(*Config) ([]Tensor, error)) (*Checkpoint, error) {
	c := &Checkpoint{Dir: dir, tensors: map[string]Tensor{}}
	if err := c.readConfig(); err != nil {
		return nil, err
	}
	tensors, err := wanted(c.Config)
	if err != nil {
		return nil, err
	}
	zeros := &shard{header: &header{}}
	var total, largest int64
	for _, t := range tensors {
		if t.Length, err = byteLength(t.DType, t.Shape); err != nil {
			return nil, fmt.Errorf("checkpoint: tensor %q: %w", t.Name, err)
		}
		if total += t.Length; total < 0 || machine.Memory() > 0 && total > machine.Memory() {
			return nil, fmt.Errorf("checkpoint: %s: the weights that config.json asks for take more than this machine's memory", dir)
		}
		largest = max(largest, t.Length)
		t.shard = zeros
		c.tensors[t.Name] = t
		c.names = append(c.names, t.Name)
	}
	sort.Strings(c.names)
	zeros.data = make([]byte, largest) // all tensors are read from the same zeros
	return c, nil
}
