package tokenizer

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// decoder is one step from pieces to text; the last step's pieces are joined.
type decoder func(pieces []string) []string

// newDecoders reads the section "decoder".
func newDecoders(section json.RawMessage) ([]decoder, error) {
	parts, err := components(section, func(c component) []json.RawMessage { return c.Decoders })
	if err != nil {
		return nil, fmt.Errorf("decoder: %w", err)
	}
	var all []decoder
	growth := 1
	for _, c := range parts {
		d, err := newDecoder(c)
		if err != nil {
			return nil, fmt.Errorf("decoder %s: %w", c.Type, err)
		}
		all = append(all, d)
		if c.Type == "Replace" {
			if growth *= max(len(c.Content), 1); growth > maxGrowth {
				return nil, fmt.Errorf("decoder Replace: together they make a text more than %d times as long", maxGrowth)
			}
		}
	}
	return all, nil
}

// local says whether the text of an id depends on the ids before it only through the characters that they begin and
// through a blank at the start of the text. Stream may then forget what it has given out.
func local(section json.RawMessage) bool {
	parts, err := components(section, func(c component) []json.RawMessage { return c.Decoders })
	fused := false
	for _, c := range parts {
		if fused && c.Type != "Strip" || c.Type == "Strip" && (c.Content != " " || c.Stop != 0) ||
			c.Type == "WordPiece" || c.Type == "BPEDecoder" {
			return false
		}
		fused = fused || c.Type == "Fuse" || c.Type == "ByteLevel"
	}
	return err == nil
}

func newDecoder(c component) (decoder, error) {
	switch c.Type {
	case "ByteLevel":
		return decodeByteLevel, nil
	case "ByteFallback":
		return decodeByteFallback, nil
	case "Fuse":
		return func(pieces []string) []string { return []string{strings.Join(pieces, "")} }, nil
	case "Replace":
		p, err := newPattern(c.Pattern)
		if err != nil {
			return nil, err
		}
		l, ok := p.(literal)
		if !ok {
			return nil, fmt.Errorf("a regular expression as the pattern is not supported")
		}
		return decodeReplace(string(l), c.Content), nil
	case "WordPiece":
		prefix := "##"
		if c.Prefix != nil {
			prefix = *c.Prefix
		}
		return decodeWordPiece(prefix, unlessFalse(c.Cleanup)), nil
	case "BPEDecoder":
		suffix := "</w>"
		if c.Suffix != nil {
			suffix = *c.Suffix
		}
		return decodeSuffix(suffix), nil
	case "Strip":
		if utf8.RuneCountInString(c.Content) != 1 || c.Start < 0 || c.Stop < 0 {
			return nil, fmt.Errorf("content %q, start %d, stop %d: one character and counts expected", c.Content, c.Start, c.Stop)
		}
		return decodeStrip(c.Content, c.Start, c.Stop), nil
	case "Metaspace":
		m, err := newMetaspace(c)
		if err != nil {
			return nil, err
		}
		return m.decode, nil
	}
	return nil, fmt.Errorf("this type is not supported (supported: Sequence, ByteLevel, ByteFallback, Fuse, Replace, Strip, Metaspace, WordPiece, BPEDecoder)")
}

// decodeByteLevel turns ByteLevel's characters back into bytes; a piece with any other character is taken as it is.
func decodeByteLevel(pieces []string) []string {
	var text []byte
	for _, piece := range pieces {
		n := len(text)
		var ok bool
		if text, ok = rawBytes(text, piece); !ok {
			text = append(text[:n], piece...)
		}
	}
	return []string{validUTF8(string(text))}
}

// decodeByteFallback joins byte pieces in a row to text; if they are not UTF-8, each becomes U+FFFD.
func decodeByteFallback(pieces []string) []string {
	var out []string
	var bytes []byte
	flush := func() {
		if utf8.Valid(bytes) {
			out = append(out, string(bytes))
		} else {
			for range bytes {
				out = append(out, "\ufffd")
			}
		}
		bytes = bytes[:0]
	}
	for _, piece := range pieces {
		if b, ok := byteOf(piece); ok {
			bytes = append(bytes, b)
			continue
		}
		if len(bytes) > 0 {
			flush()
		}
		out = append(out, piece)
	}
	if len(bytes) > 0 {
		flush()
	}
	return out
}

// byteOf is the byte that a piece of the form <0x0A> stands for.
func byteOf(piece string) (byte, bool) {
	if len(piece) != 6 || !strings.HasPrefix(piece, "<0x") || piece[5] != '>' {
		return 0, false
	}
	b, err := strconv.ParseUint(piece[3:5], 16, 8)
	return byte(b), err == nil
}

func decodeReplace(old, content string) decoder {
	return func(pieces []string) []string {
		if old == "" {
			return pieces
		}
		for i, piece := range pieces {
			pieces[i] = strings.ReplaceAll(piece, old, content)
		}
		return pieces
	}
}

// decodeStrip takes up to start characters from the front of each piece and up to stop from its end.
func decodeStrip(char string, start, stop int) decoder {
	return func(pieces []string) []string {
		for i, piece := range pieces {
			for n := 0; n < start && strings.HasPrefix(piece, char); n++ {
				piece = piece[len(char):]
			}
			for n := 0; n < stop && strings.HasSuffix(piece, char); n++ {
				piece = piece[:len(piece)-len(char)]
			}
			pieces[i] = piece
		}
		return pieces
	}
}

// decode turns the replacement back into blanks; in the first piece it is the one that was put before the text.
func (m metaspace) decode(pieces []string) []string {
	for i, piece := range pieces {
		blank := " "
		if i == 0 && m.scheme != "never" {
			blank = ""
		}
		pieces[i] = strings.ReplaceAll(piece, m.replacement, blank)
	}
	return pieces
}

// validUTF8 is s with U+FFFD for each longest stretch of bytes that begins a character and does not end it, and for
// each other byte that is not UTF-8 (Unicode 15, section 3.9, "substitution of maximal subparts").
func validUTF8(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	var out strings.Builder
	for at := 0; at < len(s); {
		r, n := utf8.DecodeRuneInString(s[at:])
		if r != utf8.RuneError || n > 1 {
			out.WriteString(s[at : at+n])
			at += n
			continue
		}
		out.WriteRune(utf8.RuneError)
		at += subpart(s[at:])
	}
	return out.String()
}

// subpart is the length of the stretch at the start of s, at least one byte, that could begin a character.
func subpart(s string) int {
	low, high, most := byte(0x80), byte(0xbf), 0
	switch c := s[0]; {
	case c >= 0xc2 && c <= 0xdf:
		most = 1
	case c >= 0xe0 && c <= 0xef:
		most = 2
		switch c {
		case 0xe0:
			low = 0xa0
		case 0xed:
			high = 0x9f
		}
	case c >= 0xf0 && c <= 0xf4:
		most = 3
		switch c {
		case 0xf0:
			low = 0x90
		case 0xf4:
			high = 0x8f
		}
	}
	n := 1
	for ; n <= most && n < len(s) && low <= s[n] && s[n] <= high; n++ {
		low, high = 0x80, 0xbf
	}
	return n
}
