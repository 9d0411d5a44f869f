package jinja

import (
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode"
)

// str is Python's str(): what {{ }} writes.
func (r *run) str(v any) string {
	switch x := v.(type) {
	case string:
		return x
	case markup:
		return string(x)
	case *undefined:
		r.needLax(x)
		return ""
	}
	return r.repr(v)
}

// repr is Python's repr().
func (r *run) repr(v any) string {
	var b strings.Builder
	r.writeRepr(&b, v, 0)
	return b.String()
}

func (r *run) writeRepr(b *strings.Builder, v any, depth int) {
	if depth > maxData {
		r.fail(ErrLimit, "lists inside each other more than %d deep", maxData)
	}
	r.work(stepWork)
	before := b.Len()
	group := func(open, end string, items []any) {
		b.WriteString(open)
		for i, item := range items {
			if i > 0 {
				b.WriteString(", ")
			}
			r.writeRepr(b, item, depth+1)
		}
		b.WriteString(end)
	}
	switch x := v.(type) {
	case nil:
		b.WriteString("None")
	case bool:
		b.WriteString(map[bool]string{true: "True", false: "False"}[x])
	case int64:
		b.WriteString(strconv.FormatInt(x, 10))
	case *big.Int:
		b.WriteString(x.String())
	case float64:
		b.WriteString(formatFloat(x))
	case string:
		r.text(len(x))
		b.WriteString(repr(x))
	case markup:
		r.text(len(x))
		b.WriteString("Markup(" + repr(string(x)) + ")")
	case *list:
		group("[", "]", x.items)
	case *tuple:
		end := ")"
		if len(x.items) == 1 {
			end = ",)"
		}
		group("(", end, x.items)
	case *view:
		group(x.kind+"([", "])", x.items())
	case *Map:
		r.writeMap(b, x, depth)
	case *namespace:
		b.WriteString("<Namespace ")
		r.writeMap(b, x.Map, depth)
		b.WriteString(">")
	case *undefined:
		b.WriteString("Undefined")
	case *loop:
		b.WriteString("<LoopContext " + strconv.Itoa(x.index+1) + "/" + strconv.Itoa(len(x.items)) + ">")
	case *macro:
		b.WriteString("<Macro " + repr(x.node.name) + ">")
	default:
		b.WriteString("<" + typeName(v) + ">")
	}
	if depth == 0 {
		r.text(b.Len() - before)
	}
}

func (r *run) writeMap(b *strings.Builder, m *Map, depth int) {
	b.WriteString("{")
	for i, k := range m.keys {
		if i > 0 {
			b.WriteString(", ")
		}
		r.writeRepr(b, k, depth+1)
		b.WriteString(": ")
		r.writeRepr(b, m.values[i], depth+1)
	}
	b.WriteString("}")
}

// formatFloat writes the shortest digits that give the number back, in Python's form.
func formatFloat(f float64) string {
	switch {
	case math.IsNaN(f):
		return "nan"
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	}
	s := strconv.FormatFloat(f, 'e', -1, 64)
	i := strings.IndexByte(s, 'e')
	if exponent, _ := strconv.Atoi(s[i+1:]); exponent < -4 || exponent >= 16 {
		return s
	}
	s = strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

// repr quotes a string as Python does.
func repr(s string) string {
	quote := '\''
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		quote = '"'
	}
	var b strings.Builder
	b.WriteRune(quote)
	for _, c := range s {
		switch {
		case c == quote || c == '\\':
			b.WriteByte('\\')
			b.WriteRune(c)
		case c == '\n':
			b.WriteString(`\n`)
		case c == '\r':
			b.WriteString(`\r`)
		case c == '\t':
			b.WriteString(`\t`)
		case printable(c):
			b.WriteRune(c)
		case c < 0x100:
			b.WriteString(`\x` + hex(c, 2))
		case c < 0x10000:
			b.WriteString(`\u` + hex(c, 4))
		default:
			b.WriteString(`\U` + hex(c, 8))
		}
	}
	b.WriteRune(quote)
	return b.String()
}

func hex(c rune, width int) string {
	s := strconv.FormatInt(int64(c), 16)
	return strings.Repeat("0", width-len(s)) + s
}

// printable is Python's: everything but separators other than the blank, control and unassigned characters.
func printable(c rune) bool { return c == ' ' || unicode.IsPrint(c) }
