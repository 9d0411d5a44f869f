package jinja

import "strings"

// What a template may cost. The largest published templates over conversations of a million tokens stay far below.
const (
	maxSource  = 1 << 20 // bytes of a template
	maxNesting = 500     // of expressions and blocks in the source
	maxDepth   = 5000    // of nodes being run inside each other, macros included
	maxData    = 200     // of lists and objects inside each other
	maxWork    = 1 << 28 // bytes made or looked at; a step counts as stepWork
	maxText    = 1 << 26 // bytes of one string or of the output
	maxRange   = 100_000 // numbers of one range(), as in Jinja's sandbox
	stepWork   = 32
	itemWork   = 16
)

// run is one rendering.
type run struct {
	dialect *dialect
	out     strings.Builder
	budget  int64
	depth   int
	line    int
}

// work pays for n bytes that are made or looked at.
func (r *run) work(n int) {
	if r.budget -= int64(n); r.budget < 0 {
		r.fail(ErrLimit, "the template does too much work: it was stopped")
	}
}

// text pays for a string of n bytes before it is made.
func (r *run) text(n int) {
	if n < 0 || n > maxText {
		r.fail(ErrLimit, "a text of more than %d bytes", maxText)
	}
	r.work(n)
}

// items pays for n values of a list before it is made.
func (r *run) items(n int) {
	if n < 0 || n > maxWork/itemWork {
		r.fail(ErrLimit, "a list of more than %d values", maxWork/itemWork)
	}
	r.work(n * itemWork)
}

// enter counts one more level; the caller leaves it by r.depth--.
func (r *run) enter() {
	if r.depth++; r.depth > maxDepth {
		r.fail(ErrLimit, "maximum recursion depth exceeded")
	}
	r.work(stepWork)
}

func (r *run) write(s string) {
	r.text(len(s))
	if r.out.Len()+len(s) > maxText {
		r.fail(ErrLimit, "an output of more than %d bytes", maxText)
	}
	r.out.WriteString(s)
}

// capture runs f and gives what it wrote.
func (r *run) capture(f func()) string {
	outer := r.out
	r.out = strings.Builder{}
	f()
	text := r.out.String()
	r.out = outer
	return text
}
