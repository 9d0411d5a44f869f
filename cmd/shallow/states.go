package main

import (
	"context"
	"fmt"

	"shallow/internal/residual"
	"shallow/plan"
)

type statesCommand struct {
	Model  string `arg:"" help:"Model directory, GGUF file or hub id."`
	Output string `short:"o" required:"" help:"File to write, in the safetensors format." placeholder:"FILE"`
	Skip   string `help:"Layers to leave out, as 2:4 for layers 2 and 3." placeholder:"RANGES"`
	Logits bool   `help:"Write the logits too."`
	corpusFlags
	limitFlags
	engineFlags
	Quiet bool `short:"q" help:"Show no progress."`
}

// Help says what is in the file.
func (statesCommand) Help() string {
	return `For sequence s of the corpus the file holds ids.s int64 [T]; states.s float32 [L+1, T, D], the residual stream
that enters layer 0 to L-1 and that leaves the last, before the final norm; and with --logits logits.s float32 [T, V].
With --skip there is a row of states for each boundary that is left: what enters the first layer that is kept, and what
leaves each.

Examples:

  shallow states models/llama-2-7b --corpus texts.jsonl --samples 4 --length 128 -o states.safetensors
  shallow states models/llama-2-7b --corpus texts.jsonl --skip 21:29 --logits -o skipped.safetensors
`
}

// Validate asks for a corpus.
func (c *statesCommand) Validate() error { return c.need() }

// Run writes the file.
func (c *statesCommand) Run(ctx context.Context) error {
	e, err := c.open(ctx, c.Model, true, c.Quiet)
	if err != nil {
		return err
	}
	defer e.Close()
	o := residual.Options{Logits: c.Logits}
	if c.Skip != "" {
		if o.Skip, err = plan.ParseLayers(c.Skip, e.Spec.L); err != nil {
			return err
		}
	}
	sequences, err := c.read(ctx, e, c.limitFlags, c.Quiet)
	if err != nil {
		return err
	}
	bar := newTokenProgress("states", e.Spec.L-len(o.Skip), c.Quiet)
	defer bar.close()
	o.Progress = bar.report
	var size int64
	o.Size = func(bytes int64) {
		if size = bytes; !c.Quiet {
			note("%s will have %v", c.Output, byteSize(bytes))
		}
	}
	if err := residual.Write(ctx, e.Model, sequences, c.Output, o); err != nil {
		return err
	}
	bar.close()
	fmt.Printf("%s: the states of %s, %v\n", c.Output, plural(len(sequences), "sequence"), byteSize(size))
	return nil
}
