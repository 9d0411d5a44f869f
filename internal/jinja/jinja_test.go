package jinja

import (
	"reflect"
	"testing"
)

func TestLiteral(t *testing.T) {
	m := NewMap()
	m.Set("a", int64(1))
	for source, want := range map[string]any{
		"['a', \"it's\", 'x\\ny']": []any{"a", "it's", "x\ny"},
		"(1, -2.5)":                []any{int64(1), -2.5},
		"{'a': 1}":                 m,
		"-1":                       int64(-1),
		" None":                    nil,
		"'a' 'b'":                  "ab",
		"[[True], []]":             []any{[]any{true}, []any{}},
	} {
		got, err := Literal(source)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("Literal(%q) = %#v, %v, want %#v", source, got, err, want)
		}
	}
	for _, source := range []string{"", "true", "none", "a", "1 +", "1 + 1", "f(1)", "['a'", "'a\nb'", "}}", "1 }} 2", "-True"} {
		if got, err := Literal(source); err == nil {
			t.Errorf("Literal(%q) = %#v, want an error", source, got)
		}
	}
}
