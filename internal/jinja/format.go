package jinja

import (
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"
)

// layout is how one value is written: Python's format specification, or what stands between % and its letter.
type layout struct {
	fill      string
	align     byte // < > ^ =, 0: the type's own
	sign      byte // + or blank, 0: only -
	alternate bool
	width     int
	comma     string
	precision int // -1: none
	verb      byte
}

// percent is text % arguments.
func (r *run) percent(format string, operand any) string {
	var b strings.Builder
	operands, mapping := []any{operand}, (*Map)(nil)
	switch x := operand.(type) {
	case *tuple:
		operands = x.items
	case *Map:
		mapping = x
	}
	used := 0
	next := func() any {
		if used >= len(operands) {
			r.fail(nil, "not enough arguments for format string")
		}
		used++
		return operands[used-1]
	}
	for s := format; s != ""; {
		i := strings.IndexByte(s, '%')
		if i < 0 {
			b.WriteString(s)
			break
		}
		b.WriteString(s[:i])
		s = s[i+1:]
		var value any
		keyed := false
		if strings.HasPrefix(s, "(") {
			end := strings.IndexByte(s, ')')
			if mapping == nil || end < 0 {
				r.fail(nil, "format requires a mapping")
			}
			v, ok := r.getItem(mapping, s[1:end])
			if !ok {
				r.fail(nil, "%s", repr(s[1:end]))
			}
			value, keyed, s = v, true, s[end+1:]
		}
		l := layout{fill: " ", align: '>', precision: -1}
		for ; s != "" && strings.IndexByte("-+ #0", s[0]) >= 0; s = s[1:] {
			switch s[0] {
			case '-':
				l.align = '<'
			case '#':
				l.alternate = true
			case '0':
				l.fill = "0"
			default:
				l.sign = s[0]
			}
		}
		amount := func() int {
			if strings.HasPrefix(s, "*") {
				s = s[1:]
				n, ok := plainNumber(next()).(int64)
				if !ok || n < 0 || n > maxText {
					r.fail(nil, "* wants int")
				}
				return int(n)
			}
			n, rest := leadingInt(s)
			s = rest
			return r.checkWidth(n)
		}
		l.width = amount()
		if strings.HasPrefix(s, ".") {
			s = s[1:]
			l.precision = amount()
		}
		s = strings.TrimLeft(s, "hlL")
		if s == "" {
			r.fail(nil, "incomplete format")
		}
		l.verb, s = s[0], s[1:]
		if l.verb == '%' {
			b.WriteByte('%')
			continue
		}
		if !keyed {
			value = next()
		}
		part := r.percentValue(l, value)
		r.text(b.Len() + len(part))
		b.WriteString(part)
	}
	if _, isTuple := operand.(*tuple); mapping == nil && used < len(operands) && (isTuple || used == 0) {
		r.fail(nil, "not all arguments converted during string formatting")
	}
	return b.String()
}

func (r *run) percentValue(l layout, v any) string {
	switch l.verb {
	case 's', 'r', 'a':
		s := r.str(v)
		if l.verb != 's' {
			s = r.repr(v)
		}
		l.fill = " "
		return r.pad(l, cutText(s, l.precision), "")
	case 'c':
		if s, ok := asText(v); ok {
			return r.pad(l, s, "")
		}
		return r.pad(l, string(rune(arguments{}.integer(r, v, 0))), "")
	case 'i', 'u':
		l.verb = 'd'
	}
	if l.align == '>' && l.fill == "0" {
		l.align = '='
	} else {
		l.fill = " "
	}
	if f, ok := v.(float64); ok && l.verb == 'd' {
		z, _ := big.NewFloat(f).Int(nil)
		v = fromBig(z)
	}
	if _, ok := toFloat(v); !ok {
		r.needDefined(v)
		r.fail(nil, "%%%c format: a real number is required, not %s", l.verb, typeName(v))
	}
	return r.formatNumber(l, v)
}

func leadingInt(s string) (int, string) {
	i := 0
	for i < len(s) && s[i] >= '0' && s[i] <= '9' {
		i++
	}
	n, err := strconv.Atoi(s[:i])
	if err != nil && i > 0 {
		n = maxText + 1
	}
	return n, s[i:]
}

func (r *run) checkWidth(n int) int {
	if n > maxText {
		r.text(-1)
	}
	return n
}

func cutText(s string, precision int) string {
	if precision < 0 {
		return s
	}
	for i := range s {
		if precision == 0 {
			return s[:i]
		}
		precision--
	}
	return s
}

// pad fills a text up to the width; sign stands before what fills a number.
func (r *run) pad(l layout, s, sign string) string {
	missing := l.width - utf8.RuneCountInString(s) - len(sign)
	if missing <= 0 {
		return sign + s
	}
	r.text(missing * len(l.fill))
	fill := strings.Repeat(l.fill, missing)
	switch l.align {
	case '<':
		return sign + s + fill
	case '^':
		half := missing / 2 * len(l.fill)
		return fill[:half] + sign + s + fill[half:]
	case '=':
		return sign + fill + s
	}
	return fill + sign + s
}

func (r *run) formatNumber(l layout, v any) string {
	if l.precision > 1000 {
		r.fail(ErrLimit, "more than 1000 digits behind the point")
	}
	f, _ := toFloat(v)
	negative := f < 0
	s := ""
	switch l.verb {
	case 'd', 'x', 'X', 'o', 'b':
		z := toBig(v)
		if z == nil {
			r.fail(nil, "Unknown format code '%c' for object of type '%s'", l.verb, typeName(v))
		}
		base := map[byte]int{'d': 10, 'x': 16, 'X': 16, 'o': 8, 'b': 2}[l.verb]
		s = strings.TrimPrefix(z.Text(base), "-")
		if l.verb == 'X' {
			s = strings.ToUpper(s)
		}
		if l.alternate && base != 10 {
			s = "0" + string(l.verb) + s
		}
	case 'f', 'F', 'e', 'E', 'g', 'G', '%':
		if l.precision < 0 {
			l.precision = 6
		}
		s = formatReal(l, f)
	default:
		r.fail(nil, "unsupported format character '%c'", l.verb)
	}
	if l.comma != "" {
		s = grouped(s, l.comma)
	}
	sign := ""
	if negative {
		sign = "-"
	} else if l.sign != 0 {
		sign = string(l.sign)
	}
	return r.pad(l, strings.TrimPrefix(s, "-"), sign)
}

func formatReal(l layout, f float64) string {
	verb := l.verb
	switch verb {
	case '%':
		return strconv.FormatFloat(f*100, 'f', l.precision, 64) + "%"
	case 'F':
		verb = 'f'
	case 'g', 'G':
		s := strconv.FormatFloat(f, verb, max(l.precision, 1), 64)
		if strings.Contains(s, ".") && !strings.ContainsAny(s, "eE") {
			s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
		}
		return s
	}
	return strconv.FormatFloat(f, verb, l.precision, 64)
}

// grouped puts a mark between the thousands.
func grouped(s, mark string) string {
	end := strings.IndexAny(s, ".e%")
	if end < 0 {
		end = len(s)
	}
	whole := s[:end]
	for i := len(whole) - 3; i > 0 && whole[i-1] != '-'; i -= 3 {
		whole = whole[:i] + mark + whole[i:]
	}
	return whole + s[end:]
}
