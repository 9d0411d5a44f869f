package heal

import (
	"errors"
	"math"
	"strings"
	"testing"
)

func TestBudget(t *testing.T) {
	p := Pace{TokensPerStep: 32768, TokensPerSecond: 50}
	for _, c := range []struct {
		b    Budget
		p    Pace
		want int
		err  string
	}{
		{Budget{Steps: 7}, p, 7, ""},
		{Budget{Steps: 1 << 30}, Pace{TokensPerStep: 1e6}, 1 << 30, ""},
		{Budget{Tokens: 32768}, p, 1, ""},
		{Budget{Tokens: 32769}, p, 2, ""},
		{Budget{Tokens: 164e6}, Pace{TokensPerStep: 32768}, 5005, ""},
		{Budget{Hours: 10}, p, 54, ""}, // 10·3600·50 / 32768 = 54.9
		{Budget{Hours: 0.01}, p, 0, "0.01 hours do not suffice for one step of 32768 tokens at 50 tokens/s"},
		{Budget{Hours: 1}, Pace{TokensPerStep: 1}, 0, "cannot be counted"},
		{Budget{Hours: 1}, Pace{TokensPerSecond: 1}, 0, "cannot be counted"},
		{Budget{Tokens: 1}, Pace{TokensPerStep: math.NaN()}, 0, "cannot be counted"},
		{Budget{Tokens: 1e15}, Pace{TokensPerStep: 1}, 0, "a budget of 1e+15 steps"},
		{Budget{Hours: math.Inf(1)}, p, 0, "a budget of +Inf"},
		{Budget{Hours: math.NaN()}, p, 0, "a budget of NaN"},
		{Budget{Steps: -1}, p, 0, "a budget of -1"},
		{Budget{Steps: 1, Hours: 1}, p, 0, "choose one"},
		{Budget{Steps: 1, Tokens: 1}, p, 0, "choose one"},
		{Budget{}, Pace{32768, 4000}, 5000, ""}, // 11.4 hours
		{Budget{}, Pace{32768, 3700}, 0, "heal: 5000 steps, 1.64e+08 tokens, take about 12 hours at 3.7e+03 tokens/s: say with --hours"},
		{Budget{}, p, 0, "about 5 weeks at 50 tokens/s: say with --hours, --tokens or --steps how long to train (--steps 5000 for all of it)"},
		{Budget{}, Pace{TokensPerStep: 32768}, 0, "an unknown time"},
		{Budget{}, Pace{32768, 1e-9}, 0, "an unknown time"},
	} {
		got, err := c.b.In(c.p, 5000)
		if c.err == "" && (err != nil || got != c.want) || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
			t.Errorf("%+v at %+v: %d, %v; want %d, %q", c.b, c.p, got, err, c.want, c.err)
		}
		var asked *BudgetError
		if none := c.b == (Budget{}); errors.As(err, &asked) != (none && c.err != "") {
			t.Errorf("%+v at %+v: %v as a BudgetError", c.b, c.p, err)
		}
	}
}

func TestParseCount(t *testing.T) {
	for text, want := range map[string]int64{
		"1": 1, "2000000": 2e6, "2_000_000": 2e6, "2e6": 2e6, "1.5M": 15e5, "164m": 164e6, "0.328G": 328e6, "3b": 3e9, "10k": 1e4, "1e15": 1e15,
	} {
		if got, err := ParseCount(text); err != nil || got != want {
			t.Errorf("%q is %d, %v, want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "0", "-1", "+1", "x", "1x", "1MM", "M", "_1", "1e16", "0x10", "Inf", "NaN", "1 M", "1e99", ".5M", "0.1", "1.5.5"} {
		if got, err := ParseCount(text); err == nil {
			t.Errorf("%q is %d", text, got)
		}
	}
}

func FuzzParseCount(f *testing.F) {
	for _, text := range []string{"1", "164M", "2_000", "1e15", "9e99G", "0.0000001k"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if n, err := ParseCount(text); (err == nil) != (n >= 1 && n <= 1e15) {
			t.Errorf("%q is %d, %v", text, n, err)
		}
	})
}
