package jinja

import (
	"slices"
	"strings"
)

// expression reads one expression; conditional says whether "a if b else c" may stand here.
func (p *parser) expression(conditional bool) expression {
	p.nest()
	defer func() { p.depth-- }()
	if !conditional {
		return p.or()
	}
	value := p.or()
	for p.skip(name, "if") {
		line := p.line
		test := p.or()
		var otherwise expression
		if p.skip(name, "else") {
			otherwise = p.expression(true)
		}
		value = &conditionNode{line: line, test: test, value: value, otherwise: otherwise}
	}
	return value
}

// tuple reads one expression, or several with commas between them.
func (p *parser) tuple(conditional bool, ends []string) expression {
	var all []expression
	isTuple := false
	for {
		if len(all) > 0 {
			p.expect(operator, ",")
		}
		if p.ends1(ends) {
			break
		}
		all = append(all, p.expression(conditional))
		if !p.peekIs(operator, ",") {
			break
		}
		isTuple = true
	}
	if isTuple {
		return &tupleNode{items: all}
	}
	if len(all) == 0 {
		p.fail("Expected an expression, got '%s'", p.peek().describe())
	}
	return all[0]
}

func (p *parser) or() expression {
	left := p.and()
	for p.skip(name, "or") {
		left = &logicNode{left: left, right: p.and()}
	}
	return left
}

func (p *parser) and() expression {
	left := p.not()
	for p.skip(name, "and") {
		left = &logicNode{left: left, right: p.not(), and: true}
	}
	return left
}

func (p *parser) not() expression {
	if p.skip(name, "not") {
		p.nest()
		defer func() { p.depth-- }()
		return &notNode{p.not()}
	}
	return p.comparison()
}

func (p *parser) comparison() expression {
	node := &compareNode{first: p.sum()}
	for {
		op := ""
		switch t := p.peek(); {
		case t.kind == operator && slices.Contains([]string{"==", "!=", "<", "<=", ">", ">="}, t.value):
			op = p.next().value
		case p.skip(name, "in"):
			op = "in"
		case t.is(name, "not") && p.look().is(name, "in"):
			p.next()
			p.next()
			op = "not in"
		}
		if op == "" {
			break
		}
		node.line = p.line
		node.operators = append(node.operators, op)
		node.operands = append(node.operands, p.sum())
	}
	if node.operators == nil {
		return node.first
	}
	return node
}

// left reads operators of one rank, each bound to what stands left of it.
func (p *parser) left(operand func() expression, operators ...string) expression {
	value := operand()
	for p.peek().kind == operator && slices.Contains(operators, p.peek().value) {
		op := p.next()
		value = &binaryNode{line: op.line, operator: op.value, left: value, right: operand()}
	}
	return value
}

func (p *parser) sum() expression { return p.left(p.concatenation, "+", "-") }

func (p *parser) concatenation() expression {
	first := p.product()
	if !p.peekIs(operator, "~") {
		return first
	}
	node := &concatNode{parts: []expression{first}}
	for p.skip(operator, "~") {
		node.parts = append(node.parts, p.product())
	}
	return node
}

func (p *parser) product() expression { return p.left(p.power, "*", "/", "//", "%") }

func (p *parser) power() expression {
	return p.left(func() expression { return p.unary(true) }, "**")
}

func (p *parser) unary(filtered bool) (node expression) {
	p.nest()
	defer func() { p.depth-- }()
	if t := p.peek(); t.is(operator, "-") || t.is(operator, "+") {
		p.next()
		node = &signNode{line: t.line, sign: t.value, value: p.unary(false)}
	} else {
		node = p.primary()
	}
	node = p.postfix(node)
	if filtered {
		node = p.filtersAndTests(node)
	}
	return node
}

func (p *parser) primary() expression {
	p.nest()
	defer func() { p.depth-- }()
	t := p.next()
	switch t.kind {
	case name:
		switch t.value {
		case "true", "True":
			return constant{true}
		case "false", "False":
			return constant{false}
		case "none", "None":
			return constant{nil}
		}
		return &nameNode{line: t.line, name: t.value}
	case text:
		var s strings.Builder
		s.WriteString(t.value)
		for p.peek().kind == text {
			s.WriteString(p.next().value)
		}
		return constant{s.String()}
	case integer, float:
		return constant{t.num}
	case operator:
		switch t.value {
		case "(":
			if p.skip(operator, ")") {
				return &tupleNode{}
			}
			node := p.tuple(true, nil)
			p.expect(operator, ")")
			return node
		case "[":
			return &listNode{items: p.list("]")}
		case "{":
			return p.dict()
		}
	}
	p.fail("unexpected '%s'", t.describe())
	return nil
}

// list reads expressions with commas between them, and the bracket that ends them.
func (p *parser) list(end string) (items []expression) {
	for !p.peekIs(operator, end) {
		if len(items) > 0 {
			p.expect(operator, ",")
			if p.peekIs(operator, end) {
				break
			}
		}
		items = append(items, p.expression(true))
	}
	p.next()
	return items
}

func (p *parser) dict() expression {
	node := &dictNode{line: p.line}
	for !p.peekIs(operator, "}") {
		if len(node.keys) > 0 {
			p.expect(operator, ",")
			if p.peekIs(operator, "}") {
				break
			}
		}
		node.keys = append(node.keys, p.expression(true))
		p.expect(operator, ":")
		node.values = append(node.values, p.expression(true))
	}
	p.next()
	return node
}

func (p *parser) postfix(node expression) expression {
	for {
		switch t := p.peek(); {
		case t.is(operator, "."):
			p.next()
			switch key := p.next(); key.kind {
			case name:
				node = &attributeNode{line: t.line, of: node, name: key.value}
			case integer:
				node = &itemNode{line: t.line, of: node, key: constant{key.num}}
			default:
				p.fail("expected name or number")
			}
		case t.is(operator, "["):
			p.next()
			node = &itemNode{line: t.line, of: node, key: p.subscript()}
		case t.is(operator, "("):
			node = &callNode{line: t.line, of: node, arguments: p.arguments()}
		default:
			return node
		}
	}
}

func (p *parser) subscript() expression {
	var parts []expression
	for !p.peekIs(operator, "]") {
		if len(parts) > 0 {
			p.expect(operator, ",")
		}
		parts = append(parts, p.indexOrSlice())
	}
	p.next()
	if len(parts) == 1 {
		return parts[0]
	}
	return &tupleNode{items: parts}
}

func (p *parser) indexOrSlice() expression {
	node := &sliceNode{}
	if !p.peekIs(operator, ":") {
		node.start = p.expression(true)
		if !p.peekIs(operator, ":") {
			return node.start
		}
	}
	part := func() expression {
		if t := p.peek(); t.is(operator, ":") || t.is(operator, "]") || t.is(operator, ",") {
			return nil
		}
		return p.expression(true)
	}
	p.expect(operator, ":")
	node.stop = part()
	if p.skip(operator, ":") {
		node.step = part()
	}
	return node
}

// arguments reads a call's brackets.
func (p *parser) arguments() (a argumentNodes) {
	p.expect(operator, "(")
	ensure := func(ok bool) {
		if !ok {
			p.fail("invalid syntax for function call expression")
		}
	}
	for first := true; !p.peekIs(operator, ")"); first = false {
		if !first {
			p.expect(operator, ",")
			if p.peekIs(operator, ")") {
				break
			}
		}
		switch t := p.peek(); {
		case t.is(operator, "*"):
			ensure(a.rest == nil && a.restNamed == nil)
			p.next()
			a.rest = p.expression(true)
		case t.is(operator, "**"):
			ensure(a.restNamed == nil)
			p.next()
			a.restNamed = p.expression(true)
		case t.kind == name && p.look().is(operator, "="):
			ensure(a.restNamed == nil)
			p.next()
			p.next()
			a.names = append(a.names, t.value)
			a.named = append(a.named, p.expression(true))
		default:
			ensure(a.rest == nil && a.restNamed == nil && a.names == nil)
			a.list = append(a.list, p.expression(true))
		}
	}
	p.next()
	return a
}

func (p *parser) filtersAndTests(node expression) expression {
	for {
		switch t := p.peek(); {
		case t.is(operator, "|"):
			node = p.filters(node)
		case t.is(name, "is"):
			node = p.test(node)
		case t.is(operator, "("):
			node = &callNode{line: t.line, of: node, arguments: p.arguments()}
		default:
			return node
		}
	}
}

// filters reads "| a | b(1)". Where no value stands before them, node is nil and the first one takes the block's text.
func (p *parser) filters(node expression) expression {
	for p.skip(operator, "|") {
		node = p.oneFilter(node)
	}
	return node
}

func (p *parser) oneFilter(of expression) expression {
	node := &filterNode{line: p.line, of: of, name: p.dotted()}
	node.run = p.dialect.filter(node.name)
	if p.peekIs(operator, "(") {
		node.arguments = p.arguments()
	}
	return node
}

func (p *parser) dotted() string {
	s := p.expect(name, "").value
	for p.skip(operator, ".") {
		s += "." + p.expect(name, "").value
	}
	return s
}

func (p *parser) test(of expression) expression {
	p.next()
	negated := p.skip(name, "not")
	node := &testNode{line: p.line, of: of, name: p.dotted()}
	if node.run = tests[node.name]; node.run == nil {
		node.run = func(r *run, _ any, _ arguments) bool {
			r.fail(ErrSyntax, "No test named '%s'.", node.name)
			return false
		}
	}
	switch t := p.peek(); {
	case t.is(operator, "("):
		node.arguments = p.arguments()
	case t.kind == text, t.kind == integer, t.kind == float, t.is(operator, "["), t.is(operator, "{"),
		t.kind == name && t.value != "else" && t.value != "or" && t.value != "and":
		if t.is(name, "is") {
			p.fail("You cannot chain multiple tests with is")
		}
		node.arguments.list = []expression{p.postfix(p.primary())}
	}
	if negated {
		return &notNode{node}
	}
	return node
}
