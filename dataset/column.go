package dataset

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Kind is what the values of a column must be.
type Kind int

// The kinds. Any is every value, nil too.
const (
	Any Kind = iota
	Text
	Integer
	Number // Integer or a float64
	Bool
	List
	Texts // a list of strings
	Object
)

var kindNames = []string{"any value", "a text", "a whole number", "a number", "true or false", "a list", "a list of texts", "an object"}

// String says what is wanted, as "a text".
func (k Kind) String() string { return kindNames[k] }

// accepts reports whether a value is of the kind.
func (k Kind) accepts(value any) bool {
	switch k {
	case Any:
		return true
	case Text:
		_, ok := value.(string)
		return ok
	case Number:
		_, ok := value.(float64)
		return ok || Integer.accepts(value)
	case Integer:
		_, ok := value.(int64)
		return ok
	case Bool:
		_, ok := value.(bool)
		return ok
	case List:
		_, ok := value.([]any)
		return ok
	case Texts:
		list, ok := value.([]any)
		return ok && !slices.ContainsFunc(list, func(v any) bool { return !Text.accepts(v) })
	case Object:
		_, ok := value.(map[string]any)
		return ok
	}
	return false
}

// Column is a column that rows must have. A dot in the name leads into an object: "choices.text".
type Column struct {
	Name string
	Kind Kind
}

// ColumnError says that a row lacks a column, or has something else there.
type ColumnError struct {
	File    string
	Row     int // in the file, from 0
	Column  string
	Want    Kind
	Got     string   // what is there instead; "" if the column is absent
	Columns []string // those that there are
}

func (e *ColumnError) Error() string {
	place := fmt.Sprintf("dataset: %s: row %d", e.File, e.Row)
	if e.Got == "" {
		return fmt.Sprintf("%s has no column %q: it has %s", place, e.Column, strings.Join(e.Columns, ", "))
	}
	return fmt.Sprintf("%s: column %q is %s, and should be %s (the columns are %s)", place, e.Column, e.Got, e.Want, strings.Join(e.Columns, ", "))
}

// Require checks a row, which is row i of a file. The error is a *ColumnError.
func Require(row Row, file string, i int, columns ...Column) error {
	for _, c := range columns {
		value, ok := lookup(row, c.Name)
		if ok && c.Kind.accepts(value) {
			continue
		}
		e := &ColumnError{File: file, Row: i, Column: c.Name, Want: c.Kind}
		if ok {
			e.Got = describe(value)
		}
		for _, name := range slices.Sorted(maps.Keys(row)) {
			if len(e.Columns) == 30 { // a hostile row may have millions
				e.Columns = append(e.Columns, "…")
				break
			}
			e.Columns = append(e.Columns, shorten(name))
		}
		return e
	}
	return nil
}

// Require checks all rows.
func (t *Table) Require(columns ...Column) error {
	i := 0
	for _, f := range t.Files {
		for n := range f.Rows {
			if err := Require(t.Rows[i], f.Path, n, columns...); err != nil {
				return err
			}
			i++
		}
	}
	return nil
}

func lookup(row Row, name string) (value any, ok bool) {
	if value, ok = row[name]; ok {
		return value, true
	}
	outer, inner, dotted := strings.Cut(name, ".")
	if object, isObject := row[outer].(map[string]any); dotted && isObject {
		return lookup(object, inner)
	}
	return nil, false
}

// describe is a value in a few words.
func describe(value any) string {
	switch v := value.(type) {
	case nil:
		return "null"
	case string:
		return fmt.Sprintf("the text %q", shorten(v))
	case []any:
		return fmt.Sprintf("a list of %d", len(v))
	case map[string]any:
		return fmt.Sprintf("an object of %d fields", len(v))
	}
	return fmt.Sprint(value)
}

func shorten(s string) string {
	if len(s) > 60 {
		return strings.ToValidUTF8(s[:60], "") + "…"
	}
	return s
}
