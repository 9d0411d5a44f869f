package checkpoint

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// Fingerprint names what the weights are without reading them: the config, and each tensor by its name, type and shape,
// and by where, how large and how old its file is. Results that were stored under another fingerprint are another model's.
func (c *Checkpoint) Fingerprint() (string, error) {
	h := sha256.New()
	fmt.Fprintln(h, c.Config.Hash())
	files := map[string]bool{}
	for _, name := range c.Names() {
		t, _ := c.Tensor(name)
		fmt.Fprintln(h, name, t.DType, t.Shape, t.File, t.Offset)
		if files[t.File] {
			continue
		}
		files[t.File] = true
		info, err := t.Stat()
		if err != nil {
			return "", fmt.Errorf("checkpoint: %w", err)
		}
		fmt.Fprintln(h, info.Size(), info.ModTime().UnixNano())
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
