package task

import (
	"encoding/json"

	"shallow/dataset"
	"shallow/eval/task/internal/pytext"
)

// OutputType says what a model is asked for.
type OutputType string

// The output types of the harness, and two of the paper's protocols.
const (
	MultipleChoice OutputType = "multiple_choice"       // the log-likelihood of each continuation
	LogLikelihood  OutputType = "loglikelihood"         // the log-likelihood of the target
	Rolling        OutputType = "loglikelihood_rolling" // the log-likelihood of a whole text
	Generate       OutputType = "generate_until"        // a greedy continuation
	AnswerToken    OutputType = "answer_token"          // the logits of the last id of each continuation, right behind the prompt
	NextToken      OutputType = "next_token_loss"       // the log-likelihood of a text's ids but the first, cut at the model's length
)

var outputTypes = []OutputType{MultipleChoice, LogLikelihood, Rolling, Generate, AnswerToken, NextToken, Continuation}

// Task is one task file. It is read-only once loaded and safe for concurrent use.
type Task struct {
	Name       string
	Alias      string // what tables call it; "" is Name
	File       string // where it was read
	Tags       []string
	OutputType OutputType
	NumFewshot *int // nil: 0, unless the user says otherwise
	Version    any  // of the metadata, as it is written: json.Number, int or string
	Metrics    []Metric
	Filters    []Filter
	Generation Generation
	Lengths    Lengths // of a continuation

	DatasetPath, DatasetName                        string
	TrainingSplit, ValidationSplit, TestSplit       string
	files                                           map[string][]string // of splits that are files of their own
	processDocs                                     string
	text, target, choice, genPrefix                 *field
	count                                           string // process_results of documents: the column whose words and bytes count
	description                                     *field
	targetDelimiter, fewshotDelimiter               string
	fewshot                                         fewshot
	repeats                                         int
	kwargs, filterList, metricList, generationPlain any // as written, for results.json
	decontaminate                                   bool
	query                                           *string
	metadata                                        pytext.Object
}

// fewshot says how the examples of a prompt are chosen and written; what it leaves open is as for the question itself.
type fewshot struct {
	sampler                           string
	split                             string
	processDocs                       string
	samples                           []dataset.Row
	text, target, choice, genPrefix   *field
	targetDelimiter, fewshotDelimiter string
	dropToFit                         bool
}

// Generation says how long a text goes on.
type Generation struct {
	Until       []string // the text ends where one of these begins
	MaxTokens   int
	DoSample    bool
	Temperature float64
}

// evaluated is the split whose documents are scored.
func (t *Task) evaluated() string {
	if t.TestSplit != "" {
		return t.TestSplit
	}
	return t.ValidationSplit
}

// exampleSplit is the split that examples are drawn from.
func (t *Task) exampleSplit() string {
	for _, s := range []string{t.fewshot.split, t.TrainingSplit, t.ValidationSplit, t.TestSplit} {
		if s != "" {
			return s
		}
	}
	return ""
}

// choices tells whether the task is answered by one of several texts.
func (t *Task) choices() bool { return t.OutputType == MultipleChoice || t.OutputType == AnswerToken }

// rolling tells whether the task scores whole texts.
func (t *Task) rolling() bool {
	return t.OutputType == Rolling || t.OutputType == NextToken || t.OutputType == Continuation
}

// Title is what tables call the task.
func (t *Task) Title() string {
	if t.Alias != "" {
		return t.Alias
	}
	return t.Name
}

// HigherIsBetter says of each metric whether more of it is better.
func (t *Task) HigherIsBetter() map[string]bool {
	out := map[string]bool{}
	for _, m := range t.Metrics {
		out[m.Name] = m.HigherIsBetter
	}
	return out
}

// Config is the task's entry of "configs" in results.json, with the shots that were used: the keys of the harness in its
// order, and ours.
func (t *Task) Config(shots int) json.RawMessage {
	null := func(s string) any {
		if s == "" {
			return nil
		}
		return s
	}
	f := t.fewshot
	example := pytext.Object{
		{Key: "sampler", Value: f.sampler}, {Key: "split", Value: null(f.split)}, {Key: "process_docs", Value: null(f.processDocs)},
		{Key: "fewshot_indices", Value: nil}, {Key: "samples", Value: nil},
		{Key: "doc_to_text", Value: f.text.plain()}, {Key: "doc_to_choice", Value: f.choice.plain()}, {Key: "doc_to_target", Value: f.target.plain()},
		{Key: "gen_prefix", Value: f.genPrefix.plain()},
		{Key: "fewshot_delimiter", Value: f.fewshotDelimiter}, {Key: "target_delimiter", Value: f.targetDelimiter},
	}
	if f.samples != nil {
		list := make([]any, len(f.samples))
		for i, s := range f.samples {
			list[i] = s
		}
		example[4].Value = list
	}
	if f.dropToFit {
		example = append(example, pytext.Member{Key: "drop_to_fit", Value: true})
	}
	query := any(nil)
	if t.query != nil {
		query = *t.query
	}
	all := pytext.Object{
		{Key: "task", Value: t.Name}, {Key: "task_alias", Value: null(t.Alias)},
		{Key: "dataset_path", Value: null(t.DatasetPath)}, {Key: "dataset_name", Value: null(t.DatasetName)}, {Key: "dataset_kwargs", Value: t.kwargs},
		{Key: "training_split", Value: null(t.TrainingSplit)}, {Key: "validation_split", Value: null(t.ValidationSplit)},
		{Key: "test_split", Value: null(t.TestSplit)}, {Key: "fewshot_split", Value: null(t.fewshot.split)},
		{Key: "process_docs", Value: null(t.processDocs)},
		{Key: "doc_to_text", Value: t.text.plain()}, {Key: "doc_to_target", Value: t.target.plain()}, {Key: "unsafe_code", Value: false},
		{Key: "doc_to_choice", Value: t.choice.plain()}, {Key: "process_results", Value: null(t.count)},
		{Key: "description", Value: t.description.written()}, {Key: "target_delimiter", Value: t.targetDelimiter}, {Key: "fewshot_delimiter", Value: t.fewshotDelimiter},
		{Key: "fewshot_config", Value: example}, {Key: "num_fewshot", Value: shots},
		{Key: "metric_list", Value: t.metricList}, {Key: "output_type", Value: string(t.OutputType)}, {Key: "generation_kwargs", Value: t.generationPlain},
		{Key: "repeats", Value: t.repeats}, {Key: "filter_list", Value: t.filterList},
		{Key: "should_decontaminate", Value: t.decontaminate}, {Key: "doc_to_decontamination_query", Value: query},
		{Key: "gen_prefix", Value: t.genPrefix.plain()}, {Key: "metadata", Value: t.metadata},
	}
	var kept pytext.Object
	for _, m := range all {
		if m.Value != nil {
			kept = append(kept, m)
		}
	}
	data, err := pytext.JSON(kept, "")
	if err != nil {
		panic("task: " + err.Error()) // everything above came from a task file
	}
	return data
}
