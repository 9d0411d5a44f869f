package tokenizer

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/clipperhouse/uax29/v2/graphemes"
)

// Normalizers of older models, and of those that came from SentencePiece with its character map.

// perRune maps each rune to a text.
func perRune(replace func(r rune, out []byte) []byte) normalizer {
	return func(s string, _ bool, limit int) (string, error) {
		out := make([]byte, 0, len(s)+16)
		for _, r := range s {
			if out = replace(r, out); len(out) > limit {
				return "", errTooLong
			}
		}
		return string(out), nil
	}
}

// lowercase is Unicode's full mapping without context; only İ becomes two runes.
var lowercase = perRune(func(r rune, out []byte) []byte {
	if r == 'İ' {
		return append(out, "i\u0307"...)
	}
	return utf8.AppendRune(out, unicode.ToLower(r))
})

// without leaves out the runes of a table.
func without(table *unicode.RangeTable) normalizer {
	return perRune(func(r rune, out []byte) []byte {
		if unicode.Is(table, r) {
			return out
		}
		return utf8.AppendRune(out, r)
	})
}

func stripBlanks(left, right bool) normalizer {
	return func(s string, _ bool, _ int) (string, error) {
		if left {
			s = strings.TrimLeftFunc(s, unicode.IsSpace)
		}
		if right {
			s = strings.TrimRightFunc(s, unicode.IsSpace)
		}
		return s, nil
	}
}

// nmt leaves out control characters and makes blanks of invisible ones, as SentencePiece's nmt rules do.
var nmt = perRune(func(r rune, out []byte) []byte {
	switch {
	case 1 <= r && r <= 8, r == 0x0b, 0x0e <= r && r <= 0x1f, r == 0x7f, r == 0x8f, r == 0x9f:
		return out
	case r == '\t', r == '\n', r == '\f', r == '\r', r == 0x1680, 0x200b <= r && r <= 0x200f, r == 0x2028, r == 0x2029,
		r == 0x2581, r == 0xfeff, r == 0xfffd:
		return append(out, ' ')
	}
	return utf8.AppendRune(out, r)
})

// byteAlphabetText writes each byte as ByteLevel's character for it.
func byteAlphabetText(s string) string {
	out := make([]byte, 0, 2*len(s))
	for i := range len(s) {
		out = utf8.AppendRune(out, alphabet[s[i]])
	}
	return string(out)
}

// bertNormalizers is BertNormalizer's parts in their order.
func bertNormalizers(c component) (all []normalizer) {
	if unlessFalse(c.CleanText) {
		all = append(all, perRune(func(r rune, out []byte) []byte {
			switch {
			case r == '\t' || r == '\n' || r == '\r':
				return append(out, ' ')
			case r == 0 || r == utf8.RuneError || unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Cs):
				return out
			case unicode.IsSpace(r):
				return append(out, ' ')
			}
			return utf8.AppendRune(out, r)
		}))
	}
	if unlessFalse(c.HandleChinese) {
		all = append(all, perRune(func(r rune, out []byte) []byte {
			if !isChinese(r) {
				return utf8.AppendRune(out, r)
			}
			return append(utf8.AppendRune(append(out, ' '), r), ' ')
		}))
	}
	lower := unlessFalse(c.Lowercase)
	if c.StripAccents != nil && *c.StripAccents || c.StripAccents == nil && lower {
		all = append(all, unicodeForm("NFD"), without(unicode.Mn))
	}
	if lower {
		all = append(all, lowercase)
	}
	return all
}

// isChinese is the reference's list of blocks; the bound 2b920 is its own (BERT has 2b820).
func isChinese(r rune) bool {
	return 0x4e00 <= r && r <= 0x9fff || 0x3400 <= r && r <= 0x4dbf || 0x20000 <= r && r <= 0x2a6df ||
		0x2a700 <= r && r <= 0x2b73f || 0x2b740 <= r && r <= 0x2b81f || 0x2b920 <= r && r <= 0x2ceaf ||
		0xf900 <= r && r <= 0xfaff || 0x2f800 <= r && r <= 0x2fa1f
}

// precompiled is SentencePiece's character map as the tokenizers library applies it: to each user-perceived character
// of less than six bytes, else to each rune; and of several entries that fit, the shortest.
func precompiled(m *charsmap) normalizer {
	shortest := func(s string) (replacement string, ok bool) {
		m.prefixes(s, func(t string, _ int) bool { replacement, ok = t, true; return false })
		return replacement, ok
	}
	return func(s string, _ bool, limit int) (string, error) {
		var out strings.Builder
		for clusters := graphemes.FromString(s); clusters.Next(); {
			cluster := clusters.Value()
			if out.Len() > limit {
				return "", errTooLong
			}
			if len(cluster) < 6 {
				if t, ok := shortest(cluster); ok {
					out.WriteString(t)
					continue
				}
			}
			for at, r := range cluster {
				part := cluster[at : at+utf8.RuneLen(r)]
				if t, ok := shortest(part); ok {
					part = t
				}
				out.WriteString(part)
			}
		}
		return out.String(), nil
	}
}

// Pre-tokenizers of older models.

// byRune cuts where the class of runes says so.
type byRune struct {
	match    func(r rune) bool
	behavior behavior
}

func (p byRune) cut(s string, first bool, yield func(string, bool)) error {
	var spans []span
	for at, r := range s {
		end := at + utf8.RuneLen(r)
		match := p.match(r)
		if n := len(spans); n > 0 && !match && !spans[n-1].match {
			spans[n-1].end = end
		} else {
			spans = append(spans, span{at, end, match})
		}
	}
	for _, sp := range p.behavior(spans) {
		if sp.start < sp.end {
			yield(s[sp.start:sp.end], first && sp.start == 0)
		}
	}
	return nil
}

func isPunctuation(r rune) bool {
	if r < utf8.RuneSelf {
		return '!' <= r && r <= '/' || ':' <= r && r <= '@' || '[' <= r && r <= '`' || '{' <= r && r <= '~'
	}
	return unicode.Is(unicode.P, r)
}

// words gives runs of word characters and runs of other signs; blanks are left out.
type words struct{}

func (words) cut(s string, first bool, yield func(string, bool)) error {
	const blank, word, sign = 0, 1, 2
	start, before := 0, blank
	flush := func(end int) {
		if before != blank && start < end {
			yield(s[start:end], first && start == 0)
		}
	}
	for at, r := range s {
		kind := sign
		if isWord(r) {
			kind = word
		} else if unicode.IsSpace(r) {
			kind = blank
		}
		if kind != before {
			flush(at)
			start, before = at, kind
		}
	}
	flush(len(s))
	return nil
}

// byteAlphabet turns pieces into ByteLevel's alphabet, where something else comes after ByteLevel.
type byteAlphabet struct{}

func (byteAlphabet) cut(s string, first bool, yield func(string, bool)) error {
	yield(byteAlphabetText(s), first)
	return nil
}

// scripts cuts where the script changes. Kana and the prolonged sound mark count as Han, a blank as any. What stands
// before the first script is lost, as in the reference.
type scripts struct{}

func (scripts) cut(s string, first bool, yield func(string, bool)) error {
	start, last := -1, "none"
	for at, r := range s {
		script := scriptOf(r)
		if script == "" {
			continue
		}
		if last != script {
			if start >= 0 {
				yield(s[start:at], first && start == 0)
			}
			start, last = at, script
		}
	}
	if start >= 0 {
		yield(s[start:], first && start == 0)
	}
	return nil
}

// scriptOf is the name of a rune's script, "" if it goes with any.
func scriptOf(r rune) string {
	switch {
	case r == 0x30fc || unicode.In(r, unicode.Hiragana, unicode.Katakana):
		return "Han"
	case r == ' ':
		return ""
	}
	for _, name := range scriptNames {
		if unicode.Is(unicode.Scripts[name], r) {
			return name
		}
	}
	return ""
}

// scriptNames has the frequent scripts first.
var scriptNames = func() []string {
	names := []string{"Common", "Latin", "Han", "Cyrillic", "Greek", "Arabic", "Hangul"}
	for name := range unicode.Scripts {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}()

// classicPreTokenizer is the pre-tokenizer of that type, nil if it is none of these.
func classicPreTokenizer(c component) ([]preTokenizer, error) {
	switch c.Type {
	case "Whitespace":
		return []preTokenizer{words{}}, nil
	case "WhitespaceSplit":
		return []preTokenizer{byRune{unicode.IsSpace, removed}}, nil
	case "BertPreTokenizer":
		return []preTokenizer{byRune{unicode.IsSpace, removed}, byRune{isPunctuation, behaviors["Isolated"]}}, nil
	case "Punctuation":
		if c.Behavior == "" {
			c.Behavior = "Isolated"
		}
		b, ok := behaviors[c.Behavior]
		if !ok {
			return nil, fmt.Errorf("behavior %q is not supported", c.Behavior)
		}
		return []preTokenizer{byRune{isPunctuation, b}}, nil
	case "CharDelimiterSplit":
		r, n := utf8.DecodeRuneInString(c.Delimiter)
		if n == 0 || n != len(c.Delimiter) {
			return nil, fmt.Errorf("delimiter %q is not one character", c.Delimiter)
		}
		return []preTokenizer{byRune{func(x rune) bool { return x == r }, removed}}, nil
	case "UnicodeScripts":
		return []preTokenizer{scripts{}}, nil
	}
	return nil, nil
}
