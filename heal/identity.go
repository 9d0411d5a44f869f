package heal

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"shallow/checkpoint"
)

// identity is a hash of a model's config and of every tensor's name, shape and first bytes: enough to know it again without
// reading all of it.
func identity(c *checkpoint.Checkpoint) string {
	const first = 256
	h := sha256.New()
	h.Write([]byte(c.Config.Hash()))
	for _, name := range c.Names() {
		t, _ := c.Tensor(name)
		fmt.Fprintln(h, name, t.DType, t.Shape)
		data := t.Bytes()
		h.Write(data[:min(first, len(data))])
		c.Forget(name)
	}
	return hex.EncodeToString(h.Sum(nil))
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// hash is that of an adapter's numbers.
func (p *PEFT) hash() string {
	h := sha256.New()
	for _, m := range p.Modules {
		fmt.Fprintln(h, m.Module, m.Rank, m.Scale)
		h.Write(littleEndian(m.A))
		h.Write(littleEndian(m.B))
	}
	return hex.EncodeToString(h.Sum(nil))
}
