package demo

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"path/filepath"
	"slices"

	"shallow/checkpoint"
	"shallow/internal/atomicfile"
	"shallow/plan"
	"shallow/prune"
	"shallow/sweep"
)

//go:embed recorded.jsonl
var recorded []byte

// live are the depths that are healed on the spot, with the strategy similarity; other healed cells are recorded.
var live = []int{2, 4, 6, 8}

// Options say where the demo works.
type Options struct {
	Dir  string // of all it writes
	Seed uint64 // of texts and questions; recorded cells are those of seed 1
	// Record, if given, is a file for the healed cells that are recorded, of which none is taken from the program then.
	Record string
	// Sweep says with what the grid is computed. Its Output and Recorded are set here.
	Sweep sweep.Options
}

// Result is what the demo found and made.
type Result struct {
	Sweep  *sweep.Result `json:"sweep"`
	Plan   *plan.Plan    `json:"plan"`   // of a quarter of the layers, by the least distance
	Pruned *prune.Result `json:"pruned"` // the checkpoint without them
}

// Run writes the demo's files, runs its grid and prunes a quarter of the layers. What an earlier run left is not computed again.
func Run(ctx context.Context, o Options) (*Result, error) {
	if err := Write(o.Dir, o.Seed); err != nil {
		return nil, err
	}
	spec, err := sweep.ReadSpec(filepath.Join(o.Dir, SpecFile))
	if err != nil {
		return nil, err
	}
	o.Sweep.Output = filepath.Join(o.Dir, SweepDir)
	if o.Record == "" {
		if o.Sweep.Recorded, err = Recorded(); err != nil {
			return nil, err
		}
	}
	r := new(Result)
	if r.Sweep, err = sweep.Run(ctx, spec, o.Sweep); err != nil {
		return nil, err
	}
	if o.Record != "" {
		if err := record(o.Record, o.Sweep.Output, r.Sweep); err != nil {
			return nil, err
		}
	}
	return r, r.prune(ctx, o)
}

// Recorded are the healed cells that come with the program.
func Recorded() (sweep.Recorded, error) { return sweep.ReadRecorded(bytes.NewReader(recorded)) }

// record writes the healed cells to a file, but for those that every run computes.
func record(file, dir string, r *sweep.Result) error {
	computed := map[string]bool{}
	for _, c := range r.Cells {
		if c.Strategy == sweep.Similarity && slices.Contains(live, c.N) {
			computed[c.ID] = true
		}
	}
	var lines bytes.Buffer
	err := sweep.WriteRecorded(&lines, dir, r, func(c *sweep.Cell) bool { return c.Healing != sweep.Unhealed && !computed[c.ID] })
	if err != nil {
		return err
	}
	if err := atomicfile.Write(file, lines.Bytes()); err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	return nil
}

// prune writes plan.json and the checkpoint without a quarter of the layers.
func (r *Result) prune(ctx context.Context, o Options) error {
	d := r.Sweep.Models[0].Distances
	p, err := plan.Similarity(d, d.Layers/4, plan.Options{})
	if err != nil {
		return err
	}
	p.Tool, p.Model = o.Sweep.Tool, d.Model
	if err := p.Write(filepath.Join(o.Dir, PlanFile)); err != nil {
		return err
	}
	r.Plan = p
	c, err := checkpoint.Open(filepath.Join(o.Dir, ModelDir))
	if err != nil {
		return err
	}
	defer c.Close()
	r.Pruned, err = prune.Prune(ctx, c, prune.Options{
		Output: filepath.Join(o.Dir, PrunedDir), Plan: p, Tool: o.Sweep.Tool, Device: o.Sweep.Device, Force: true,
	})
	return err
}
