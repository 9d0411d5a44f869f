package task

import (
	"encoding/json"
	"slices"

	"shallow/eval/task/internal/pytext"
	"shallow/internal/strictyaml"
)

type (
	node    = strictyaml.Node
	mapping = strictyaml.Mapping
)

// dialect is what task files may hold.
var dialect = strictyaml.Dialect{Prefix: "task", Depth: 24, Tags: true, Instead: "write the value out, or use include"}

// parse reads a task file, which is one YAML object.
func parse(file string, data []byte) (*mapping, error) {
	n, err := dialect.Parse(file, data)
	if err != nil {
		return nil, err
	}
	return n.Object("")
}

// table says how each key of an object is read.
type table map[string]func(*node) error

// read reads the keys of an object by the table. prefix is what errors put before a key.
func (t table) read(m *mapping, prefix string) error {
	return strictyaml.Table(t).Read(m, prefix, unknownKey)
}

func unknownKey(key string, keys []string) string {
	if slices.Contains(unsupported, key) {
		return "this key of lm-evaluation-harness is not supported here"
	}
	return "the key is unknown" + nearest(key, keys)
}

// unsupported are keys of the harness that cannot be followed: they need Python, pictures or sound.
var unsupported = []string{"class", "custom_dataset", "doc_to_audio", "doc_to_image", "fewshot_indices", "hf_evaluate", "unsafe_code", "use_prompt"}

// nearest names what may have been meant, for the end of an error.
func nearest(word string, names []string) string {
	if name := strictyaml.Nearest(word, names); name != "" {
		return "; the nearest is " + name
	}
	return ""
}

// nameAt is a key's text, "" where the object does not have it.
func nameAt(m *mapping, key string) (string, error) {
	n := m.At[key]
	if n == nil {
		return "", nil
	}
	s, ok := n.Value.(string)
	if !ok {
		return "", n.Fail("%s: it is %s, a name is expected", key, n.Kind())
	}
	return s, nil
}

// plain is a value without lines, for results.json. A fraction is written as Python writes it.
func plain(n *node) any {
	switch v := n.Value.(type) {
	case float64:
		return json.Number(pytext.Float(v))
	case []*node:
		list := make([]any, len(v))
		for i, e := range v {
			list[i] = plain(e)
		}
		return list
	case *mapping:
		return plainObject(v)
	}
	return n.Value
}

func plainObject(m *mapping) pytext.Object {
	o := make(pytext.Object, len(m.Keys))
	for i, k := range m.Keys {
		o[i] = pytext.Member{Key: k, Value: plain(m.At[k])}
	}
	return o
}
