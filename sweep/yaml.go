package sweep

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Specs come from people: their size and depth are bounded before they are parsed.
const (
	largestSpec = 1 << 20
	deepest     = 12
)

// node is a value of a spec. It knows where it stands, for errors.
type node struct {
	file  string
	line  int
	value any // nil, bool, int, float64, string, []*node, *mapping
}

// mapping is an object of a spec, its keys in their order.
type mapping struct {
	keys []string
	at   map[string]*node
}

// fail is an error at a node.
func (n *node) fail(format string, a ...any) error {
	return fmt.Errorf("sweep: %s: line %d: %s", n.file, n.line, fmt.Sprintf(format, a...))
}

// parseYAML reads a file that is one YAML object.
func parseYAML(file string, data []byte) (*node, error) {
	where := &node{file: file, line: 1}
	if len(data) > largestSpec {
		return nil, where.fail("a spec of %d bytes, at most %d are read", len(data), largestSpec)
	}
	if err := bounded(file, string(data)); err != nil {
		return nil, err
	}
	tree, err := parser.ParseBytes(data, 0)
	if err != nil {
		var y yaml.Error
		if errors.As(err, &y) && y.GetToken() != nil {
			where.line = y.GetToken().Position.Line
			return nil, where.fail("%s", y.GetMessage())
		}
		first, _, _ := strings.Cut(strings.TrimSpace(err.Error()), "\n")
		return nil, fmt.Errorf("sweep: %s: %s", file, first)
	}
	if len(tree.Docs) != 1 || tree.Docs[0].Body == nil {
		return nil, where.fail("one YAML document with an object of keys is expected")
	}
	return convert(file, tree.Docs[0].Body, 0)
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
		case token.AnchorType, token.AliasType, token.MergeKeyType, token.MappingKeyType, token.TagType:
			return n.fail("anchors, references, tags and keys that begin with ? (&, *, <<, !, ?) are not read: write the value out")
		case token.SequenceStartType, token.MappingStartType:
			depth++
		case token.SequenceEndType, token.MappingEndType:
			depth--
		case token.SequenceEntryType:
			entries++
		}
		if depth > deepest || entries > deepest || t.Position.Column > 1<<12 {
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
		n.value = v.Value
	case *ast.StringNode:
		n.value = v.Value
	case *ast.LiteralNode:
		n.value = v.Value.Value
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
		t := v.Key.GetToken()
		value, err := convert(n.file, v.Value, depth+1)
		if err != nil {
			return err
		}
		if t.Position != nil {
			value.line = t.Position.Line
		}
		if _, twice := m.at[t.Value]; twice {
			return value.fail("%s: the key is given twice", t.Value)
		}
		m.keys, m.at[t.Value] = append(m.keys, t.Value), value
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
	case int, float64:
		return fmt.Sprintf("the number %v", v)
	case string:
		return fmt.Sprintf("the text %.40q", v)
	case []*node:
		return "a list"
	}
	return "an object"
}

// table says how each key of an object is read.
type table map[string]func(*node) error

// read reads the keys of an object. An unknown key is refused with the nearest one that there is. prefix is what errors put
// before a key.
func (t table) read(n *node, prefix string) error {
	m, ok := n.value.(*mapping)
	if !ok {
		return n.fail("%sit is %s, an object of keys is expected", prefix, n.kind())
	}
	for _, key := range m.keys {
		read, known := t[key]
		if !known {
			names := make([]string, 0, len(t))
			for k := range t {
				names = append(names, k)
			}
			return m.at[key].fail("%s%s: the key is unknown%s", prefix, key, nearest(key, names))
		}
		if err := read(m.at[key]); err != nil {
			return err
		}
	}
	return nil
}

// nearest names what may have been meant, for the end of an error.
func nearest(word string, names []string) string {
	slices.Sort(names)
	best, least := "", 1+max(2, len(word)/3)
	for _, name := range names {
		if d := distance(strings.ToLower(word), name); d < least {
			best, least = name, d
		}
	}
	if best == "" {
		return "; known are " + strings.Join(names, ", ")
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
