package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"shallow/report"
	"shallow/similarity"
)

type measureCommand struct {
	Model     string `arg:"" help:"Model directory, GGUF file or hub id."`
	Output    string `short:"o" required:"" help:"Directory for distances.json, heatmap.png and heatmap.svg." placeholder:"DIR"`
	Samples   int    `help:"Take so many sequences; 0 is all." default:"128"`
	Length    int    `help:"Cut sequences to so many tokens; 0 is not at all." default:"512"`
	Influence string `help:"Measure block influence over all tokens in most layers (but the last, which is then run for the last tokens alone), in full, or switch it off." enum:"most,full,off" default:"most" placeholder:"SCOPE"`
	corpusFlags
	engineFlags
	memoryFlag
	JSON  bool `help:"Print distances.json instead of heat map and table."`
	Quiet bool `short:"q" help:"Show no progress."`
}

// Help shows examples.
func (measureCommand) Help() string {
	return `One pass gives the angular distance between the states that enter and leave every block of layers, at the last
token of each sequence. One layer is in memory at a time. A run that was stopped goes on where it was when the same
command is given again.
` + aboutModels + aboutTexts + `
Examples:

  shallow measure models/llama-2-7b --corpus texts.jsonl -o run
  shallow measure models/llama-2-7b --corpus book.txt --split blank --samples 32 --memory 2GB -o run
  shallow measure Qwen/Qwen3-0.6B --corpus allenai/c4:en/validation -o run
`
}

// Validate asks for a corpus.
func (c *measureCommand) Validate() error { return c.need() }

// Run measures, writes and prints.
func (c *measureCommand) Run(ctx context.Context) error {
	e, err := c.open(ctx, c.Model, true, c.Quiet)
	if err != nil {
		return err
	}
	defer e.Close()
	sequences, err := c.read(ctx, e, limitFlags{c.Samples, c.Length}, c.Quiet)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(c.Output, 0o777); err != nil {
		return fmt.Errorf("measure: %w", err)
	}
	journal := filepath.Join(c.Output, "measure.journal")
	bar := newTokenProgress("measure", e.Spec.L, c.Quiet)
	defer bar.close()
	d, err := similarity.Measure(ctx, e.Model, sequences, similarity.Options{
		Memory:    c.bytes(),
		Influence: similarity.Scope(c.Influence),
		Journal:   journal,
		Kernels:   e.device.Level().String(),
		Begin:     c.begin(e),
		Progress:  bar.report,
	})
	bar.close()
	if errors.Is(err, context.Canceled) && !c.Quiet {
		note("the same command goes on behind the last group of sequences")
	}
	if err != nil {
		return err
	}
	d.Tool, d.Model = "shallow "+version, similarity.ModelOf(e.Checkpoint)
	d.Corpus.Files, d.Corpus.Samples, d.Corpus.Length = c.Corpus, c.Samples, c.Length
	if err := c.write(d); err != nil {
		return err
	}
	if err := os.Remove(journal); err != nil {
		return fmt.Errorf("measure: %w", err)
	}
	if c.JSON {
		return printJSON(d)
	}
	c.print(d)
	return nil
}

// begin says what the run will take.
func (c *measureCommand) begin(e *engine) func(similarity.Forecast) {
	if c.Quiet {
		return nil
	}
	return func(f similarity.Forecast) {
		if f.Known > 0 {
			note("%s of %d are known from a run that was stopped", plural(f.Known, "sequence"), f.Sequences)
		}
		note("%s of %s tokens through %s; reads %v of weights in %s; %v of memory",
			plural(f.Sequences, "sequence"), count(int64(f.Tokens)), plural(e.Spec.L, "layer"),
			byteSize(f.Read), plural(f.Groups, "pass"), byteSize(f.Memory))
	}
}

// write writes the files.
func (c *measureCommand) write(d *similarity.Distances) error {
	if err := report.WritePNG(filepath.Join(c.Output, "heatmap.png"), d); err != nil {
		return err
	}
	if err := report.WriteSVG(filepath.Join(c.Output, "heatmap.svg"), d); err != nil {
		return err
	}
	return d.Write(filepath.Join(c.Output, "distances.json"))
}

// print shows heat map and tables.
func (c *measureCommand) print(d *similarity.Distances) {
	fmt.Println(report.HeatMap(d, colours(), terminalWidth()))
	fmt.Println(report.Layers(d))
	fmt.Println(report.Best(d))
	fmt.Printf("%s, %s tokens; %s\n", plural(d.Sequences, "sequence"), count(int64(d.Tokens)), filepath.Join(c.Output, "distances.json"))
}

// colours is what the terminal behind stdout shows. NO_COLOR and a file mean none.
func colours() report.Colours {
	switch {
	case !isTerminal(os.Stdout) || os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb":
		return report.Plain
	case os.Getenv("COLORTERM") == "truecolor" || os.Getenv("COLORTERM") == "24bit":
		return report.TrueColour
	}
	return report.Colour256
}
