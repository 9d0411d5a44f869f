// Package jinja renders Jinja templates exactly as Python does: the chat templates that checkpoints carry, as transformers
// renders them, and the prompts of evaluation tasks, as lm-evaluation-harness does.
//
// It is an interpreter of our own because a prompt must be equal to the last blank. The libraries for Go were tried on the
// cases of testdata/language.json: they order an object's keys by name, count a string in bytes, know no None, 1.0, tuple
// or True == 1, let names set in one turn of a loop live on in the next, and read "a" + 1 as text. Those are properties of
// their values, out of reach of the filters and statements one may register. Neither bounds a template that calls itself,
// which in Go ends the process.
//
// A template is read once, by ParseChat or ParseTask, and rendered any number of times, also at the same time:
//
//	t, err := jinja.ParseTask("{{question.strip()}}\nAnswer:")
//	prompt, err := t.Render(map[string]any{"question": " Why? "})
//
// The way through the files: lexer.go cuts the source into tokens, statements.go and expressions.go read them into the
// nodes that node.go and operand.go run. value.go and its neighbours are Python's values: how they compare, print, add and
// what methods they have. filters*.go, tests.go and globals.go are Jinja's names for work on them.
//
// Templates come with a model and may be hostile. They reach no file and no Go value; a run has a budget of steps and
// bytes and a bounded depth (limits.go), and whatever goes wrong is an *Error.
package jinja
