package task

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"shallow/dataset"
	"shallow/eval/task/internal/pytext"
)

// process prepares the rows of a split, one row for each: what a task file of the harness asks of Python by process_docs.
type process struct {
	columns []dataset.Column // that the rows must have
	row     func(dataset.Row) (dataset.Row, error)
}

var processes = map[string]process{
	"hellaswag": {
		[]dataset.Column{{Name: "ctx_a", Kind: dataset.Text}, {Name: "ctx_b", Kind: dataset.Text}, {Name: "activity_label", Kind: dataset.Text}, {Name: "endings", Kind: dataset.Texts}, {Name: "label"}},
		hellaswag,
	},
}

// hellaswag makes query, choices and gold of a row: the texts from WikiHow lose what its markup left in them.
func hellaswag(row dataset.Row) (dataset.Row, error) {
	gold, err := strconv.Atoi(strings.TrimFunc(fmt.Sprint(row["label"]), pytext.IsSpace))
	if err != nil {
		return nil, fmt.Errorf("column label is %q, the number of the right ending is expected: splits without labels cannot be scored", fmt.Sprint(row["label"]))
	}
	out := maps.Clone(row)
	out["query"] = withoutMarkup(row["activity_label"].(string) + ": " + row["ctx_a"].(string) + " " + pytext.Capitalize(row["ctx_b"].(string)))
	endings := row["endings"].([]any)
	choices := make([]any, len(endings))
	for i, e := range endings {
		choices[i] = withoutMarkup(e.(string))
	}
	out["choices"], out["gold"] = choices, int64(gold)
	return out, nil
}

var brackets = regexp.MustCompile(`\[.*?\]`)

func withoutMarkup(s string) string {
	s = strings.ReplaceAll(pytext.Strip(s), " [title]", ". ")
	return strings.ReplaceAll(brackets.ReplaceAllLiteralString(s, ""), "  ", " ")
}

// functions are the functions of texts: each takes a column and gives what is scored.
var functions = map[string]struct {
	column string
	apply  func(string) string
}{
	"wikitext_detokenizer": {"page", detokenize},
	"c4_detokenizer":       {"text", detokenize},
}

func functionNames() []string { return slices.Sorted(maps.Keys(functions)) }

// function is the name of a known function; the harness puts its module's name and a dot before it.
func function(name string) (string, error) {
	name = name[strings.LastIndexByte(name, '.')+1:]
	if _, known := functions[name]; !known {
		return "", fmt.Errorf("function %q is not known", name)
	}
	return name, nil
}

func detokenized(name string, row dataset.Row) (string, error) {
	f := functions[name]
	text, err := column(row, f.column)
	return f.apply(text), err
}

func column(row dataset.Row, name string) (string, error) {
	text, ok := row[name].(string)
	if !ok {
		return "", fmt.Errorf("column %s is missing or no text; the columns are %s", name, strings.Join(slices.Sorted(maps.Keys(row)), ", "))
	}
	return text, nil
}

// counts are, by the names of process_results, the columns whose words and bytes a text's loss is divided by: those of the
// document as it came, before detokenising.
var counts = map[string]string{"wikitext": "page", "c4": "text", "preprocess_wikitext.process_results": "page", "preprocess_c4.process_results": "text"}

// detokenize takes the blanks around punctuation out of the tokenised text of WikiText. Each step sees what the one before left.
func detokenize(s string) string {
	s = strings.ReplaceAll(s, "s '", "s'")
	s = quotedDigit.ReplaceAllLiteralString(s, "/'[0-9]/")
	for _, mark := range "-,." {
		s = strings.ReplaceAll(s, " @"+string(mark)+"@ ", string(mark))
	}
	for _, mark := range ":;.!?," {
		s = strings.ReplaceAll(s, " "+string(mark)+" ", string(mark)+" ")
	}
	for _, pair := range []string{"()", "[]", "{}", `""`, "''"} {
		s = stripInside(s, pair[:1], pair[1:])
	}
	for _, step := range [][2]string{{"= = = =", "===="}, {"= = =", "==="}, {"= =", "=="}, {" ° ", "°"}, {" \n", "\n"}, {"\n ", "\n"}, {" N ", " 1 "}, {" 's", "'s"}} {
		s = strings.ReplaceAll(s, step[0], step[1])
	}
	return s
}

// quotedDigit is a slip of the harness, kept because its texts are scored with it.
var quotedDigit = regexp.MustCompile(`/' [0-9]/`)

// stripInside takes the blanks off both ends of what stands between an opening mark and the next closing one.
func stripInside(s, opening, closing string) string {
	var out strings.Builder
	for {
		before, rest, found := strings.Cut(s, opening)
		inside, after, closed := strings.Cut(rest, closing)
		if !found || !closed {
			out.WriteString(s)
			return out.String()
		}
		out.WriteString(before + opening + pytext.Strip(inside) + closing)
		s = after
	}
}
