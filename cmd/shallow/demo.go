package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"text/tabwriter"

	"shallow/compute/cpu"
	"shallow/demo"
	"shallow/report"
)

type demoCommand struct {
	Output  string `short:"o" help:"Directory for all that is made." default:"shallow-demo" placeholder:"DIR"`
	Seed    uint64 `help:"Of the random model and the texts." default:"1"`
	Threads int    `help:"Threads that compute; 0 is all processors." default:"0"`
	JSON    bool   `help:"Print the comparison as JSON."`
	Quiet   bool   `short:"q" help:"Show no progress."`
	worldFlags
}

// Help says what happens.
func (demoCommand) Help() string {
	return `Makes a small random model whose deep layers change little, measures it, leaves blocks of layers out and compares the
predictions, and cuts a quarter of the layers out for good. A few seconds; no network.

Examples:

  shallow demo
  shallow demo -o other --seed 7
`
}

// Validate refuses a number of threads below zero.
func (c *demoCommand) Validate() error {
	if c.Threads < 0 {
		return fmt.Errorf("--threads must not be negative")
	}
	if c.Documents < 1 || c.Items < 1 {
		return fmt.Errorf("--world-documents and --world-items are at least 1")
	}
	return nil
}

// Run runs the demo and tells its story.
func (c *demoCommand) Run(ctx context.Context) error {
	if c.World != "" {
		return c.write(c.Seed)
	}
	device, err := cpu.New(cpu.Options{Threads: c.Threads})
	if err != nil {
		return err
	}
	defer device.Close()
	bar := newProgress("measure", c.Quiet, func(float64) string { return "" })
	defer bar.close()
	r, err := demo.Run(ctx, demo.Options{Dir: c.Output, Seed: c.Seed, Tool: "shallow " + version, Device: device, Progress: bar.report})
	bar.close()
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(r)
	}
	c.print(r)
	return nil
}

func (c *demoCommand) print(r *demo.Result) {
	fmt.Println("A RANDOM model of 16 layers, made so that deep layers change little. It shows how shallow works, not what pruning")
	fmt.Println("does to a trained model.")
	fmt.Printf("\nAngular distance d(ℓ, n) between what enters layer ℓ and what enters layer ℓ+n, %s:\n\n", plural(r.Distances.Sequences, "text"))
	fmt.Println(report.HeatMap(r.Distances, colours(), terminalWidth()))

	fmt.Println("Predictions without a block of n layers, against the whole model's:")
	fmt.Println()
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "n\tleast distance\td\tsame next token\tKL, nat\tbehind layer 0\td\tsame next token\tKL, nat\t")
	for i, b := range r.Best {
		s := r.Shallow[i]
		fmt.Fprintf(w, "%d\t%v\t%.3f\t%.0f %%\t%.3f\t%v\t%.3f\t%.0f %%\t%.3f\t\n",
			b.N, b.Range, b.Distance, 100*b.Agreement, b.Divergence, s.Range, s.Distance, 100*s.Agreement, s.Divergence)
	}
	w.Flush()

	fmt.Println()
	printPruned(r.Plan, r.Pruned)
	fmt.Printf("\nAll of it is in %s: the model, its texts, distances.json, heatmap.png, plan.json, the pruned model. By hand:\n\n", c.Output)
	in := func(name string) string { return filepath.Join(c.Output, name) }
	fmt.Printf("  shallow measure %s --corpus %s -o run\n", in("model"), in("texts.jsonl"))
	fmt.Printf("  shallow plan run --drop 25%%\n")
	fmt.Printf("  shallow prune %s --plan run/plan.json -o shallower\n", in("model"))
}
