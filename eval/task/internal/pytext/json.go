package pytext

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Object is a JSON object that keeps the order of its members.
type Object []Member

// Member is one key of an Object.
type Member struct {
	Key   string
	Value any
}

// Raw is text that is written as it is.
type Raw string

// MarshalJSON writes the object as JSON does in Python.
func (o Object) MarshalJSON() ([]byte, error) { return JSON(o, "") }

// JSON is json.dumps(value, ensure_ascii=False), with indent where one is given. Keys of maps are sorted, since Go keeps no
// order; an Object keeps its own. Numbers that are not finite are put in quotes: bare, as Python has them, nothing else reads
// them.
func JSON(value any, indent string) ([]byte, error) {
	w := &writer{indent: indent}
	if err := w.value(value, 0); err != nil {
		return nil, err
	}
	return []byte(w.String()), nil
}

type writer struct {
	strings.Builder
	indent string
}

func (w *writer) value(value any, depth int) error {
	switch v := value.(type) {
	case nil:
		w.WriteString("null")
	case bool:
		w.WriteString(strconv.FormatBool(v))
	case string:
		w.quote(v)
	case Raw:
		w.WriteString(string(v))
	case json.Number:
		w.WriteString(v.String())
	case int:
		w.WriteString(strconv.Itoa(v))
	case int64:
		w.WriteString(strconv.FormatInt(v, 10))
	case uint64:
		w.WriteString(strconv.FormatUint(v, 10))
	case float64:
		s := Float(v)
		if v-v != 0 {
			s = map[string]string{"nan": `"NaN"`, "inf": `"Infinity"`, "-inf": `"-Infinity"`}[s]
		}
		w.WriteString(s)
	case []string:
		return w.list(len(v), depth, func(i int) any { return v[i] })
	case []int:
		return w.list(len(v), depth, func(i int) any { return v[i] })
	case []any:
		return w.list(len(v), depth, func(i int) any { return v[i] })
	case []Object:
		return w.list(len(v), depth, func(i int) any { return v[i] })
	case Object:
		return w.object(v, depth)
	case map[string]any:
		keys := make(Object, 0, len(v))
		for k, e := range v {
			keys = append(keys, Member{k, e})
		}
		slices.SortFunc(keys, func(a, b Member) int { return strings.Compare(a.Key, b.Key) })
		return w.object(keys, depth)
	default:
		return fmt.Errorf("a %T cannot be written as JSON", value)
	}
	return nil
}

func (w *writer) object(o Object, depth int) error {
	if len(o) == 0 {
		w.WriteString("{}")
		return nil
	}
	w.WriteByte('{')
	for i, m := range o {
		w.separate(i, depth+1)
		w.quote(m.Key)
		w.WriteString(": ")
		if err := w.value(m.Value, depth+1); err != nil {
			return err
		}
	}
	w.line(depth)
	w.WriteByte('}')
	return nil
}

func (w *writer) list(n, depth int, at func(i int) any) error {
	if n == 0 {
		w.WriteString("[]")
		return nil
	}
	w.WriteByte('[')
	for i := range n {
		w.separate(i, depth+1)
		if err := w.value(at(i), depth+1); err != nil {
			return err
		}
	}
	w.line(depth)
	w.WriteByte(']')
	return nil
}

func (w *writer) separate(i, depth int) {
	if i > 0 {
		w.WriteByte(',')
		if w.indent == "" {
			w.WriteByte(' ')
		}
	}
	w.line(depth)
}

func (w *writer) line(depth int) {
	if w.indent != "" {
		w.WriteString("\n" + strings.Repeat(w.indent, depth))
	}
}

// quote writes a string as Python does: what is not ASCII stays as it is, also the separators that Go escapes.
func (w *writer) quote(s string) {
	s = strings.ToValidUTF8(s, "\ufffd")
	w.WriteByte('"')
	from := 0
	for i := range len(s) {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		w.WriteString(s[from:i])
		from = i + 1
		if short := strings.IndexByte("\"\\\n\r\t\b\f", c); short >= 0 {
			w.WriteString(`\` + `"\nrtbf`[short:short+1])
		} else {
			fmt.Fprintf(w, `\u%04x`, c)
		}
	}
	w.WriteString(s[from:])
	w.WriteByte('"')
}
