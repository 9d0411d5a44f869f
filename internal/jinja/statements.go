package jinja

import (
	"slices"
	"strings"
)

// statements reads up to one of the tags in ends, which is left to the caller as the next token; or to the end of the
// template if there are none.
func (p *parser) statements(ends []string) []statement {
	p.nest()
	defer func() { p.depth-- }()
	if ends != nil {
		p.ends = append(p.ends, ends)
		defer func() { p.ends = p.ends[:len(p.ends)-1] }()
	}
	var body []statement
	for {
		switch t := p.next(); t.kind {
		case endOfFile:
			if ends != nil {
				p.failEnd("")
			}
			return body
		case data:
			body = append(body, textNode(t.value))
		case variableBegin:
			body = append(body, &outputNode{line: t.line, value: p.tuple(true, nil)})
			p.expect(variableEnd, "")
		case blockBegin:
			if next := p.peek(); next.kind == name && slices.Contains(ends, next.value) {
				return body
			}
			body = append(body, p.statement())
			p.expect(blockEnd, "")
		default:
			p.fail("unexpected %s", t.describe())
		}
	}
}

// block reads the rest of a tag, what stands up to one of the end tags, and that tag's name.
func (p *parser) block(ends ...string) (body []statement, end string) {
	p.skip(operator, ":") // Python's habit
	p.expect(blockEnd, "")
	body = p.statements(ends)
	return body, p.next().value
}

func (p *parser) failEnd(tag string) {
	message := "Unexpected end of template."
	if tag != "" {
		message = "Encountered unknown tag '" + tag + "'."
	}
	if n := len(p.ends); n > 0 {
		looking := "'" + strings.Join(p.ends[n-1], "' or '") + "'"
		known := slices.ContainsFunc(p.ends, func(ends []string) bool { return slices.Contains(ends, tag) })
		if tag != "" && known {
			message += " You probably made a nesting mistake. Jinja is expecting this tag, but currently looking for " + looking + "."
		} else {
			message += " Jinja was looking for the following tags: " + looking + "."
		}
	}
	if n := len(p.tags); n > 0 {
		message += " The innermost block that needs to be closed is '" + p.tags[n-1] + "'."
	}
	p.fail("%s", message)
}

// statement reads a tag from its name on, up to but without the end of its last tag.
func (p *parser) statement() statement {
	t := p.peek()
	p.line = t.line
	if t.kind != name {
		p.fail("tag name expected")
	}
	p.tags = append(p.tags, t.value)
	defer func() { p.tags = p.tags[:len(p.tags)-1] }()
	read := map[string]func() statement{
		"if": p.ifStatement, "for": p.forStatement, "set": p.setStatement, "macro": p.macroStatement, "call": p.callStatement,
		"filter": p.filterStatement, "with": p.withStatement, "print": p.printStatement, "block": p.blockStatement,
		"autoescape": p.autoescapeStatement,
	}[t.value]
	if p.dialect.chat {
		switch t.value {
		case "break":
			p.next()
			return flowBreak
		case "continue":
			p.next()
			return flowContinue
		case "generation":
			read = p.generationStatement
		}
	}
	switch t.value {
	case "include", "import", "from", "extends":
		panic(&Error{Line: t.line, Message: "{% " + t.value + " %} is refused: a template reads no other file", kind: ErrRefused})
	}
	if read == nil {
		p.tags = p.tags[:len(p.tags)-1]
		defer func() { p.tags = append(p.tags, "") }()
		p.failEnd(t.value)
	}
	p.next()
	return read()
}

func (p *parser) ifStatement() statement {
	node := &ifNode{}
	for {
		branch := branch{line: p.line, test: p.tuple(false, nil)}
		var end string
		branch.body, end = p.block("elif", "else", "endif")
		node.branches = append(node.branches, branch)
		if end == "else" {
			node.otherwise, end = p.block("endif")
		}
		if end == "endif" {
			return node
		}
	}
}

func (p *parser) forStatement() statement {
	node := &forNode{line: p.line, target: p.target([]string{"in"}, false)}
	p.expect(name, "in")
	node.over = p.tuple(false, []string{"recursive"})
	if p.skip(name, "if") {
		node.test = p.expression(true)
	}
	node.recursive = p.skip(name, "recursive")
	var end string
	node.body, end = p.block("endfor", "else")
	if end == "else" {
		node.otherwise, _ = p.block("endfor")
	}
	return node
}

func (p *parser) setStatement() statement {
	line := p.line
	target := p.target(nil, true)
	if p.skip(operator, "=") {
		return &setNode{line: line, target: target, value: p.tuple(true, nil)}
	}
	node := &captureNode{line: line, target: target, filter: p.filters(nil)}
	node.body, _ = p.block("endset")
	return node
}

// target reads what a value is given to: a name, several of them, or an attribute of a namespace.
func (p *parser) target(ends []string, namespaces bool) target {
	var all []target
	for {
		if len(all) > 0 && p.ends1(ends) {
			return targetList(all)
		}
		all = append(all, p.oneTarget(namespaces))
		if !p.skip(operator, ",") {
			if len(all) == 1 {
				return all[0]
			}
			return targetList(all)
		}
		if len(all) == 1 && p.ends1(ends) {
			return targetList(all)
		}
	}
}

func (p *parser) oneTarget(namespaces bool) target {
	p.nest()
	defer func() { p.depth-- }()
	if p.skip(operator, "(") {
		t := p.target(nil, namespaces)
		p.expect(operator, ")")
		return t
	}
	t := p.peek()
	constants := []string{"true", "false", "none", "True", "False", "None"}
	switch {
	case t.kind == text || t.kind == integer || t.kind == float || t.kind == name && slices.Contains(constants, t.value):
		p.fail("can't assign to 'const'")
	case t.kind != name:
		p.fail("Expected an expression, got '%s'", t.describe())
	}
	p.next()
	if namespaces && p.skip(operator, ".") {
		return &attributeTarget{name: t.value, attribute: p.expect(name, "").value}
	}
	return nameTarget(t.value)
}

// ends1 tells whether a list without brackets ends here.
func (p *parser) ends1(ends []string) bool {
	t := p.peek()
	switch t.kind {
	case variableEnd, blockEnd, endOfFile:
		return true
	case operator:
		return t.value == ")" || t.value == "="
	case name:
		return slices.Contains(ends, t.value)
	}
	return false
}

func (p *parser) macroStatement() statement {
	node := &macroNode{line: p.line, name: p.expect(name, "").value}
	node.parameters = p.signature()
	first := p.at
	node.body, _ = p.block("endmacro")
	node.takes(p.tokens[first:p.at])
	return node
}

func (p *parser) signature() (all []parameter) {
	p.expect(operator, "(")
	for !p.peekIs(operator, ")") {
		if len(all) > 0 {
			p.expect(operator, ",")
		}
		one := parameter{name: p.expect(name, "").value}
		if p.skip(operator, "=") {
			one.standard = p.expression(true)
		} else if len(all) > 0 && all[len(all)-1].standard != nil {
			p.fail("non-default argument follows default argument")
		}
		all = append(all, one)
	}
	p.next()
	return all
}

func (p *parser) callStatement() statement {
	caller := &macroNode{line: p.line, name: "caller"}
	if p.peekIs(operator, "(") {
		caller.parameters = p.signature()
	}
	call, ok := p.expression(true).(*callNode)
	if !ok {
		p.fail("expected call")
	}
	first := p.at
	caller.body, _ = p.block("endcall")
	caller.takes(p.tokens[first:p.at])
	return &callBlockNode{line: caller.line, call: call, caller: caller}
}

func (p *parser) filterStatement() statement {
	node := &captureNode{line: p.line, filter: p.filters(p.oneFilter(nil))}
	node.body, _ = p.block("endfilter")
	return node
}

func (p *parser) withStatement() statement {
	node := &withNode{}
	for p.peek().kind != blockEnd && p.peek().kind != endOfFile {
		if len(node.targets) > 0 {
			p.expect(operator, ",")
		}
		node.targets = append(node.targets, p.target(nil, false))
		p.expect(operator, "=")
		node.values = append(node.values, p.expression(true))
	}
	node.body, _ = p.block("endwith")
	return node
}

func (p *parser) printStatement() statement {
	node := &withNode{}
	for p.peek().kind != blockEnd && p.peek().kind != endOfFile {
		if len(node.body) > 0 {
			p.expect(operator, ",")
		}
		node.body = append(node.body, &outputNode{line: p.line, value: p.expression(true)})
	}
	return node
}

// blockStatement reads a block of template inheritance. Nothing inherits here, so it stands for its content.
func (p *parser) blockStatement() statement {
	title := p.expect(name, "").value
	p.skip(name, "scoped")
	p.skip(name, "required")
	node := &withNode{}
	p.skip(operator, ":")
	p.expect(blockEnd, "")
	node.body = p.statements([]string{"endblock"})
	p.next()
	p.skip(name, title)
	return node
}

func (p *parser) autoescapeStatement() statement {
	if c, ok := p.expression(true).(constant); !ok || truth(c.value) {
		p.fail("autoescape is not done: prompts are no HTML")
	}
	node := &withNode{}
	node.body, _ = p.block("endautoescape")
	return node
}

// generationStatement reads the mark of what the assistant said. It matters for training masks, not for the text.
func (p *parser) generationStatement() statement {
	node := &captureNode{line: p.line}
	node.body, _ = p.block("endgeneration")
	return node
}
