package main

import (
	"context"
	"fmt"
	"os"
	"text/tabwriter"

	"shallow/bench"
	"shallow/compute/cpu"
	"shallow/internal/machine"
)

// benchCommand measures the machine, and a model on it.
type benchCommand struct {
	Model   string   `arg:"" optional:"" help:"Model directory, GGUF file or hub id: also time measuring and decoding it."`
	Length  int      `help:"Tokens of a sequence." default:"512" placeholder:"N"`
	Tokens  int      `help:"Tokens that go through a layer at a time." default:"4096" placeholder:"N"`
	Shapes  []string `help:"Shapes of the products, each as MxKxN: x [M, K] times a weight [N, K]." placeholder:"SHAPE"`
	Rounds  int      `help:"Rounds of each product; the median counts." default:"7" placeholder:"N"`
	JSON    bool     `name:"json" help:"Print JSON."`
	Threads int      `help:"Threads that compute; 0 is all processors." default:"0" placeholder:"N"`

	Precision string `help:"Kind in which the model's products are multiplied: auto, bfloat16 or float32." enum:"auto,bfloat16,float32" default:"auto" placeholder:"KIND"`
}

// Help shows how it is used.
func (benchCommand) Help() string {
	return `What this machine does: matrix products by kind of weight, the memory's read bandwidth, and with a model the
tokens per second of measuring and of generating, each beside its limit. SHALLOW_CPU=generic|avx2|avx512|avx512bf16
forces a level of instructions.

  shallow bench
  shallow bench ./Llama-3.1-8B --json`
}

// Validate refuses counts that mean nothing.
func (c benchCommand) Validate() error {
	if c.Length < 1 || c.Tokens < 1 || c.Rounds < 1 || c.Threads < 0 {
		return fmt.Errorf("--length, --tokens and --rounds are at least 1, --threads at least 0")
	}
	return nil
}

// Run measures and prints.
func (c benchCommand) Run(ctx context.Context) error {
	device, err := cpu.New(cpu.Options{Threads: c.Threads})
	if err != nil {
		return err
	}
	defer device.Close()
	shapes, err := c.shapes(device.Level())
	if err != nil {
		return err
	}
	report, err := bench.Machine(device, shapes, c.Rounds)
	if err != nil {
		return err
	}
	report.Threads, report.Portable = device.Threads(), device.Level() == cpu.Generic
	if c.Model != "" {
		e, err := engineFlags{Threads: c.Threads, Precision: c.Precision}.open(ctx, c.Model, true, false)
		if err != nil {
			return err
		}
		defer e.Close()
		o := bench.Options{Length: c.Length, Tokens: c.Tokens, Rounds: 3, Steps: 16, Bandwidth: report.Read}
		o.Decode = machine.Memory() == 0 || e.Checkpoint.Size() < machine.Memory()*3/4
		if report.Model, err = bench.Run(e.Model, c.Model, o); err != nil {
			return err
		}
	}
	if c.JSON {
		return printJSON(report)
	}
	printBench(report)
	return nil
}

// shapes are those asked for, or one that the level gets through in a moment.
func (c benchCommand) shapes(level cpu.Level) ([]bench.Shape, error) {
	if len(c.Shapes) == 0 && level == cpu.Generic {
		return []bench.Shape{{M: 128, K: 512, N: 512}}, nil
	}
	if len(c.Shapes) == 0 {
		return []bench.Shape{bench.DefaultShape}, nil
	}
	var shapes []bench.Shape
	for _, text := range c.Shapes {
		s, err := bench.ParseShape(text)
		if err != nil {
			return nil, usagef("--shapes: %v", err)
		}
		shapes = append(shapes, s)
	}
	return shapes, nil
}

func printBench(b *bench.Report) {
	fmt.Printf("%s, %s\n", b.System, b.Device)
	if b.Portable {
		fmt.Println("There are no kernels for this processor yet, or SHALLOW_CPU forbids them: portable Go computes.")
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	var shape bench.Shape
	for _, p := range b.Products {
		if p.Shape != shape {
			shape = p.Shape
			w.Flush()
			fmt.Printf("\nProducts of x [%d, %d] and W [%d, %d]\n", shape.M, shape.K, shape.N, shape.K)
			fmt.Fprintln(w, "weights\tmultiplied in\tpacked before\tGFLOP/s\tbest\tof the registers' peak\t")
		}
		packed, share := "no", ""
		if p.Packed {
			packed = "yes"
		}
		if p.Share > 0 {
			share = fmt.Sprintf("%.2f", p.Share)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%.1f\t%.1f\t%s\t\n", p.Weights, p.Multiplied, packed, p.GFLOPS, p.Best, share)
	}
	w.Flush()
	fmt.Println()
	for _, p := range b.Peak {
		fmt.Printf("Registers alone, %s: %.0f GFLOP/s\n", p.Multiplied, p.GFLOPS)
	}
	fmt.Printf("Reading memory: %.1f GB/s\n", b.Read)
	if b.Model == nil {
		return
	}
	m := b.Model
	fmt.Printf("\n%s, %d layers, products in %s\n", m.Name, m.Layers, m.Multiplied)
	fmt.Printf("Measuring sequences of %d tokens: %.1f tokens/s, %.2f of what the products alone allow\n",
		m.Measure.Length, m.Measure.TokensPerSec, m.Measure.Share)
	if m.Decode == nil {
		fmt.Println("Generating was not timed: the weights do not fit the memory.")
		return
	}
	fmt.Printf("Generating for one sequence: %.2f tokens/s", m.Decode.TokensPerSec)
	if m.Decode.Share > 0 {
		fmt.Printf(", %.2f of what reading %.2f GB of weights a token allows", m.Decode.Share, float64(m.Decode.StepBytes)/1e9)
	}
	fmt.Println()
}
