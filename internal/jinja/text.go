package jinja

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/language"
)

// isSpace is Python's: Unicode's white space and the four separators of ASCII.
func isSpace(c rune) bool { return unicode.IsSpace(c) || c >= 0x1c && c <= 0x1f }

// count is the number of characters of a text.
func (r *run) count(s string) int {
	r.work(len(s))
	return utf8.RuneCountInString(s)
}

func upper(s string) string { return cases.Upper(language.Und).String(s) }

func lower(s string) string { return cases.Lower(language.Und).String(s) }

// titleRune is a character as a word begins with it, which may be more than one: ß gives Ss.
func titleRune(c rune) string {
	if c < utf8.RuneSelf {
		return string(unicode.ToTitle(c))
	}
	return cases.Title(language.Und, cases.NoLower).String(string(c))
}

// capitalize makes the first character a title's and all others small.
func capitalize(s string) string {
	first, n := utf8.DecodeRuneInString(s)
	if n == 0 {
		return s
	}
	return titleRune(first) + strings.TrimPrefix(lower(s), lower(s[:n]))
}

// title begins every run of letters with a capital.
func title(s string) string {
	var b strings.Builder
	small := lower(s)
	before := false
	rest := []rune(small)
	plain := utf8.RuneCountInString(s) == len(rest) // lower case changed no character's place: keep its final sigmas
	i := 0
	for _, c := range s {
		switch {
		case !before:
			b.WriteString(titleRune(c))
		case plain:
			b.WriteRune(rest[i])
		default:
			b.WriteString(lower(string(c)))
		}
		before = cased(c)
		i++
	}
	return b.String()
}

func cased(c rune) bool {
	return unicode.IsUpper(c) || unicode.IsLower(c) || unicode.IsTitle(c) || unicode.Is(unicode.Other_Lowercase, c) || unicode.Is(unicode.Other_Uppercase, c)
}

func swapCase(s string) string {
	var b strings.Builder
	for _, c := range s {
		switch {
		case unicode.IsUpper(c):
			b.WriteString(lower(string(c)))
		case unicode.IsLower(c):
			b.WriteString(upper(string(c)))
		default:
			b.WriteRune(c)
		}
	}
	return b.String()
}

// splitSpace is s.split(None, limit); limit < 0 is none.
func splitSpace(s string, limit int64) []string {
	var parts []string
	for s = strings.TrimLeftFunc(s, isSpace); s != ""; s = strings.TrimLeftFunc(s, isSpace) {
		i := strings.IndexFunc(s, isSpace)
		if limit == 0 {
			return append(parts, strings.TrimRightFunc(s, isSpace))
		}
		if i < 0 {
			return append(parts, s)
		}
		parts = append(parts, s[:i])
		s = s[i:]
		limit--
	}
	return parts
}

// rsplitSpace is s.rsplit(None, limit).
func rsplitSpace(s string, limit int64) []string {
	var parts []string
	for s = strings.TrimRightFunc(s, isSpace); s != ""; s = strings.TrimRightFunc(s, isSpace) {
		i := strings.LastIndexFunc(s, isSpace)
		if limit == 0 {
			i, s = -1, strings.TrimLeftFunc(s, isSpace)
		}
		if i < 0 {
			parts = append(parts, s)
			break
		}
		_, n := utf8.DecodeRuneInString(s[i:])
		parts = append(parts, s[i+n:])
		s = s[:i]
		limit--
	}
	for i, j := 0, len(parts)-1; i < j; i, j = i+1, j-1 {
		parts[i], parts[j] = parts[j], parts[i]
	}
	return parts
}

// rsplit is s.rsplit(sep, limit).
func rsplit(s, sep string, limit int64) []string {
	if limit < 0 {
		return strings.Split(s, sep)
	}
	var parts []string
	for ; limit > 0; limit-- {
		i := strings.LastIndex(s, sep)
		if i < 0 {
			break
		}
		parts = append(parts, s[i+len(sep):])
		s = s[:i]
	}
	parts = append(parts, s)
	for i, j := 0, len(parts)-1; i < j; i, j = i+1, j-1 {
		parts[i], parts[j] = parts[j], parts[i]
	}
	return parts
}

// splitLines is s.splitlines(ends).
func splitLines(s string, ends bool) []string {
	var lines []string
	for s != "" {
		i := strings.IndexFunc(s, func(c rune) bool {
			return c >= '\n' && c <= '\r' || c >= 0x1c && c <= 0x1e || c == 0x85 || c == 0x2028 || c == 0x2029
		})
		if i < 0 {
			return append(lines, s)
		}
		_, n := utf8.DecodeRuneInString(s[i:])
		if strings.HasPrefix(s[i:], "\r\n") {
			n = 2
		}
		line := s[:i]
		if ends {
			line = s[:i+n]
		}
		lines = append(lines, line)
		s = s[i+n:]
	}
	return lines
}

// all tells whether a text has characters and all of them are of a class.
func all(class func(rune) bool) func(string) bool {
	return func(s string) bool {
		return s != "" && strings.IndexFunc(s, func(c rune) bool { return !class(c) }) < 0
	}
}

func isDecimal(c rune) bool { return unicode.Is(unicode.Nd, c) }

// isDigit adds the superscripts and circled digits that Python calls digits.
func isDigit(c rune) bool {
	return isDecimal(c) || c == '²' || c == '³' || c == '¹' || c >= 0x2070 && c <= 0x2079 && unicode.Is(unicode.No, c) ||
		c >= 0x2080 && c <= 0x2089 || c >= 0x2460 && c <= 0x2468
}

func isNumeric(c rune) bool { return unicode.IsNumber(c) }

func isAlnum(c rune) bool { return unicode.IsLetter(c) || isNumeric(c) }

// hasCase tells whether a text has cased characters and none is of the class.
func hasCase(s string, other func(rune) bool) bool {
	found := false
	for _, c := range s {
		if other(c) || unicode.IsTitle(c) {
			return false
		}
		found = found || cased(c)
	}
	return found
}

func isTitle(s string) bool {
	found, before := false, false
	for _, c := range s {
		isCapital := unicode.IsUpper(c) || unicode.IsTitle(c)
		if isCapital == before && cased(c) {
			return false
		}
		before = cased(c)
		found = found || before
	}
	return found
}

func isUpperRune(c rune) bool { return unicode.IsUpper(c) || unicode.Is(unicode.Other_Uppercase, c) }

func isLowerRune(c rune) bool { return unicode.IsLower(c) || unicode.Is(unicode.Other_Lowercase, c) }
