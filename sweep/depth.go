package sweep

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"shallow/plan"
)

// Depths say how many layers go, in words that fit any model: 4, 25%, L/2, 1..L/2, 2..3L/4..2.
type Depths []string

// term is a number of layers: 8, 25%, L, L/2, 3L/4, 3*L/4, L-1.
var term = regexp.MustCompile(`^(?:([0-9]{1,5})|([0-9]{1,3}(?:\.[0-9]{1,6})?%)|(?:([0-9]{1,3})\s*\*?\s*)?L(?:\s*/\s*([0-9]{1,3}))?(?:\s*-\s*([0-9]{1,4}))?)$`)

// checkDepth refuses a text that no model gives a meaning.
func checkDepth(s string) error {
	parts := strings.Split(s, "..")
	if len(parts) > 3 {
		return fmt.Errorf("%q has more than two pairs of dots: write FIRST..LAST or FIRST..LAST..STEP, as 1..L/2", s)
	}
	for i, p := range parts {
		m := term.FindStringSubmatch(strings.TrimSpace(p))
		switch {
		case m == nil:
			return fmt.Errorf("cannot read %q as how many layers to drop: write 8, 25%%, L/2 or a range as 1..L/2", s)
		case m[4] == "0" || i == 2 && (m[1] == "" || strings.Trim(m[1], "0") == ""):
			return fmt.Errorf("%q: a divisor and a step are at least 1", s)
		}
	}
	return nil
}

// In are the numbers of layers to drop of a model with L of them, ascending, each once. 0 is the whole model.
func (d Depths) In(layers int) ([]int, error) {
	var all []int
	for _, s := range d {
		if err := checkDepth(s); err != nil {
			return nil, err
		}
		var bounds []int
		for _, p := range strings.Split(s, "..") {
			n, err := layersOf(strings.TrimSpace(p), layers)
			if err != nil {
				return nil, err
			}
			bounds = append(bounds, n)
		}
		first, last, step := bounds[0], bounds[0], 1
		if len(bounds) > 1 {
			last = bounds[1]
		}
		if len(bounds) > 2 {
			step = bounds[2]
		}
		if first < 0 || last >= layers {
			return nil, fmt.Errorf("drop: %s: %d of %d layers cannot be dropped: at least one must stay", s, max(last, first), layers)
		}
		if first > last {
			return nil, fmt.Errorf("drop: %s: of %d layers that is %d to %d, which is empty", s, layers, first, last)
		}
		for n := first; n <= last; n += step {
			all = append(all, n)
		}
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// layersOf is a term's number for a model with L layers, rounded down.
func layersOf(s string, layers int) (int, error) {
	if share, ok := strings.CutSuffix(s, "%"); ok {
		if value, err := strconv.ParseFloat(share, 64); err == nil && value*float64(layers) < 100 {
			return 0, nil // plan takes a share that is no layer for a mistake
		}
		return plan.ParseDrop(s, layers)
	}
	m := term.FindStringSubmatch(s)
	factor := func(text string, or int) int {
		if n, err := strconv.Atoi(text); err == nil {
			return n
		}
		return or
	}
	if m[1] != "" {
		return factor(m[1], 0), nil
	}
	return factor(m[3], 1)*layers/factor(m[4], 1) - factor(m[5], 0), nil
}

var units = []struct {
	name  string
	bytes float64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"B", 1}}

// size reads bytes, as 4GB.
func size(key string, to *int64) func(*node) error {
	return func(n *node) error {
		text, factor := fmt.Sprint(n.Value), 1.0
		for _, u := range units {
			if i := len(text) - len(u.name); i > 0 && strings.EqualFold(text[i:], u.name) {
				text, factor = strings.TrimSpace(text[:i]), u.bytes
				break
			}
		}
		v, err := strconv.ParseFloat(text, 64)
		if err != nil || !(v*factor >= 1 && v*factor < 1<<62) {
			return n.Fail("%s: it is %s, a size is expected, as 500MB or 4GB", key, n.Kind())
		}
		*to = int64(v * factor)
		return nil
	}
}
