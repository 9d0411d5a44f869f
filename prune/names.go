package prune

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"shallow/checkpoint"
)

// layerNames renumbers layers that are named inside texts, as "model.layers.7.mlp" or `re:.*layers\.(7|8)\..*`.
type layerNames struct {
	list    string     // the list's own name in tensor names, such as "layers"
	decoder []string   // what stands before it, without the names that wrap whole models
	others  [][]string // the same of other lists of that name: towers for pictures and sound
	total   int        // layers before, with those behind the last
	to      map[int]int
}

// namesOf finds the decoder's list, and the others that have the same name, in a checkpoint's tensor names.
func namesOf(layout checkpoint.Layout, drop []int) layerNames {
	n := layerNames{list: lastPart(layout.Prefix), decoder: unwrapped(layout.Prefix), total: layout.Layers + len(layout.Extra), to: map[int]int{}}
	for l := range n.total {
		if !slices.Contains(drop, l) {
			n.to[l] = len(n.to)
		}
	}
	for _, name := range layout.Outside {
		before, _, found := strings.Cut("."+name, "."+n.list+".")
		other := unwrapped(before + "." + n.list + ".")
		same := func(o []string) bool { return slices.Equal(o, other) }
		if found && !same(n.decoder) && !slices.ContainsFunc(n.others, same) {
			n.others = append(n.others, other)
		}
	}
	return n
}

// wrappers are names that tell nothing of which list is meant: whether they are there differs between the files of one model.
var wrappers = []string{"model", "language_model", "transformer", "base_model", "text_model", "module", "backbone", "llm"}

// unwrapped is what stands before a list's own name, without wrappers.
func unwrapped(prefix string) (parts []string) {
	all := strings.Split(strings.Trim(prefix, "."), ".")
	for _, part := range all[:max(len(all)-1, 0)] {
		if part != "" && !slices.Contains(wrappers, part) {
			parts = append(parts, part)
		}
	}
	return parts
}

// renumber gives the text with its layers' new numbers. keep is false where it names dropped layers alone. Texts that name no layer, or
// all, are left as they are.
func (n layerNames) renumber(text string) (changed string, keep bool, err error) {
	var out strings.Builder
	rest, dropped, named := text, false, false
	for {
		at, after := n.find(rest)
		if at < 0 {
			break
		}
		t := parseToken(rest[after:], isExpression(text))
		out.WriteString(rest[:after])
		own, err := n.own(out.String()[:out.Len()-(after-at)])
		if err != nil {
			return "", false, err
		}
		replaced := t.text
		if own {
			var all bool
			if replaced, all, err = n.newToken(t); err != nil {
				return "", false, err
			}
			named = named || !all
			dropped = dropped || !all && replaced == ""
		}
		out.WriteString(replaced)
		rest = rest[after+len(t.text):]
	}
	if dropped {
		return "", false, nil
	}
	if !named {
		return text, true, nil
	}
	return out.String() + rest, true, nil
}

// find looks for the list's name and the separator after it.
func (n layerNames) find(text string) (at, after int) {
	for from := 0; ; {
		i := strings.Index(text[from:], n.list)
		if i < 0 {
			return -1, -1
		}
		at = from + i
		from = at + len(n.list)
		if at > 0 && !strings.ContainsRune(`.^*(:|\]"`, rune(text[at-1])) {
			continue
		}
		for _, separator := range []string{".", `\.`, "[.]"} {
			if strings.HasPrefix(text[from:], separator) {
				return at, from + len(separator)
			}
		}
	}
}

// own reports whether what stands before a list's name leads to the decoder's list, and not to one of the same name elsewhere.
func (n layerNames) own(before string) (bool, error) {
	before = strings.NewReplacer(`\.`, ".", "[.]", ".").Replace(before)
	if i := strings.LastIndexFunc(before, func(r rune) bool {
		return r != '.' && r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	}); i >= 0 {
		before = before[i+1:]
	}
	parts := unwrapped(before + "." + n.list)
	bare := strings.Trim(before, ".") == ""
	if slices.Equal(parts, n.decoder) && (!bare || len(n.others) == 0) {
		return true, nil
	}
	own, other := likeness(n.decoder, parts), -1
	for _, o := range n.others {
		other = max(other, likeness(o, parts))
	}
	switch {
	case own < 0 && other < 0:
		return false, fmt.Errorf("names layers of %q, a list that the checkpoint does not have", strings.TrimPrefix(before+n.list, "."))
	case own == other:
		return false, fmt.Errorf("names layers of %q without saying which model's", n.list)
	}
	return own > other, nil
}

// likeness is how many parts two paths have in common at their ends, if the shorter is the end of the longer: -1 if not, or if the list's
// own path says nothing of what the text says.
func likeness(list, text []string) int {
	common := min(len(list), len(text))
	if !slices.Equal(list[len(list)-common:], text[len(text)-common:]) || len(list) == 0 && len(text) > 0 {
		return -1
	}
	return common
}

// isExpression reports whether a text is a regular expression, in which a dot stands for any sign.
func isExpression(text string) bool {
	return strings.HasPrefix(text, "re:") || strings.HasPrefix(text, "+:") || strings.HasPrefix(text, "-:") || strings.ContainsAny(text, `\^$|(`)
}

// token is what stands in a layer's place in a text.
type token struct {
	text  string
	plain bool // a number and nothing else
	loose bool // more digits may follow it: "1.*" in a regular expression is also 12
	regex bool // of a regular expression: the token may be a group
}

// parseToken reads up to the separator that follows.
func parseToken(rest string, regex bool) token {
	depth, end := 0, len(rest)
scan:
	for i := 0; i < len(rest); i++ {
		switch c := rest[i]; {
		case c == '\\' && i+1 < len(rest) && rest[i+1] != '.':
			i++
		case c == '(' || c == '[' && !strings.HasPrefix(rest[i:], "[.]"):
			depth++
		case depth > 0 && (c == ')' || c == ']'):
			depth--
		case depth > 0:
		case c == '.' || c == '\\' || c == '$' || c == ')' || c == '|' || c == '[' || c == '/' || c == '"':
			end = i
			break scan
		case c == '*' && !regex && i > 0 && rest[i-1] >= '0' && rest[i-1] <= '9':
			end = i
			break scan
		}
	}
	t := token{text: rest[:end], regex: regex}
	_, err := strconv.Atoi(t.text)
	t.plain = err == nil
	after := rest[end:]
	t.loose = strings.HasPrefix(after, "*") || regex && len(after) > 1 && after[0] == '.' && strings.ContainsRune("*+?{", rune(after[1]))
	return t
}

// newToken names the layers that stay by their new numbers; it is empty where none does. all is true where the token means every layer, or
// none at all, and stays as it is.
func (n layerNames) newToken(t token) (text string, all bool, err error) {
	old, err := n.meant(t)
	if err != nil {
		return "", false, err
	}
	if len(old) == n.total || len(old) == 0 && !t.plain {
		return t.text, true, nil
	}
	if len(old) == 0 {
		return "", false, fmt.Errorf("names layer %.20s, there are %d", t.text, n.total)
	}
	var kept []string
	for _, l := range old {
		if to, ok := n.to[l]; ok {
			kept = append(kept, strconv.Itoa(to))
		}
	}
	switch {
	case len(kept) == 0:
		return "", false, nil
	case t.loose && (len(old) > 1 || n.followed(kept[0])):
		return "", false, fmt.Errorf("means every layer whose number starts with %s, or only that one: write a separator behind the number", t.text)
	case len(kept) == 1:
		return kept[0], false, nil
	case !t.regex:
		return "", false, fmt.Errorf("means several layers by %q, which cannot be written in another way there", t.text)
	}
	return "(?:" + strings.Join(kept, "|") + ")", false, nil
}

// followed reports whether a number is the beginning of another layer's new number.
func (n layerNames) followed(number string) bool {
	for l := range len(n.to) {
		if s := strconv.Itoa(l); s != number && strings.HasPrefix(s, number) {
			return true
		}
	}
	return false
}

// numeric is what may stand in a layer's place so that it is sure which layers are meant: digits, classes of digits, groups and repetitions.
var numeric = regexp.MustCompile(`^(?:[0-9|()?+*]|\\d|\(\?:|\[\^?(?:[0-9-]|\\d)+\]|\{[0-9,]+\})*$`)

// maxToken bounds what is compiled as an expression, in bytes: far more than all layers' numbers in a row take.
const maxToken = 2000

// meant are the layers that a token stands for, in ascending order.
func (n layerNames) meant(t token) (layers []int, err error) {
	if !strings.ContainsAny(t.text, `0123456789\[(`) {
		return nil, nil // a name, or an asterisk
	}
	if l, err := strconv.Atoi(t.text); t.plain && !t.loose && err == nil && strconv.Itoa(l) == t.text {
		if l >= n.total {
			return nil, nil
		}
		return []int{l}, nil
	}
	if len(t.text) > maxToken || !numeric.MatchString(t.text) {
		return nil, fmt.Errorf("has %.40q in a layer's place, which is not understood", t.text)
	}
	expression, err := regexp.Compile("^(?:" + t.text + ")$")
	if err != nil {
		return nil, fmt.Errorf("has %.40q in a layer's place, which is not understood", t.text)
	}
	for l := range n.total {
		s := strconv.Itoa(l)
		match := expression.MatchString(s)
		for i := 1; t.loose && i < len(s); i++ {
			match = match || expression.MatchString(s[:i])
		}
		if match {
			layers = append(layers, l)
		}
	}
	return layers, nil
}
