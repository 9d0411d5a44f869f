package jinja

import (
	"fmt"
	"time"
)

// Template is a template that has been read. It may be rendered by several goroutines at once.
type Template struct {
	body    []statement
	dialect *dialect
	budget  int64 // of one run: maxWork
}

// dialect is where the two users of Jinja differ.
type dialect struct {
	chat         bool // transformers' environment: trims blocks, has loop controls, forbids changing a list
	strict       bool // an undefined name is an error as soon as it is used
	trimBlocks   bool // the newline behind a block goes
	lstripBlocks bool // so do blanks before it
	keepNewline  bool // the newline at the template's end stays
	now          func() time.Time
}

// ParseChat reads a chat template: as transformers' apply_chat_template, with raise_exception, strftime_now, break and
// continue, and {% generation %}. now is the clock of strftime_now; nil is time.Now.
func ParseChat(source string, now func() time.Time) (*Template, error) {
	if now == nil {
		now = time.Now
	}
	return parse(source, &dialect{chat: true, trimBlocks: true, lstripBlocks: true, now: now})
}

// ParseTask reads a template of an evaluation task: undefined names are errors, newlines stay as written, and there is
// a filter regex_replace(pattern, replacement, count).
func ParseTask(source string) (*Template, error) {
	return parse(source, &dialect{strict: true, keepNewline: true})
}

func parse(source string, d *dialect) (t *Template, err error) {
	p := &parser{dialect: d, line: 1}
	defer func() {
		if r := recover(); r != nil {
			t, err = nil, recovered(r, p.line)
		}
	}()
	if len(source) > maxSource {
		return nil, &Error{Line: 1, Message: fmt.Sprintf("the template has %d bytes, at most %d are read", len(source), maxSource), kind: ErrLimit}
	}
	p.tokens = lex(source, d)
	return &Template{body: p.statements(nil), dialect: d, budget: maxWork}, nil
}

// Render gives the text. vars are the names the template sees: nil, bool, int, int64, float64, string, []any, []string,
// map[string]any (its keys in alphabetical order), *Map, json.RawMessage and json.Number, nested as one likes.
func (t *Template) Render(vars map[string]any) (text string, err error) {
	r := &run{dialect: t.dialect, budget: t.budget, line: 1}
	defer func() {
		if p := recover(); p != nil {
			text, err = "", recovered(p, r.line)
		}
	}()
	context := &scope{names: make(map[string]any, len(vars)), parent: r.globals()}
	for name, v := range vars {
		value, err := fromGo(v, 0)
		if err != nil {
			return "", fmt.Errorf("jinja: variable %s: %w", name, err)
		}
		context.names[name] = value
	}
	r.run(t.body, &scope{parent: context})
	return r.out.String(), nil
}
