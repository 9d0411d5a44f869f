package jinja

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// textFormat is Python's str.format.
func textFormat(r *run, of any, a arguments) any {
	f := &formatting{run: r, arguments: a}
	return likeText(of, f.format(subject(r, of), 0))
}

type formatting struct {
	*run
	arguments arguments
	next      int  // the place of the next {} without a number
	numbered  bool // a field had one
}

func (f *formatting) format(s string, depth int) string {
	var b strings.Builder
	for s != "" {
		i := strings.IndexAny(s, "{}")
		if i < 0 {
			b.WriteString(s)
			break
		}
		b.WriteString(s[:i])
		if i+1 < len(s) && s[i+1] == s[i] {
			b.WriteByte(s[i])
			s = s[i+2:]
			continue
		}
		if s[i] == '}' {
			f.fail(nil, "Single '}' encountered in format string")
		}
		field, rest := f.field(s[i+1:])
		part := f.write(field, depth)
		f.text(b.Len() + len(part))
		b.WriteString(part)
		s = rest
	}
	return b.String()
}

// field cuts at the bracket that ends a field.
func (f *formatting) field(s string) (field, rest string) {
	open := 1
	for i := range len(s) {
		switch s[i] {
		case '{':
			open++
		case '}':
			if open--; open == 0 {
				return s[:i], s[i+1:]
			}
		}
	}
	f.fail(nil, "Single '{' encountered in format string")
	return "", ""
}

func (f *formatting) write(field string, depth int) string {
	if depth > 1 {
		f.fail(nil, "Max string recursion exceeded")
	}
	name, spec := field, ""
	if i := strings.IndexAny(field, ":!"); i >= 0 {
		name, spec = field[:i], field[i:]
	}
	value := f.value(name)
	if strings.HasPrefix(spec, "!") {
		switch {
		case strings.HasPrefix(spec, "!s"):
			value = f.str(value)
		case strings.HasPrefix(spec, "!r"), strings.HasPrefix(spec, "!a"):
			value = f.repr(value)
		default:
			f.fail(nil, "Unknown conversion specifier")
		}
		spec = spec[2:]
	}
	return f.formatValue(value, f.format(strings.TrimPrefix(spec, ":"), depth+1))
}

// value looks up a field's name: 0, name, a.b, a[b].
func (f *formatting) value(name string) any {
	end := strings.IndexAny(name, ".[")
	if end < 0 {
		end = len(name)
	}
	first, rest := name[:end], name[end:]
	var v any
	if n, err := strconv.Atoi(first); err == nil || first == "" {
		v = f.place(n, first == "")
	} else {
		found := false
		for i, key := range f.arguments.names {
			if key == first {
				v, found = f.arguments.named[i], true
			}
		}
		if !found {
			f.fail(nil, "%s", repr(first))
		}
	}
	for rest != "" {
		if rest[0] == '[' {
			i := strings.IndexByte(rest, ']')
			if i < 0 {
				f.fail(nil, "Missing ']' in format string")
			}
			var key any = rest[1:i]
			if n, err := strconv.ParseInt(rest[1:i], 10, 64); err == nil {
				key = n
			}
			v, rest = f.item(v, key), rest[i+1:]
			continue
		}
		end := strings.IndexAny(rest[1:], ".[")
		if end < 0 {
			end = len(rest) - 1
		}
		v, rest = f.attribute(v, rest[1:1+end]), rest[1+end:]
	}
	return v
}

// place gives an argument by its place, or the next one.
func (f *formatting) place(n int, automatic bool) any {
	if automatic {
		n = f.next
		f.next++
	} else {
		f.numbered = true
	}
	switch manual := "cannot switch from manual field specification to automatic field numbering"; {
	case f.numbered && f.next > 0 && (automatic || f.dialect.chat):
		f.fail(nil, "%s", manual)
	case f.numbered && f.next > 0:
		f.fail(nil, "cannot switch from automatic field numbering to manual field specification")
	case (n < 0 || n >= len(f.arguments.list)) && f.dialect.chat: // Jinja's sandbox has a formatter of its own
		f.fail(nil, "tuple index out of range")
	case n < 0 || n >= len(f.arguments.list):
		f.fail(nil, "Replacement index %d out of range for positional args tuple", n)
	}
	return f.arguments.list[n]
}

// formatValue is Python's format(value, spec).
func (r *run) formatValue(v any, spec string) string {
	if spec == "" {
		return r.str(v)
	}
	l := r.layout(spec)
	if s, ok := asText(v); ok {
		if l.verb != 0 && l.verb != 's' {
			r.fail(nil, "Unknown format code '%c' for object of type 'str'", l.verb)
		}
		if l.align == 0 {
			l.align = '<'
		}
		return r.pad(l, cutText(s, l.precision), "")
	}
	if _, ok := toFloat(v); !ok {
		r.needDefined(v)
		r.fail(nil, "unsupported format string passed to %s.__format__", typeName(v))
	}
	if l.align == 0 {
		l.align = '>'
	}
	if l.verb == 0 {
		_, isFloat := v.(float64)
		switch {
		case isFloat && l.precision < 0:
			s := strings.TrimPrefix(formatFloat(v.(float64)), "-")
			sign := map[bool]string{true: "-"}[v.(float64) < 0]
			return r.pad(l, s, sign)
		case isFloat:
			l.verb = 'g'
		default:
			l.verb = 'd'
		}
	}
	return r.formatNumber(l, v)
}

func (r *run) layout(spec string) layout {
	l := layout{fill: " ", precision: -1}
	if _, n := utf8.DecodeRuneInString(spec); n < len(spec) && strings.IndexByte("<>^=", spec[n]) >= 0 {
		l.fill, l.align, spec = spec[:n], spec[n], spec[n+1:]
	} else if strings.IndexByte("<>^=", spec[0]) >= 0 {
		l.align, spec = spec[0], spec[1:]
	}
	if spec != "" && strings.IndexByte("+- ", spec[0]) >= 0 {
		if spec[0] != '-' {
			l.sign = spec[0]
		}
		spec = spec[1:]
	}
	if strings.HasPrefix(spec, "#") {
		l.alternate, spec = true, spec[1:]
	}
	if strings.HasPrefix(spec, "0") {
		if l.align == 0 {
			l.fill, l.align = "0", '='
		}
		spec = spec[1:]
	}
	l.width, spec = leadingInt(spec)
	r.checkWidth(l.width)
	if spec != "" && (spec[0] == ',' || spec[0] == '_') {
		l.comma, spec = spec[:1], spec[1:]
	}
	if strings.HasPrefix(spec, ".") {
		l.precision, spec = leadingInt(spec[1:])
	}
	if len(spec) > 1 {
		r.fail(nil, "Invalid format specifier")
	}
	if spec != "" {
		l.verb = spec[0]
	}
	return l
}
