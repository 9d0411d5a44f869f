package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"shallow/compute/cpu"
	"shallow/corpus"
	"shallow/dataset"
	"shallow/eval/task"
	"shallow/sweep"
)

type sweepCommand struct {
	Spec    string `arg:"" help:"The grid, a YAML file." placeholder:"SPEC"`
	Output  string `short:"o" help:"Directory for cells and sweep.json; the spec's name without its ending if not given." placeholder:"DIR"`
	DryRun  bool   `name:"dry-run" help:"Show the grid and what it will take, and compute nothing."`
	Threads int    `help:"Threads that compute; 0 is all processors." default:"0" placeholder:"N"`
	memoryFlag
	JSON  bool `help:"Print sweep.json, or with --dry-run the forecast, instead of the table."`
	Quiet bool `short:"q" help:"Show no progress."`
}

// Help shows a spec.
func (sweepCommand) Help() string {
	return `Evaluates every combination of models, strategies, depths, healings and tasks of a spec such as

  models: [models/llama-2-7b]           # directories, GGUF files, hub ids
  strategies: [similarity, deepest]
  drop: 1..L/2                          # or [1, 2, 4], [10%, 25%], 2..3L/4..2
  from: 0.5                             # similarity: where blocks may start
  corpus: {files: texts.jsonl, samples: 128, length: 512}   # to measure on
  healing:
    - none
    - {name: qlora, corpus: c4.jsonl, steps: 500, rank: 8, lr: 3e-4, drop: [4, 8]}   # keys as heal's flags
  tasks:
    - boolq
    - {task: mmlu, num_fewshot: 5, limit: 100}
    - {task: my-task.yaml, data: my-data}
  data: eval-data                       # for all tasks that do not say otherwise; so are include, limit, seed, num_fewshot
  memory: 8GB

with further keys precision, allow_last, max_length, bootstrap_iters, keep_checkpoints. Paths are relative to the spec.

A cell is a file, DIR/cells/HASH.json, named after all that it depends on: what is there is not computed again, whatever else
the spec asks for. A sweep that was stopped or killed goes on when the same command is given again. Several processes, also on
machines that share the folder, divide the work. The unhealed variants of a model share the layers that they have in common.

Examples:

  shallow sweep grid.yaml --dry-run
  shallow sweep grid.yaml -o grid
  shallow report grid
`
}

// Run computes the grid.
func (c *sweepCommand) Run(ctx context.Context) error {
	if c.Threads < 0 {
		return usagef("--threads must not be negative")
	}
	if c.Output == "" {
		c.Output = strings.TrimSuffix(filepath.Base(c.Spec), filepath.Ext(c.Spec))
	}
	spec, err := sweep.ReadSpec(c.Spec)
	if err != nil {
		return err
	}
	if c.Memory > 0 {
		spec.Memory = int64(c.Memory)
	}
	o, done, err := sweepOptions(c.Output, c.Threads, c.Quiet)
	if err != nil {
		return err
	}
	defer done()
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
	if c.JSON {
		return printJSON(result)
	}
	printSweep(result)
	fmt.Println(filepath.Join(c.Output, sweep.ResultFile))
	return nil
}

// sweepOptions opens the device.
func sweepOptions(output string, threads int, quiet bool) (sweep.Options, func(), error) {
	device, err := cpu.New(cpu.Options{Threads: threads})
	if err != nil {
		return sweep.Options{}, nil, err
	}
	loader := &hubLoader{quiet: quiet}
	return sweep.Options{
			Output: output, Tool: "shallow " + version, Loader: loader, Device: device, Kernels: device.Level().String(),
		}, func() {
			loader.close()
			device.Close()
		}, nil
}

// hubLoader finds models, texts and data sets here and on the hub.
type hubLoader struct {
	quiet bool
	done  []func()
}

func (l *hubLoader) close() {
	for _, done := range l.done {
		done()
	}
}

// Model is a path, or the directory of a hub id.
func (l *hubLoader) Model(ctx context.Context, name string) (string, error) {
	return localModel(ctx, name, l.quiet)
}

// Texts are those of files and of data sets.
func (l *hubLoader) Texts(ctx context.Context, names []string, encoder func() (corpus.Encoder, error), o corpus.Options) (*corpus.Corpus, error) {
	return corpusFlags{Corpus: names}.take(ctx, encoder, l.quiet, o)
}

// Rows are those of folders, or of the hub.
func (l *hubLoader) Rows(data []string) (task.Rows, error) {
	if len(data) > 0 {
		return sweep.Files{}.Rows(data)
	}
	h, done, err := openHub(l.quiet)
	if err != nil {
		return nil, err
	}
	l.done = append(l.done, done)
	return dataset.Open(nil, h), nil
}

// sweepProgress shows a bar for each stage, and a line for each part of the grid that is done.
type sweepProgress struct {
	quiet bool
	stage string
	bar   *progress
}

func newSweepProgress(quiet bool) *sweepProgress { return &sweepProgress{quiet: quiet} }

func (p *sweepProgress) report(at sweep.Progress) {
	if p.quiet {
		return
	}
	if at.Stage == "done" {
		p.close()
		left := ""
		if at.Left > 0 {
			left = fmt.Sprintf("; about %v left", rounded(at.Left))
		}
		note("%s: done; %d of %d cells%s", at.What, at.Cells, at.Planned, left)
		return
	}
	if stage := at.Stage + " " + at.What; stage != p.stage {
		p.close()
		p.stage = stage
		if at.Stage == "wait" {
			note("%s", at.What)
			return
		}
		name := at.Stage + " " + at.What
		if at.Planned > 0 {
			name = fmt.Sprintf("%d/%d %s", at.Cells, at.Planned, name)
		}
		p.bar = stageBar(name, at)
	}
	if at.Total > 0 {
		p.bar.report(at.Done, at.Total)
	}
}

// stageBar is a bar in the stage's unit.
func stageBar(name string, at sweep.Progress) *progress {
	switch at.Stage {
	case "measure", "score":
		return newTokenProgress(name, at.Layers, false)
	case "generate":
		return newProgress(name, false, func(rate float64) string { return fmt.Sprintf("%.2f texts/s", rate) })
	case "heal":
		return newProgress(name, false, func(rate float64) string { return fmt.Sprintf("%.2f steps/s", rate) })
	case "hash", "prune":
		return newByteProgress(name, false)
	}
	return newProgress(name, false, func(float64) string { return "" })
}

// begin says what is to come.
func (p *sweepProgress) begin(f *sweep.Forecast) error {
	p.close()
	if !p.quiet && f.Cells > f.Known {
		note("%d cells, %d of them known; about %v: measuring %v, scoring %v, healing %v; at most %v of memory, %v of disk",
			f.Cells, f.Known, rounded(f.Time()), rounded(f.Measure), rounded(f.Score), rounded(f.Heal), byteSize(f.Memory), byteSize(f.Disk))
	}
	return nil
}

func (p *sweepProgress) note(text string) {
	if p.quiet {
		return
	}
	p.close()
	note("%s", text)
}

func (p *sweepProgress) close() {
	p.bar.close()
	p.bar, p.stage = nil, ""
}

// printForecast shows the grid and what it takes.
func printForecast(f *sweep.Forecast) error {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	for _, m := range f.Models {
		state := ""
		if !m.Measured {
			state = ", to be measured"
		}
		fmt.Fprintf(w, "model\t%s: %s, %v%s; drops %s\n", m.Name, plural(m.Layers, "layer"), byteSize(m.Bytes), state, joined(m.Drop))
	}
	for _, t := range f.Tasks {
		fmt.Fprintf(w, "task\t%s: %s, %s, %s\n", t.Name, plural(t.Documents, "document"), plural(t.Shots, "shot"), t.Kind)
	}
	for _, h := range f.Healings {
		fmt.Fprintf(w, "healing\t%s\n", h)
	}
	fmt.Fprintf(w, "cells\t%d, %d of them known\n", f.Cells, f.Known)
	fmt.Fprintf(w, "time\tabout %v: measuring %v, scoring %v, healing %v\n", rounded(f.Time()), rounded(f.Measure), rounded(f.Score), rounded(f.Heal))
	fmt.Fprintf(w, "memory\t%v at most for weights, activations and states\n", byteSize(f.Memory))
	fmt.Fprintf(w, "disk\t%v for checkpoints and adapters\n", byteSize(f.Disk))
	return w.Flush()
}

// joined is ascending numbers, runs of them as 1–8.
func joined(numbers []int) string {
	var parts []string
	for i := 0; i < len(numbers); {
		j := i
		for j+1 < len(numbers) && numbers[j+1] == numbers[j]+1 {
			j++
		}
		part := fmt.Sprint(numbers[i])
		if j > i {
			part = fmt.Sprintf("%d–%d", numbers[i], numbers[j])
		}
		parts = append(parts, part)
		i = j + 1
	}
	return strings.Join(parts, ", ")
}

// printSweep prints a row a cell.
func printSweep(r *sweep.Result) {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "model\ttask\thealing\tstrategy\tn\tdropped\tmetric\tvalue\tstderr")
	for _, c := range r.Cells {
		dropped := "-"
		if c.N > 0 {
			dropped = fmt.Sprintf("[%d, %d)", c.Start, c.Drop[c.N-1]+1)
		}
		metric, value, stderr := "", "", ""
		if len(c.Metrics) > 0 {
			m := c.Metrics[0]
			metric, value = m.Metric, fmt.Sprintf("%.4f", m.Value)
			if m.Stderr != nil {
				stderr = fmt.Sprintf("%.4f", *m.Stderr)
			}
		}
		if c.Recorded {
			stderr += " (recorded)"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%s\t%s\t%s\t%s\n", c.Model, c.Task, c.Healing, c.Strategy, c.N, dropped, metric, value, stderr)
	}
	w.Flush()
	var total time.Duration
	for _, c := range r.Cells {
		total += time.Duration(c.Seconds * float64(time.Second))
	}
	if len(r.Cells) < r.Planned {
		fmt.Printf("%d of %d cells\n", len(r.Cells), r.Planned)
	}
	fmt.Printf("%s, scored in %v\n", plural(len(r.Cells), "cell"), total.Round(time.Millisecond))
}
