package task

import (
	"slices"
	"strings"
)

// Readers of single values. key is the name by which errors call the node.

func (n *node) text(key string) (string, error) {
	switch v := n.value.(type) {
	case string:
		return v, nil
	case nil:
		return "", nil
	}
	return "", n.fail("%s: it is %s, a text is expected", key, n.kind())
}

func (n *node) truth(key string) (bool, error) {
	v, ok := n.value.(bool)
	if !ok {
		return false, n.fail("%s: it is %s, true or false is expected", key, n.kind())
	}
	return v, nil
}

func (n *node) count(key string, most int) (int, error) {
	v, ok := n.value.(int)
	if !ok || v < 0 || v > most {
		return 0, n.fail("%s: it is %s, a number from 0 to %d is expected", key, n.kind(), most)
	}
	return v, nil
}

// texts are one text or a list of texts.
func (n *node) texts(key string) ([]string, error) {
	switch v := n.value.(type) {
	case nil:
		return nil, nil
	case string:
		return []string{v}, nil
	case []*node:
		out := make([]string, len(v))
		for i, e := range v {
			s, ok := e.value.(string)
			if !ok {
				return nil, e.fail("%s: an entry is %s, a text is expected: put it in quotes", key, e.kind())
			}
			out[i] = s
		}
		return out, nil
	}
	return nil, n.fail("%s: it is %s, a text or a list of texts is expected", key, n.kind())
}

func (n *node) members(key string) (*mapping, error) {
	m, ok := n.value.(*mapping)
	if !ok {
		return nil, n.fail("%s: it is %s, an object of keys is expected", key, n.kind())
	}
	return m, nil
}

// objects are an object or a list of objects.
func (n *node) objects(key string) ([]*mapping, error) {
	list, ok := n.value.([]*node)
	if !ok {
		list = []*node{n}
	}
	out := make([]*mapping, len(list))
	for i, e := range list {
		var err error
		if out[i], err = e.members(key); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// table says how each key of an object is read.
type table map[string]func(*node) error

// read reads the keys of an object by the table. An unknown key is refused by its name. prefix is what errors put before it.
func (t table) read(m *mapping, prefix string) error {
	for _, key := range m.keys {
		read, known := t[key]
		if !known {
			return m.at[key].fail("%s%s: %s", prefix, key, t.unknown(key))
		}
		if err := read(m.at[key]); err != nil {
			return err
		}
	}
	return nil
}

func (t table) unknown(key string) string {
	if slices.Contains(unsupported, key) {
		return "this key of lm-evaluation-harness is not supported here"
	}
	names := make([]string, 0, len(t))
	for k := range t {
		names = append(names, k)
	}
	return "the key is unknown" + nearest(key, names)
}

// unsupported are keys of the harness that cannot be followed: they need Python, pictures or sound.
var unsupported = []string{"class", "custom_dataset", "doc_to_audio", "doc_to_image", "fewshot_indices", "hf_evaluate", "unsafe_code", "use_prompt"}

// nearest names what may have been meant, for the end of an error.
func nearest(word string, names []string) string {
	slices.Sort(names)
	best, least := "", 1+max(2, len(word)/3)
	for _, name := range names {
		if d := distance(strings.ToLower(word), strings.ToLower(name)); d < least {
			best, least = name, d
		}
	}
	if best == "" {
		return ""
	}
	return "; the nearest is " + best
}

// distance is how many letters must be put in, left out or changed to make b of a.
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 64
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		corner := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := corner
			if a[i] != b[j] {
				change++
			}
			corner = row[j+1]
			row[j+1] = min(change, corner+1, row[j]+1)
		}
	}
	return row[len(b)]
}
