package task

import (
	"fmt"
	"slices"
	"strings"

	"shallow/eval/task/internal/pyregexp"
	"shallow/eval/task/internal/pytext"
)

// Filter is one entry of filter_list: a named way from the generated texts of an item, one a repeat, to the answer that is
// compared.
type Filter struct {
	Name  string
	steps []func(texts []string) ([]string, error)
}

// first is the filter of tasks that name none.
var first = Filter{Name: "none", steps: []func([]string) ([]string, error){takeFirst}}

func (f Filter) apply(texts []string) (string, error) {
	for _, step := range f.steps {
		var err error
		if texts, err = step(texts); err != nil {
			return "", fmt.Errorf("filter %s: %w", f.Name, err)
		}
	}
	if len(texts) == 0 {
		return "", fmt.Errorf("filter %s: there is no response", f.Name)
	}
	return texts[0], nil
}

func takeFirst(texts []string) ([]string, error) { return texts[:min(1, len(texts))], nil }

// each makes a step of what is done to every text.
func each(do func(string) (string, error)) func([]string) ([]string, error) {
	return func(texts []string) ([]string, error) {
		out := make([]string, len(texts))
		for i, s := range texts {
			var err error
			if out[i], err = do(s); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
}

func plainly(do func(string) string) func([]string) ([]string, error) {
	return each(func(s string) (string, error) { return do(s), nil })
}

// majority keeps the text that occurs most often, of several the earliest.
func majority(texts []string) ([]string, error) {
	counts, best := map[string]int{}, ""
	for _, s := range texts {
		counts[s]++
	}
	for _, s := range texts {
		if counts[s] > counts[best] {
			best = s
		}
	}
	return []string{best}, nil
}

// readFilters reads filter_list.
func (t *Task) readFilters(n *node) error {
	entries, err := n.Objects("filter_list: ")
	if err != nil {
		return err
	}
	for _, e := range entries {
		var f Filter
		err := table{
			"name": func(n *node) (err error) {
				f.Name, err = n.Text("filter_list: name")
				return err
			},
			"filter": func(n *node) error {
				steps, err := n.Objects("filter_list: filter: ")
				for i := 0; err == nil && i < len(steps); i++ {
					err = f.readStep(n, steps[i])
				}
				return err
			},
		}.read(e, "filter_list: ")
		if err != nil {
			return err
		}
		if f.Name == "" || len(f.steps) == 0 {
			return n.Fail("filter_list: an entry lacks name or filter")
		}
		if slices.ContainsFunc(t.Filters, func(o Filter) bool { return o.Name == f.Name }) {
			return n.Fail("filter_list: the name %s is given twice", f.Name)
		}
		t.Filters = append(t.Filters, f)
	}
	t.filterList = plain(n)
	return nil
}

var filterFunctions = []string{"regex", "take_first", "take_first_k", "lowercase", "uppercase", "remove_whitespace", "majority_vote", "map"}

func (f *Filter) readStep(list *node, m *mapping) error {
	named, ok := m.At["function"]
	if !ok {
		return list.Fail("filter_list: filter: a step without function")
	}
	name, err := named.Text("filter_list: function")
	if err != nil {
		return err
	}
	keys, prefix := table{"function": func(*node) error { return nil }}, "filter_list: "+name+": "
	var step func([]string) ([]string, error)
	switch name {
	case "regex":
		x := extraction{fallback: "[invalid]"}
		pattern := `#### (\-?[0-9\.\,]+)`
		keys["regex_pattern"] = func(n *node) (err error) {
			pattern, err = n.Text(prefix + "regex_pattern")
			return err
		}
		keys["group_select"] = func(n *node) error {
			var ok bool
			if x.pick, ok = n.Value.(int); !ok {
				return n.Fail("%sgroup_select: it is %s, a number is expected: 0 is the first match, -1 the last", prefix, n.Kind())
			}
			return nil
		}
		keys["fallback"] = func(n *node) (err error) {
			x.fallback, err = n.Text(prefix + "fallback")
			return err
		}
		if err := keys.read(m, prefix); err != nil {
			return err
		}
		if x.pattern, err = pyregexp.Compile(pattern); err != nil {
			return named.Fail("%sregex_pattern: %v", prefix, err)
		}
		step = each(x.extract)
	case "take_first":
		step = takeFirst
	case "take_first_k":
		k := 1
		keys["k"] = func(n *node) (err error) {
			k, err = n.Count(prefix+"k", mostRepeats)
			return err
		}
		step = func(texts []string) ([]string, error) {
			if len(texts) < k {
				return nil, fmt.Errorf("%d responses are wanted and %d are there: repeats says how many are made", k, len(texts))
			}
			return texts[:k], nil
		}
	case "lowercase":
		step = plainly(pytext.Lower)
	case "uppercase":
		step = plainly(pytext.Upper)
	case "remove_whitespace":
		step = plainly(pytext.Strip)
	case "majority_vote":
		step = majority
	case "map":
		words, other := map[string]string{}, ""
		keys["mapping_dict"] = func(n *node) error {
			m, err := n.Object(prefix + "mapping_dict: ")
			if err != nil {
				return err
			}
			for _, k := range m.Keys {
				if words[k], err = m.At[k].Text(prefix + "mapping_dict: " + k); err != nil {
					return err
				}
			}
			return nil
		}
		keys["default_value"] = func(n *node) (err error) {
			other, err = n.Text(prefix + "default_value")
			return err
		}
		step = plainly(func(s string) string {
			if to, ok := words[s]; ok {
				return to
			}
			return other
		})
	default:
		return named.Fail("filter_list: function %q is not known%s", name, nearest(name, filterFunctions))
	}
	f.steps = append(f.steps, step)
	if name == "regex" {
		return nil
	}
	return keys.read(m, prefix)
}

// extraction takes one match of a pattern out of a text.
type extraction struct {
	pattern  *pyregexp.Regexp
	pick     int // from the end where negative
	fallback string
}

func (x extraction) extract(text string) (string, error) {
	matches, err := x.pattern.FindAll(text)
	if err != nil || len(matches) == 0 {
		return x.fallback, err
	}
	i := x.pick
	if i < 0 {
		i += len(matches)
	}
	if i < 0 || i >= len(matches) {
		return "", fmt.Errorf("group_select %d: there are %d matches in %.60q", x.pick, len(matches), text)
	}
	groups := matches[i]
	if len(groups) == 1 {
		return pytext.Strip(groups[0]), nil
	}
	for _, g := range groups {
		if g != "" {
			return pytext.Strip(g), nil
		}
	}
	return pytext.Strip(x.fallback), nil
}

// Cut ends a text before the first of the strings that would stop it, one string after the other.
func Cut(text string, until []string) string {
	for _, stop := range until {
		if stop != "" {
			text, _, _ = strings.Cut(text, stop)
		}
	}
	return text
}

// equal tells whether an answer matches, after what is ignored was taken out of both.
func (m matching) equal(answer, target string) (bool, error) {
	for _, s := range []*string{&answer, &target} {
		for _, r := range m.remove {
			var err error
			if *s, err = r.Remove(*s); err != nil {
				return false, err
			}
		}
		if m.anyCase {
			*s = pytext.Lower(*s)
		}
		if m.noMarks {
			*s = without(*s, "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")
		}
		if m.noNumbers {
			*s = without(*s, "0123456789")
		}
	}
	return answer == target, nil
}

func without(s, characters string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(characters, r) {
			return -1
		}
		return r
	}, s)
}
