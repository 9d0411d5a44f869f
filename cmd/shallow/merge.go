package main

import (
	"context"
	"fmt"
	"strings"

	"shallow/decoder"
	"shallow/gguf"
	"shallow/heal"
)

type mergeCommand struct {
	Model   string `arg:"" help:"Model directory or hub id that the adapter was trained on."`
	Adapter string `arg:"" help:"PEFT adapter: a directory or hub id."`
	Output  string `short:"o" required:"" help:"Directory of the merged checkpoint." placeholder:"DIR"`
	Base    string `help:"What the adapter is added to: the weights as they are stored, or as 4 bits (nf4) left them in training." enum:"stored,nf4" default:"stored"`
	Force   bool   `help:"Replace a directory that is not empty."`
	Threads int    `help:"Threads that compute; 0 is all processors." default:"0"`
	JSON    bool   `help:"Print what was done as JSON."`
	Quiet   bool   `short:"q" help:"Show no progress."`
}

// Help shows examples.
func (mergeCommand) Help() string {
	return `W + scale·B·A is computed in float32 and rounded to the type that the tensor is stored in; every other tensor and file comes along as it
is. The logits of the result are compared with those of base and adapter side by side, and the difference is printed.

An adapter that was trained on a 4-bit base has learned to make up for its errors. With --base nf4 it is added to what 4 bits left of the
weights, which is the model that was trained; with --base stored to the weights themselves, which is often as good or better: measure both.

Examples:

  shallow merge models/llama-2-7b-24 healed -o models/llama-2-7b-24-healed
  shallow merge models/llama-2-7b-24 healed --base nf4 -o models/llama-2-7b-24-healed-nf4
`
}

// Run merges and says what was done.
func (c *mergeCommand) Run(ctx context.Context) error {
	if c.Threads < 0 {
		return usagef("--threads must not be negative")
	}
	adapter, err := localModel(ctx, c.Adapter, c.Quiet)
	if err != nil {
		return err
	}
	o := decoder.Options{Precision: decoder.Float32}
	if c.Base == "nf4" {
		o.Base = decoder.NF4
	}
	e, err := engineFlags{Threads: c.Threads, Precision: "float32"}.openAs(ctx, c.Model, o, c.Quiet)
	if err != nil {
		return err
	}
	defer e.Close()
	if gguf.Is(e.Checkpoint.Dir) {
		return usagef("%s is a GGUF file: adapters are merged into Hugging Face checkpoints", c.Model)
	}
	p, err := heal.ReadPEFT(adapter)
	if err != nil {
		return err
	}
	bar := newByteProgress("merge", c.Quiet)
	defer bar.close()
	r, err := heal.Merge(ctx, e.Model, p, heal.MergeOptions{Output: c.Output, Force: c.Force, Progress: bar.report})
	bar.close()
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(r)
	}
	base := "the weights as they are stored"
	if c.Base == "nf4" {
		base = "the weights as 4 bits leave them"
	}
	fmt.Printf("%s: %s of the adapter added to %s; %s rewritten as %s, %v\n",
		r.Output, plural(r.Modules, "module"), base, plural(r.Rewritten, "tensor"), strings.Join(r.Types, " and "), byteSize(r.Bytes))
	other := map[string]string{"nf4": "4 bits", "stored": "the stored weights"}[r.Other]
	fmt.Printf("logits are %.1e of the largest apart from base and adapter side by side, and %.1e from the adapter beside %s; storing a weight moved it by %.1e of its tensor's largest at most\n",
		r.Apart, r.FromOther, other, r.Rounding)
	for _, name := range r.LeftOut {
		fmt.Printf("left out: %s\n", name)
	}
	return nil
}
