package tokenizer

import (
	"encoding/binary"
	"fmt"
	"strings"
	"unicode/utf8"
)

// charsmap is SentencePiece's compiled list of replacements of characters: a double-array trie (darts-clone) whose
// values are places in a list of texts, each ended by a zero byte.
type charsmap struct {
	units []uint32
	texts string
}

func newCharsmap(data []byte) (*charsmap, error) {
	if len(data) < 4 {
		return nil, fmt.Errorf("precompiled_charsmap has %d bytes", len(data))
	}
	size := int(binary.LittleEndian.Uint32(data))
	if data = data[4:]; size > len(data) || size%4 != 0 {
		return nil, fmt.Errorf("precompiled_charsmap: a trie of %d bytes in %d", size, len(data))
	}
	m := &charsmap{units: make([]uint32, size/4), texts: string(data[size:])}
	for i := range m.units {
		m.units[i] = binary.LittleEndian.Uint32(data[4*i:])
	}
	if !utf8.ValidString(m.texts) {
		return nil, fmt.Errorf("precompiled_charsmap: the replacements are not UTF-8")
	}
	return m, nil
}

// Parts of a unit of the double array: whether one of its children is a value, the place of its children relative to
// its own, and the byte that leads to it (a value has bit 31 set, which no byte has).
func hasLeaf(unit uint32) bool     { return unit>>8&1 == 1 }
func offsetOf(unit uint32) uint32  { return unit >> 10 << (unit & (1 << 9) >> 6) }
func labelOf(unit uint32) uint32   { return unit & (1<<31 | 0xff) }
func valueOf(unit uint32) (at int) { return int(unit & (1<<31 - 1)) }

// prefixes visits the replacement of every text in the map that s starts with, the shortest first, until visit is false.
func (m *charsmap) prefixes(s string, visit func(text string, length int) bool) {
	if len(m.units) == 0 {
		return
	}
	at := offsetOf(m.units[0])
	for i := range len(s) {
		if s[i] == 0 {
			return
		}
		at ^= uint32(s[i])
		if int(at) >= len(m.units) || labelOf(m.units[at]) != uint32(s[i]) {
			return
		}
		unit := m.units[at]
		at ^= offsetOf(unit)
		if hasLeaf(unit) && int(at) < len(m.units) {
			if text, ok := m.text(valueOf(m.units[at])); ok && !visit(text, i+1) {
				return
			}
		}
	}
}

func (m *charsmap) text(at int) (string, bool) {
	if at >= len(m.texts) {
		return "", false
	}
	text, _, _ := strings.Cut(m.texts[at:], "\x00")
	return text, utf8.ValidString(text)
}

// longest is the replacement of the longest text in the map that s starts with; length is 0 if there is none.
func (m *charsmap) longest(s string) (text string, length int) {
	m.prefixes(s, func(t string, n int) bool { text, length = t, n; return true })
	return text, length
}

// normalizer is SentencePiece's (normalizer.cc). user are texts that stay as they are. Where firstOnly is true, only
// the start of the whole text gets the dummy blank.
func (s normalizerSpec) normalizer(user *trie, suffix, firstOnly bool) (normalizer, error) {
	chars := &charsmap{}
	if len(s.charsmap) > 0 {
		var err error
		if chars, err = newCharsmap(s.charsmap); err != nil {
			return nil, err
		}
	}
	blank := " "
	if s.escape {
		blank = metaspaceRune
	}
	prefix := func(text string) (string, int) {
		if _, n, ok := user.longest(text); ok {
			return text[:n], n
		}
		if replacement, n := chars.longest(text); n > 0 {
			return replacement, n
		}
		_, n := utf8.DecodeRuneInString(text)
		return text[:n], n
	}
	if len(chars.units) == 0 && !s.removeExtra { // blanks are all that changes
		return func(text string, first bool, limit int) (string, error) {
			if dummy := s.dummyPrefix && (first || !firstOnly); text == "" || !dummy {
				return strings.ReplaceAll(text, " ", blank), nil
			} else if suffix {
				return strings.ReplaceAll(text, " ", blank) + blank, nil
			}
			return blank + strings.ReplaceAll(text, " ", blank), nil
		}, nil
	}
	return func(text string, first bool, limit int) (string, error) {
		for s.removeExtra && text != "" {
			part, n := prefix(text)
			if part != " " {
				break
			}
			text = text[n:]
		}
		if text == "" {
			return "", nil
		}
		dummy := s.dummyPrefix && (first || !firstOnly)
		var out strings.Builder
		out.Grow(len(text) + len(text)/2)
		if dummy && !suffix {
			out.WriteString(blank)
		}
		after := s.removeExtra // a blank stands before
		for text != "" {
			part, n := prefix(text)
			text = text[n:]
			if after {
				part = strings.TrimLeft(part, " ")
			}
			if part != "" {
				after = s.removeExtra && strings.HasSuffix(part, " ")
				if out.Len()+3*len(part) > limit {
					return "", errTooLong
				}
				for i := range len(part) {
					if part[i] == ' ' {
						out.WriteString(blank)
					} else {
						out.WriteByte(part[i])
					}
				}
			}
		}
		done := out.String()
		for s.removeExtra && strings.HasSuffix(done, blank) {
			done = strings.TrimSuffix(done, blank)
		}
		if dummy && suffix {
			done += blank
		}
		return done, nil
	}, nil
}
