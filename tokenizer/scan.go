package tokenizer

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// scanner walks through JSON that encoding/json has already found valid. It is here for the two large parts of a
// tokenizer.json, the vocabulary and the merges: it shares their memory and sees keys that come twice.
type scanner struct {
	text string
	at   int
}

// next skips blanks, commas and colons and is the byte that follows, 0 at the end.
func (s *scanner) next() byte {
	for s.at < len(s.text) {
		switch c := s.text[s.at]; c {
		case ' ', '\t', '\n', '\r', ',', ':':
			s.at++
		default:
			return c
		}
	}
	return 0
}

// enter steps over an opening bracket.
func (s *scanner) enter(bracket byte) error {
	if s.next() != bracket {
		return fmt.Errorf("%q expected, %s found", string(bracket), s.excerpt())
	}
	s.at++
	return nil
}

// leave steps over a closing bracket if one is next.
func (s *scanner) leave(bracket byte) bool {
	if s.next() != bracket {
		return false
	}
	s.at++
	return true
}

func (s *scanner) excerpt() string {
	rest := s.text[s.at:]
	if len(rest) > 20 {
		rest = rest[:20]
	}
	return strconv.Quote(rest)
}

// string reads a string literal.
func (s *scanner) string() (string, error) {
	if s.next() != '"' {
		return "", fmt.Errorf("a string expected, %s found", s.excerpt())
	}
	start, escaped := s.at+1, false
	for i := start; i < len(s.text); i++ {
		switch s.text[i] {
		case '\\':
			escaped = true
			i++
		case '"':
			s.at = i + 1
			if escaped {
				return unescape(s.text[start:i]), nil
			}
			return s.text[start:i], nil
		}
	}
	return "", fmt.Errorf("a string without an end")
}

// number reads a number literal.
func (s *scanner) number() (string, error) {
	s.next()
	start := s.at
	for s.at < len(s.text) && strings.IndexByte("+-0123456789.eE", s.text[s.at]) >= 0 {
		s.at++
	}
	if start == s.at {
		return "", fmt.Errorf("a number expected, %s found", s.excerpt())
	}
	return s.text[start:s.at], nil
}

// unescape resolves the escapes of a valid JSON string; half a surrogate pair becomes U+FFFD.
func unescape(s string) string {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			out = append(out, s[i])
			continue
		}
		i++
		switch s[i] {
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'u':
			r := hex4(s, i+1)
			i += 4
			if utf16.IsSurrogate(r) {
				low := rune(-1)
				if strings.HasPrefix(s[i+1:], `\u`) {
					low = hex4(s, i+3)
				}
				if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
					i += 6
				}
			}
			out = utf8.AppendRune(out, r)
		default:
			out = append(out, s[i])
		}
	}
	return string(out)
}

// hex4 is the number in the four hexadecimal digits at s[at:].
func hex4(s string, at int) rune {
	if at+4 > len(s) {
		return utf8.RuneError
	}
	n, err := strconv.ParseUint(s[at:at+4], 16, 16)
	if err != nil {
		return utf8.RuneError
	}
	return rune(n)
}
