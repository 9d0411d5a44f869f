package tokenizer

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzSplitters holds each hand-written splitter against its expression on the general engine.
func FuzzSplitters(f *testing.F) {
	for _, s := range []string{"", "it's WE'LL 'Ve  x", " \n\t \r\n  a", "12345 ½٣ a1b", "e\u0301 \u00a0\u3000x", "!!\n\n?? \u2028y", "  ", "'", "\U0001d400\U0001f600"} {
		f.Add(s)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		f.Add(randomText(r, 60))
	}
	engines := map[string]pattern{}
	for source := range knownSplitters {
		x, err := newExpression(source)
		if err != nil {
			f.Fatal(err)
		}
		engines[source] = x
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !utf8.ValidString(s) || strings.Contains(s, "'\u017f") {
			return // the general engine does not fold the long s; a vector covers it
		}
		for source, next := range knownSplitters {
			want, err := engines[source].spans(s)
			if err != nil {
				t.Fatal(err)
			}
			if got, _ := next.spans(s); !slices.Equal(got, want) {
				t.Errorf("%s\non %q\n got %v\nwant %v", source, s, got, want)
			}
		}
	})
}

// randomText mixes what splitters, normalizers and merges treat differently.
func randomText(r *rand.Rand, length int) string {
	kinds := []func() rune{
		func() rune { return rune(' ' + r.IntN(95)) },
		func() rune { return rune('a' + r.IntN(4)) },
		func() rune { return []rune(" \n\r\t\u00a0\u2028\u3000\u0085")[r.IntN(8)] },
		func() rune { return []rune("'strevmldSTREVMLD")[r.IntN(17)] },
		func() rune { return rune(0x300 + r.IntN(0x70)) },
		func() rune { return rune(0xac00 + r.IntN(11172)) },
		func() rune { return rune(r.IntN(0xd800)) },
		func() rune { return rune(0xe000 + r.IntN(0x110000-0xe000)) },
	}
	var b strings.Builder
	for range r.IntN(length) {
		for kind := kinds[r.IntN(len(kinds))]; ; {
			b.WriteRune(kind())
			if r.IntN(3) > 0 {
				break
			}
		}
	}
	return b.String()
}

// The example of the reference's documentation: a split by "-".
func TestBehaviors(t *testing.T) {
	for name, want := range map[string]string{
		"Removed":            "the|final|countdown",
		"Isolated":           "the|-|final|-|-|countdown",
		"Contiguous":         "the|-|final|--|countdown",
		"MergedWithPrevious": "the-|final-|-|countdown",
		"MergedWithNext":     "the|-final|-|-countdown",
	} {
		var pieces []string
		err := split{literal("-"), behaviors[name], false}.cut("the-final--countdown", true, func(piece string, _ bool) {
			pieces = append(pieces, piece)
		})
		if got := strings.Join(pieces, "|"); err != nil || got != want {
			t.Errorf("%s: %s, %v; want %s", name, got, err, want)
		}
	}
}

func TestExpressionIsBounded(t *testing.T) {
	x, err := newExpression(`(a+)+b`)
	if err != nil {
		t.Fatal(err)
	}
	e := x.(expression)
	e.re.MatchTimeout = 50e6
	if _, err := e.spans(strings.Repeat("a", 200)); err == nil {
		t.Error("an expression of exponential time came to an end")
	}
}
