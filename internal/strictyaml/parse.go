package strictyaml

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

const (
	// Largest is how many bytes a file may have.
	Largest = 1 << 20

	widest = 1 << 16 // column of a token: indentation too is depth
)

// Dialect is what a kind of file may hold.
type Dialect struct {
	Prefix  string // of errors: the package whose files these are
	Depth   int    // of lists and objects in each other
	Tags    bool   // whether values may have tags, as !function
	Instead string // what errors advise instead of a reference
}

// Parse reads a file. An empty one is a node without value.
func (d Dialect) Parse(file string, data []byte) (*Node, error) {
	where := d.At(file, 1)
	if len(data) > Largest {
		return nil, where.Fail("it has %d bytes, at most %d are read", len(data), Largest)
	}
	if err := d.bounded(file, string(data)); err != nil {
		return nil, err
	}
	tree, err := parser.ParseBytes(data, 0)
	switch {
	case err != nil:
		return nil, d.syntax(file, err)
	case len(tree.Docs) > 1:
		return nil, where.Fail("it holds %d YAML documents, one is expected", len(tree.Docs))
	case len(tree.Docs) == 0 || tree.Docs[0].Body == nil:
		return where, nil
	}
	return d.convert(file, tree.Docs[0].Body, 0)
}

// At is a place in a file, for errors.
func (d Dialect) At(file string, line int) *Node {
	return &Node{File: file, Line: line, prefix: d.Prefix}
}

// syntax is an error of the parser in one line.
func (d Dialect) syntax(file string, err error) error {
	var y yaml.Error
	if errors.As(err, &y) && y.GetToken() != nil {
		return d.At(file, y.GetToken().Position.Line).Fail("%s", firstLine(y.GetMessage()))
	}
	return fmt.Errorf("%s: %s: %s", d.Prefix, file, firstLine(err.Error()))
}

func firstLine(s string) string {
	first, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return first
}

// bounded refuses depth, which the parser recurses over, and references, which multiply.
func (d Dialect) bounded(file, text string) error {
	depth, line, entries := 0, 0, 0
	for _, t := range lexer.Tokenize(text) {
		n := d.At(file, t.Position.Line)
		if t.Position.Line != line {
			line, entries = t.Position.Line, 0
		}
		switch t.Type {
		case token.AnchorType, token.AliasType, token.MergeKeyType:
			return n.Fail("anchors and references (&, *, <<) are not read: %s", d.Instead)
		case token.MappingKeyType:
			return n.Fail("keys that begin with ? are not read")
		case token.TagType:
			if !d.Tags {
				return n.Fail("tags (!) are not read, nor are anchors and references (&, *, <<): %s", d.Instead)
			}
			entries++
		case token.SequenceEntryType:
			entries++
		case token.SequenceStartType, token.MappingStartType:
			depth++
		case token.SequenceEndType, token.MappingEndType:
			depth--
		}
		if depth > d.Depth || entries > d.Depth || t.Position.Column > widest {
			return n.tooDeep()
		}
	}
	return nil
}

func (d Dialect) convert(file string, from ast.Node, depth int) (*Node, error) {
	n := d.At(file, 1)
	if t := from.GetToken(); t != nil && t.Position != nil {
		n.Line = t.Position.Line
	}
	if depth > d.Depth {
		return nil, n.tooDeep()
	}
	switch v := from.(type) {
	case *ast.NullNode:
	case *ast.BoolNode:
		n.Value = v.Value
	case *ast.IntegerNode:
		i, ok := v.Value.(int64)
		if u, unsigned := v.Value.(uint64); unsigned && u <= math.MaxInt64 {
			i, ok = int64(u), true
		}
		if !ok || int64(int(i)) != i {
			return nil, n.Fail("%v is too large", v.Value)
		}
		n.Value = int(i)
	case *ast.FloatNode:
		n.Value, n.written = v.Value, v.GetToken().Value
	case *ast.StringNode:
		n.Value = v.Value
	case *ast.LiteralNode:
		n.Value = v.Value.Value
	case *ast.TagNode:
		if v.Value == nil {
			return nil, n.Fail("nothing follows %s", v.Start.Value)
		}
		inner, err := d.convert(file, v.Value, depth+1)
		if err != nil {
			return nil, err
		}
		inner.Tag = v.Start.Value
		return inner, nil
	case *ast.SequenceNode:
		list := make([]*Node, len(v.Values))
		for i, e := range v.Values {
			var err error
			if list[i], err = d.convert(file, e, depth+1); err != nil {
				return nil, err
			}
		}
		n.Value = list
	case *ast.MappingNode:
		return n, d.object(n, v.Values, depth)
	case *ast.MappingValueNode:
		return n, d.object(n, []*ast.MappingValueNode{v}, depth)
	default:
		return nil, n.Fail("a YAML %s is not read", strings.ToLower(from.Type().String()))
	}
	return n, nil
}

// object gives a node its keys.
func (d Dialect) object(n *Node, values []*ast.MappingValueNode, depth int) error {
	m := NewMapping()
	n.Value = m
	for _, v := range values {
		t := v.Key.GetToken()
		name := t.Value // a number too can be a key, as in a map of answers
		if key, ok := v.Key.(ast.Node).(*ast.StringNode); ok {
			name = key.Value
		}
		value, err := d.convert(n.File, v.Value, depth+1)
		if err != nil {
			return err
		}
		if t.Position != nil {
			value.Line = t.Position.Line
		}
		if _, twice := m.At[name]; twice {
			return value.Fail("%s: the key is given twice", name)
		}
		m.Set(name, value)
	}
	return nil
}
