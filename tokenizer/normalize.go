package tokenizer

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
)

// normalizer rewrites a text before it is split. first is true at the start of the whole text. limit is the longest
// result allowed, in bytes: a hostile file can double a text sixty times.
type normalizer func(s string, first bool, limit int) (string, error)

// newNormalizers reads the section "normalizer".
func newNormalizers(section json.RawMessage) ([]normalizer, error) {
	parts, err := components(section, func(c component) []json.RawMessage { return c.Normalizers })
	if err != nil {
		return nil, fmt.Errorf("normalizer: %w", err)
	}
	var all []normalizer
	for _, c := range parts {
		if c.Type == "BertNormalizer" {
			all = append(all, bertNormalizers(c)...)
			continue
		}
		n, err := newNormalizer(c)
		if err != nil {
			return nil, fmt.Errorf("normalizer %s: %w", c.Type, err)
		}
		all = append(all, n)
	}
	return all, nil
}

func newNormalizer(c component) (normalizer, error) {
	switch c.Type {
	case "NFC", "NFD", "NFKC", "NFKD":
		return unicodeForm(c.Type), nil
	case "Prepend":
		return prepend(c.Prepend), nil
	case "Replace":
		p, err := newPattern(c.Pattern)
		if err != nil {
			return nil, err
		}
		return func(s string, _ bool, limit int) (string, error) { return replace(s, p, c.Content, limit) }, nil
	case "Strip":
		return stripBlanks(c.StripLeft, c.StripRight), nil
	case "Lowercase":
		return lowercase, nil
	case "StripAccents":
		return without(unicode.M), nil
	case "Nmt":
		return nmt, nil
	case "ByteLevel":
		return func(s string, _ bool, _ int) (string, error) { return byteAlphabetText(s), nil }, nil
	case "Precompiled":
		m, err := newCharsmap(c.Charsmap)
		if err != nil {
			return nil, err
		}
		return precompiled(m), nil
	}
	return nil, fmt.Errorf("this type is not supported (supported: Sequence, NFC, NFD, NFKC, NFKD, Prepend, Replace, Strip, " +
		"Lowercase, StripAccents, BertNormalizer, Nmt, ByteLevel, Precompiled)")
}

func prepend(prefix string) normalizer {
	return func(s string, _ bool, limit int) (string, error) {
		if s == "" {
			return s, nil
		}
		if len(s)+len(prefix) > limit {
			return "", errTooLong
		}
		return prefix + s, nil
	}
}

var errTooLong = fmt.Errorf("tokenizer: the normalizer makes the text more than %d times as long", maxGrowth)

// replace puts content, taken as it is, in place of every match.
func replace(s string, p pattern, content string, limit int) (string, error) {
	if l, ok := p.(literal); ok {
		if l == "" {
			return s, nil
		}
		if len(content) > len(l) && len(s)+strings.Count(s, string(l))*(len(content)-len(l)) > limit {
			return "", errTooLong
		}
		return strings.ReplaceAll(s, string(l), content), nil
	}
	spans, err := p.spans(s)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	for _, sp := range spans {
		text := s[sp.start:sp.end]
		if sp.match {
			text = content
		}
		if out.Len()+len(text) > limit {
			return "", errTooLong
		}
		out.WriteString(text)
	}
	return out.String(), nil
}

const maxGrowth = 64 // NFKC makes 18 runes of one; Replace and Prepend add a few bytes to each blank

// normalize runs all of them.
func normalize(all []normalizer, s string, first bool) (string, error) {
	limit := maxGrowth*len(s) + 1<<16
	for _, n := range all {
		var err error
		if s, err = n(s, first, limit); err != nil {
			return "", err
		}
	}
	return s, nil
}
