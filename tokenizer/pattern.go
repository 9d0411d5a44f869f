package tokenizer

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/dlclark/regexp2"
)

// span is a stretch [start, end) of a text, and whether the pattern matched it.
type span struct {
	start, end int
	match      bool
}

// pattern finds its matches in a text.
type pattern interface {
	// spans covers s with matches and the stretches between them, in order.
	spans(s string) ([]span, error)
}

// newPattern reads {"String": …} or {"Regex": …}.
func newPattern(data json.RawMessage) (pattern, error) {
	var p struct{ String, Regex *string }
	if err := json.Unmarshal(data, &p); err != nil {
		return nil, fmt.Errorf("pattern: %w", err)
	}
	switch {
	case p.String != nil:
		return literal(*p.String), nil
	case p.Regex == nil:
		return nil, fmt.Errorf("pattern: neither String nor Regex")
	}
	if next, ok := knownSplitters[*p.Regex]; ok {
		return splitter(next), nil
	}
	return newExpression(*p.Regex)
}

// literal is a text that is searched as it is.
type literal string

func (l literal) spans(s string) ([]span, error) {
	var all []span
	for at := 0; at < len(s); {
		i := -1
		if l != "" {
			i = strings.Index(s[at:], string(l))
		}
		if i < 0 {
			all = append(all, span{at, len(s), false})
			break
		}
		if i > 0 {
			all = append(all, span{at, at + i, false})
		}
		at += i + len(l)
		all = append(all, span{at - len(l), at, true})
	}
	return all, nil
}

// splitter is a hand-written form of an expression whose matches cover every text: the end of the match at s[at:].
type splitter func(s string, at int) int

func (next splitter) spans(s string) ([]span, error) {
	var all []span
	for at := 0; at < len(s); {
		end := next(s, at)
		all = append(all, span{at, end, true})
		at = end
	}
	return all, nil
}

// expression is any other regular expression, run by a backtracking engine because the dialect has look-ahead.
type expression struct{ re *regexp2.Regexp }

const maxExpression = 16 << 10 // bytes

// Backtracking can take exponential time; a text may take this long and then some for its length.
const (
	expressionTime    = 5 * time.Second
	expressionTimePer = 10 * time.Microsecond // a byte
)

func newExpression(source string) (p pattern, err error) {
	if len(source) > maxExpression {
		return nil, fmt.Errorf("pattern: a regular expression of %d bytes; the limit is %d", len(source), maxExpression)
	}
	defer func() {
		// The engine's parser has met strange expressions with an index out of range.
		if r := recover(); r != nil {
			p, err = nil, fmt.Errorf("pattern %q: %v", source, r)
		}
	}()
	translated, err := translate(source)
	if err != nil {
		return nil, err
	}
	re, err := regexp2.Compile(translated, regexp2.Multiline)
	if err != nil {
		return nil, fmt.Errorf("pattern %q: %w", source, err)
	}
	re.MatchTimeout = expressionTime
	return expression{re}, nil
}

func (x expression) spans(s string) ([]span, error) {
	deadline := time.Now().Add(expressionTime + time.Duration(len(s))*expressionTimePer)
	offsets := runeOffsets(s)
	var all []span
	at := 0
	m, err := x.re.FindStringMatch(s)
	for ; m != nil && err == nil; m, err = x.re.FindNextMatch(m) {
		start, end := offsets[m.Index], offsets[m.Index+m.Length]
		if at < start {
			all = append(all, span{at, start, false})
		}
		all = append(all, span{start, end, true})
		at = end
		if time.Now().After(deadline) {
			err = fmt.Errorf("no end after %v", time.Since(deadline)+expressionTime)
			break
		}
	}
	if err != nil {
		return nil, fmt.Errorf("tokenizer: pattern %q on a text of %d bytes: %w", x.re.String(), len(s), err)
	}
	if at < len(s) {
		all = append(all, span{at, len(s), false})
	}
	return all, nil
}

// runeOffsets holds the byte offset of every rune of s, and len(s).
func runeOffsets(s string) []int {
	offsets := make([]int, 0, len(s)+1)
	for i := range s {
		offsets = append(offsets, i)
	}
	return append(offsets, len(s))
}
