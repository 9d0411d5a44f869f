package serve

import (
	"strings"
	"testing"
)

func TestStopper(t *testing.T) {
	for _, c := range []struct {
		stops  []string
		pieces []string
		want   string
		stop   bool
	}{
		{nil, []string{"a", "b"}, "ab", false},
		{[]string{"STOP"}, []string{"go S", "TO", "P on"}, "go ", true},
		{[]string{"STOP"}, []string{"go S", "TO", "W on"}, "go STOW on", false},
		{[]string{"STOP"}, []string{"go ST"}, "go ST", false},
		{[]string{"\n\n", "Q:"}, []string{"a\nQ", ":\n\n"}, "a\n", true},
		{[]string{"ab", "b"}, []string{"xa", "b"}, "x", true},
		{[]string{"b", "abc"}, []string{"xab", "c"}, "xa", true}, // found as soon as one is there
		{[]string{"aab"}, []string{"a", "a", "a", "b"}, "a", true},
		{[]string{"é"}, []string{"caf", "é!"}, "caf", true},
		{[]string{"x"}, []string{"x"}, "", true},
	} {
		s := stopper{stops: c.stops}
		var b strings.Builder
		stopped := false
		for _, p := range c.pieces {
			out, at := s.add(p)
			b.WriteString(out)
			if at {
				stopped = true
				break
			}
		}
		if !stopped {
			b.WriteString(s.flush())
		}
		if b.String() != c.want || stopped != c.stop {
			t.Errorf("%q with stops %q: %q, stopped %v; want %q, %v", c.pieces, c.stops, b.String(), stopped, c.want, c.stop)
		}
	}
}

// FuzzStopper cuts a text into pieces: what comes out must be the text before the first stop string that a reader of the
// growing text sees, and at no time more than that.
func FuzzStopper(f *testing.F) {
	f.Add("hello world", "lo w", "wor", uint8(2))
	f.Add("aaab", "aab", "b", uint8(1))
	f.Fuzz(func(t *testing.T, text, one, two string, size uint8) {
		var stops []string
		for _, stop := range []string{one, two} {
			if stop != "" {
				stops = append(stops, stop)
			}
		}
		want, n := text, int(size%7)+1
		for end := n; ; end += n { // the text as it grows
			first := -1
			for _, stop := range stops {
				if at := strings.Index(text[:min(end, len(text))], stop); at >= 0 && (first < 0 || at < first) {
					first = at
				}
			}
			if first >= 0 {
				want = text[:first]
				break
			}
			if end >= len(text) {
				break
			}
		}
		s := stopper{stops: stops}
		var out string
		stopped := false
		for at := 0; at < len(text) && !stopped; at += n {
			var piece string
			piece, stopped = s.add(text[at:min(at+n, len(text))])
			if out += piece; !strings.HasPrefix(want, out) {
				t.Fatalf("%q came out of %q with stops %q", out, text, stops)
			}
		}
		if !stopped {
			out += s.flush()
		}
		if out != want {
			t.Fatalf("%q with stops %q in pieces of %d: %q, want %q", text, stops, n, out, want)
		}
	})
}
