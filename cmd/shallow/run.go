package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"shallow/report"
	"shallow/sweep"
)

type runCommand struct {
	Model  string `arg:"" help:"Model directory, GGUF file or hub id."`
	Drop   string `required:"" help:"How many layers go: a number, or a share as 25%." placeholder:"N"`
	Output string `short:"o" required:"" help:"Directory for plan, checkpoints, scores and report." placeholder:"DIR"`
	corpusFlags
	Samples   int     `help:"Sequences to measure on; 0 is all." default:"128"`
	Length    int     `help:"Cut those to so many tokens; 0 is not at all." default:"512"`
	Strategy  string  `help:"similarity, by the distances that are measured, or deepest." enum:"similarity,deepest" default:"similarity"`
	From      float64 `help:"The block starts no earlier than this share of the possible starts; the authors use 0.5." default:"0"`
	AllowLast bool    `help:"Let the last layer go too."`

	Heal       string   `help:"none, or settings as steps=200,rank=8,lr=3e-4, in the words of heal's flags; the paper's recipe if not given." placeholder:"SETTINGS"`
	HealCorpus []string `help:"Texts to heal with; those of --corpus if not given. Can be given several times." placeholder:"FILE" sep:"none"`

	Tasks      []string `help:"Tasks to score the model, the pruned one and the healed one on, as for eval." default:"boolq,hellaswag,mmlu,gsm8k" placeholder:"NAMES"`
	Data       []string `help:"Directory of data sets; without one they come from the hub. Can be given several times." placeholder:"DIR" sep:"none"`
	Include    []string `help:"Directory of further task files. Can be given several times." placeholder:"DIR" sep:"none"`
	NumFewshot *int     `help:"Examples before each question, instead of the task's own number." placeholder:"N"`
	Limit      float64  `help:"Documents of each task: a number, or a part below 1; 0 is all." default:"100"`
	Seed       *uint64  `help:"Draws the examples." placeholder:"N"`

	engineFlags
	memoryFlag
	DryRun bool `name:"dry-run" help:"Show what it will take, and do nothing."`
	JSON   bool `help:"Print sweep.json instead of the table."`
	Quiet  bool `short:"q" help:"Show no progress."`
}

// Help shows examples.
func (runCommand) Help() string {
	return `The whole way: measure the model, choose which layers go, cut them out and prove the result, heal the cut, score the model, the
pruned and the healed one, and write a report. DIR gets plan.json, pruned (the checkpoint), healed (the adapter, or with method=full
or tail a checkpoint), sweep.json and report.html. What it will take is said first, and what cannot fit is refused.

A run that was stopped goes on when the same command is given again; a step whose output is there is not done again.
` + aboutModels + aboutTexts + `
Examples:

  shallow run models/llama-2-7b --drop 25% --corpus c4.jsonl --heal steps=500,rank=2 -o shallower
  shallow run Qwen/Qwen3-0.6B --drop 4 --corpus allenai/c4:en/validation --heal none --tasks boolq --limit 200 -o shallower
  shallow merge shallower/pruned shallower/healed -o final
`
}

// Validate checks what does not need the model.
func (c *runCommand) Validate() error {
	if strings.Contains(c.Drop, "..") {
		return errors.New("--drop is one number or share; shallow sweep takes ranges")
	}
	if c.Limit < 0 || c.Samples < 0 || c.Length < 0 || c.NumFewshot != nil && *c.NumFewshot < 0 {
		return errors.New("--limit, --samples, --length and --num-fewshot must not be negative")
	}
	if c.Strategy == sweep.Similarity || c.Heal != sweep.Unhealed && len(c.HealCorpus) == 0 {
		return c.need()
	}
	return nil
}

// Run goes the whole way.
func (c *runCommand) Run(ctx context.Context) error {
	if c.Threads < 0 {
		return usagef("--threads must not be negative")
	}
	spec, err := c.spec()
	if err != nil {
		return err
	}
	o, done, err := sweepOptions(c.Output, c.Threads, c.Quiet)
	if err != nil {
		return err
	}
	defer done()
	o.Keep = true
	if c.DryRun {
		f, err := sweep.Look(ctx, spec, o)
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(f)
		}
		return printForecast(f)
	}
	show := newSweepProgress(c.Quiet)
	o.Report, o.Note, o.Begin = show.report, show.note, show.begin
	result, err := sweep.Run(ctx, spec, o)
	show.close()
	if errors.Is(err, context.Canceled) && !c.Quiet {
		note("the same command goes on where it was")
	}
	if err != nil {
		return err
	}
	page := filepath.Join(c.Output, "report.html")
	if err := report.Write(page, result); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(result)
	}
	printSweep(result)
	for _, sentence := range report.Findings(result) {
		fmt.Println(sentence)
	}
	fmt.Println(page)
	return nil
}

// spec is the grid of one cut.
func (c *runCommand) spec() (*sweep.Spec, error) {
	s := sweep.NewSpec()
	s.Models = []sweep.ModelSpec{{Name: sweep.ModelName(c.Model), Model: c.Model}}
	s.Strategies, s.Drop, s.From, s.AllowLast = []string{c.Strategy}, sweep.Depths{c.Drop}, c.From, c.AllowLast
	s.Corpus = sweep.TextsSpec{Files: c.Corpus, Field: c.Field, Split: c.Split, Samples: c.Samples, Length: c.Length}
	s.Precision, s.Memory = c.Precision, int64(c.Memory)
	for _, name := range c.Tasks {
		t := sweep.TaskSpec{Task: name, NumFewshot: c.NumFewshot, Data: c.Data, Include: c.Include, Seed: c.Seed}
		if c.Limit > 0 {
			t.Limit = &c.Limit
		}
		s.Tasks = append(s.Tasks, t)
	}
	if c.Heal == sweep.Unhealed {
		return s, nil
	}
	corpus := c.HealCorpus
	if len(corpus) == 0 {
		corpus = c.Corpus
	}
	h, err := sweep.ParseHealing("healed", c.Heal, corpus)
	if err != nil {
		return nil, usagef("--heal: %v", err)
	}
	if len(c.HealCorpus) == 0 {
		h.Field, h.Split = c.Field, c.Split
	}
	s.Healings = []sweep.HealingSpec{h}
	return s, nil
}
