package pytext_test

import (
	"math"
	"testing"

	"shallow/eval/task/internal/pytext"
)

// The right-hand sides are Python 3.11's.
func TestStrings(t *testing.T) {
	for in, want := range map[string]string{
		"":                                "",
		"abc DEF":                         "Abc def",
		"\u00e9COLE":                      "\u00c9cole",
		"\u00dfA":                         "Ssa",
		"\u01c6X":                         "\u01c5x",
		"\ufb01N":                         "Fin",
		"\u0149A":                         "\u02bcNa",
		"\u0391\u03a3 \u0391\u03a3\u0391": "\u0391\u03c2 \u03b1\u03c3\u03b1",
		"\u0130STANBUL":                   "\u0130stanbul",
		"1A":                              "1a",
		"\u1fb2\u03a9":                    "\u1fba\u0345\u03c9",
		" hE":                             " he",
		"\u02b0A":                         "\u02b0a",
	} {
		if got := pytext.Capitalize(in); got != want {
			t.Errorf("Capitalize(%q) is %q, want %q", in, got, want)
		}
	}
	for _, c := range []struct {
		text  string
		words int
	}{
		{"", 1},
		{"a", 1},
		{" a  b\n", 4},
		{"a\u001cb", 2},
		{"a\u00a0\u2003b\u200bc", 2},
		{"\n", 2},
	} {
		if got := pytext.Words(c.text); got != c.words {
			t.Errorf("Words(%q) is %d, want %d", c.text, got, c.words)
		}
	}
	if got := pytext.Strip("\x1c\u00a0 a b\u2029\u200b\n"); got != "a b\u2029\u200b" {
		t.Errorf("Strip gives %q", got)
	}
}

func TestFloat(t *testing.T) {
	for want, f := range map[string]float64{
		"0.0":                    0.0,
		"-0.0":                   math.Copysign(0, -1),
		"1.0":                    1.0,
		"0.1":                    0.1,
		"1000000000000000.0":     1000000000000000.0,
		"1e+16":                  1e+16,
		"1.2345678901234568e+17": 1.2345678901234568e+17,
		"0.0001":                 0.0001,
		"1e-05":                  1e-05,
		"1.5e-07":                1.5e-07,
		"-15.15905475616455":     -15.15905475616455,
		"1e+22":                  1e+22,
		"1e+300":                 1e+300,
		"5e-324":                 5e-324,
		"inf":                    math.Inf(1), "-inf": math.Inf(-1), "nan": math.NaN(),
	} {
		if got := pytext.Float(f); got != want {
			t.Errorf("Float gives %s, want %s", got, want)
		}
	}
}

func TestJSON(t *testing.T) {
	doc := pytext.Object{{"b", []any{int64(1), "é\u2028<&>\"\\\n\x01\x7f", nil, true, 2.0, []any{}, map[string]any{}}}, {"a", map[string]any{"x": []any{[]int{1}}}}}
	for indent, want := range map[string]string{
		"":   "{\"b\": [1, \"\u00e9\u2028<&>\\\"\\\\\\n\\u0001\u007f\", null, true, 2.0, [], {}], \"a\": {\"x\": [[1]]}}",
		"  ": "{\n  \"b\": [\n    1,\n    \"\u00e9\u2028<&>\\\"\\\\\\n\\u0001\u007f\",\n    null,\n    true,\n    2.0,\n    [],\n    {}\n  ],\n  \"a\": {\n    \"x\": [\n      [\n        1\n      ]\n    ]\n  }\n}",
	} {
		if got, err := pytext.JSON(doc, indent); err != nil || string(got) != want {
			t.Errorf("JSON gives %s, want %s (%v)", got, want, err)
		}
	}
	if got, err := pytext.JSON([]any{math.NaN(), math.Inf(-1)}, ""); err != nil || string(got) != `["NaN", "-Infinity"]` {
		t.Errorf("numbers that are not finite are %s (%v)", got, err)
	}
	if _, err := pytext.JSON(make(chan int), ""); err == nil {
		t.Error("a channel is written")
	}
}
