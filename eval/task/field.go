package task

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"shallow/dataset"
	"shallow/internal/jinja"
)

// field is a key such as doc_to_text: a way from a row to a value.
type field struct {
	key      string
	source   string // a column's name or a template
	template *jinja.Template
	bare     bool // the source is a word where a column is expected: as a template it would be the same for every row
	function string
	fixed    any // a number, or the list of choices
}

// newField reads a field. A text is kept as a template too, since only the rows tell whether it names a column.
func newField(key string, n *node) (*field, error) {
	if n.Tag != "" {
		name, _ := n.Value.(string)
		known, err := function(name)
		if err != nil || n.Tag != "!function" || key != "doc_to_target" {
			return nil, n.Fail("%s: %s %s: functions are Python there; here are only those that the tasks of this program use%s", key, n.Tag, name, nearest(name, functionNames()))
		}
		return &field{key: key, function: known}, nil
	}
	f := &field{key: key}
	switch v := n.Value.(type) {
	case nil:
		return nil, nil
	case string:
		f.source = v
		t, err := jinja.ParseTask(v)
		if err != nil {
			return nil, n.Fail("%s: %v", key, err)
		}
		f.template = t
		f.bare = strings.HasPrefix(key, "doc_to_") && word.MatchString(v)
	case int:
		f.fixed = int64(v)
	case []*node:
		texts, err := n.Texts(key)
		if err != nil {
			return nil, err
		}
		f.fixed = list(texts)
	case *mapping:
		var values []any // as in the harness, the keys say nothing
		for _, k := range v.Keys {
			s, ok := v.At[k].Value.(string)
			if !ok {
				return nil, v.At[k].Fail("%s: %s is %s, a text is expected", key, k, v.At[k].Kind())
			}
			values = append(values, s)
		}
		f.fixed = values
	default:
		return nil, n.Fail("%s: it is %s; a template, a column or a list is expected", key, n.Kind())
	}
	return f, nil
}

var word = regexp.MustCompile(`^\w+$`)

func list(texts []string) []any {
	out := make([]any, len(texts))
	for i, s := range texts {
		out[i] = s
	}
	return out
}

// plain is the field as it was written, for results.json.
func (f *field) plain() any {
	switch {
	case f == nil:
		return nil
	case f.function != "":
		return "!function " + f.function
	case f.template != nil:
		return f.source
	}
	return f.fixed
}

// written is the text of a field that is always one.
func (f *field) written() string {
	if f == nil {
		return ""
	}
	return f.source
}

// raw is the value of a row's column, or else the template's text.
func (f *field) raw(row dataset.Row) (value any, column bool, err error) {
	switch {
	case f.function != "":
		value, err = detokenized(f.function, row)
		return value, true, wrap(f, err)
	case f.template == nil:
		return f.fixed, true, nil
	}
	if value, column = row[f.source]; column {
		return value, true, nil
	}
	if f.bare {
		return nil, false, fmt.Errorf("%s: column %s is missing (for the word itself write {{'%s'}})", f.key, f.source, f.source)
	}
	text, err := f.template.Render(row)
	return text, false, wrap(f, err)
}

func wrap(f *field, err error) error {
	if err != nil {
		err = fmt.Errorf("%s: %w", f.key, err)
	}
	return err
}

// text is doc_to_text: a text, or the number of the right context where a task has several.
func (f *field) prompt(row dataset.Row, choices bool) (text string, number int, isNumber bool, err error) {
	value, column, err := f.raw(row)
	if err != nil {
		return "", 0, false, err
	}
	if s, ok := value.(string); ok && !column && choices && digits(s) {
		n, err := strconv.Atoi(s)
		return "", n, true, wrap(f, err)
	}
	switch v := value.(type) {
	case string:
		return v, 0, false, nil
	case int64:
		return "", int(v), true, nil
	}
	return "", 0, false, fmt.Errorf("%s: it gives %T, a text is expected", f.key, value)
}

// answer is doc_to_target: a text, a number, or a list of either.
func (f *field) answer(row dataset.Row, choices bool) (any, error) {
	value, column, err := f.raw(row)
	if err != nil || column {
		if b, ok := value.(bool); ok && choices {
			value = map[bool]int64{true: 1}[b]
		}
		return value, err
	}
	text := value.(string)
	if choices && digits(text) {
		n, err := strconv.ParseInt(text, 10, 64)
		return n, wrap(f, err)
	}
	if len(text) >= 2 && text[0] == '[' && text[len(text)-1] == ']' {
		if list, err := jinja.Literal(text); err == nil {
			return list, nil
		}
	}
	return text, nil
}

// list is doc_to_choice: the texts of the choices.
func (f *field) list(row dataset.Row) ([]string, error) {
	value, column, err := f.raw(row)
	if err == nil && !column {
		value, err = jinja.Literal(value.(string))
		err = wrap(f, err)
	}
	if err != nil {
		return nil, err
	}
	values, ok := value.([]any)
	if !ok {
		return nil, fmt.Errorf("%s: it gives %T, a list of texts is expected", f.key, value)
	}
	out := make([]string, len(values))
	for i, v := range values {
		if out[i], ok = v.(string); !ok {
			return nil, fmt.Errorf("%s: choice %d is %T, a text is expected", f.key, i, v)
		}
	}
	return out, nil
}

// digits tells whether a text is a number without a sign, as Python's literal_eval reads it.
func digits(s string) bool {
	for _, c := range s {
		if c < '0' || c > '9' {
			return false
		}
	}
	return s != "" && (len(s) == 1 || s[0] != '0')
}
