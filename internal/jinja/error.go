package jinja

import (
	"errors"
	"fmt"
)

// The kinds of errors that a caller may want to tell apart, by errors.Is.
var (
	ErrSyntax    = errors.New("jinja: the template cannot be read")
	ErrUndefined = errors.New("jinja: a name is undefined")
	ErrRaised    = errors.New("jinja: the template refuses its input") // raise_exception
	ErrLimit     = errors.New("jinja: the template does too much")
	ErrRefused   = errors.New("jinja: the template reaches for what it may not have") // Jinja's SecurityError
)

// Error is what went wrong and where. Message is Jinja's or Python's own wherever a template's author would see it there.
type Error struct {
	Line    int // of the template, counted from 1
	Message string
	kind    error // one of the above, or nil
}

func (e *Error) Error() string { return fmt.Sprintf("jinja: line %d: %s", e.Line, e.Message) }

// Unwrap makes errors.Is work on the kinds.
func (e *Error) Unwrap() error { return e.kind }

// recovered turns what a parser or a run panicked with into an error, as text/template does.
func recovered(p any, line int) error {
	if e, ok := p.(*Error); ok {
		return e
	}
	return &Error{Line: line, Message: fmt.Sprintf("internal error: %v", p)} // a fault of ours must not end a server
}
