package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"shallow/checkpoint"
	"shallow/compute/cpu"
	"shallow/gguf"
	"shallow/plan"
	"shallow/prune"
	"shallow/similarity"
)

type pruneCommand struct {
	Model     string   `arg:"" help:"Model directory, GGUF file or hub id."`
	Output    string   `short:"o" help:"Directory of the shallower checkpoint." placeholder:"DIR"`
	Plan      string   `help:"plan.json, which says what goes." placeholder:"FILE"`
	Layers    string   `help:"Or the layers that go: 21:29 for layers 21 to 28, 21:29,3:5 for two ranges." placeholder:"RANGES"`
	Adapter   string   `help:"PEFT adapter of the model, a directory or hub id, to be renumbered along with it; it goes to the folder adapter of the output." placeholder:"DIR"`
	AdapterTo string   `name:"adapter-output" help:"Another directory for the adapter. Without --output the adapter alone is written." placeholder:"DIR"`
	ShardSize byteSize `help:"Bytes of weights in one file, as 2GB; 5GB if not given." placeholder:"SIZE"`
	Unproved  bool     `help:"Go on where the result cannot be proved: an unknown family, quantised weights."`
	Force     bool     `help:"Replace a directory that is not empty."`
	Threads   int      `help:"Threads that compute the proof; 0 is all processors." default:"0"`
	JSON      bool     `help:"Print what was done as JSON."`
	Quiet     bool     `short:"q" help:"Show no progress."`
}

// Help shows examples.
func (pruneCommand) Help() string {
	return `Tensors are copied byte for byte and renamed, config.json is rewritten for the layers that stay, every other file comes
along, and --adapter renumbers a PEFT adapter too. Before the directory gets its name, every tensor is hashed on both sides, and both
checkpoints are run: the logits of the new one must equal those of the old one with the layers skipped, bit for bit.

Quantised weights (GPTQ, AWQ, FP8, bitsandbytes, compressed-tensors) are moved as bytes, but not run: --unproved.

A GGUF file becomes a GGUF file, whatever its types: tensors are moved and hashed, and what llama.cpp reads for each layer is
rewritten. Llama, Mistral, Qwen2, Qwen3, Phi-3, Olmo, SmolLM3 and Granite in F32, F16, BF16 and Q8_0 are run too.

Layers are counted from zero and ranges are half-open: 21:29 is layers 21 to 28.

Examples:

  shallow prune models/llama-2-7b --plan run/plan.json -o models/llama-2-7b-24
  shallow prune models/llama-2-7b --layers 21:29 -o models/llama-2-7b-24
  shallow prune models/unheard-of --layers 10:12 --unproved -o out
  shallow prune model-Q4_K_M.gguf --plan run/plan.json -o shallower-Q4_K_M.gguf
  shallow prune models/llama-2-7b --layers 21:29 --adapter my-lora -o models/llama-2-7b-24
`
}

// Validate asks for exactly one of --plan and --layers.
func (c *pruneCommand) Validate() error {
	if (c.Plan == "") == (c.Layers == "") {
		return fmt.Errorf("give either --plan or --layers, to say which layers go")
	}
	if c.AdapterTo != "" && c.Adapter == "" {
		return fmt.Errorf("--adapter-output is for an adapter: give --adapter too")
	}
	if c.Output == "" && c.AdapterTo == "" {
		return fmt.Errorf("give --output, the directory of the shallower checkpoint")
	}
	if c.Threads < 0 || c.ShardSize < 0 {
		return fmt.Errorf("--threads and --shard-size must not be negative")
	}
	return nil
}

// Run prunes and says what was done.
func (c *pruneCommand) Run(ctx context.Context) error {
	dir, err := localModel(ctx, c.Model, c.Quiet)
	if err != nil {
		return err
	}
	c.Model = dir
	if gguf.Is(c.Model) {
		return c.runGGUF(ctx)
	}
	if c.Adapter != "" {
		if c.Adapter, err = localModel(ctx, c.Adapter, c.Quiet); err != nil {
			return err
		}
	}
	source, err := checkpoint.Open(c.Model)
	if err != nil {
		return err
	}
	defer source.Close()
	p, err := c.plan(source)
	if err != nil {
		return err
	}
	if c.Output == "" {
		return c.moveAdapter(ctx, source, p)
	}
	device, err := cpu.New(cpu.Options{Threads: c.Threads})
	if err != nil {
		return err
	}
	defer device.Close()
	bars := stages{quiet: c.Quiet}
	defer bars.close()
	result, err := prune.Prune(ctx, source, prune.Options{
		Output: c.Output, Plan: p, Tool: "shallow " + version, ShardSize: int64(c.ShardSize), Force: c.Force,
		Adapter: c.Adapter, AdapterOutput: c.AdapterTo, Device: device, Unproved: c.Unproved, Progress: bars.report,
	})
	bars.close()
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(result)
	}
	printPruned(p, result)
	return nil
}

// moveAdapter writes the adapter alone, for a model that was pruned before.
func (c *pruneCommand) moveAdapter(ctx context.Context, source *checkpoint.Checkpoint, p *plan.Plan) error {
	result, err := prune.MoveAdapter(ctx, source, p, c.Adapter, c.AdapterTo, "", c.Force)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(result)
	}
	printAdapter(result)
	return nil
}

func printAdapter(a *prune.AdapterResult) {
	fmt.Printf("%s: the adapter, %d tensors, %v; %d of dropped layers left out\n", a.Output, a.Tensors, byteSize(a.Bytes), a.Dropped)
	for _, note := range a.Config {
		fmt.Printf("adapter_config.json: %s\n", note)
	}
	for _, name := range a.LeftOut {
		fmt.Printf("left out of the adapter: %s\n", name)
	}
}

// stages shows one bar after another: copying and hashing in bytes, the proof in steps.
type stages struct {
	quiet bool
	name  string
	bar   *progress
}

func (s *stages) report(stage string, done, total int64) {
	if stage != s.name {
		s.close()
		s.name = stage
		if stage == "prove" {
			s.bar = newProgress(stage, s.quiet, func(float64) string { return "" })
		} else {
			s.bar = newByteProgress(stage, s.quiet)
		}
	}
	s.bar.report(done, total)
}

func (s *stages) close() {
	s.bar.close()
	s.bar = nil
}

// plan reads the plan, or makes one of --layers.
func (c *pruneCommand) plan(source *checkpoint.Checkpoint) (*plan.Plan, error) {
	if c.Plan != "" {
		return plan.Read(c.Plan)
	}
	layout, err := source.Layout()
	if err != nil {
		return nil, err
	}
	p, err := plan.Explicit(layout.Layers, c.Layers)
	if err != nil {
		return nil, err
	}
	p.Tool, p.Model = "shallow "+version, similarity.ModelOf(source)
	return p, nil
}

func printPruned(p *plan.Plan, r *prune.Result) {
	fmt.Printf("%s: %d of %d layers; %v\n", r.Output, r.Kept, r.Layers, p)
	for _, note := range r.Config {
		fmt.Printf("config: %s\n", note)
	}
	for _, name := range r.LeftOut {
		fmt.Printf("left out: %s\n", name)
	}
	fmt.Printf("copied and hashed: %d tensors, %v\n", r.Tensors, byteSize(r.Bytes))
	if r.Adapter != nil {
		printAdapter(r.Adapter)
	}
	if r.Proof != nil {
		fmt.Printf("proved: %v\n", r.Proof)
	} else {
		fmt.Printf("NOT PROVED: %s\n", r.Reason)
	}
	printSeconds(r.Seconds)
}

// printSeconds prints how long each stage took.
func printSeconds(seconds map[string]float64) {
	var stages []string
	for _, stage := range slices.Sorted(maps.Keys(seconds)) {
		stages = append(stages, fmt.Sprintf("%s %.2f s", stage, seconds[stage]))
	}
	fmt.Println(strings.Join(stages, ", "))
}
