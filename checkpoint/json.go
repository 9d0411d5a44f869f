package checkpoint

import (
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

// maxDepth bounds nesting in every JSON file of a checkpoint; the deepest published config has about six levels.
const maxDepth = 64

var errTooDeep = fmt.Errorf("is nested deeper than %d levels", maxDepth)

// scanner reads JSON one token at a time, so that a hostile header costs no more memory than what is kept of it.
// Unlike encoding/json it gives byte positions, and it takes the NaN and Infinity that Python writes.
type scanner struct {
	src   []byte
	pos   int
	depth int
}

func (s *scanner) errorf(format string, args ...any) error {
	return fmt.Errorf("is not JSON: byte %d: %s", s.pos, fmt.Sprintf(format, args...))
}

func (s *scanner) space() {
	for s.pos < len(s.src) {
		switch s.src[s.pos] {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return
		}
	}
}

// peek is the next byte that is not white space, 0 at the end.
func (s *scanner) peek() byte {
	s.space()
	if s.pos == len(s.src) {
		return 0
	}
	return s.src[s.pos]
}

func (s *scanner) expect(c byte) error {
	if got := s.peek(); got != c {
		if s.pos == len(s.src) {
			return s.errorf("it ends where %q is expected", c)
		}
		return s.errorf("found %q, expected %q", got, c)
	}
	s.pos++
	return nil
}

// end fails unless only white space is left.
func (s *scanner) end() error {
	if s.peek(); s.pos != len(s.src) {
		return s.errorf("found %q after the end", s.src[s.pos])
	}
	return nil
}

// object calls member for each key, with the scanner before its value, which member must consume.
func (s *scanner) object(member func(key string) error) error {
	return s.sequence('{', '}', func() error {
		key, err := s.string()
		if err != nil {
			return err
		}
		if err := s.expect(':'); err != nil {
			return err
		}
		return member(key)
	})
}

// list calls item before each element, which item must consume.
func (s *scanner) list(item func() error) error { return s.sequence('[', ']', item) }

func (s *scanner) sequence(open, close byte, item func() error) error {
	if err := s.expect(open); err != nil {
		return err
	}
	if s.depth++; s.depth > maxDepth {
		return errTooDeep
	}
	defer func() { s.depth-- }()
	if s.peek() == close {
		s.pos++
		return nil
	}
	for {
		if err := item(); err != nil {
			return err
		}
		if s.peek() == close {
			s.pos++
			return nil
		}
		if err := s.expect(','); err != nil {
			return err
		}
	}
}

func (s *scanner) string() (string, error) {
	if err := s.expect('"'); err != nil {
		return "", err
	}
	start, plain := s.pos, true
	for ; s.pos < len(s.src); s.pos++ {
		switch c := s.src[s.pos]; {
		case c == '"':
			raw := s.src[start:s.pos]
			s.pos++
			if plain && utf8.Valid(raw) {
				return string(raw), nil
			}
			var text string
			if err := json.Unmarshal(s.src[start-1:s.pos], &text); err != nil {
				return "", s.errorf("a string: %v", err)
			}
			return text, nil
		case c == '\\':
			plain = false
			s.pos++
		case c < ' ':
			return "", s.errorf("a control character in a string")
		}
	}
	s.pos = len(s.src)
	return "", s.errorf("it ends within a string")
}

// literal consumes a number, true, false, null, NaN or Infinity and returns its text.
func (s *scanner) literal() (string, error) {
	s.space()
	start := s.pos
	for s.pos < len(s.src) && isLiteral(s.src[s.pos]) {
		s.pos++
	}
	text := s.src[start:s.pos]
	switch string(text) {
	case "true", "false", "null", "NaN", "Infinity", "-Infinity":
		return string(text), nil
	}
	if len(text) > 0 && (text[0] == '-' || text[0] >= '0' && text[0] <= '9') && json.Valid(text) {
		return string(text), nil
	}
	s.pos = start
	if start == len(s.src) {
		return "", s.errorf("it ends where a value is expected")
	}
	return "", s.errorf("found %q, expected a value", s.src[start])
}

func isLiteral(c byte) bool {
	return c == '-' || c == '+' || c == '.' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// integer consumes a number without fraction or exponent from 0 to 2^63 − 1.
func (s *scanner) integer() (int64, error) {
	s.space()
	at := s.pos
	text, err := s.literal()
	if err != nil {
		return 0, err
	}
	var n int64
	for _, c := range []byte(text) {
		if c < '0' || c > '9' {
			s.pos = at
			return 0, s.errorf("%.40s is not a whole number from 0", text)
		}
		if n > (1<<63-1-int64(c-'0'))/10 {
			return 0, fmt.Errorf("has the number %.40s, which is too large", text)
		}
		n = n*10 + int64(c-'0')
	}
	return n, nil
}

// skip consumes one value of any kind.
func (s *scanner) skip() error {
	switch s.peek() {
	case '{':
		return s.object(func(string) error { return s.skip() })
	case '[':
		return s.list(s.skip)
	case '"':
		_, err := s.string()
		return err
	}
	_, err := s.literal()
	return err
}

// Kind is the type of a JSON value.
type Kind string

// The kinds of JSON values.
const (
	Null   Kind = "null"
	Bool   Kind = "boolean"
	Number Kind = "number"
	String Kind = "string"
	List   Kind = "list"
	Object Kind = "object"
)

// value is a JSON value and where it stands in the text it was read from.
type value struct {
	kind       Kind
	start, end int
	text       string // of a literal as written, of a string unescaped
	keys       []string
	values     []*value // of an object by key, of a list in order
}

func (v *value) get(key string) *value {
	for i, k := range v.keys {
		if k == key {
			return v.values[i]
		}
	}
	return nil
}

var errNotObject = errors.New("is not a JSON object")

// parse reads a whole text. A key that occurs twice in one object is an error: readers disagree on which counts.
func parse(src []byte) (*value, error) {
	s := &scanner{src: src}
	v, err := s.value()
	if err != nil {
		return nil, err
	}
	return v, s.end()
}

func (s *scanner) value() (*value, error) {
	v := &value{}
	c := s.peek()
	v.start = s.pos
	var err error
	switch c {
	case '{':
		v.kind = Object
		seen := map[string]bool{}
		err = s.object(func(key string) error {
			if seen[key] {
				return fmt.Errorf("has the key %q twice", key)
			}
			seen[key] = true
			item, err := s.value()
			v.keys, v.values = append(v.keys, key), append(v.values, item)
			return err
		})
	case '[':
		v.kind = List
		err = s.list(func() error {
			item, err := s.value()
			v.values = append(v.values, item)
			return err
		})
	case '"':
		v.kind = String
		v.text, err = s.string()
	default:
		v.text, err = s.literal()
		v.kind = Number
		switch v.text {
		case "true", "false":
			v.kind = Bool
		case "null":
			v.kind = Null
		}
	}
	v.end = s.pos
	return v, err
}
