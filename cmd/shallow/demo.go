package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"shallow/demo"
	"shallow/report"
	"shallow/sweep"
)

type demoCommand struct {
	Output  string `short:"o" help:"Directory for all that is made." default:"shallow-demo" placeholder:"DIR"`
	Seed    uint64 `help:"Draws texts and questions about the world; recorded cells are those of seed 1." default:"1" placeholder:"N"`
	Record  string `help:"Heal every depth here, and write the cells that the program carries to a file." placeholder:"FILE"`
	Threads int    `help:"Threads that compute; 0 is all processors." default:"0" placeholder:"N"`
	JSON    bool   `help:"Print sweep, plan and pruned model as JSON."`
	Quiet   bool   `short:"q" help:"Show no progress."`
	worldFlags
}

// Help says what happens.
func (demoCommand) Help() string {
	return `Shows what the paper shows, on a small trained model that comes with the program: measures how much its blocks of layers
change, leaves out every number of layers up to three quarters, heals, asks questions, and writes a report. Two to three minutes
on two cores; no network.

Healing is done here at four depths; the other healed scores were computed before, with the same settings, and are marked. With
--record all depths are healed here. A demo that was stopped goes on when the same command is given again.

Examples:

  shallow demo
  shallow demo -o other --seed 7
  shallow demo --write-world world
`
}

// Validate refuses numbers below zero.
func (c *demoCommand) Validate() error {
	if c.Threads < 0 {
		return errors.New("--threads must not be negative")
	}
	if c.Documents < 1 || c.Items < 1 {
		return errors.New("--world-documents and --world-items are at least 1")
	}
	return nil
}

// Run runs the demo and tells its story.
func (c *demoCommand) Run(ctx context.Context) error {
	if c.World != "" {
		return c.write(c.Seed)
	}
	o, done, err := sweepOptions(filepath.Join(c.Output, demo.SweepDir), c.Threads, c.Quiet)
	if err != nil {
		return err
	}
	defer done()
	show := newSweepProgress(c.Quiet)
	o.Report, o.Note, o.Begin = show.report, show.note, show.begin
	r, err := demo.Run(ctx, demo.Options{Dir: c.Output, Seed: c.Seed, Record: c.Record, Sweep: o})
	show.close()
	if errors.Is(err, context.Canceled) && !c.Quiet {
		note("the same command goes on where it was")
	}
	if err != nil {
		return err
	}
	page := filepath.Join(c.Output, "report.html")
	if err := report.Write(page, r.Sweep); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(r)
	}
	c.print(r, page)
	return nil
}

func (c *demoCommand) print(r *demo.Result, page string) {
	m := r.Sweep.Models[0]
	fmt.Printf("A trained model of %d layers and %s parameters, which knows a small invented world: its people, towns,\n"+
		"rivers and crafts, and sums in words. It was trained from scratch by shallow heal (%s).\n",
		m.Layers, count(m.Parameters), filepath.Join(c.Output, demo.ModelDir, "README.md"))
	fmt.Printf("\nAngular distance d(ℓ, n) between what enters layer ℓ and what enters layer ℓ+n, %s:\n\n", plural(m.Distances.Sequences, "text"))
	fmt.Println(report.HeatMap(m.Distances, colours(), terminalWidth()))
	for _, strategy := range []string{sweep.Similarity, sweep.Deepest} {
		printDepths(r.Sweep, strategy)
	}
	for _, sentence := range report.Findings(r.Sweep) {
		fmt.Println("- " + sentence)
	}
	fmt.Println()
	printPruned(r.Plan, r.Pruned)
	fmt.Printf("\nThe report, with every figure: %s\n", page)
	fmt.Print(`
The same with a model of yours, a directory or an id of the hub:

  shallow run MODEL --drop 25% --corpus allenai/c4:en/validation -o shallower
  shallow sweep grid.yaml -o grid && shallow report grid     # shallow sweep --help shows a grid
`)
}

// strategyTitles say what a strategy leaves out.
var strategyTitles = map[string]string{
	sweep.Similarity: "Without the n layers that change the least (similarity)",
	sweep.Deepest:    "Without the deepest n layers but the last (deepest)",
}

// printDepths prints a row for every n: each task's main metric unhealed, then healed.
func printDepths(r *sweep.Result, strategy string) {
	var tasks, metrics []string
	rows := map[int]map[string]string{}
	dropped := map[int]string{0: "-"}
	note := ""
	for _, c := range r.Cells {
		if c.N > 0 && c.Strategy != strategy || len(c.Metrics) == 0 {
			continue
		}
		if !slices.Contains(tasks, c.Task) {
			tasks, metrics = append(tasks, c.Task), append(metrics, c.Metrics[0].Metric)
		}
		if rows[c.N] == nil {
			rows[c.N] = map[string]string{}
		}
		if c.N > 0 {
			dropped[c.N] = fmt.Sprintf("[%d, %d)", c.Start, c.Drop[c.N-1]+1)
		}
		text := fmt.Sprintf("%.2f", c.Metrics[0].Value)
		if c.Healing != sweep.Unhealed {
			mark := ""
			if c.Recorded {
				mark, note = "*", "* recorded: computed before with the same settings, and carried by the program"
			}
			text = rows[c.N][c.Task] + " → " + text + mark
		}
		rows[c.N][c.Task] = text
	}
	fmt.Printf("%s, unhealed → healed:\n\n", strategyTitles[strategy])
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "n\tdropped\t%s\n\t\t%s\n", strings.Join(tasks, "\t"), strings.Join(metrics, "\t"))
	for n := range r.Models[0].Layers {
		if rows[n] == nil {
			continue
		}
		fmt.Fprintf(w, "%d\t%s", n, dropped[n])
		for _, t := range tasks {
			fmt.Fprintf(w, "\t%s", rows[n][t])
		}
		fmt.Fprintln(w)
	}
	w.Flush()
	if note != "" {
		fmt.Println(note)
	}
	fmt.Println()
}
