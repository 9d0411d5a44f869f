package task

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"shallow/dataset"
	"shallow/eval/task/internal/pytext"
)

// Rows gives the rows of data sets. A *dataset.Source is one.
type Rows interface {
	Rows(ctx context.Context, split dataset.Split) (*dataset.Table, error)
}

// Options are those of a run. The zero value is the harness's default.
type Options struct {
	NumFewshot *int    // examples of every prompt; nil: as the task says. A task that says 0 keeps it
	Limit      float64 // the first so many documents; below 1 a part of all, rounded up; 0 all
	Seed       *uint64 // of the draws of examples; nil: 1234
	MaxTokens  int     // of generated texts; 0: as the task says
}

// Run is a task with its items.
type Run struct {
	Task       *Task
	Items      []*Item
	Original   int            // documents of the split
	NumFewshot int            // examples of a prompt
	Files      []dataset.File // that the documents and the examples were read from
}

// DefaultSeed is the harness's seed of the draws of examples.
const DefaultSeed = 1234

// Build reads the task's documents and makes its items. The errors of rows are package dataset's.
func (t *Task) Build(ctx context.Context, rows Rows, o Options) (*Run, error) {
	b := &builder{task: t, shots: map[int]string{}}
	docs, err := b.documents(ctx, rows, t.evaluated(), t.processDocs)
	if err != nil {
		return nil, err
	}
	if len(docs.rows) == 0 {
		return nil, fmt.Errorf("task: %s: the split %s has no documents", t.Name, t.evaluated())
	}
	r := &Run{Task: t, Original: len(docs.rows), NumFewshot: t.shotCount(o.NumFewshot), Files: docs.table.Files}
	if r.NumFewshot > 0 {
		files, err := b.prepareShots(ctx, rows, docs, o.Seed)
		if err != nil {
			return nil, err
		}
		r.Files = append(slices.Clone(r.Files), files...)
	}
	for i := range limited(len(docs.rows), o.Limit) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		it, err := b.item(docs.rows[i], i, r.NumFewshot)
		if err != nil {
			return nil, b.located(docs, i, err)
		}
		if o.MaxTokens > 0 {
			it.Generation.MaxTokens = o.MaxTokens
		}
		r.Items = append(r.Items, it)
	}
	return r, nil
}

// shotCount is the number of examples: the user's, the task's, or none. The harness lets nobody overrule a task's own 0, and
// texts that are scored whole have no prompt.
func (t *Task) shotCount(wanted *int) int {
	switch {
	case t.rolling() || t.NumFewshot != nil && *t.NumFewshot == 0:
		return 0
	case wanted != nil:
		return *wanted
	case t.NumFewshot != nil:
		return *t.NumFewshot
	}
	return 0
}

// limited is how many of n documents are taken.
func limited(n int, limit float64) int {
	if limit > 0 && limit < 1 {
		limit = math.Ceil(float64(n) * limit)
	}
	if limit <= 0 || limit >= float64(n) {
		return n
	}
	return int(limit)
}

// builder makes the items of one task.
type builder struct {
	task       *Task
	examples   documents
	sampler    *sampler
	shots      map[int]string // written examples, by number
	multiInput bool           // the first document's doc_to_text is a number
	decided    bool
}

// documents are the rows of a split, prepared by process_docs.
type documents struct {
	rows  []dataset.Row
	table *dataset.Table // nil: examples of the task file
}

func (b *builder) documents(ctx context.Context, rows Rows, split, process string) (documents, error) {
	t := b.task
	table, err := rows.Rows(ctx, t.split(split))
	if err != nil {
		return documents{}, fmt.Errorf("task: %s: %w", t.Name, err)
	}
	docs := documents{table.Rows, table}
	if process == "" {
		return docs, nil
	}
	p := processes[process]
	if err := table.Require(p.columns...); err != nil {
		return documents{}, fmt.Errorf("task: %s: process_docs %s: %w", t.Name, process, err)
	}
	docs.rows = make([]dataset.Row, len(table.Rows))
	for i, row := range table.Rows {
		if docs.rows[i], err = p.row(row); err != nil {
			return documents{}, b.located(docs, i, fmt.Errorf("process_docs %s: %w", process, err))
		}
	}
	return docs, nil
}

// located is an error of a document with its place.
func (b *builder) located(docs documents, i int, err error) error {
	if docs.table == nil {
		return fmt.Errorf("task: %s: sample %d of fewshot_config: %w", b.task.Name, i, err)
	}
	file, row := docs.table.Where(i)
	columns := ""
	if i < len(docs.table.Rows) {
		columns = " (columns: " + strings.Join(slices.Sorted(maps.Keys(docs.table.Rows[i])), ", ") + ")"
	}
	return fmt.Errorf("task: %s: %s: row %d, doc_id %d: %w%s", b.task.Name, file, row, i, err, columns)
}

// prepareShots readies the sampler. docs are the documents that are scored.
func (b *builder) prepareShots(ctx context.Context, rows Rows, docs documents, seed *uint64) (files []dataset.File, err error) {
	t := b.task
	split := t.exampleSplit()
	switch {
	case t.fewshot.split == "" && t.fewshot.samples != nil:
		b.examples = documents{rows: t.fewshot.samples}
	case split == t.evaluated() && t.fewshot.processDocs == t.processDocs:
		b.examples = docs
	default:
		// The examples of a split that is not named are prepared as the documents are.
		process := t.processDocs
		if t.fewshot.split != "" {
			process = t.fewshot.processDocs
		}
		if b.examples, err = b.documents(ctx, rows, split, process); err != nil {
			return nil, fmt.Errorf("%w (the examples of the prompts come from there: fewshot_split names another split, --num-fewshot 0 takes none)", err)
		}
		files = b.examples.table.Files
	}
	s := uint64(DefaultSeed)
	if seed != nil {
		s = *seed
	}
	// The harness leaves the document out where its few-shot split is its test split, and also where it names neither.
	exclude := t.fewshot.split == t.TestSplit
	if b.sampler, err = newSampler(b.examples.rows, t.fewshot.sampler == "first_n", exclude, s); err != nil {
		return nil, fmt.Errorf("task: %s: %w", t.Name, err)
	}
	return files, nil
}

// item makes the item of a document.
func (b *builder) item(doc dataset.Row, id, shots int) (*Item, error) {
	t := b.task
	it := &Item{DocID: id, Doc: doc, Gold: -1, DropShots: t.fewshot.dropToFit, Generation: t.Generation}
	target, err := t.target.answer(doc, t.choice != nil)
	if err != nil {
		return nil, err
	}
	it.Target = str(target)
	if t.rolling() {
		return it, b.whole(it, target)
	}
	text, number, numbered, err := t.text.prompt(doc, t.choice != nil)
	if err != nil {
		return nil, err
	}
	if t.choice != nil {
		if it.Choices, err = t.choice.list(doc); err != nil {
			return nil, err
		}
	}
	if !b.decided {
		b.multiInput, b.decided = numbered && t.choice != nil, true
	}
	if numbered != b.multiInput {
		return nil, fmt.Errorf("doc_to_text: it gives a number for some documents and a text for others; a number chooses among contexts, and then always")
	}
	if t.description != nil {
		value, _, err := t.description.raw(doc)
		if err != nil {
			return nil, err
		}
		it.Description = str(value)
	}
	if shots > 0 {
		if err := b.addShots(it, shots); err != nil {
			return nil, err
		}
	}
	prefix, err := prefixOf(t.genPrefix, doc)
	if err != nil {
		return nil, err
	}
	if b.multiInput {
		return it, b.multi(it, number, prefix)
	}
	question := text
	if prefix != "" {
		if needsDelimiter(text, prefix) {
			question += t.targetDelimiter
		}
		question += prefix
	}
	it.Questions = []string{question}
	return it, b.answers(it, target)
}

// whole makes an item of a text that is scored whole.
func (b *builder) whole(it *Item, target any) error {
	text, ok := target.(string)
	if !ok {
		return fmt.Errorf("doc_to_target: it gives %T, a text is expected", target)
	}
	it.Text = text
	if b.task.count != "" {
		var err error
		if text, err = column(it.Doc, counts[b.task.count]); err != nil {
			return err
		}
	}
	it.Words, it.Bytes = pytext.Words(text), len(text)
	return nil
}

// multi makes an item whose choices are contexts.
func (b *builder) multi(it *Item, right int, prefix string) error {
	if b.task.OutputType != MultipleChoice {
		return fmt.Errorf("doc_to_text: it gives a number, which goes with output_type %s only", MultipleChoice)
	}
	for _, c := range it.Choices {
		it.Questions = append(it.Questions, c+prefix)
		it.Continuations = append(it.Continuations, b.task.targetDelimiter+it.Target)
	}
	if len(it.Choices) < 2 {
		return fmt.Errorf("doc_to_choice: it gives %d contexts, at least 2 are expected", len(it.Choices))
	}
	return b.gold(it, int64(right))
}

// answers sets what is scored behind the prompt, and which of it is right.
func (b *builder) answers(it *Item, target any) error {
	t := b.task
	switch {
	case t.choices():
		if len(it.Choices) == 0 {
			return fmt.Errorf("doc_to_choice: it gives no choice")
		}
		for _, c := range it.Choices {
			it.Continuations = append(it.Continuations, t.targetDelimiter+c)
		}
		return b.gold(it, target)
	case t.OutputType == LogLikelihood:
		text, ok := target.(string)
		if !ok {
			return fmt.Errorf("doc_to_target: it gives %T, a text is expected", target)
		}
		it.Continuations = []string{text}
	default:
		return it.references(target)
	}
	return nil
}

// references are the texts that count as right in generation.
func (it *Item) references(target any) error {
	switch v := target.(type) {
	case []any:
		for _, e := range v {
			it.targets = append(it.targets, str(e))
		}
		if len(v) == 0 {
			return fmt.Errorf("doc_to_target: it gives an empty list")
		}
	case int64:
		if it.Choices == nil {
			it.targets = []string{str(v)}
			return nil
		}
		if v < 0 || v >= int64(len(it.Choices)) {
			return fmt.Errorf("doc_to_target: choice %d of %d", v, len(it.Choices))
		}
		it.targets = []string{it.Choices[v]}
	default:
		it.targets = []string{str(v)}
	}
	return nil
}

// gold sets the right choice. One that is not there is an error: the harness warns and counts the item as wrong.
func (b *builder) gold(it *Item, target any) error {
	one := func(v any) (int, error) {
		i := -1
		switch v := v.(type) {
		case int64:
			i = int(v)
		case string:
			i = slices.Index(it.Choices, v)
		}
		if i < 0 || i >= len(it.Choices) {
			return -1, fmt.Errorf("the right answer is %s, which is not one of the %d choices: splits without labels cannot be scored", str(v), len(it.Choices))
		}
		return i, nil
	}
	list, several := target.([]any)
	if !several {
		var err error
		it.Gold, err = one(target)
		return err
	}
	for _, v := range list {
		i, err := one(v)
		if err != nil {
			return err
		}
		it.Golds = append(it.Golds, i)
	}
	if len(list) == 0 {
		return fmt.Errorf("the right answer is an empty list")
	}
	it.Gold = it.Golds[0]
	return nil
}

// addShots chooses and writes the examples.
func (b *builder) addShots(it *Item, shots int) (err error) {
	if it.ShotIndices, err = b.sampler.choose(shots, it.Doc); err != nil {
		return fmt.Errorf("examples: %w", err)
	}
	it.Shots = make([]string, shots)
	for i, s := range it.ShotIndices {
		text, known := b.shots[s]
		if !known {
			if text, err = b.shot(b.examples.rows[s]); err != nil {
				return b.located(b.examples, s, fmt.Errorf("as an example: %w", err))
			}
			b.shots[s] = text
		}
		it.Shots[i] = text
	}
	return nil
}

// shot writes a document with its answer.
func (b *builder) shot(doc dataset.Row) (string, error) {
	f := b.task.fewshot
	question, number, numbered, err := f.text.prompt(doc, b.task.choice != nil)
	if err != nil {
		return "", err
	}
	var choices []string
	if f.choice != nil {
		if choices, err = f.choice.list(doc); err != nil {
			return "", err
		}
	}
	target, err := f.target.answer(doc, b.task.choice != nil)
	if err != nil {
		return "", err
	}
	prefix, err := prefixOf(f.genPrefix, doc)
	if err != nil {
		return "", err
	}
	if numbered {
		if !b.multiInput || number >= len(choices) {
			return "", fmt.Errorf("doc_to_text: it gives the number %d", number)
		}
		question, choices = choices[number], nil
	}
	answer, err := answerText(target, choices)
	if err != nil {
		return "", err
	}
	if answer == "" && prefix == "" {
		return question, nil
	}
	if prefix == "" || needsDelimiter(question, prefix) {
		question += f.targetDelimiter
	}
	switch {
	case answer == "":
		return question + prefix, nil
	case prefix != "" && needsDelimiter(prefix, answer):
		prefix += " "
	}
	return question + prefix + answer + f.fewshotDelimiter, nil
}

// answerText is a target as an example shows it.
func answerText(target any, choices []string) (string, error) {
	switch v := target.(type) {
	case string:
		return v, nil
	case nil:
		return "", nil
	case int64:
		if v >= 0 && v < int64(len(choices)) {
			return choices[v], nil
		}
	case []any:
		if len(v) > 0 {
			if s, ok := v[0].(string); ok {
				return s, nil
			}
		}
	}
	return "", fmt.Errorf("doc_to_target: it gives %s, which is neither a text nor the number of a choice", str(target))
}

// prefixOf is gen_prefix, the beginning of the answer.
func prefixOf(f *field, doc dataset.Row) (string, error) {
	if f == nil {
		return "", nil
	}
	value, _, err := f.raw(doc)
	if s, ok := value.(string); ok || err != nil {
		return s, err
	}
	return "", fmt.Errorf("gen_prefix: it gives %T, a text is expected", value)
}

// needsDelimiter tells whether no blank stands where two texts meet.
func needsDelimiter(before, after string) bool {
	if before == "" || after == "" {
		return false
	}
	last, _ := utf8.DecodeLastRuneInString(before)
	next, _ := utf8.DecodeRuneInString(after)
	return !pytext.IsSpace(last) && !pytext.IsSpace(next)
}
