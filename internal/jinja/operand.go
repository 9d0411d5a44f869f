package jinja

import "math/big"

// An expression is evaluated for its value.
type expression interface {
	eval(r *run, s *scope) any
}

func (r *run) eval(e expression, s *scope) any {
	r.enter()
	v := e.eval(r, s)
	r.depth--
	return v
}

type constant struct{ value any }

func (n constant) eval(*run, *scope) any { return n.value }

type nameNode struct {
	line int
	name string
}

func (n *nameNode) eval(r *run, s *scope) any {
	if v, ok := s.get(n.name); ok {
		return v
	}
	return &undefined{name: n.name, strict: r.dialect.strict}
}

type conditionNode struct {
	line                   int
	test, value, otherwise expression
}

func (n *conditionNode) eval(r *run, s *scope) any {
	switch {
	case r.truth(r.eval(n.test, s)):
		return r.eval(n.value, s)
	case n.otherwise != nil:
		return r.eval(n.otherwise, s)
	}
	r.line = n.line
	missing := r.hint("the inline if-expression on line %d evaluated to false and no else section was defined.", n.line)
	missing.strict = false // Jinja lets it print as nothing even where undefined names are errors
	return missing
}

type tupleNode struct{ items []expression }

func (n *tupleNode) eval(r *run, s *scope) any { return &tuple{items: r.evalAll(n.items, s)} }

type listNode struct{ items []expression }

func (n *listNode) eval(r *run, s *scope) any { return &list{items: r.evalAll(n.items, s)} }

func (r *run) evalAll(all []expression, s *scope) []any {
	r.items(len(all))
	values := make([]any, len(all))
	for i, e := range all {
		values[i] = r.eval(e, s)
	}
	return values
}

type dictNode struct {
	line         int
	keys, values []expression
}

func (n *dictNode) eval(r *run, s *scope) any {
	m := NewMap()
	for i, k := range n.keys {
		r.items(2)
		r.setItem(m, r.eval(k, s), r.eval(n.values[i], s))
	}
	return m
}

type logicNode struct {
	left, right expression
	and         bool
}

func (n *logicNode) eval(r *run, s *scope) any {
	v := r.eval(n.left, s)
	if r.truth(v) != n.and {
		return v
	}
	return r.eval(n.right, s)
}

type notNode struct{ value expression }

func (n *notNode) eval(r *run, s *scope) any { return !r.truth(r.eval(n.value, s)) }

type compareNode struct {
	line      int
	first     expression
	operators []string
	operands  []expression
}

func (n *compareNode) eval(r *run, s *scope) any {
	left := r.eval(n.first, s)
	for i, op := range n.operators {
		right := r.eval(n.operands[i], s)
		if !r.compare(op, left, right) {
			return false
		}
		left = right
	}
	return true
}

type binaryNode struct {
	line        int
	operator    string
	left, right expression
}

func (n *binaryNode) eval(r *run, s *scope) any {
	left, right := r.eval(n.left, s), r.eval(n.right, s)
	r.line = n.line
	return r.binary(n.operator, left, right)
}

type signNode struct {
	line  int
	sign  string
	value expression
}

func (n *signNode) eval(r *run, s *scope) any {
	v := r.eval(n.value, s)
	r.line = n.line
	r.needDefined(v)
	if n.sign == "-" {
		switch x := v.(type) {
		case bool:
			return -number(x)
		case int64:
			return fromBig(new(big.Int).Neg(big.NewInt(x)))
		case *big.Int:
			return fromBig(new(big.Int).Neg(x))
		case float64:
			return -x
		}
	} else {
		switch x := v.(type) {
		case bool:
			return number(x)
		case int64, *big.Int, float64:
			return x
		}
	}
	r.fail(nil, "bad operand type for unary %s: '%s'", n.sign, typeName(v))
	return nil
}

type concatNode struct{ parts []expression }

func (n *concatNode) eval(r *run, s *scope) any {
	text := ""
	for _, e := range n.parts {
		part := r.str(r.eval(e, s))
		r.text(len(text) + len(part))
		text += part
	}
	return text
}

type attributeNode struct {
	line int
	of   expression
	name string
}

func (n *attributeNode) eval(r *run, s *scope) any {
	of := r.eval(n.of, s)
	r.line = n.line
	return r.attribute(of, n.name)
}

type itemNode struct {
	line    int
	of, key expression
}

func (n *itemNode) eval(r *run, s *scope) any {
	of, key := r.eval(n.of, s), r.eval(n.key, s)
	r.line = n.line
	return r.item(of, key)
}

type sliceNode struct{ start, stop, step expression }

func (n *sliceNode) eval(r *run, s *scope) any {
	value := func(e expression) any {
		if e == nil {
			return nil
		}
		return r.eval(e, s)
	}
	return &slice{value(n.start), value(n.stop), value(n.step)}
}

// argumentNodes are a call's brackets as written.
type argumentNodes struct {
	list            []expression
	names           []string
	named           []expression
	rest, restNamed expression // *a and **a
}

func (n *argumentNodes) eval(r *run, s *scope) arguments {
	a := arguments{list: r.evalAll(n.list, s), names: n.names[:len(n.names):len(n.names)], named: r.evalAll(n.named, s)}
	if n.rest != nil {
		rest := r.iterate(r.eval(n.rest, s))
		r.items(len(rest))
		a.list = append(a.list, rest...)
	}
	if n.restNamed != nil {
		m, ok := r.eval(n.restNamed, s).(*Map)
		if !ok {
			r.fail(nil, "argument after ** must be a mapping")
		}
		for i, k := range m.keys {
			key, ok := k.(string)
			if !ok {
				r.fail(nil, "keywords must be strings")
			}
			a.names = append(a.names, key)
			a.named = append(a.named, m.values[i])
		}
	}
	return a
}

type callNode struct {
	line      int
	of        expression
	arguments argumentNodes
}

func (n *callNode) prepare(r *run, s *scope) (any, arguments) {
	f := r.eval(n.of, s)
	a := n.arguments.eval(r, s)
	r.line = n.line
	return f, a
}

func (n *callNode) eval(r *run, s *scope) any {
	f, a := n.prepare(r, s)
	return r.call(f, a)
}

type filterNode struct {
	line      int
	of        expression // nil: the text of the block around it
	name      string
	run       filter
	arguments argumentNodes
}

func (n *filterNode) eval(r *run, s *scope) any {
	of := n.of
	if of == nil {
		of = &nameNode{name: capturedName}
	}
	v := r.eval(of, s)
	a := n.arguments.eval(r, s)
	a.of = n.name
	r.line = n.line
	return n.run(r, v, a)
}

type testNode struct {
	line      int
	of        expression
	name      string
	run       test
	arguments argumentNodes
}

func (n *testNode) eval(r *run, s *scope) any {
	v := r.eval(n.of, s)
	a := n.arguments.eval(r, s)
	a.of = n.name
	r.line = n.line
	return n.run(r, v, a)
}
