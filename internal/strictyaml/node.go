package strictyaml

import "fmt"

// Node is a value of a file. It knows where it stands, for errors.
type Node struct {
	File  string
	Line  int
	Tag   string // "!function" and the like
	Value any    // nil, bool, int, float64, string, []*Node, *Mapping

	prefix  string // of errors
	written string // a fraction as the file has it
}

// Mapping is an object, its keys in their order.
type Mapping struct {
	Keys []string
	At   map[string]*Node
}

// NewMapping is an object without keys.
func NewMapping() *Mapping { return &Mapping{At: map[string]*Node{}} }

// Set gives a key a value. One that is known keeps its place.
func (m *Mapping) Set(key string, n *Node) {
	if _, known := m.At[key]; !known {
		m.Keys = append(m.Keys, key)
	}
	m.At[key] = n
}

// Fail is an error at a node.
func (n *Node) Fail(format string, a ...any) error {
	return fmt.Errorf("%s: %s: line %d: %s", n.prefix, n.File, n.Line, fmt.Sprintf(format, a...))
}

func (n *Node) tooDeep() error { return n.Fail("it is nested too deeply") }

// Kind is what a node holds, in words.
func (n *Node) Kind() string {
	switch v := n.Value.(type) {
	case nil:
		return "empty"
	case bool:
		return fmt.Sprintf("the truth value %t", v)
	case int:
		return fmt.Sprintf("the number %d", v)
	case float64:
		return "the number " + n.written
	case string:
		return fmt.Sprintf("the text %.40q", v)
	case []*Node:
		return "a list"
	}
	return "an object"
}

// Readers of values. key is the name by which errors call the node.

// Text is a text, "" where there is nothing.
func (n *Node) Text(key string) (string, error) {
	switch v := n.Value.(type) {
	case string:
		return v, nil
	case nil:
		return "", nil
	}
	return "", n.Fail("%s: it is %s, a text is expected", key, n.Kind())
}

// Truth is true or false.
func (n *Node) Truth(key string) (bool, error) {
	v, ok := n.Value.(bool)
	if !ok {
		return false, n.Fail("%s: it is %s, true or false is expected", key, n.Kind())
	}
	return v, nil
}

// Count is a number from 0 to most.
func (n *Node) Count(key string, most int) (int, error) {
	v, ok := n.Value.(int)
	if !ok || v < 0 || v > most {
		return 0, n.Fail("%s: it is %s, a number from 0 to %d is expected", key, n.Kind(), most)
	}
	return v, nil
}

// Texts are one text or a list of texts.
func (n *Node) Texts(key string) ([]string, error) {
	switch v := n.Value.(type) {
	case nil:
		return nil, nil
	case string:
		return []string{v}, nil
	case []*Node:
		out := make([]string, len(v))
		for i, e := range v {
			s, ok := e.Value.(string)
			if !ok {
				return nil, e.Fail("%s: an entry is %s, a text is expected: put it in quotes", key, e.Kind())
			}
			out[i] = s
		}
		return out, nil
	}
	return nil, n.Fail("%s: it is %s, a text or a list of texts is expected", key, n.Kind())
}

// Entries are a list's; a node that is none is the only one.
func (n *Node) Entries() []*Node {
	if list, ok := n.Value.([]*Node); ok {
		return list
	}
	return []*Node{n}
}

// Object is an object of keys. prefix is what errors put before them.
func (n *Node) Object(prefix string) (*Mapping, error) {
	m, ok := n.Value.(*Mapping)
	if !ok {
		return nil, n.Fail("%sit is %s, an object of keys is expected", prefix, n.Kind())
	}
	return m, nil
}

// Objects are an object or a list of objects.
func (n *Node) Objects(prefix string) ([]*Mapping, error) {
	var out []*Mapping
	for _, e := range n.Entries() {
		m, err := e.Object(prefix)
		if err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	return out, nil
}
