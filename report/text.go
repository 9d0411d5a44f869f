package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"

	"shallow/sweep"
)

// longest bounds the runes of a name on the page: names come from files that anyone may have written.
const longest = 120

// plain is a name without characters that would turn or break the text round it, and not too long.
func plain(name string) string {
	var b strings.Builder
	n := 0
	for _, r := range name {
		if n == longest {
			b.WriteString("…")
			break
		}
		if unicode.Is(unicode.Cc, r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r) {
			r = ' '
		}
		b.WriteRune(r)
		n++
	}
	return strings.TrimSpace(b.String())
}

// slug is a name as part of a file's: letters, digits and hyphens of ASCII.
func slug(name string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(name) {
		switch {
		case b.Len() >= 40:
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			b.WriteRune(r)
		case !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
	}
	if s := strings.Trim(b.String(), "-"); s != "" {
		return s
	}
	return "x"
}

// percent is a share, to the whole percent.
func percent(x float64) string {
	s := strconv.FormatFloat(100*x, 'f', 0, 64)
	if s == "-0" {
		s = "0"
	}
	return s + " %"
}

// precise is a percentage with a decimal.
func precise(x float64) string { return strconv.FormatFloat(100*x, 'f', 1, 64) + " %" }

// valued is a score and its standard error, where one is known.
func (s score) String() string {
	if s.stderr > 0 {
		return fmt.Sprintf("%.4f ± %.4f", s.value, s.stderr)
	}
	return fmt.Sprintf("%.4f", s.value)
}

// rounded keeps the page's data short: six digits are more than any measurement here has.
func rounded(x float64) float64 {
	if x == 0 || math.IsNaN(x) || math.IsInf(x, 0) {
		return 0
	}
	v, _ := strconv.ParseFloat(strconv.FormatFloat(x, 'g', 6, 64), 64)
	return v
}

// amount is a number of bytes for people, in powers of ten.
func amount(bytes float64) string {
	value, unit := scaled(bytes, bytes)
	switch {
	case unit == "B":
		return fmt.Sprintf("%.0f B", value)
	case value < 10:
		return fmt.Sprintf("%.2f %s", value, unit)
	case value < 100:
		return fmt.Sprintf("%.1f %s", value, unit)
	}
	return fmt.Sprintf("%.0f %s", value, unit)
}

// scaled is a number of bytes in the unit that suits the largest of its kind.
func scaled(bytes, largest float64) (value float64, unit string) {
	units := []string{"B", "kB", "MB", "GB", "TB"}
	i := 0
	for ; largest >= 1000 && i < len(units)-1; i++ {
		largest /= 1000
		bytes /= 1000
	}
	return bytes, units[i]
}

// thousands writes a whole number with its digits in groups.
func thousands(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "\u202f" + s[i:]
	}
	return s
}

// tie joins what a line's end should not part: a number and its unit, a letter and its value.
func tie(s string) string {
	return strings.NewReplacer(" %", "\u00a0%", "n = ", "n\u00a0=\u00a0", "ℓ = ", "ℓ\u00a0=\u00a0").Replace(s)
}

// many is a number with its noun.
func many(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// list joins words as a sentence does.
func list(words []string) string {
	switch len(words) {
	case 0:
		return ""
	case 1:
		return words[0]
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}

// dropped names the layers that a cell lacks.
func dropped(c *sweep.Cell) string {
	if c.N == 0 {
		return "none"
	}
	if c.Drop[c.N-1]-c.Drop[0] == c.N-1 {
		return fmt.Sprint(span(c.Drop[0], c.N))
	}
	var runs []string
	for i := 0; i < len(c.Drop); {
		j := i + 1
		for j < len(c.Drop) && c.Drop[j] == c.Drop[j-1]+1 {
			j++
		}
		runs = append(runs, fmt.Sprint(span(c.Drop[i], j-i)))
		i = j
	}
	return strings.Join(runs, " ")
}

// short is the beginning of a hash, enough to find the rest in sweep.json.
func short(hash string) string {
	hash = plain(hash)
	if len(hash) > 12 {
		return hash[:12]
	}
	return hash
}
