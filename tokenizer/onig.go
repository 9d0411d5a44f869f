package tokenizer

import (
	"fmt"
	"strings"
)

// translate writes an expression of Oniguruma, the engine of the tokenizers library, for regexp2, whose dialect is
// .NET's. They differ in what split expressions use of them in these things:
//
//   - X?+, X*+ and X++ never give back what they matched: (?>X?) and so on; X{1,3}+ is (?:X{1,3})+;
//   - a bracket inside a class opens a class, whose characters are added: [^(\s|[.,])] is [^(\s|.,)];
//   - \w has more signs, and \b goes by it;
//   - (?i:s) matches the long s too;
//   - && in a class is intersection: [\p{L}&&[^\p{Han}]] is [\p{L}-[\p{Han}]].
//
// ^ and $ are the ends of lines there, which is an option here.
func translate(source string) (string, error) {
	var out []byte
	atom := 0        // where in out the last atom starts
	var groups []int // where the open groups start
	folded := 0      // where among them (?i: is, plus one; 0 if it is not open
	for at := 0; at < len(source); {
		switch c := source[at]; c {
		case '\\':
			n := escapeLength(source[at:])
			atom = len(out)
			out = append(out, escape(source[at:at+n])...)
			at += n
		case '[':
			class, n, err := translateClass(source[at:], 0)
			if err != nil {
				return "", err
			}
			atom = len(out)
			if folded > 0 && class[1] != '^' && strings.ContainsAny(class, "sS") {
				class = class[:len(class)-1] + "ſ]"
			}
			out = append(out, class...)
			at += n
		case '(':
			groups = append(groups, len(out))
			if folded == 0 && strings.HasPrefix(source[at:], "(?i:") {
				folded = len(groups)
			}
			out = append(out, c)
			at++
		case ')':
			if len(groups) > 0 {
				atom = groups[len(groups)-1]
				if folded == len(groups) {
					folded = 0
				}
				groups = groups[:len(groups)-1]
			}
			out = append(out, c)
			at++
		case '?', '*', '+', '{':
			n := quantifierLength(source[at:])
			if n == 0 { // a brace that counts nothing
				atom = len(out)
				out = append(out, c)
				at++
				continue
			}
			out = append(out, source[at:at+n]...)
			at += n
			if at == len(source) || source[at] != '+' {
				break
			}
			wrapped := "(?>" + string(out[atom:]) + ")"
			if c == '{' {
				wrapped = "(?:" + string(out[atom:]) + ")+"
			}
			out = append(out[:atom], wrapped...)
			at++
		default:
			atom = len(out)
			if folded > 0 && (c == 's' || c == 'S') {
				out = append(out, "[sſ]"...)
				at++
				continue
			}
			for { // a whole rune
				out = append(out, source[at])
				if at++; at == len(source) || source[at]&0xc0 != 0x80 {
					break
				}
			}
		}
	}
	return string(out), nil
}

// wordClass is what \w has there: letters, marks, digits, and the signs of Latin-1 and the circled letters that the
// engine's tables add.
const wordClass = `\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}²³¹¼½¾Ⓐ-ⓩ🄰-🅉🅐-🅩🅰-🆉`

// escape is an escape outside a class.
func escape(s string) string {
	switch s {
	case `\w`:
		return "[" + wordClass + "]"
	case `\W`:
		return "[^" + wordClass + "]"
	case `\b`:
		return "(?:(?<=[" + wordClass + "])(?![" + wordClass + "])|(?<![" + wordClass + "])(?=[" + wordClass + "]))"
	}
	return s
}

// escapeLength is the length of an escape: \p{L}, \x{1F}, \u00e9 or \ and a character.
func escapeLength(s string) int {
	if len(s) < 2 {
		return len(s)
	}
	if strings.IndexByte("pPx", s[1]) >= 0 && len(s) > 2 && s[2] == '{' {
		if end := strings.IndexByte(s, '}'); end > 0 {
			return end + 1
		}
	}
	n := 2
	for n < len(s) && s[n]&0xc0 == 0x80 {
		n++
	}
	return n
}

// quantifierLength is the length of ?, *, + or {1,3} at the start of s; 0 if a brace is none.
func quantifierLength(s string) int {
	if s[0] != '{' {
		return 1
	}
	end := strings.IndexByte(s, '}')
	if end < 2 || strings.Trim(s[1:end], "0123456789,") != "" {
		return 0
	}
	return end + 1
}

// translateClass writes the class at the start of s and gives the length that it has there.
func translateClass(s string, depth int) (class string, n int, err error) {
	if depth > 8 {
		return "", 0, fmt.Errorf("pattern: classes nested more than 8 deep")
	}
	out := []byte{'['}
	at := 1
	if at < len(s) && s[at] == '^' {
		out = append(out, '^')
		at++
	}
	if at < len(s) && s[at] == ']' { // first it is a character
		out = append(out, `\]`...)
		at++
	}
	for at < len(s) {
		switch {
		case s[at] == ']':
			return string(append(out, ']')), at + 1, nil
		case s[at] == '\\':
			n := escapeLength(s[at:])
			if s[at:at+n] == `\w` {
				out = append(out, wordClass...)
			} else {
				out = append(out, s[at:at+n]...)
			}
			at += n
		case strings.HasPrefix(s[at:], "[:"):
			return "", 0, fmt.Errorf("pattern: a class such as [:alpha:] is not supported")
		case strings.HasPrefix(s[at:], "&&"):
			inner, n, err := intersected(s[at:], depth)
			if err != nil || out[1] == '^' {
				return "", 0, fmt.Errorf("pattern: %.40q: only && [^…] at the end of a class is supported", s[at:])
			}
			return string(out) + "-" + inner + "]", at + n, nil
		case s[at] == '[':
			inner, n, err := translateClass(s[at:], depth+1)
			if err != nil {
				return "", 0, err
			}
			if strings.HasPrefix(inner, "[^") || strings.Contains(inner, "-[") {
				return "", 0, fmt.Errorf("pattern: %.40q: a class inside a class is supported only if it adds characters", s[at:])
			}
			out = append(out, inner[1:len(inner)-1]...)
			at += n
		default:
			out = append(out, s[at])
			at++
		}
	}
	return "", 0, fmt.Errorf("pattern: a class without an end")
}

// intersected is what && [^…] at the end of a class takes away, and the length up to the class's end.
func intersected(s string, depth int) (class string, n int, err error) {
	if !strings.HasPrefix(s, "&&[^") {
		return "", 0, fmt.Errorf("no && [^")
	}
	class, n, err = translateClass(s[2:], depth+1)
	if err != nil || !strings.HasPrefix(s[2+n:], "]") {
		return "", 0, fmt.Errorf("more after && [^…]")
	}
	return "[" + class[2:], 2 + n + 1, nil
}
