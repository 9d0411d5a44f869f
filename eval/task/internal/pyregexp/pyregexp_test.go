package pyregexp_test

import (
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"

	"shallow/eval/task/internal/pyregexp"
)

// TestPython compares with re.findall and re.sub of Python 3.11, which wrote testdata.
func TestPython(t *testing.T) {
	data, err := os.ReadFile("testdata/python.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Pattern string
		Rows    [][3]json.RawMessage
	}
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		r, err := pyregexp.Compile(c.Pattern)
		if err != nil {
			t.Errorf("%v", err)
			continue
		}
		for _, row := range c.Rows {
			var text, removed string
			var found [][]string
			for i, v := range []any{&text, &found, &removed} {
				if err := json.Unmarshal(row[i], v); err != nil {
					t.Fatal(err)
				}
			}
			got, err := r.FindAll(text)
			if err != nil || len(got)+len(found) > 0 && !reflect.DeepEqual(got, found) {
				t.Errorf("%s in %q: %q, want %q (%v)", c.Pattern, text, got, found, err)
			}
			if got, err := r.Remove(text); err != nil || got != removed {
				t.Errorf("%s removed from %q: %q, want %q (%v)", c.Pattern, text, got, removed, err)
			}
		}
	}
}

func TestRefused(t *testing.T) {
	for _, pattern := range []string{"(", "[a", `\`, "(?P=x)", "(?<x>a)", `\h`, `[\S]`, "(?(1)a|b)", "*a", strings.Repeat("a", 5000)} {
		if _, err := pyregexp.Compile(pattern); err == nil {
			t.Errorf("%.20q is taken", pattern)
		}
	}
}

func FuzzCompile(f *testing.F) {
	f.Add(`(?P<a>\d)(?P=a)[[\s]{,2}`, "11 [")
	f.Add(`(-?[$0-9.,]{2,})|(-?[0-9]+)`, "a 7")
	f.Fuzz(func(t *testing.T, pattern, text string) {
		if len(pattern) > 40 || len(text) > 20 { // longer ones only backtrack longer
			return
		}
		r, err := pyregexp.Compile(pattern)
		if err != nil {
			return
		}
		r.FindAll(text)
		r.Remove(text)
	})
}
