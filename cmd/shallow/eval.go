package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"shallow/checkpoint"
	"shallow/dataset"
	"shallow/eval"
	"shallow/eval/task"
	"shallow/generate"
	"shallow/heal"
)

type evalCommand struct {
	Model      string   `arg:"" help:"Model directory, GGUF file or hub id."`
	Tasks      []string `required:"" help:"Tasks and groups by the harness's names, or files of your own, as mmlu,boolq,my-task.yaml." placeholder:"NAMES"`
	Output     string   `short:"o" help:"Directory for results.json, samples_TASK.jsonl and the journal." placeholder:"DIR"`
	Data       []string `help:"Directory of data sets; without one they come from the hub. Can be given several times." placeholder:"DIR" sep:"none"`
	Include    []string `help:"Directory of further task files. Can be given several times." placeholder:"DIR" sep:"none"`
	NumFewshot *int     `help:"Examples before each question, instead of the task's own number." placeholder:"N"`
	Limit      float64  `help:"Documents of each task: a number, or a part below 1; 0 is all." default:"0"`
	Seed       uint64   `help:"Draws the examples." default:"1234"`
	MaxGenToks int      `help:"Tokens to generate at most, instead of the task's own number; 0 leaves that." default:"0" placeholder:"N"`
	MaxLength  int      `help:"Tokens the model is given at most; 0 is the model's own length." default:"0" placeholder:"N"`
	Bootstrap  int      `name:"bootstrap-iters" help:"Draws for standard errors that have no formula; 0 gives no standard errors." default:"100000" placeholder:"N"`
	Adapter    string   `help:"PEFT adapter to use, a directory." placeholder:"DIR"`
	Baseline   string   `help:"Another model, such as the unpruned one, or the --output of an evaluation of it: each score is compared with its, document by document." placeholder:"MODEL"`
	cutFlags
	engineFlags
	memoryFlag
	Markdown bool `help:"Print the table as Markdown."`
	JSON     bool `help:"Print results.json instead of the table."`
	Quiet    bool `short:"q" help:"Show no progress."`
}

// Help shows examples.
func (evalCommand) Help() string {
	return `The scores are those of lm-evaluation-harness: its prompts, few-shot examples, metrics and standard errors. Names with @paper are
the protocols of the paper. What questions share is computed once. A run that was stopped, or one with further tasks in the same
--output, computes nothing twice.

Tasks: ` + strings.Join(taskNames(), ", ") + `; mmlu_SUBJECT.

--data finds the layouts of the hub's parquet exports, of the original MMLU, and TASK/SPLIT.jsonl (or .json, .csv, .parquet).
` + aboutModels + `
Examples:

  shallow eval models/llama-2-7b --tasks mmlu,boolq,hellaswag -o scores
  shallow eval models/llama-2-7b-24 --tasks mmlu,gsm8k --baseline models/llama-2-7b -o scores-24
  shallow eval models/llama-2-7b --plan run/plan.json --tasks mmlu --limit 100 -o quick
  shallow eval models/llama-2-7b --tasks my-task.yaml --data my-data -o mine
`
}

// taskNames are the tasks and groups to choose from, without the subjects of MMLU.
func taskNames() (names []string) {
	for _, name := range task.Names() {
		if !strings.HasPrefix(name, "mmlu_") {
			names = append(names, name)
		}
	}
	return names
}

// Validate checks what does not need the model.
func (c *evalCommand) Validate() error {
	switch {
	case c.Plan != "" && c.Layers != "":
		return errors.New("give either --plan or --layers, to say which layers are left out")
	case c.Limit < 0:
		return errors.New("--limit must not be negative")
	case c.NumFewshot != nil && *c.NumFewshot < 0:
		return errors.New("--num-fewshot must not be negative")
	case c.MaxLength < 0 || c.MaxGenToks < 0 || c.Bootstrap < 0:
		return errors.New("--max-length, --max-gen-toks and --bootstrap-iters must not be negative")
	}
	return nil
}

// Run evaluates, writes and prints.
func (c *evalCommand) Run(ctx context.Context) error {
	set, err := task.Load(c.Tasks, task.LoadOptions{Include: c.Include})
	if err != nil {
		return err
	}
	rows, done, err := c.rows()
	if err != nil {
		return err
	}
	defer done()
	if c.Output != "" {
		if err := os.MkdirAll(c.Output, 0o777); err != nil {
			return fmt.Errorf("eval: %w", err)
		}
		unlock, err := eval.Lock(c.Output)
		if err != nil {
			return err
		}
		defer unlock()
	}
	own := subject{model: c.Model, cut: c.cutFlags, adapter: c.Adapter, journal: c.journal(c.Output, eval.JournalFile)}
	var other subject
	if c.Baseline != "" {
		// What is wrong with it must not show when the model has been scored.
		if other, err = c.baseline(ctx); err != nil {
			return err
		}
	}
	one, err := c.evaluate(ctx, set, rows, own)
	if err != nil {
		return err
	}
	var differences []eval.Difference
	if c.Baseline != "" {
		unlock, err := other.lock()
		if err != nil {
			return err
		}
		defer unlock()
		other.judge = one.Evaluation
		baseline, err := c.evaluate(ctx, set, rows, other)
		if err != nil {
			return err
		}
		if differences, err = eval.Paired(one.Evaluation, baseline.Evaluation); err != nil {
			return err
		}
	}
	return c.finish(one, differences)
}

// rows are the data sets of --data, or of the hub.
func (c *evalCommand) rows() (rows *dataset.Source, done func(), err error) {
	if len(c.Data) > 0 {
		for _, dir := range c.Data {
			if _, err := os.Stat(dir); err != nil {
				return nil, nil, fmt.Errorf("eval: --data: %w", err)
			}
		}
		return dataset.Open(c.Data, nil), func() {}, nil
	}
	h, done, err := openHub(c.Quiet)
	if err != nil {
		return nil, nil, err
	}
	return dataset.Open(nil, h), done, nil
}

// evaluated is an evaluation with what results.json says of its model.
type evaluated struct {
	*eval.Evaluation
	options eval.Options
	results eval.Results
	took    time.Duration
}

// subject is a model to evaluate.
type subject struct {
	model   string
	cut     cutFlags
	adapter string
	journal string
	earlier string // the directory of an earlier evaluation, whose journal it is
	shared  bool   // another process is at work there
	judge   *eval.Evaluation
}

// lock takes the directory of an earlier evaluation. Where another process has it, what is there will do.
func (s *subject) lock() (unlock func(), err error) {
	if s.earlier == "" {
		return func() {}, nil
	}
	unlock, err = eval.Lock(s.earlier)
	if errors.Is(err, eval.ErrBusy) {
		s.shared = true
		return func() {}, nil
	}
	return unlock, err
}

// baseline is the model of --baseline, which can be opened, or that of an earlier evaluation, whose journal then serves again.
func (c *evalCommand) baseline(ctx context.Context) (subject, error) {
	s, err := c.named()
	if err != nil {
		return s, err
	}
	e, err := c.open(ctx, s.model, false, c.Quiet)
	if err != nil {
		return s, fmt.Errorf("eval: --baseline: %w", err)
	}
	defer e.Close()
	if _, err := s.cut.drop(e.Model); err != nil {
		return s, fmt.Errorf("eval: --baseline: %w", err)
	}
	return s, nil
}

// named is the model that --baseline names.
func (c *evalCommand) named() (subject, error) {
	data, err := os.ReadFile(filepath.Join(c.Baseline, "results.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return subject{model: c.Baseline, journal: c.journal(c.Output, "baseline.journal")}, nil
	}
	if err != nil {
		return subject{}, fmt.Errorf("eval: --baseline: %w", err)
	}
	var r eval.Results
	if err := json.Unmarshal(data, &r); err != nil {
		return subject{}, fmt.Errorf("eval: --baseline: %s: %w", filepath.Join(c.Baseline, "results.json"), err)
	}
	if r.Source != "shallow" {
		return subject{}, fmt.Errorf("eval: --baseline: %s holds results that shallow eval has not written: name the model", c.Baseline)
	}
	s := subject{model: r.Model, adapter: r.Shallow.AdapterDir, journal: c.journal(c.Baseline, eval.JournalFile), earlier: c.Baseline}
	for i, l := range r.Shallow.Drop {
		if i > 0 {
			s.cut.Layers += ","
		}
		s.cut.Layers += fmt.Sprintf("%d:%d", l, l+1)
	}
	return s, nil
}

func (c *evalCommand) journal(dir, name string) string {
	if dir == "" {
		return ""
	}
	return filepath.Join(dir, name)
}

// evaluate opens a model and evaluates it.
func (c *evalCommand) evaluate(ctx context.Context, set *task.Set, rows task.Rows, of subject) (*evaluated, error) {
	e, err := c.open(ctx, of.model, true, c.Quiet)
	if err != nil {
		return nil, err
	}
	defer e.Close()
	t, err := openTokenizer(e.Checkpoint.Dir)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	kernels := e.device.Level().String()
	v := &evaluated{options: eval.Options{
		Rows: rows, Tokenizer: t, Ends: generate.Ends(e.Checkpoint), MaxLength: c.MaxLength, Bootstrap: c.Bootstrap,
		Task:   task.Options{NumFewshot: c.NumFewshot, Limit: c.Limit, Seed: &c.Seed, MaxTokens: c.MaxGenToks},
		Memory: c.bytes(), Key: kernels, Journal: of.journal, ReadOnly: of.shared, Judge: of.judge,
	}}
	s := &v.results.Shallow
	s.Tool, s.ConfigHash, s.Layers = "shallow "+version, e.Checkpoint.Config.Hash(), e.Spec.L
	s.Kernels, s.Precision, s.Baseline = kernels, e.Multiplies().String(), c.Baseline
	if s.Drop, err = of.cut.drop(e.Model); err != nil {
		return nil, err
	}
	v.options.Drop = s.Drop
	if of.adapter != "" {
		hash, release, err := heal.Use(e.Model, of.adapter)
		if err != nil {
			return nil, err
		}
		defer release()
		s.Adapter, s.AdapterDir = hash, of.adapter
		v.options.Key += " " + hash
	}
	show := newEvalProgress(e.Spec.L-len(v.options.Drop), c.Quiet)
	defer show.close()
	v.options.Begin, v.options.Progress = show.begin, show.report
	v.Evaluation, err = eval.Run(ctx, e.Model, set, v.options)
	show.close()
	if errors.Is(err, context.Canceled) && !c.Quiet && of.journal != "" {
		note("the same command goes on where it was")
	}
	if err != nil {
		return nil, err
	}
	v.took = time.Since(began)
	v.results.Source, v.results.Model = "shallow", of.model
	v.results.Config = eval.Config{Model: "shallow", Args: c.arguments(of.model), Parameters: parameters(e.Checkpoint), DType: e.Multiplies().String(), Device: e.device.String()}
	return v, nil
}

// parameters is how many numbers a checkpoint holds.
func parameters(c *checkpoint.Checkpoint) (n int64) {
	for _, name := range c.Names() {
		t, _ := c.Tensor(name)
		n += int64(t.Elements())
	}
	return n
}

// arguments are the model's, as the harness writes them.
func (c *evalCommand) arguments(model string) string {
	args := "pretrained=" + model + ",dtype=" + c.Precision
	if c.MaxLength > 0 {
		args += fmt.Sprintf(",max_length=%d", c.MaxLength)
	}
	return args
}

// finish writes and prints what was found.
func (c *evalCommand) finish(v *evaluated, differences []eval.Difference) error {
	v.results.Shallow.Paired = differences
	v.Fill(&v.results, v.options, v.took)
	if c.Output != "" {
		if err := v.Write(c.Output, &v.results); err != nil {
			return err
		}
	}
	if c.JSON {
		return printJSON(v.results)
	}
	fmt.Print(v.Table(differences, c.Markdown))
	if c.Output != "" && !c.Quiet {
		note("%s", filepath.Join(c.Output, "results.json"))
	}
	return nil
}

// evalProgress shows a bar for each phase.
type evalProgress struct {
	layers int
	quiet  bool
	bar    *progress
}

func newEvalProgress(layers int, quiet bool) *evalProgress {
	return &evalProgress{layers: layers, quiet: quiet}
}

// begin says what a phase will take.
func (p *evalProgress) begin(f eval.Forecast) {
	p.close()
	if p.quiet {
		return
	}
	if f.Known > 0 {
		note("%s known from before", plural(f.Known, "request"))
	}
	if f.Phase == eval.Generating {
		note("generating behind %s of %s tokens; %v of memory", plural(f.Requests, "prompt"), count(int64(f.Tokens)), byteSize(f.Memory))
		p.bar = newProgress("generate", false, func(rate float64) string { return fmt.Sprintf("%.2f texts/s", rate) })
		return
	}
	note("scoring %s of %s tokens; %s tokens to compute in %s; %v of memory",
		plural(f.Requests, "continuation"), count(int64(f.Tokens)), count(int64(f.Rows)), plural(f.Groups, "pass"), byteSize(f.Memory))
	p.bar = newTokenProgress("score", p.layers, false)
}

func (p *evalProgress) report(_ eval.Phase, done, total int64) { p.bar.report(done, total) }

func (p *evalProgress) close() {
	p.bar.close()
	p.bar = nil
}
