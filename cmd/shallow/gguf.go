package main

import (
	"context"
	"errors"
	"fmt"

	"shallow/checkpoint"
	"shallow/compute/cpu"
	"shallow/decoder"
	"shallow/gguf"
	"shallow/plan"
	"shallow/prune"
	"shallow/similarity"
	"shallow/tokenizer"
)

// openModel opens a model directory, or a GGUF file as if it were one.
func openModel(name string) (*checkpoint.Checkpoint, error) {
	if gguf.Is(name) {
		return gguf.OpenCheckpoint(name)
	}
	return checkpoint.Open(name)
}

// openRunnable opens a model that will be run, and says why a GGUF file cannot be.
func openRunnable(name string) (*checkpoint.Checkpoint, error) {
	if !gguf.Is(name) {
		return checkpoint.Open(name)
	}
	f, err := gguf.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Checkpoint()
}

// whyGGUF says why a GGUF file that was listed cannot be run.
func whyGGUF(name string) (string, error) {
	f, err := gguf.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	c, err := f.Checkpoint()
	var cannot *gguf.UnsupportedError
	if errors.As(err, &cannot) {
		return cannot.Reason, nil
	}
	if err != nil {
		return "", err
	}
	defer c.Close()
	_, err = decoder.NewSpec(c.Config)
	return fmt.Sprint(err), nil
}

// openTokenizer opens the tokenizer of a model directory or a GGUF file, or a tokenizer file.
func openTokenizer(name string) (*tokenizer.Tokenizer, error) {
	if !gguf.Is(name) {
		return tokenizer.Open(name)
	}
	f, err := gguf.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Tokenizer()
}

// runGGUF prunes a GGUF file and says what was done.
func (c *pruneCommand) runGGUF(ctx context.Context) error {
	switch {
	case c.ShardSize > 0:
		return usagef("--shard-size is for safetensors; a GGUF file stays one file")
	case c.Adapter != "":
		return usagef("--adapter is for PEFT adapters of safetensors checkpoints, not for GGUF files")
	case c.Output == "":
		return usagef("--output is missing: the GGUF file that is written")
	}
	source, err := gguf.Open(c.Model)
	if err != nil {
		return err
	}
	defer source.Close()
	p, err := c.planGGUF()
	if err != nil {
		return err
	}
	device, err := cpu.New(cpu.Options{Threads: c.Threads})
	if err != nil {
		return err
	}
	defer device.Close()
	bars := stages{quiet: c.Quiet}
	defer bars.close()
	result, err := gguf.Prune(ctx, source, gguf.PruneOptions{
		Output: c.Output, Plan: p, Force: c.Force, Device: device, Unproved: c.Unproved, Progress: bars.report,
	})
	bars.close()
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(result)
	}
	printPrunedGGUF(p, result)
	return nil
}

// planGGUF reads the plan, or makes one of --layers. A plan may have been measured on the same model in another form, of
// which only the number of layers can be held against the file.
func (c *pruneCommand) planGGUF() (*plan.Plan, error) {
	cp, err := openModel(c.Model)
	if err != nil {
		return nil, err
	}
	defer cp.Close()
	model := similarity.ModelOf(cp)
	if c.Plan == "" {
		return c.plan(cp)
	}
	p, err := plan.Read(c.Plan)
	if err == nil && p.Model.ConfigHash != "" && p.Model.ConfigHash != model.ConfigHash && !c.Quiet {
		note("the plan was made for %s; that %s is the same model is taken on trust", p.Model.Name, c.Model)
	}
	return p, err
}

func printPrunedGGUF(p *plan.Plan, r *prune.Result) {
	fmt.Printf("%s: %d of %d layers; %v\n", r.Output, r.Kept, r.Layers, p)
	for _, note := range r.Config {
		fmt.Printf("metadata: %s\n", note)
	}
	fmt.Printf("copied and hashed: %d tensors, %v\n", r.Tensors, byteSize(r.Bytes))
	if r.Proof != nil {
		fmt.Printf("proved: %v\n", r.Proof)
	} else {
		fmt.Printf("not run: %s\n", r.Reason)
	}
	printSeconds(r.Seconds)
}
