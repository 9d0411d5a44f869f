package sweep

import (
	"strings"

	"shallow/internal/strictyaml"
)

type (
	node    = strictyaml.Node
	mapping = strictyaml.Mapping
)

// parseYAML reads a file that is one YAML object.
func parseYAML(file string, data []byte) (*node, error) {
	n, err := strictyaml.Dialect{Prefix: "sweep", Depth: 12, Instead: "write the value out"}.Parse(file, data)
	if err == nil && n.Value == nil {
		err = n.Fail("one YAML document with an object of keys is expected")
	}
	return n, err
}

// table says how each key of an object is read.
type table map[string]func(*node) error

// read reads the keys of an object. An unknown key is refused with the nearest one that there is. prefix is what errors put
// before a key.
func (t table) read(n *node, prefix string) error {
	m, err := n.Object(prefix)
	if err != nil {
		return err
	}
	return strictyaml.Table(t).Read(m, prefix, func(key string, keys []string) string {
		if name := strictyaml.Nearest(key, keys); name != "" {
			return "the key is unknown; the nearest is " + name
		}
		return "the key is unknown; known are " + strings.Join(keys, ", ")
	})
}
