package dataset

import "slices"

// knownSet is what is special about a data set of the tasks.
type knownSet struct {
	paths   []string // its names on the hub
	config  string   // if not "", only this config is meant
	folders []string // names that its folder has elsewhere
	divided bool     // a file must say which config it is of: without, it is another one's as likely
	ownDev  bool     // dev is a split beside validation
	first   bool     // the harness takes the first file of a split alone
	columns []Column // what the hub's rows have and tasks need

	bare        []string                // the columns of a .csv file without a header
	instruction string                  // which split the instruction form "test" is
	whole       string                  // which split a file is that names none
	row         func(Row) (bool, error) // converts a row in place; false is no item
	pages       bool                    // rows of lines are joined to documents
}

// knownSets are the data sets of the tasks, as lm-evaluation-harness 0.4.13 names them, and names that they had.
var knownSets = []*knownSet{
	{
		paths: []string{"cais/mmlu"}, folders: []string{"mmlu"}, divided: true, ownDev: true,
		bare: []string{"question", "A", "B", "C", "D", "answer"}, row: mmluRow,
		columns: []Column{{"question", Text}, {"choices", Texts}, {"answer", Integer}},
	},
	{
		paths: []string{"aps/super_glue", "super_glue"}, config: "boolq", divided: true, row: boolqRow,
		columns: []Column{{"question", Text}, {"passage", Text}, {"label", Integer}},
	},
	{
		paths: []string{"Rowan/hellaswag", "hellaswag"}, row: labelText("label"),
		columns: []Column{{"activity_label", Text}, {"ctx_a", Text}, {"ctx_b", Text}, {"endings", Texts}, {"label", Text}},
	},
	{
		paths:   []string{"openai/gsm8k", "gsm8k"},
		columns: []Column{{"question", Text}, {"answer", Text}},
	},
	{
		paths: []string{"allenai/ai2_arc", "ai2_arc"}, folders: []string{"arc"}, divided: true, row: nestedRow("question"),
		columns: []Column{{"question", Text}, {"choices.text", Texts}, {"choices.label", Texts}, {"answerKey", Text}},
	},
	{
		paths: []string{"baber/piqa", "ybisk/piqa", "piqa"}, instruction: "validation", row: piqaRow,
		columns: []Column{{"goal", Text}, {"sol1", Text}, {"sol2", Text}, {"label", Integer}},
	},
	{
		paths: []string{"allenai/winogrande", "winogrande"}, instruction: "validation", row: winograndeRow,
		columns: []Column{{"sentence", Text}, {"option1", Text}, {"option2", Text}, {"answer", Text}},
	},
	{
		paths: []string{"allenai/openbookqa", "openbookqa"}, instruction: "test", row: openbookqaRow,
		columns: []Column{{"question_stem", Text}, {"choices.text", Texts}, {"choices.label", Texts}, {"answerKey", Text}},
	},
	{
		paths: []string{"EleutherAI/wikitext_document_level"}, config: "wikitext-2-raw-v1", folders: []string{"wikitext-2", "wikitext"}, pages: true,
		columns: []Column{{"page", Text}},
	},
	{
		paths: []string{"allenai/c4", "c4"}, config: "en", whole: "validation", first: true,
		columns: []Column{{"text", Text}},
	},
}

// knownOf is what is known of a split's data set; nil if nothing is.
func knownOf(split Split) *knownSet {
	for _, k := range knownSets {
		if slices.Contains(k.paths, split.Path) && (k.config == "" || k.config == split.Config) {
			return k
		}
	}
	return nil
}
