package heal

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Budget is how long to train: so many optimizer steps, tokens or hours. One of them is given, or none.
type Budget struct {
	Steps  int
	Tokens int64
	Hours  float64
}

// Pace is what a step takes.
type Pace struct {
	TokensPerStep   float64
	TokensPerSecond float64 // measured; unknown where 0
}

// longest is how long a training may take that nobody gave a budget for.
const longest = 12 * time.Hour

// maxSteps bounds the steps of a training: more is a mistake.
const maxSteps = math.MaxInt32

// BudgetError says that a training is too long to be begun without being asked for.
type BudgetError struct {
	Steps  int
	Tokens float64
	Pace   Pace
	Takes  time.Duration // 0 where it is not known
}

// Error tells the forecast and asks for a budget.
func (e *BudgetError) Error() string {
	takes := "an unknown time"
	if e.Takes > 0 {
		takes = fmt.Sprintf("about %s at %.3g tokens/s", long(e.Takes), e.Pace.TokensPerSecond)
	}
	return fmt.Sprintf("heal: %d steps, %.3g tokens, take %s: say with --hours, --tokens or --steps how long to train (--steps %[1]d for all of it)",
		e.Steps, e.Tokens, takes)
}

// long is a duration in the unit that suits it.
func long(d time.Duration) string {
	switch hours := d.Hours(); {
	case hours < 48:
		return fmt.Sprintf("%.0f hours", hours)
	case hours < 24*21:
		return fmt.Sprintf("%.0f days", hours/24)
	case hours < 24*7*104:
		return fmt.Sprintf("%.0f weeks", hours/24/7)
	default:
		return fmt.Sprintf("%.0f years", hours/24/365.25)
	}
}

// Check refuses a budget that means nothing.
func (b Budget) Check() error {
	given := 0
	for _, x := range []float64{float64(b.Steps), float64(b.Tokens), b.Hours} {
		if !(x >= 0) || math.IsInf(x, 1) {
			return fmt.Errorf("heal: a budget of %v, want a number above 0", x)
		}
		if x > 0 {
			given++
		}
	}
	if given > 1 {
		return fmt.Errorf("heal: --steps, --tokens and --hours are given together; choose one")
	}
	return nil
}

// NeedsRate reports whether the pace must be measured before the steps are known. A budget of hours depends on it, and
// none at all, because somebody should know before a training of weeks begins.
func (b Budget) NeedsRate() bool { return b.Steps == 0 && b.Tokens == 0 }

// In is the number of optimizer steps that a budget is: enough for the tokens, as many as fit into the hours. Without a
// budget it is usual, unless that takes more than 12 hours; then it is a *BudgetError.
func (b Budget) In(p Pace, usual int) (steps int, err error) {
	if err := b.Check(); err != nil {
		return 0, err
	}
	if !(p.TokensPerStep > 0) || b.NeedsRate() && b.Hours > 0 && !(p.TokensPerSecond > 0) {
		return 0, fmt.Errorf("heal: a budget cannot be counted in steps of %v tokens at %v tokens/s", p.TokensPerStep, p.TokensPerSecond)
	}
	wanted := float64(usual)
	switch {
	case b.Steps > 0:
		wanted = float64(b.Steps)
	case b.Tokens > 0:
		wanted = math.Ceil(float64(b.Tokens) / p.TokensPerStep)
	case b.Hours > 0:
		if wanted = math.Floor(b.Hours * 3600 * p.TokensPerSecond / p.TokensPerStep); wanted < 1 {
			return 0, fmt.Errorf("heal: %g hours do not suffice for one step of %.0f tokens at %.3g tokens/s: take more time, or fewer or shorter rows a step",
				b.Hours, p.TokensPerStep, p.TokensPerSecond)
		}
	default:
		seconds := wanted * p.TokensPerStep / p.TokensPerSecond // infinite where the rate is not known
		if seconds > longest.Seconds() {
			e := &BudgetError{Steps: usual, Tokens: wanted * p.TokensPerStep, Pace: p}
			if most := float64(math.MaxInt64) / float64(time.Second); seconds < most {
				e.Takes = time.Duration(seconds * float64(time.Second))
			}
			return 0, e
		}
	}
	if wanted > maxSteps {
		return 0, fmt.Errorf("heal: a budget of %.3g steps, more than %d", wanted, maxSteps)
	}
	return int(wanted), nil
}

var countPattern = regexp.MustCompile(`^([0-9]{1,18}(?:\.[0-9]{1,18})?(?:[eE][0-9]{1,2})?)([kKmMgGbB]?)$`)

// ParseCount reads a number of tokens: 164000000, 164_000_000, 164e6, 164M or 0.164G.
func ParseCount(text string) (int64, error) {
	match := countPattern.FindStringSubmatch(strings.ReplaceAll(text, "_", ""))
	if match == nil || strings.HasPrefix(text, "_") {
		return 0, fmt.Errorf("heal: %q is no number of tokens: write it as 2000000, 2e6 or 2M", text)
	}
	x, err := strconv.ParseFloat(match[1], 64)
	if err != nil {
		return 0, fmt.Errorf("heal: %q is no number of tokens: %w", text, err)
	}
	unit := map[string]float64{"": 1, "k": 1e3, "m": 1e6, "g": 1e9, "b": 1e9}[strings.ToLower(match[2])]
	x = math.Round(x * unit)
	if x < 1 || x > 1e15 {
		return 0, fmt.Errorf("heal: %q tokens: want a number from 1 to 1e15", text)
	}
	return int64(x), nil
}
