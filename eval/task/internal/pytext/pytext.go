// Package pytext does to strings what Python's str does, where Go's strings package differs in a character or two: which
// characters are blank, how a first letter is made large, how a number is written.
package pytext

import (
	"math"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/language"
)

// IsSpace tells whether Python's str.isspace, and \s of its regular expressions, take the character as blank. Unlike
// unicode.IsSpace they take the four separators of ASCII.
func IsSpace(r rune) bool { return r >= 0x1c && r <= 0x1f || unicode.IsSpace(r) }

// Strip is str.strip().
func Strip(s string) string { return strings.TrimFunc(s, IsSpace) }

// Words is len(re.split(r"\s+", s)): one more than there are runs of blanks, so that an empty end counts.
func Words(s string) int {
	n, blank := 1, false
	for _, r := range s {
		if IsSpace(r) && !blank {
			n++
		}
		blank = IsSpace(r)
	}
	return n
}

// Lower is str.lower().
func Lower(s string) string { return cases.Lower(language.Und).String(s) }

// Upper is str.upper().
func Upper(s string) string { return cases.Upper(language.Und).String(s) }

// Capitalize is str.capitalize(): the first character in title case and the rest in lower case.
func Capitalize(s string) string {
	if s == "" {
		return ""
	}
	first := []rune(s)[0]
	n := len(string(first))
	if first == unicode.ReplacementChar && !strings.HasPrefix(s, string(first)) {
		n = 1 // a byte that is not UTF-8
	}
	// The rest is lowered behind the first, which a final sigma looks back at.
	lower := Lower(s)
	return title(first) + lower[len(Lower(s[:n])):]
}

// title is a character in title case, which can be several characters: ß becomes Ss, ǆ becomes ǅ.
func title(r rune) string { return cases.Title(language.Und).String(string(r)) }

// Float is repr() of a float.
func Float(f float64) string {
	switch {
	case math.IsNaN(f):
		return "nan"
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	}
	s := strconv.FormatFloat(f, 'e', -1, 64)
	exponent, _ := strconv.Atoi(s[strings.IndexByte(s, 'e')+1:])
	if exponent >= -4 && exponent < 16 {
		if s = strconv.FormatFloat(f, 'f', -1, 64); !strings.Contains(s, ".") {
			s += ".0"
		}
	}
	return s
}
