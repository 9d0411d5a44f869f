// Package pyregexp runs regular expressions that are written for Python's re module, by github.com/dlclark/regexp2. The
// patterns of task files are such: they know look-ahead and back references, which Go's regexp lacks, and their \s and \w
// take other characters than regexp2's.
//
// Unlike Python, a non-empty match that starts where an empty one was found is passed over.
package pyregexp

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/dlclark/regexp2"
)

const (
	longest = 4096             // bytes of a pattern
	patient = 20 * time.Second // for one search: a pattern that backtracks without end is an error
)

// Regexp is a compiled pattern. It is safe for concurrent use.
type Regexp struct {
	pattern string
	engine  *regexp2.Regexp
	groups  int
}

// Compile reads a pattern of Python.
func Compile(pattern string) (*Regexp, error) {
	if len(pattern) > longest {
		return nil, fmt.Errorf("a pattern of %d bytes, at most %d are read", len(pattern), longest)
	}
	t := translation{in: []rune(pattern), names: map[string]int{}}
	if err := t.run(); err != nil {
		return nil, fmt.Errorf("pattern %q: %w", pattern, err)
	}
	engine, err := regexp2.Compile(t.out.String(), regexp2.None)
	if err != nil {
		return nil, fmt.Errorf("pattern %q: %w", pattern, err)
	}
	engine.MatchTimeout = patient
	return &Regexp{pattern, engine, t.groups}, nil
}

// FindAll is re.findall, with every match as a list: the texts of its groups, or the whole match where there is no group. A
// group without a match is empty.
func (r *Regexp) FindAll(text string) (matches [][]string, err error) {
	err = r.each(text, func(m *regexp2.Match) {
		if r.groups == 0 {
			matches = append(matches, []string{m.String()})
			return
		}
		texts := make([]string, r.groups)
		for i := range texts {
			texts[i] = m.GroupByNumber(i + 1).String()
		}
		matches = append(matches, texts)
	})
	return matches, err
}

// Remove is re.sub(pattern, "", text).
func (r *Regexp) Remove(text string) (string, error) {
	runes, from := []rune(text), 0
	var out strings.Builder
	err := r.each(text, func(m *regexp2.Match) {
		out.WriteString(string(runes[from:m.Index]))
		from = m.Index + m.Length
	})
	if from == 0 {
		return text, err
	}
	return out.String() + string(runes[from:]), err
}

func (r *Regexp) each(text string, do func(*regexp2.Match)) error {
	m, err := r.engine.FindStringMatch(text)
	for ; err == nil && m != nil; m, err = r.engine.FindNextMatch(m) {
		do(m)
	}
	if err != nil {
		return fmt.Errorf("pattern %q: %w", r.pattern, err)
	}
	return nil
}

// translation turns Python's syntax into regexp2's.
type translation struct {
	in     []rune
	at     int
	out    strings.Builder
	groups int
	names  map[string]int // the numbers of named groups: regexp2 would count these behind all others
}

func (t *translation) rest() string { return string(t.in[t.at:]) }

func (t *translation) run() error {
	for t.at < len(t.in) {
		if err := t.step(); err != nil {
			return err
		}
	}
	return nil
}

func (t *translation) step() error {
	switch c := t.in[t.at]; c {
	case '\\':
		return t.escape(false)
	case '[':
		return t.class()
	case '(':
		return t.group()
	case '{':
		// {,n} is {0,n} in Python and text in regexp2.
		if strings.HasPrefix(t.rest(), "{,") && closes(t.in[t.at+2:]) {
			t.out.WriteString("{0,")
			t.at += 2
			return nil
		}
		t.copy(1)
	default:
		t.copy(1)
	}
	return nil
}

func (t *translation) copy(n int) {
	t.out.WriteString(string(t.in[t.at : t.at+n]))
	t.at += n
}

// closes tells whether digits and a closing brace come next.
func closes(r []rune) bool {
	for i, c := range r {
		if c == '}' {
			return i > 0
		}
		if c < '0' || c > '9' {
			return false
		}
	}
	return false
}

// Blanks and letters as Python takes them.
const (
	blanks  = `\s\x1c-\x1f`
	letters = `\p{L}\p{N}_`
)

func (t *translation) escape(inside bool) error {
	if t.at+1 == len(t.in) {
		return fmt.Errorf("it ends in a backslash")
	}
	c := t.in[t.at+1]
	sets := map[rune]string{'s': blanks, 'w': letters}
	switch set := sets[unicode.ToLower(c)]; {
	case set != "" && inside && unicode.IsUpper(c):
		return fmt.Errorf("\\%c inside of brackets is not known here", c)
	case set != "" && inside:
		t.out.WriteString(set)
	case set != "" && unicode.IsUpper(c):
		t.out.WriteString("[^" + set + "]")
	case set != "":
		t.out.WriteString("[" + set + "]")
	case c == 'Z':
		t.out.WriteString(`\z`)
	case c >= 'a' && c <= 'z' && !strings.ContainsRune("abdfnrtuvx", c), c >= 'A' && c <= 'Z' && !strings.ContainsRune("ABD", c):
		return fmt.Errorf("\\%c is not known in Python", c)
	default:
		t.out.WriteString(string(t.in[t.at : t.at+2]))
	}
	t.at += 2
	return nil
}

// class copies a set in brackets; an inner bracket would begin a subtraction in regexp2.
func (t *translation) class() error {
	t.copy(1)
	if t.at < len(t.in) && t.in[t.at] == '^' {
		t.copy(1)
	}
	for first := true; t.at < len(t.in); first = false {
		switch c := t.in[t.at]; {
		case c == ']' && !first:
			t.copy(1)
			return nil
		case c == '\\':
			if err := t.escape(true); err != nil {
				return err
			}
		case c == '[' || c == ']':
			t.out.WriteByte('\\')
			t.copy(1)
		default:
			t.copy(1)
		}
	}
	return fmt.Errorf("a bracket is not closed")
}

// group copies what opens a group. Named groups lose their names, so that all are counted in one order.
func (t *translation) group() error {
	rest := t.rest()
	name, after, closed := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(rest, "(?P<"), "(?P="), map[bool]string{true: ">", false: ")"}[strings.HasPrefix(rest, "(?P<")])
	switch {
	case strings.HasPrefix(rest, "(?P<") && closed:
		t.groups++
		t.names[name] = t.groups
		t.out.WriteByte('(')
		t.at = len(t.in) - len([]rune(after))
	case strings.HasPrefix(rest, "(?P=") && closed:
		n, known := t.names[name]
		if !known {
			return fmt.Errorf("group %q is not known", name)
		}
		t.out.WriteString("(?:\\" + strconv.Itoa(n) + ")")
		t.at = len(t.in) - len([]rune(after))
	case strings.HasPrefix(rest, "(?P"), strings.HasPrefix(rest, "(?("), strings.HasPrefix(rest, "(?'"),
		strings.HasPrefix(rest, "(?<") && !strings.HasPrefix(rest, "(?<=") && !strings.HasPrefix(rest, "(?<!"):
		return fmt.Errorf("%.6q is not known here", rest)
	case strings.HasPrefix(rest, "(?#"):
		if _, after, closed = strings.Cut(rest, ")"); !closed {
			return fmt.Errorf("a comment is not closed")
		}
		t.at = len(t.in) - len([]rune(after))
	case strings.HasPrefix(rest, "(?"):
		t.copy(2)
	default:
		t.groups++
		t.copy(1)
	}
	return nil
}
