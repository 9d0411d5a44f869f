package strictyaml_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"shallow/internal/strictyaml"
)

var (
	tagged = strictyaml.Dialect{Prefix: "task", Depth: 24, Tags: true, Instead: "write it out"}
	plain  = strictyaml.Dialect{Prefix: "sweep", Depth: 12, Instead: "write it out"}
)

// shown is a value with its lines.
func shown(n *strictyaml.Node) string {
	text := fmt.Sprintf("%d:%s", n.Line, n.Tag)
	switch v := n.Value.(type) {
	case []*strictyaml.Node:
		var all []string
		for _, e := range v {
			all = append(all, shown(e))
		}
		return text + "[" + strings.Join(all, " ") + "]"
	case *strictyaml.Mapping:
		var all []string
		for _, k := range v.Keys {
			all = append(all, k+"="+shown(v.At[k]))
		}
		return text + "{" + strings.Join(all, " ") + "}"
	case string:
		return text + fmt.Sprintf("%q", v)
	}
	return text + fmt.Sprint(n.Value)
}

func TestParse(t *testing.T) {
	for text, want := range map[string]string{
		"":                               "1:<nil>",
		"# nothing\n":                    "1:<nil>",
		"---\n":                          "1:<nil>",
		"a: 1":                           "1:{a=1:1}",
		"b: x\na: [1, 2.50, true, null]": `1:{b=1:"x" a=2:[2:1 2:2.5 2:true 2:<nil>]}`,
		"a:\n  b:\n    c: 'd'\n":         `1:{a=1:{b=2:{c=3:"d"}}}`,
		"a: !function x.y\n":             `1:{a=1:!function"x.y"}`,
		"a: |\n  one\n  two\n":           `1:{a=1:"one\ntwo\n"}`,
		"a:\n- b: 1\n  c: 2\n- d":        `1:{a=1:[2:{b=2:1 c=3:2} 4:"d"]}`,
		"1: one\n'two words': 2":         `1:{1=1:"one" two words=2:2}`,
		"- a":                            `1:[1:"a"]`,
		"a: 99999999999999999999999":     `1:{a=1:"99999999999999999999999"}`,
		"a: 0.30\n":                      "1:{a=1:0.3}",
	} {
		n, err := tagged.Parse("f.yaml", []byte(text))
		if err != nil || shown(n) != want {
			t.Errorf("%q is %v (%v), want %s", text, shown(n), err, want)
		}
	}
}

// TestRefused says what is wrong, where, and whose file it is.
func TestRefused(t *testing.T) {
	for _, c := range []struct {
		from       strictyaml.Dialect
		text, want string
	}{
		{tagged, "a: [", "task: f.yaml: line 1: "},
		{tagged, "a: 1\nb: 2\na: 3", "task: f.yaml: line 3: "},
		{tagged, "a: &x 1", "task: f.yaml: line 1: anchors and references (&, *, <<) are not read: write it out"},
		{tagged, "a: 1\nb: *x", "task: f.yaml: line 2: anchors and references"},
		{tagged, "a:\n  <<: 1", "task: f.yaml: line 2: anchors and references"},
		{tagged, "a: 1\n---\nb: 2", "task: f.yaml: line 1: it holds 2 YAML documents, one is expected"},
		{tagged, "? a\n: 1", "task: f.yaml: line 1: keys that begin with ? are not read"},
		{tagged, "a: 18446744073709551615", "task: f.yaml: line 1: 18446744073709551615 is too large"},
		{tagged, "a: .inf", "task: f.yaml: line 1: a YAML infinity is not read"},
		{tagged, strings.Repeat("[", 25), "nested too deeply"},
		{tagged, strings.Repeat("- ", 25) + "x", "nested too deeply"},
		{tagged, strings.Repeat("!a ", 25) + "x", "nested too deeply"},
		{plain, strings.Repeat("[", 13), "sweep: f.yaml: line 1: it is nested too deeply"},
		{plain, nested(14), "sweep: f.yaml: line 14: it is nested too deeply"},
		{plain, "a: !!binary x", "sweep: f.yaml: line 1: tags (!) are not read"},
		{plain, "#" + strings.Repeat("x", strictyaml.Largest), "sweep: f.yaml: line 1: it has 1048577 bytes, at most 1048576 are read"},
	} {
		_, err := c.from.Parse("f.yaml", []byte(c.text))
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%.60q: %v, want %q", c.text, err, c.want)
		}
	}
}

// nested is objects in each other, each on a line of its own.
func nested(depth int) string {
	var b strings.Builder
	for i := range depth {
		fmt.Fprintf(&b, "%sa:\n", strings.Repeat(" ", i))
	}
	return b.String() + strings.Repeat(" ", depth) + "b: 1"
}

func TestReaders(t *testing.T) {
	n, err := plain.Parse("f.yaml", []byte("text: x\nnothing:\ncount: 3\nfraction: 2.0\ntruth: true\nlist: [a, b]\nmixed: [a, 1]\nobject: {a: 1}\nobjects:\n- {a: 1}\n- 2\n"))
	if err != nil {
		t.Fatal(err)
	}
	m, err := n.Object("")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		read func(*strictyaml.Node) (any, error)
		ok   map[string]string // what comes of a key
		bad  map[string]string // what is wrong with it
	}{
		{func(n *strictyaml.Node) (any, error) { return n.Text("k") }, map[string]string{"text": "x", "nothing": ""},
			map[string]string{"count": "line 3: k: it is the number 3, a text is expected", "fraction": "it is the number 2.0,"}},
		{func(n *strictyaml.Node) (any, error) { return n.Count("k", 3) }, map[string]string{"count": "3"},
			map[string]string{"fraction": "line 4: k: it is the number 2.0, a number from 0 to 3 is expected", "nothing": "it is empty"}},
		{func(n *strictyaml.Node) (any, error) { return n.Truth("k") }, map[string]string{"truth": "true"}, map[string]string{"text": `line 1: k: it is the text "x", true or false is expected`}},
		{func(n *strictyaml.Node) (any, error) { return n.Texts("k") }, map[string]string{"text": "[x]", "list": "[a b]", "nothing": "[]"},
			map[string]string{"mixed": "line 7: k: an entry is the number 1, a text is expected: put it in quotes", "truth": "it is the truth value true, a text or a list of texts is expected"}},
		{func(n *strictyaml.Node) (any, error) { l, err := n.Objects("k: "); return len(l), err }, map[string]string{"object": "1"},
			map[string]string{"objects": "line 11: k: it is the number 2, an object of keys is expected", "list": "line 6: k: it is the text"}},
	} {
		for key, want := range c.ok {
			if got, err := c.read(m.At[key]); err != nil || fmt.Sprint(got) != want {
				t.Errorf("%s: %v, %v, want %s", key, got, err, want)
			}
		}
		for key, want := range c.bad {
			if got, err := c.read(m.At[key]); err == nil || !strings.HasPrefix(err.Error(), "sweep: f.yaml: ") || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, %v, want %q", key, got, err, want)
			}
		}
	}
}

func TestTable(t *testing.T) {
	n, err := plain.Parse("f.yaml", []byte("limit: 3\nlimmit: 4"))
	if err != nil {
		t.Fatal(err)
	}
	m, _ := n.Object("")
	var limit int
	err = strictyaml.Table{
		"limit": func(n *strictyaml.Node) (err error) { limit, err = n.Count("limit", 9); return err },
		"drop":  nil,
	}.Read(m, "top: ", func(key string, keys []string) string {
		return fmt.Sprintf("%s is none of %v, but near %s", key, keys, strictyaml.Nearest(key, keys))
	})
	if want := "sweep: f.yaml: line 2: top: limmit: limmit is none of [drop limit], but near limit"; limit != 3 || err == nil || err.Error() != want {
		t.Errorf("%d, %v, want %s", limit, err, want)
	}
	for word, want := range map[string]string{"BoolQ": "boolq", "bolq": "boolq", "hellaswag": "", "": "", "mmlu": "mmlu"} {
		if got := strictyaml.Nearest(word, []string{"mmlu", "boolq"}); got != want {
			t.Errorf("nearest to %q is %q, want %q", word, got, want)
		}
	}
}

// FuzzParse looks for a text that makes the parser panic, a tree that is deeper than it may be, or an error that does not say where.
func FuzzParse(f *testing.F) {
	names, err := filepath.Glob("../../eval/task/t*/*.yaml")
	if err != nil || len(names) == 0 {
		f.Fatal("no task files")
	}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(data))
	}
	for _, text := range []string{"", "a: !function x", "a: [{b: 1}, 2.5e-3, ~]", "? a", "a: &x 1\nb: *x", nested(30), "- - - 1", "a: |\n  b\n", "a: \"\\u263a\"", "a: 0x1F", "[" + strings.Repeat("[", 40)} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, d := range []strictyaml.Dialect{tagged, plain} {
			n, err := d.Parse("f.yaml", []byte(text))
			if err != nil {
				if !strings.HasPrefix(err.Error(), d.Prefix+": f.yaml: ") || strings.Contains(err.Error(), "\n") {
					t.Errorf("an error that does not say where: %q", err)
				}
				continue
			}
			check(t, d, n, 0)
		}
	})
}

func check(t *testing.T, d strictyaml.Dialect, n *strictyaml.Node, depth int) {
	if depth > d.Depth || n.Line < 1 || n.Tag != "" && !d.Tags || n.Kind() == "" {
		t.Errorf("%s, depth %d, tag %q", n.Fail("%s", n.Kind()), depth, n.Tag)
	}
	switch v := n.Value.(type) {
	case []*strictyaml.Node:
		for _, e := range v {
			check(t, d, e, depth+1)
		}
	case *strictyaml.Mapping:
		if len(v.Keys) != len(v.At) {
			t.Errorf("%d keys, %d values", len(v.Keys), len(v.At))
		}
		for _, k := range v.Keys {
			check(t, d, v.At[k], depth+1)
		}
	}
}
