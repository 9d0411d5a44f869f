package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"shallow/checkpoint"
	"shallow/gguf"
	"shallow/plan"
	"shallow/report"
	"shallow/similarity"
)

type planCommand struct {
	From      string  `arg:"" name:"from" help:"What measure wrote (its directory, or distances.json), a plan.json, or, for --strategy deepest and --layers, a model directory or hub id."`
	Drop      string  `help:"How many layers go: 8, or 25% rounded down." placeholder:"N"`
	Strategy  string  `help:"similarity: the block with the least distance. deepest: the last ones but the very last. block-influence: single layers with the least influence." enum:"similarity,deepest,block-influence" default:"similarity" placeholder:"NAME"`
	Fraction  float64 `name:"from" help:"Start the block at or behind this share of the possible starts, as 0.5." default:"0"`
	AllowLast bool    `help:"Let the last layer go too."`
	Layers    string  `help:"Drop these layers instead: 21:29 for layers 21 to 28, 21:29,3:5 for two ranges." placeholder:"RANGES"`
	Rerank    int     `help:"Compare the K best blocks by the loss of the model without them; needs --model and --corpus." default:"0"`
	As        string  `help:"Print the plan for another tool: mergekit, llama.cpp or peft." enum:"plan,mergekit,llama.cpp,peft" default:"plan" placeholder:"TOOL"`
	Model     string  `help:"Model directory, GGUF file or hub id, for --rerank and --as." placeholder:"DIR"`
	Output    string  `short:"o" help:"File to write; plan.json beside distances.json, or here, if not given." placeholder:"FILE"`
	JSON      bool    `help:"Print the plan as JSON."`
	Quiet     bool    `short:"q" help:"Show no progress."`
	Samples   int     `help:"Sequences that --rerank takes; 0 is all." default:"128"`
	Length    int     `help:"Tokens to which --rerank cuts sequences; 0 is not at all." default:"512"`
	corpusFlags
	engineFlags
	memoryFlag
}

// Help shows examples.
func (planCommand) Help() string {
	return `Layers are counted from zero and ranges are half-open: [21, 29) is layers 21 to 28.

Examples:

  shallow plan run --drop 25%
  shallow plan run --drop 8 --from 0.5
  shallow plan run --drop 8 --rerank 5 --model models/llama-2-7b --corpus texts.jsonl
  shallow plan models/llama-2-7b --strategy deepest --drop 8
  shallow plan models/llama-2-7b --layers 21:29
  shallow plan run/plan.json --as mergekit --model models/llama-2-7b > merge.yml
`
}

// Validate refuses flags that contradict each other.
func (c *planCommand) Validate() error {
	switch {
	case c.Layers != "" && c.Drop != "":
		return fmt.Errorf("--layers says which layers go and --drop how many: give one of them")
	case c.Layers != "" && (c.Rerank > 0 || c.Fraction != 0 || c.AllowLast || c.Strategy != "similarity"):
		return fmt.Errorf("--layers leaves nothing to --strategy, --from, --allow-last and --rerank")
	case c.Strategy == "deepest" && (c.Fraction != 0 || c.AllowLast):
		return fmt.Errorf("--strategy deepest takes the last layers but the very last; --from and --allow-last do not go with it")
	case c.Rerank < 0:
		return fmt.Errorf("--rerank must not be negative")
	case c.Rerank > 0 && (c.Model == "" || len(c.Corpus) == 0):
		return fmt.Errorf("--rerank runs the model: it needs --model and --corpus")
	case c.Rerank > 0 && c.Strategy != "similarity":
		return fmt.Errorf("--rerank compares the best blocks of --strategy similarity")
	case c.As == "peft" && c.Model == "":
		return fmt.Errorf("--as peft needs --model, to see whether PEFT's layer_replication is right for it")
	}
	return nil
}

// Run makes the plan, writes and prints it.
func (c *planCommand) Run(ctx context.Context) error {
	s, err := c.source(ctx)
	if err != nil {
		return err
	}
	p := s.plan
	if p == nil {
		if p, err = c.choose(ctx, s); err != nil {
			return err
		}
	}
	if c.As != "plan" {
		return c.printTwin(ctx, p)
	}
	output := c.Output
	if output == "" {
		output = filepath.Join(s.dir, "plan.json")
	}
	if err := p.Write(output); err != nil {
		return err
	}
	if c.JSON {
		data, err := p.JSON()
		if err != nil {
			return err
		}
		_, err = os.Stdout.Write(data)
		return err
	}
	fmt.Printf("%s %v\n", p.Strategy, p)
	if s.distances != nil && p.Distance != nil {
		fmt.Print(report.Choice(s.distances, p))
	}
	fmt.Println(output)
	return nil
}

// planSource is what a plan is made from.
type planSource struct {
	distances *similarity.Distances
	hash      string
	plan      *plan.Plan
	model     similarity.Model
	layers    int
	dir       string // where plan.json goes
}

// source reads what the command was pointed at.
func (c *planCommand) source(ctx context.Context) (*planSource, error) {
	name := c.From
	if c.Strategy == "deepest" || c.Layers != "" {
		var err error
		if name, err = localModel(ctx, name, c.Quiet); err != nil { // no other choice can be made of a model alone
			return nil, err
		}
	}
	info, err := os.Stat(name)
	if err != nil {
		return nil, fmt.Errorf("plan: %w", err)
	}
	if gguf.Is(name) {
		return modelSource(name)
	}
	if info.IsDir() {
		if _, err := os.Stat(filepath.Join(name, "distances.json")); err == nil {
			name = filepath.Join(name, "distances.json")
		} else if _, err := os.Stat(filepath.Join(name, checkpoint.ConfigFile)); err == nil {
			return modelSource(name)
		} else {
			return nil, fmt.Errorf("plan: %s has neither distances.json nor config.json: give the directory that measure wrote, or a model", name)
		}
	}
	if c.Drop == "" && c.Layers == "" {
		if info.IsDir() {
			return nil, usagef("plan: say how many layers go with --drop, or which with --layers")
		}
		p, err := plan.Read(name)
		if err != nil {
			return nil, fmt.Errorf("%w (without --drop and --layers a plan.json is expected)", err)
		}
		return &planSource{plan: p, dir: filepath.Dir(name)}, nil
	}
	d, hash, err := similarity.Read(name)
	if err != nil {
		return nil, err
	}
	return &planSource{distances: d, hash: hash, model: d.Model, layers: d.Layers, dir: filepath.Dir(name)}, nil
}

// modelSource is a model that was not measured.
func modelSource(dir string) (*planSource, error) {
	cp, err := openModel(dir)
	if err != nil {
		return nil, err
	}
	defer cp.Close()
	layout, err := cp.Layout()
	if err != nil {
		return nil, err
	}
	return &planSource{model: similarity.ModelOf(cp), layers: layout.Layers, dir: "."}, nil
}

// choose makes a plan by the strategy.
func (c *planCommand) choose(ctx context.Context, s *planSource) (*plan.Plan, error) {
	p, err := c.strategy(ctx, s)
	if err != nil {
		return nil, err
	}
	p.Tool = "shallow " + version
	p.Model = s.model
	if p.Distance != nil || p.Influence != nil {
		p.From = s.hash
	}
	return p, nil
}

func (c *planCommand) strategy(ctx context.Context, s *planSource) (*plan.Plan, error) {
	if c.Layers != "" {
		return plan.Explicit(s.layers, c.Layers)
	}
	if c.Drop == "" {
		return nil, usagef("plan: say how many layers go with --drop, or which with --layers")
	}
	n, err := plan.ParseDrop(c.Drop, s.layers)
	if err != nil {
		return nil, err
	}
	o := plan.Options{From: c.Fraction, AllowLast: c.AllowLast}
	switch {
	case c.Strategy == "deepest":
		return plan.Deepest(s.layers, n)
	case s.distances == nil:
		return nil, usagef("plan: %s is a model; --strategy %s needs what measure writes", c.From, c.Strategy)
	case c.Strategy == "block-influence":
		return plan.BlockInfluence(s.distances, n, o)
	case c.Rerank > 0:
		return c.rerank(ctx, s, n, o)
	}
	return plan.Similarity(s.distances, n, o)
}

// rerank compares the best blocks by loss.
func (c *planCommand) rerank(ctx context.Context, s *planSource, n int, o plan.Options) (*plan.Plan, error) {
	starts, err := plan.Candidates(s.distances, n, o)
	if err != nil {
		return nil, err
	}
	starts = starts[:min(c.Rerank, len(starts))]
	e, err := c.open(ctx, c.Model, true, c.Quiet)
	if err != nil {
		return nil, err
	}
	defer e.Close()
	if hash := e.Checkpoint.Config.Hash(); hash != s.model.ConfigHash {
		return nil, fmt.Errorf("plan: %s is not the model that was measured: its config.json differs", c.Model)
	}
	sequences, err := c.read(ctx, e, limitFlags{c.Samples, c.Length}, c.Quiet)
	if err != nil {
		return nil, err
	}
	bar := newTokenProgress("losses", e.Spec.L-n, c.Quiet)
	defer bar.close()
	losses, err := similarity.Losses(ctx, e.Model, sequences, n, starts, similarity.Options{Memory: c.bytes(), Progress: bar.report})
	if err != nil {
		return nil, err
	}
	return plan.ByLosses(s.distances, n, starts, losses)
}

// printTwin prints the plan in another tool's words.
func (c *planCommand) printTwin(ctx context.Context, p *plan.Plan) error {
	model, dtype := p.Model.Name, p.Model.DType
	var config *checkpoint.Config
	if c.Model != "" {
		dir, err := localModel(ctx, c.Model, c.Quiet)
		if err != nil {
			return err
		}
		cp, err := openModel(dir)
		if err != nil {
			return err
		}
		defer cp.Close()
		model, dtype, config = c.Model, similarity.ModelOf(cp).DType, cp.Config
		if config.Layers() != p.Layers {
			return fmt.Errorf("plan: %s has %d layers, the plan is for %d", c.Model, config.Layers(), p.Layers)
		}
	}
	var text string
	switch c.As {
	case "mergekit":
		text = p.Mergekit(model, dtype)
	case "llama.cpp":
		text = p.LlamaCPP()
	case "peft":
		data, warning, err := p.PEFT(model, config)
		if err != nil {
			return err
		}
		if warning != "" {
			note("shallow: warning: %s", warning)
		}
		text = string(data)
	}
	if c.Output != "" {
		if err := p.Write(c.Output); err != nil {
			return err
		}
	}
	_, err := fmt.Print(text)
	return err
}
