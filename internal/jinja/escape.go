package jinja

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

var simpleEscapes = map[byte]string{
	'\n': "", '\\': `\`, '\'': "'", '"': `"`, 'a': "\a", 'b': "\b", 'f': "\f", 'n': "\n", 'r': "\r", 't': "\t", 'v': "\v",
}

// unescape reads the escapes of a Python string literal; problem says what is wrong with them. Unknown ones stay as they
// are, backslash and all.
func unescape(s string) (value, problem string) {
	if !strings.Contains(s, `\`) {
		return s, ""
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			i++
			continue
		}
		c := s[i+1]
		if e, ok := simpleEscapes[c]; ok {
			b.WriteString(e)
			i += 2
			continue
		}
		n := map[byte]int{'x': 2, 'u': 4, 'U': 8}[c]
		switch {
		case n > 0:
			if i+2+n > len(s) {
				return "", truncated(c)
			}
			r, err := strconv.ParseUint(s[i+2:i+2+n], 16, 32)
			if err != nil {
				return "", truncated(c)
			}
			if r > utf8.MaxRune {
				return "", "illegal Unicode character"
			}
			b.WriteRune(rune(r))
			i += 2 + n
		case c >= '0' && c <= '7':
			v, k := 0, 1
			for ; k <= 3 && i+k < len(s) && s[i+k] >= '0' && s[i+k] <= '7'; k++ {
				v = v*8 + int(s[i+k]-'0')
			}
			b.WriteRune(rune(v))
			i += k
		case c == 'N':
			return "", `\N{...} is not read: write the character itself`
		default:
			b.WriteByte('\\')
			i++
		}
	}
	return b.String(), ""
}

func truncated(c byte) string {
	return "truncated \\" + string(c) + map[byte]string{'x': "XX", 'u': "XXXX", 'U': "XXXXXXXX"}[c] + " escape"
}
