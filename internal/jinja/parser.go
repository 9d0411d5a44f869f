package jinja

import "fmt"

// parser reads tokens into nodes. Its methods panic with an *Error.
type parser struct {
	dialect *dialect
	tokens  []token
	at      int
	line    int
	depth   int
	ends    [][]string // the tags that end the blocks which are open
	tags    []string   // the tags that opened them
}

func (p *parser) fail(format string, args ...any) {
	panic(&Error{Line: p.line, Message: fmt.Sprintf(format, args...), kind: ErrSyntax})
}

func (p *parser) peek() token { return p.tokens[p.at] }

// look is the token behind the next one.
func (p *parser) look() token { return p.tokens[min(p.at+1, len(p.tokens)-1)] }

func (p *parser) next() token {
	t := p.tokens[p.at]
	p.line = t.line
	if p.at < len(p.tokens)-1 {
		p.at++
	}
	return t
}

func (p *parser) peekIs(k kind, value string) bool { return p.peek().is(k, value) }

// skip reads the token if it is the next one.
func (p *parser) skip(k kind, value string) bool {
	if p.peekIs(k, value) {
		p.next()
		return true
	}
	return false
}

func (p *parser) expect(k kind, value string) token {
	t := p.peek()
	if t.kind == k && (value == "" || t.value == value) {
		return p.next()
	}
	want := token{kind: k, value: value}.describe()
	if k == name && value == "" {
		want = "name"
	}
	p.line = t.line
	if t.kind == endOfFile {
		p.fail("unexpected end of template, expected '%s'.", want)
	}
	p.fail("expected token '%s', got '%s'", want, t.describe())
	return t
}

// nest bounds how deep the source goes; the caller leaves the level by p.depth--.
func (p *parser) nest() {
	if p.depth++; p.depth > maxNesting {
		panic(&Error{Line: p.line, Message: fmt.Sprintf("more than %d levels inside each other", maxNesting), kind: ErrLimit})
	}
}
