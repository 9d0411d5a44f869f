package jinja

import (
	"fmt"
	"strings"
)

// Literal reads what Python's ast.literal_eval does: a string, number, True, False, None, list, tuple or dict. Lists and
// tuples become []any, objects *Map. It reads back what a template printed for a list.
func Literal(source string) (v any, err error) {
	defer func() {
		if p := recover(); p != nil {
			v, err = nil, recovered(p, 1)
		}
	}()
	if len(source) > maxSource {
		return nil, fmt.Errorf("jinja: a literal of %d bytes, at most %d are read", len(source), maxSource)
	}
	// Behind "{{" the lexer reads an expression; "}}" ends it unless a bracket is open.
	source = strings.Trim(source, " \t\n\r")
	p := &parser{dialect: &dialect{strict: true}, line: 1}
	p.tokens = lex("{{ "+source+" }}", p.dialect)
	for _, t := range p.tokens {
		if strings.ContainsAny(t.raw, "\n\r") || t.kind == name && t.value != "True" && t.value != "False" && t.value != "None" {
			p.fail("not a literal of Python")
		}
	}
	p.expect(variableBegin, "")
	e := p.tuple(false, nil)
	p.expect(variableEnd, "")
	p.expect(endOfFile, "")
	r := &run{dialect: p.dialect, budget: maxWork, line: 1}
	return toGo(literal(e, r)), nil
}

// literal evaluates what is written out and refuses all that would have to be computed.
func literal(e expression, r *run) any {
	values := func(all []expression) []any {
		items := make([]any, len(all))
		for i, one := range all {
			items[i] = literal(one, r)
		}
		return items
	}
	switch n := e.(type) {
	case constant:
		return n.value
	case *signNode:
		if c, ok := n.value.(constant); ok {
			if _, isBool := c.value.(bool); !isBool {
				return n.eval(r, nil)
			}
		}
	case *listNode:
		return &list{items: values(n.items)}
	case *tupleNode:
		return &list{items: values(n.items)}
	case *dictNode:
		m := NewMap()
		for i, k := range values(n.keys) {
			r.setItem(m, k, literal(n.values[i], r))
		}
		return m
	}
	r.fail(ErrSyntax, "not a literal of Python")
	return nil
}

// toGo gives lists as []any.
func toGo(v any) any {
	switch x := v.(type) {
	case *list:
		items := make([]any, len(x.items))
		for i, item := range x.items {
			items[i] = toGo(item)
		}
		return items
	case *Map:
		for i := range x.values {
			x.values[i] = toGo(x.values[i])
		}
	}
	return v
}
