package prune

import "testing"

func TestFrontMatter(t *testing.T) {
	for _, c := range []struct{ front, want string }{
		{"", "---\nbase_model: o/m\ntags:\n- pruned\n---\n\n"},
		{"---\nlicense: mit\n---\n\n", "---\nlicense: mit\nbase_model: o/m\ntags:\n- pruned\n---\n\n"},
		{"---\nbase_model:\n- a/b\n- c/d\nbase_model_relation: merge\ntags:\n  - x\n# note\nlanguage: en\n---\n\n", "---\ntags:\n  - x\n# note\n  - pruned\nlanguage: en\nbase_model: o/m\n---\n\n"},
		{"---\nbase_model: a/b\ntags: [x, \"y\"]\n---\n\n", "---\ntags: [x, \"y\", pruned]\nbase_model: o/m\n---\n\n"},
		{"---\ntags: []\n---\n\n", "---\ntags: [pruned]\nbase_model: o/m\n---\n\n"},
		{"---\r\ntags:\r\n- pruned\r\n---\r\n\n", "---\ntags:\n- pruned\nbase_model: o/m\n---\n\n"},
		{"---\ntags: single\n---\n\n", "---\ntags: single\nbase_model: o/m\n---\n\n"},
	} {
		if got := addTag(setBaseModel(c.front, "o/m"), "pruned"); got != c.want {
			t.Errorf("%q: got\n%q\nwant\n%q", c.front, got, c.want)
		}
	}
	for name, want := range map[string]string{"o/m": "o/m", "a b": `"a b"`, "x: y": `"x: y"`, "12": `"12"`, "../m": `"../m"`, "": `""`} {
		if got := yamlText(name); got != want {
			t.Errorf("%q is written %s, want %s", name, got, want)
		}
	}
}

func TestHubName(t *testing.T) {
	for _, c := range []struct{ dir, name, want string }{
		{"/home/x/models/llama", "llama", ""},
		{"/home/x/models/llama", "meta/llama-7b", "meta/llama-7b"},
		{"/c/models--Qwen--Qwen3-0.6B/snapshots/abc", "abc", "Qwen/Qwen3-0.6B"},
		{`C:\hub\models--a--b-c\snapshots\d`, "d", "a/b-c"},
		{"/m", "a/b/c", ""},
		{"/m", "a/..", ""},
		{"/m", "a/b\nlicense: none", ""},
	} {
		if got := hubName(c.dir, c.name); got != c.want {
			t.Errorf("%s, %s: %q, want %q", c.dir, c.name, got, c.want)
		}
	}
}
