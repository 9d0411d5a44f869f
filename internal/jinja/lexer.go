package jinja

import (
	"math/big"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

type kind int

const (
	endOfFile kind = iota
	data           // text between tags
	blockBegin
	blockEnd
	variableBegin
	variableEnd
	name
	text // a string literal
	integer
	float
	operator
)

type token struct {
	kind  kind
	line  int
	value string // data, names, operators, unescaped strings
	raw   string // a string literal as written
	num   any    // integers and floats
}

func (t token) is(k kind, value string) bool { return t.kind == k && t.value == value }

// describe names the token as Jinja's messages do.
func (t token) describe() string {
	switch t.kind {
	case endOfFile:
		return "end of template"
	case data:
		return "template data / text"
	case blockBegin:
		return "begin of statement block"
	case blockEnd:
		return "end of statement block"
	case variableBegin:
		return "begin of print statement"
	case variableEnd:
		return "end of print statement"
	case text:
		return "string"
	case integer:
		return "integer"
	case float:
		return "float"
	default:
		return t.value
	}
}

// Longest first, so that "**" is not read as two "*".
var operators = []string{"**", "//", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}", ">", "<", "=", ".", ":", "|", ",", ";"}

type lexer struct {
	dialect      *dialect
	src          string
	pos, line    int
	lineStarting bool // what was read last ended a line
	tokens       []token
}

// lex cuts a template into tokens. It panics with an *Error.
func lex(source string, d *dialect) []token {
	source = strings.ReplaceAll(source, "\r\n", "\n")
	source = strings.ReplaceAll(source, "\r", "\n")
	if !d.keepNewline {
		source = strings.TrimSuffix(source, "\n")
	}
	l := &lexer{dialect: d, src: source, line: 1, lineStarting: true}
	for l.pos < len(l.src) {
		l.root()
	}
	l.add(endOfFile, "")
	return l.tokens
}

func (l *lexer) fail(message string) {
	panic(&Error{Line: l.line, Message: message, kind: ErrSyntax})
}

func (l *lexer) add(k kind, value string) {
	l.tokens = append(l.tokens, token{kind: k, line: l.line, value: value})
}

// advance moves over n bytes.
func (l *lexer) advance(n int) {
	l.line += strings.Count(l.src[l.pos:l.pos+n], "\n")
	l.pos += n
}

func (l *lexer) skipSpace() {
	rest := l.src[l.pos:]
	l.advance(len(rest) - len(strings.TrimLeftFunc(rest, isSpace)))
}

// root reads text up to the next tag and the tag.
func (l *lexer) root() {
	rest := l.src[l.pos:]
	at := 0
	for {
		i := strings.IndexByte(rest[at:], '{')
		if i < 0 || at+i+1 >= len(rest) {
			l.add(data, rest)
			l.advance(len(rest))
			return
		}
		at += i
		if c := rest[at+1]; c == '%' || c == '{' || c == '#' {
			break
		}
		at++
	}
	open := rest[at+1]
	sign := byte(0)
	if at+2 < len(rest) && (rest[at+2] == '-' || rest[at+2] == '+') {
		sign = rest[at+2]
	}
	if s := l.stripBefore(rest[:at], sign, open == '{'); s != "" {
		l.add(data, s)
	}
	l.advance(at + 2)
	if sign != 0 {
		l.advance(1)
	}
	switch open {
	case '#':
		l.comment()
	case '{':
		l.add(variableBegin, "")
		l.tag(variableEnd)
	default:
		if !l.raw() {
			l.add(blockBegin, "")
			l.tag(blockEnd)
		}
	}
	l.lineStarting = l.pos > 0 && l.src[l.pos-1] == '\n'
}

// stripBefore applies what the tag behind a text says about blanks at the text's end.
func (l *lexer) stripBefore(s string, sign byte, variable bool) string {
	if sign == '-' {
		return strings.TrimRightFunc(s, isSpace)
	}
	if sign == '+' || !l.dialect.lstripBlocks || variable {
		return s
	}
	start := strings.LastIndexByte(s, '\n') + 1
	if (start > 0 || l.lineStarting) && strings.TrimLeftFunc(s[start:], isSpace) == "" {
		return s[:start]
	}
	return s
}

// end reads "%}" or the like, with its sign and the blanks that go with it; false if it is not there.
func (l *lexer) end(mark string) bool {
	rest := l.src[l.pos:]
	switch {
	case strings.HasPrefix(rest, "-"+mark):
		l.advance(1 + len(mark))
		l.skipSpace()
	case mark != "}}" && strings.HasPrefix(rest, "+"+mark):
		l.advance(1 + len(mark))
	case strings.HasPrefix(rest, mark):
		l.advance(len(mark))
		if mark != "}}" && l.dialect.trimBlocks && strings.HasPrefix(l.src[l.pos:], "\n") {
			l.advance(1)
		}
	default:
		return false
	}
	return true
}

func (l *lexer) comment() {
	i := strings.Index(l.src[l.pos:], "#}")
	if i < 0 {
		l.fail("Missing end of comment tag")
	}
	if i > 0 && (l.src[l.pos+i-1] == '-' || l.src[l.pos+i-1] == '+') {
		i--
	}
	l.advance(i)
	l.end("#}")
}

// raw reads {% raw %} … {% endraw %} if that is what begins here, behind "{%".
func (l *lexer) raw() bool {
	rest := strings.TrimLeftFunc(l.src[l.pos:], isSpace)
	if !strings.HasPrefix(rest, "raw") {
		return false
	}
	rest = strings.TrimLeftFunc(rest[len("raw"):], isSpace)
	switch {
	case strings.HasPrefix(rest, "-%}"):
		rest = strings.TrimLeftFunc(rest[3:], isSpace)
	case strings.HasPrefix(rest, "%}"):
		rest = rest[2:]
	default:
		return false
	}
	l.advance(len(l.src) - l.pos - len(rest))
	l.lineStarting = l.src[l.pos-1] == '\n'
	for at := 0; ; at += 2 {
		i := strings.Index(rest[at:], "{%")
		if i < 0 {
			l.fail("Missing end of raw directive")
		}
		at += i
		inner, sign := rest[at+2:], byte(0)
		if inner != "" && (inner[0] == '-' || inner[0] == '+') {
			inner, sign = inner[1:], inner[0]
		}
		inner = strings.TrimLeftFunc(inner, isSpace)
		if !strings.HasPrefix(inner, "endraw") {
			continue
		}
		inner = strings.TrimLeftFunc(inner[len("endraw"):], isSpace)
		if !strings.HasPrefix(inner, "%}") && !strings.HasPrefix(inner, "-%}") && !strings.HasPrefix(inner, "+%}") {
			continue
		}
		if s := l.stripBefore(rest[:at], sign, false); s != "" {
			l.add(data, s)
		}
		l.advance(len(l.src) - l.pos - len(inner))
		l.end("%}")
		return true
	}
}

// tag reads the tokens inside a tag and its end.
func (l *lexer) tag(closing kind) {
	mark := "%}"
	if closing == variableEnd {
		mark = "}}"
	}
	var open []byte // brackets that wait for their partner: "}}" inside of them ends nothing
	for {
		l.skipSpace()
		if l.pos == len(l.src) {
			return // the parser says what it was looking for
		}
		if line := l.line; len(open) == 0 && l.end(mark) {
			l.tokens = append(l.tokens, token{kind: closing, line: line})
			return
		}
		if l.number() || l.name() || l.string() {
			continue
		}
		open = l.operator(open)
	}
}

func (l *lexer) operator(open []byte) []byte {
	for _, op := range operators {
		if !strings.HasPrefix(l.src[l.pos:], op) {
			continue
		}
		switch op {
		case "{":
			open = append(open, '}')
		case "(":
			open = append(open, ')')
		case "[":
			open = append(open, ']')
		case "}", ")", "]":
			if len(open) == 0 {
				l.fail("unexpected '" + op + "'")
			}
			if want := open[len(open)-1]; want != op[0] {
				l.fail("unexpected '" + op + "', expected '" + string(want) + "'")
			}
			open = open[:len(open)-1]
		}
		l.add(operator, op)
		l.advance(len(op))
		return open
	}
	r, _ := utf8.DecodeRuneInString(l.src[l.pos:])
	l.fail("unexpected char " + repr(string(r)) + " at " + strconv.Itoa(utf8.RuneCountInString(l.src[:l.pos])))
	return nil
}

func (l *lexer) name() bool {
	rest := l.src[l.pos:]
	n := 0
	for i, r := range rest {
		if r != '_' && !unicode.IsLetter(r) && (i == 0 || !unicode.IsDigit(r) && !unicode.Is(unicode.M, r)) {
			break
		}
		n = i + utf8.RuneLen(r)
	}
	if n > 0 {
		l.add(name, rest[:n])
		l.advance(n)
	}
	return n > 0
}

// number reads an integer or a float. A digit behind a dot is an index, never a float's beginning: a.0.1.
func (l *lexer) number() bool {
	rest := l.src[l.pos:]
	if rest[0] < '0' || rest[0] > '9' {
		return false
	}
	if l.pos == 0 || l.src[l.pos-1] != '.' {
		if n := floatLength(rest); n > 0 {
			f, err := strconv.ParseFloat(strings.ReplaceAll(rest[:n], "_", ""), 64)
			if err != nil && f == 0 {
				l.fail("invalid number " + rest[:n])
			}
			l.tokens = append(l.tokens, token{kind: float, line: l.line, value: rest[:n], num: f})
			l.advance(n)
			return true
		}
	}
	n := integerLength(rest)
	digits := rest[:n]
	if digits = strings.ReplaceAll(digits, "_", ""); strings.Trim(digits, "0") == "" {
		digits = "0"
	}
	v, ok := new(big.Int).SetString(digits, 0)
	if !ok || v.BitLen() > 4096 {
		l.fail("invalid number " + rest[:n])
	}
	l.tokens = append(l.tokens, token{kind: integer, line: l.line, value: rest[:n], num: fromBig(v)})
	l.advance(n)
	return true
}

// digits counts the bytes of a run of digits of a base, single underscores between them.
func digits(s, set string) int {
	n := 0
	for n < len(s) {
		separates := s[n] == '_' && n > 0 && s[n-1] != '_' && n+1 < len(s) && strings.IndexByte(set, s[n+1]) >= 0
		if !separates && strings.IndexByte(set, s[n]) < 0 {
			break
		}
		n++
	}
	return n
}

const decimals = "0123456789"

func floatLength(s string) int {
	n := digits(s, decimals)
	fraction := 0
	if n < len(s) && s[n] == '.' {
		if f := digits(s[n+1:], decimals); f > 0 {
			fraction = 1 + f
		}
	}
	at := n + fraction
	if at < len(s) && s[at]|0x20 == 'e' {
		e := at + 1
		if e < len(s) && (s[e] == '+' || s[e] == '-') {
			e++
		}
		if d := digits(s[e:], decimals); d > 0 {
			return e + d
		}
	}
	if fraction > 0 {
		return at
	}
	return 0
}

func integerLength(s string) int {
	if len(s) > 2 && s[0] == '0' {
		set := map[byte]string{'b': "01", 'o': "01234567", 'x': "0123456789abcdefABCDEF"}[s[1]|0x20]
		if n := digits(s[2:], set); set != "" && n > 0 {
			return 2 + n
		}
	}
	if s[0] == '0' {
		return digits(s, "0")
	}
	return digits(s, decimals)
}

func (l *lexer) string() bool {
	rest := l.src[l.pos:]
	quote := rest[0]
	if quote != '"' && quote != '\'' {
		return false
	}
	for i := 1; i < len(rest); i++ {
		switch rest[i] {
		case '\\':
			i++
		case quote:
			s, problem := unescape(rest[1:i])
			if problem != "" {
				l.fail(problem)
			}
			l.tokens = append(l.tokens, token{kind: text, line: l.line, value: s, raw: rest[:i+1]})
			l.advance(i + 1)
			return true
		}
	}
	return false // the quote is then an unexpected character
}
