package jinja

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

func seeds(t testing.TB, pattern string) (sources []string) {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil || len(paths) == 0 {
		t.Fatalf("%s: %v", pattern, err)
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		sources = append(sources, string(data))
	}
	return sources
}

// FuzzTemplate renders whatever: it must end, and every failure must be an *Error that is no fault of ours.
func FuzzTemplate(f *testing.F) {
	for _, source := range seeds(f, filepath.Join("..", "..", "chat", "testdata", "templates", "*.jinja")) {
		f.Add(source)
	}
	var reference struct {
		Vars  json.RawMessage
		Cases []struct{ Source string }
	}
	if err := json.Unmarshal([]byte(seeds(f, filepath.Join("testdata", "language.json"))[0]), &reference); err != nil {
		f.Fatal(err)
	}
	for _, c := range reference.Cases {
		f.Add(c.Source)
	}
	var vars map[string]any
	if err := json.Unmarshal(reference.Vars, &vars); err != nil {
		f.Fatal(err)
	}
	vars["messages"] = json.RawMessage(`[{"role": "user", "content": "a"}, {"role": "assistant", "content": [{"type": "text", "text": "b"}]}]`)
	f.Fuzz(func(t *testing.T, source string) {
		chat, err := ParseChat(source, nil)
		check := func(text string, err error) {
			var e *Error
			if err != nil && (!errors.As(err, &e) || strings.HasPrefix(e.Message, "internal error")) {
				t.Errorf("%q: %v", source, err)
			}
			if len(text) > maxText {
				t.Errorf("%q: %d bytes", source, len(text))
			}
		}
		check("", err)
		if err == nil {
			check(chat.Render(vars))
		}
		task, err := ParseTask(source)
		check("", err)
		if err == nil {
			check(task.Render(vars))
		}
	})
}

// FuzzLiteral reads back what a template prints of a text.
func FuzzLiteral(f *testing.F) {
	for _, s := range []string{"", "a'b", `a"b'\`, "\n\t\x00é\u2028😀", "{{ x }}", "}}", "-1"} {
		f.Add(s)
	}
	template, err := ParseTask("{{ [x, {x: (x,)}] }}")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if v, err := Literal(s); err == nil && v == nil && strings.Trim(s, " \t\r\n()") != "None" {
			t.Errorf("Literal(%q) is None", s)
		}
		printed, err := template.Render(map[string]any{"x": s})
		if err != nil {
			t.Fatal(err)
		}
		s = strings.ToValidUTF8(s, string(utf8.RuneError))
		m := NewMap()
		m.Set(s, []any{s})
		if v, err := Literal(printed); err != nil || !reflect.DeepEqual(v, []any{s, m}) {
			t.Errorf("%q was printed as %s and read back as %#v, %v", s, printed, v, err)
		}
	})
}

func FuzzFromJSON(f *testing.F) {
	for _, s := range []string{`{"b": 1, "a": [1.0, 1e400, 12345678901234567890, null, true, "x"]}`, `[`, `{"a":}`, `1 2`, strings.Repeat("[", 300)} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := FromJSON(data)
		if err != nil {
			return
		}
		if _, err := fromGo(v, 0); err != nil {
			t.Errorf("%q: %v", data, err)
		}
	})
}
