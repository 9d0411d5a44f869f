package tokenizer

import (
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// joiner is what the norm package puts in after every 30 combining marks in a row ("stream-safe text format").
// Normalisation proper, which the reference does, has no such rule.
const joiner = "\u034f"

// unicodeForm is the normalisation form of that name.
func unicodeForm(name string) normalizer {
	form := map[string]norm.Form{"NFC": norm.NFC, "NFD": norm.NFD, "NFKC": norm.NFKC, "NFKD": norm.NFKD}[name]
	return func(s string, _ bool, limit int) (string, error) {
		out := form.String(s)
		if strings.Count(out, joiner) != strings.Count(s, joiner) {
			out = plainForm(form, s)
		}
		if len(out) > limit {
			return "", errTooLong
		}
		return out, nil
	}
}

// plainForm is form without the stream-safe rule, by the definition (Unicode, section 3.11): decompose, sort marks by
// their combining class, compose.
func plainForm(form norm.Form, s string) string {
	decomposition, composed := norm.NFD, form == norm.NFC || form == norm.NFKC
	if form == norm.NFKC || form == norm.NFKD {
		decomposition = norm.NFKD
	}
	var runes []rune
	for _, r := range s {
		runes = append(runes, []rune(decomposition.String(string(r)))...)
	}
	for i := 0; i < len(runes); {
		end := i
		for end < len(runes) && combiningClass(runes[end]) != 0 {
			end++
		}
		slices.SortStableFunc(runes[i:end], func(a, b rune) int { return combiningClass(a) - combiningClass(b) })
		i = end + 1
	}
	if composed {
		runes = compose(runes)
	}
	return string(runes)
}

// compose joins each starter with the marks after it that nothing blocks, in place.
func compose(runes []rune) []rune {
	out := runes[:0]
	starter, last := -1, -1 // last is the class of what was kept after the starter, -1 if nothing was
	for _, r := range runes {
		class := combiningClass(r)
		if starter >= 0 && last < class {
			if joined, ok := composite(out[starter], r); ok {
				out[starter] = joined
				continue
			}
		}
		out = append(out, r)
		last = class
		if class == 0 {
			starter, last = len(out)-1, -1
		}
	}
	return out
}

// composite is the one character that two are, if there is one.
func composite(a, b rune) (rune, bool) {
	if b < utf8.RuneSelf {
		return 0, false
	}
	joined := norm.NFC.String(string(a) + string(b))
	r, n := utf8.DecodeRuneInString(joined)
	return r, n == len(joined)
}

func combiningClass(r rune) int {
	return int(norm.NFD.PropertiesString(string(r)).CCC())
}
