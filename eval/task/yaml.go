package task

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"shallow/eval/task/internal/pytext"
)

// Files come from people: their size and depth are bounded before they are parsed.
const (
	largestFile = 1 << 20
	deepest     = 24
)

// node is a value of a task file. It knows where it stands, for errors.
type node struct {
	file  string
	line  int
	tag   string // "!function" and the like
	value any    // nil, bool, int, json.Number (a fraction, as it is written), string, []*node, *mapping
}

// mapping is an object of a task file, its keys in their order.
type mapping struct {
	keys []string
	at   map[string]*node
}

func (m *mapping) set(key string, n *node) {
	if _, known := m.at[key]; !known {
		m.keys = append(m.keys, key)
	}
	m.at[key] = n
}

// fail is an error at a node.
func (n *node) fail(format string, a ...any) error {
	return fmt.Errorf("task: %s: line %d: %s", n.file, n.line, fmt.Sprintf(format, a...))
}

// parse reads a task file, which is one YAML object.
func parse(file string, data []byte) (*mapping, error) {
	where := node{file: file, line: 1}
	if len(data) > largestFile {
		return nil, where.fail("a task file of %d bytes, at most %d are read", len(data), largestFile)
	}
	if err := bounded(file, string(data)); err != nil {
		return nil, err
	}
	tree, err := parser.ParseBytes(data, 0)
	if err != nil {
		return nil, syntax(file, err)
	}
	switch {
	case len(tree.Docs) > 1:
		return nil, where.fail("it holds %d YAML documents, one is expected", len(tree.Docs))
	case len(tree.Docs) == 0 || tree.Docs[0].Body == nil:
		return nil, where.fail("it is empty, an object of keys is expected")
	}
	n, err := convert(file, tree.Docs[0].Body, 0)
	if err != nil {
		return nil, err
	}
	m, ok := n.value.(*mapping)
	if !ok {
		return nil, n.fail("it is %s, an object of keys is expected", n.kind())
	}
	return m, nil
}

// syntax is an error of the parser in one line.
func syntax(file string, err error) error {
	var y yaml.Error
	if errors.As(err, &y) && y.GetToken() != nil {
		n := node{file: file, line: y.GetToken().Position.Line}
		return n.fail("%s", y.GetMessage())
	}
	first, _, _ := strings.Cut(strings.TrimSpace(err.Error()), "\n")
	return fmt.Errorf("task: %s: %s", file, first)
}

// bounded refuses depth, which the parser recurses over, and references, which multiply.
func bounded(file, text string) error {
	depth, line, entries := 0, 0, 0
	for _, t := range lexer.Tokenize(text) {
		n := node{file: file, line: t.Position.Line}
		if t.Position.Line != line {
			line, entries = t.Position.Line, 0
		}
		switch t.Type {
		case token.AnchorType, token.AliasType, token.MergeKeyType:
			return n.fail("anchors and references (&, *, <<) are not read: write the value out, or use include")
		case token.MappingKeyType:
			return n.fail("keys that begin with ? are not read")
		case token.SequenceStartType, token.MappingStartType:
			depth++
		case token.SequenceEndType, token.MappingEndType:
			depth--
		case token.SequenceEntryType, token.TagType:
			entries++
		}
		if depth > deepest || entries > deepest || t.Position.Column > 1<<16 {
			return n.fail("it is nested too deeply")
		}
	}
	return nil
}

func convert(file string, from ast.Node, depth int) (*node, error) {
	n := &node{file: file, line: 1}
	if t := from.GetToken(); t != nil && t.Position != nil {
		n.line = t.Position.Line
	}
	if depth > deepest {
		return nil, n.fail("it is nested too deeply")
	}
	switch v := from.(type) {
	case *ast.NullNode:
	case *ast.BoolNode:
		n.value = v.Value
	case *ast.IntegerNode:
		i, ok := v.Value.(int64)
		if u, unsigned := v.Value.(uint64); unsigned && u <= math.MaxInt64 {
			i, ok = int64(u), true
		}
		if !ok || int64(int(i)) != i {
			return nil, n.fail("%v is too large", v.Value)
		}
		n.value = int(i)
	case *ast.FloatNode:
		n.value = json.Number(pytext.Float(v.Value))
	case *ast.StringNode:
		n.value = v.Value
	case *ast.LiteralNode:
		n.value = v.Value.Value
	case *ast.TagNode:
		if v.Value == nil {
			return nil, n.fail("nothing follows %s", v.Start.Value)
		}
		inner, err := convert(file, v.Value, depth+1)
		if err != nil {
			return nil, err
		}
		inner.tag = v.Start.Value
		return inner, nil
	case *ast.SequenceNode:
		list := make([]*node, len(v.Values))
		for i, e := range v.Values {
			var err error
			if list[i], err = convert(file, e, depth+1); err != nil {
				return nil, err
			}
		}
		n.value = list
	case *ast.MappingNode:
		return n, n.object(v.Values, depth)
	case *ast.MappingValueNode:
		return n, n.object([]*ast.MappingValueNode{v}, depth)
	default:
		return nil, n.fail("a YAML %s is not read", strings.ToLower(from.Type().String()))
	}
	return n, nil
}

func (n *node) object(values []*ast.MappingValueNode, depth int) error {
	m := &mapping{at: map[string]*node{}}
	n.value = m
	for _, v := range values {
		name := v.Key.GetToken().Value // a number too can be a key, as in a map of answers
		if key, ok := v.Key.(ast.Node).(*ast.StringNode); ok {
			name = key.Value
		}
		value, err := convert(n.file, v.Value, depth+1)
		if err != nil {
			return err
		}
		if t := v.Key.GetToken(); t != nil && t.Position != nil {
			value.line = t.Position.Line
		}
		if _, twice := m.at[name]; twice {
			return value.fail("%s: the key is given twice", name)
		}
		m.set(name, value)
	}
	return nil
}

// kind is what a node holds, in words.
func (n *node) kind() string {
	switch v := n.value.(type) {
	case nil:
		return "empty"
	case bool:
		return fmt.Sprintf("the truth value %t", v)
	case int:
		return fmt.Sprintf("the number %d", v)
	case json.Number:
		return "the number " + v.String()
	case string:
		return fmt.Sprintf("the text %.40q", v)
	case []*node:
		return "a list"
	}
	return "an object"
}

// plain is the value without lines, for results.json.
func (n *node) plain() any {
	switch v := n.value.(type) {
	case []*node:
		list := make([]any, len(v))
		for i, e := range v {
			list[i] = e.plain()
		}
		return list
	case *mapping:
		return v.plain()
	}
	return n.value
}

func (m *mapping) plain() pytext.Object {
	o := make(pytext.Object, len(m.keys))
	for i, k := range m.keys {
		o[i] = pytext.Member{Key: k, Value: m.at[k].plain()}
	}
	return o
}
