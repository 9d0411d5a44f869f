package jinja

import (
	"math"
	"math/big"
	"strconv"
	"strings"
)

// jsonStyle is what json.dumps is told.
type jsonStyle struct {
	ascii, sorted bool
	indent        string
	lines         bool // indent was given
	item, key     string
}

// chatJSON is transformers' tojson: json.dumps with keys in their order and letters as they are.
func chatJSON(r *run, v any, a arguments) any {
	args := a.take(r, "ensure_ascii", "indent", "separators", "sort_keys")
	style := jsonStyle{ascii: a.flag(r, args[0]), sorted: a.flag(r, args[3])}
	style.indented(r, a, args[1])
	if given(args[2]) && args[2] != nil {
		both := r.iterate(args[2])
		if len(both) != 2 {
			r.fail(nil, "not enough values to unpack (expected 2, got %d)", len(both))
		}
		style.item, style.key = a.text(r, both[0], ""), a.text(r, both[1], "")
	}
	return r.json(v, style)
}

var htmlSafe = strings.NewReplacer("<", `\u003c`, ">", `\u003e`, "&", `\u0026`, "'", `\u0027`)

// taskJSON is Jinja's own tojson: sorted keys, ASCII, fit for a web page.
func taskJSON(r *run, v any, a arguments) any {
	style := jsonStyle{ascii: true, sorted: true}
	style.indented(r, a, a.take(r, "indent")[0])
	s := r.json(v, style)
	r.text(6 * len(s))
	return markup(htmlSafe.Replace(s))
}

func (s *jsonStyle) indented(r *run, a arguments, v any) {
	s.item, s.key = ", ", ": "
	if v == nil || !given(v) {
		return
	}
	s.item, s.lines = ",", true
	if n, ok := plainNumber(v).(int64); ok {
		r.text(int(min(max(n, 0), maxText+1)))
		s.indent = strings.Repeat(" ", int(max(n, 0)))
	} else {
		s.indent = a.text(r, v, "")
	}
}

func (r *run) json(v any, style jsonStyle) string {
	var b strings.Builder
	r.writeJSON(&b, v, &style, 0)
	return b.String()
}

func (r *run) writeJSON(b *strings.Builder, v any, style *jsonStyle, depth int) {
	if depth > maxData {
		r.fail(ErrLimit, "lists inside each other more than %d deep", maxData)
	}
	r.work(stepWork)
	group := func(open, end string, n int, write func(i int)) {
		b.WriteString(open)
		for i := range n {
			if i > 0 {
				b.WriteString(style.item)
			}
			r.breakLine(b, style, depth+1)
			write(i)
		}
		if n > 0 {
			r.breakLine(b, style, depth)
		}
		b.WriteString(end)
		r.text(b.Len() / 64)
	}
	switch x := v.(type) {
	case nil:
		b.WriteString("null")
	case bool:
		b.WriteString(strconv.FormatBool(x))
	case int64, *big.Int:
		b.WriteString(r.repr(x))
	case float64:
		b.WriteString(jsonFloat(x))
	case string:
		r.text(len(x))
		writeJSONString(b, x, style.ascii)
	case markup:
		r.text(len(x))
		writeJSONString(b, string(x), style.ascii)
	case *list:
		group("[", "]", len(x.items), func(i int) { r.writeJSON(b, x.items[i], style, depth+1) })
	case *tuple:
		group("[", "]", len(x.items), func(i int) { r.writeJSON(b, x.items[i], style, depth+1) })
	case *Map:
		pairs := (&view{of: x, kind: "dict_items"}).items()
		if style.sorted {
			pairs = r.sorted(pairs, func(p any) any { return p.(*tuple).items[0] }, false, false)
		}
		group("{", "}", len(pairs), func(i int) {
			pair := pairs[i].(*tuple).items
			writeJSONString(b, r.jsonKey(pair[0]), style.ascii)
			b.WriteString(style.key)
			r.writeJSON(b, pair[1], style, depth+1)
		})
	default:
		r.fail(nil, "Object of type %s is not JSON serializable", typeName(v))
	}
}

func (r *run) breakLine(b *strings.Builder, style *jsonStyle, depth int) {
	if style.lines {
		r.text(depth * len(style.indent))
		b.WriteString("\n" + strings.Repeat(style.indent, depth))
	}
}

func (r *run) jsonKey(k any) string {
	switch x := k.(type) {
	case nil:
		return "null"
	case bool:
		return strconv.FormatBool(x)
	case float64:
		return jsonFloat(x)
	case string, markup, int64, *big.Int:
		return r.str(x)
	}
	r.fail(nil, "keys must be str, int, float, bool or None, not %s", typeName(k))
	return ""
}

func jsonFloat(f float64) string {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	}
	return formatFloat(f)
}

func writeJSONString(b *strings.Builder, s string, ascii bool) {
	b.WriteByte('"')
	for _, c := range s {
		switch {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteRune(c)
		case c == '\n':
			b.WriteString(`\n`)
		case c == '\r':
			b.WriteString(`\r`)
		case c == '\t':
			b.WriteString(`\t`)
		case c == '\f':
			b.WriteString(`\f`)
		case c == '\b':
			b.WriteString(`\b`)
		case c < ' ' || ascii && c >= 0x7f && c < 0x10000:
			b.WriteString(`\u` + hex(c, 4))
		case ascii && c >= 0x10000:
			c -= 0x10000
			b.WriteString(`\u` + hex(0xd800+c>>10, 4) + `\u` + hex(0xdc00+c&0x3ff, 4))
		default:
			b.WriteRune(c)
		}
	}
	b.WriteByte('"')
}
