package tokenizer

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// preTokenizer cuts a text into the pieces that the model sees one by one. first is true for the piece at the very
// start of the whole text. yield gets the pieces in order, none of them empty.
type preTokenizer interface {
	cut(s string, first bool, yield func(piece string, first bool)) error
}

// newPreTokenizers reads the section "pre_tokenizer". raw asks that a ByteLevel at the end be left out where it is the
// only one: the model then works on raw bytes, without the detour through ByteLevel's 256 printable characters. bytes
// says whether that was done.
func newPreTokenizers(section json.RawMessage, raw bool) (all []preTokenizer, bytes bool, err error) {
	parts, err := components(section, func(c component) []json.RawMessage { return c.PreTokenizers })
	if err != nil {
		return nil, false, fmt.Errorf("pre_tokenizer: %w", err)
	}
	isBytes := func(c component) bool { return c.Type == "ByteLevel" }
	bytes = raw && slices.IndexFunc(parts, isBytes) == len(parts)-1 && len(parts) > 0
	for _, c := range parts {
		p, err := newPreTokenizer(c)
		if err != nil {
			return nil, false, fmt.Errorf("pre_tokenizer %s: %w", c.Type, err)
		}
		all = append(all, p...)
		if isBytes(c) && !bytes {
			all = append(all, byteAlphabet{})
		}
	}
	return all, bytes, nil
}

func newPreTokenizer(c component) ([]preTokenizer, error) {
	switch c.Type {
	case "ByteLevel":
		var all []preTokenizer
		if unlessFalse(c.AddPrefixSpace) {
			all = append(all, prefixSpace{})
		}
		if unlessFalse(c.UseRegex) {
			all = append(all, splitter(nextGPT2))
		}
		return all, nil
	case "Split":
		p, err := newPattern(c.Pattern)
		if err != nil {
			return nil, err
		}
		b, ok := behaviors[c.Behavior]
		if !ok {
			return nil, fmt.Errorf("behavior %q is not supported", c.Behavior)
		}
		if s, ok := p.(splitter); ok && c.Behavior == "Isolated" {
			return []preTokenizer{s}, nil
		}
		return []preTokenizer{split{p, b, c.Invert}}, nil
	case "Digits":
		return []preTokenizer{digits{each: c.IndividualDigits}}, nil
	case "Metaspace":
		m, err := newMetaspace(c)
		if err != nil {
			return nil, err
		}
		return []preTokenizer{m}, nil
	}
	if all, err := classicPreTokenizer(c); all != nil || err != nil {
		return all, err
	}
	return nil, fmt.Errorf("this type is not supported (supported: Sequence, ByteLevel, Split, Digits, Metaspace, Whitespace, " +
		"WhitespaceSplit, Punctuation, BertPreTokenizer, CharDelimiterSplit, UnicodeScripts)")
}

// cut isolates every match.
func (next splitter) cut(s string, first bool, yield func(string, bool)) error {
	for at := 0; at < len(s); {
		end := next(s, at)
		yield(s[at:end], first && at == 0)
		at = end
	}
	return nil
}

// prefixSpace is ByteLevel's add_prefix_space: every piece that does not start with a blank gets one.
type prefixSpace struct{}

func (prefixSpace) cut(s string, first bool, yield func(string, bool)) error {
	if s != "" && s[0] != ' ' {
		s = " " + s
	}
	yield(s, first)
	return nil
}

// digits parts numbers (\p{N}) from the rest, each rune alone or in runs.
type digits struct{ each bool }

func (d digits) cut(s string, first bool, yield func(string, bool)) error {
	start, inside := 0, false
	for i, r := range s {
		number := classOf(r) == number
		if i > 0 && (number != inside || number && d.each) {
			yield(s[start:i], first && start == 0)
			start = i
		}
		inside = number
	}
	if start < len(s) {
		yield(s[start:], first && start == 0)
	}
	return nil
}

// split cuts by a pattern; what becomes of the matches is its behavior.
type split struct {
	pattern  pattern
	behavior behavior
	invert   bool // what the pattern does not match counts as matched
}

func (p split) cut(s string, first bool, yield func(string, bool)) error {
	spans, err := p.pattern.spans(s)
	if err != nil {
		return err
	}
	if p.invert {
		for i := range spans {
			spans[i].match = !spans[i].match
		}
	}
	for _, sp := range p.behavior(spans) {
		if sp.start < sp.end {
			yield(s[sp.start:sp.end], first && sp.start == 0)
		}
	}
	return nil
}

// behavior turns the spans of a pattern into pieces.
type behavior func([]span) []span

var behaviors = map[string]behavior{
	"Isolated":           func(spans []span) []span { return spans },
	"Removed":            removed,
	"Contiguous":         contiguous,
	"MergedWithPrevious": mergedWithPrevious,
	"MergedWithNext":     mergedWithNext,
}

func removed(spans []span) []span {
	kept := spans[:0]
	for _, sp := range spans {
		if !sp.match {
			kept = append(kept, sp)
		}
	}
	return kept
}

// contiguous joins neighbours that are both matched, or both not.
func contiguous(spans []span) []span {
	kept := spans[:0]
	for i, sp := range spans {
		if n := len(kept); i > 0 && kept[n-1].match == sp.match {
			kept[n-1].end = sp.end
		} else {
			kept = append(kept, sp)
		}
	}
	return kept
}

// mergedWithPrevious joins a match to the stretch before it; of several matches in a row only the first.
func mergedWithPrevious(spans []span) []span {
	kept := spans[:0]
	previous := false
	for _, sp := range spans {
		if n := len(kept); sp.match && !previous && n > 0 {
			kept[n-1].end = sp.end
		} else {
			kept = append(kept, sp)
		}
		previous = sp.match
	}
	return kept
}

// mergedWithNext joins a match to the stretch after it; of several matches in a row only the last.
func mergedWithNext(spans []span) []span {
	first := len(spans) // the pieces gather at the end of spans
	previous := false
	for i := len(spans) - 1; i >= 0; i-- {
		sp := spans[i]
		if sp.match && !previous && first < len(spans) {
			spans[first].start = sp.start
		} else {
			first--
			spans[first] = sp
		}
		previous = sp.match
	}
	return spans[first:]
}

// metaspace writes blanks as a visible character, as SentencePiece does.
type metaspace struct {
	replacement string
	scheme      string // "always", "first" or "never" is one put before a text that does not start with it
	split       bool   // cut before each
}

func newMetaspace(c component) (metaspace, error) {
	m := metaspace{c.Replacement, c.PrependScheme, unlessFalse(c.Split)}
	if utf8.RuneCountInString(m.replacement) != 1 {
		return m, fmt.Errorf("replacement %q is not one character", m.replacement)
	}
	if m.scheme == "" {
		m.scheme = "always"
		if !unlessFalse(c.AddPrefixSpace) { // files before 2024 have this key alone
			m.scheme = "never"
		}
	}
	if m.scheme != "always" && m.scheme != "first" && m.scheme != "never" {
		return m, fmt.Errorf("prepend_scheme %q is not supported", m.scheme)
	}
	return m, nil
}

func (m metaspace) cut(s string, first bool, yield func(string, bool)) error {
	s = strings.ReplaceAll(s, " ", m.replacement)
	if (m.scheme == "always" || m.scheme == "first" && first) && !strings.HasPrefix(s, m.replacement) {
		s = m.replacement + s
	}
	if !m.split {
		yield(s, first)
		return nil
	}
	start := 0
	for start < len(s) {
		end := len(s)
		if i := strings.Index(s[start+1:], m.replacement); i >= 0 {
			end = start + 1 + i
		}
		yield(s[start:end], first && start == 0)
		start = end
	}
	return nil
}

// checkFirst refuses Metaspace(first) after normalizers that can take away or double the start of a text. The reference
// goes by the place in the text that was given, which is not kept here.
func checkFirst(f file) error {
	pre, err := components(f.PreTokenizer, func(c component) []json.RawMessage { return c.PreTokenizers })
	if err != nil {
		return fmt.Errorf("pre_tokenizer: %w", err)
	}
	at := slices.IndexFunc(pre, func(c component) bool { return c.Type == "Metaspace" && c.PrependScheme == "first" })
	if at < 0 {
		return nil
	}
	if slices.ContainsFunc(pre[:at], func(c component) bool { return c.Type == "ByteLevel" }) {
		return fmt.Errorf("pre_tokenizer Metaspace with prepend_scheme first after ByteLevel is not supported")
	}
	normalizers, err := components(f.Normalizer, func(c component) []json.RawMessage { return c.Normalizers })
	if err != nil {
		return fmt.Errorf("normalizer: %w", err)
	}
	for _, c := range normalizers {
		switch c.Type {
		case "Strip", "StripAccents", "BertNormalizer", "Nmt":
			return fmt.Errorf("pre_tokenizer Metaspace with prepend_scheme first after normalizer %s is not supported", c.Type)
		case "Prepend":
			if at > 0 {
				return fmt.Errorf("pre_tokenizer Metaspace with prepend_scheme first after normalizer Prepend and %s is not supported", pre[0].Type)
			}
		}
	}
	return nil
}
