package gguf

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"shallow/checkpoint"
	"shallow/compute"
	"shallow/decoder"
	"shallow/internal/atomicfile"
	"shallow/plan"
	"shallow/prune"
)

// PruneOptions say what to cut out of a file, and where the result goes.
type PruneOptions struct {
	Output string
	Plan   *plan.Plan
	Force  bool // replace a file that is there

	// Device computes the proof. Unproved cuts architectures that are not known, as if all layers were alike.
	Device   compute.Device
	Unproved bool

	// Progress, if given, is called with the name of the stage ("copy", "hash", "prove") and how far it is.
	Progress func(stage string, done, total int64)
}

// pruning is one pruning at work.
type pruning struct {
	PruneOptions
	shape
	source *File
	moves  []move
	result *prune.Result
}

// Prune writes the file that is left when the plan's layers are cut out of source. It appears under its name when it is
// whole, every tensor was hashed on both sides and, where package decoder runs the model, both files were seen to compute the
// same. After an error, or when ctx ends, nothing is left of it.
func Prune(ctx context.Context, source *File, o PruneOptions) (*prune.Result, error) {
	p := &pruning{PruneOptions: o, source: source, result: &prune.Result{Output: o.Output, Drop: o.Plan.Drop, Seconds: map[string]float64{}}}
	if err := p.check(); err != nil {
		return nil, err
	}
	metadata, notes, err := operate(source, p.shape, o.Plan.Drop, o.Unproved)
	if err != nil {
		return nil, err
	}
	p.result.Config = append(p.result.Config, notes...)
	if metadata, err = p.provenance(metadata); err != nil {
		return nil, err
	}
	if p.moves, err = p.plan(); err != nil {
		return nil, err
	}
	p.result.Tensors = len(p.moves)
	for _, m := range p.moves {
		p.result.Bytes += m.from.Length
	}
	out, err := atomicfile.Create(o.Output)
	if err != nil {
		return nil, fmt.Errorf("gguf: %w", err)
	}
	defer out.Abort()
	if err := p.write(ctx, out, metadata); err != nil {
		return nil, err
	}
	if err := p.prove(ctx, out.Name(), metadata); err != nil {
		return nil, err
	}
	err = p.timed("commit", out.Commit)
	if err != nil {
		return nil, fmt.Errorf("gguf: %w", err)
	}
	return p.result, nil
}

// check holds plan and output against the file.
func (p *pruning) check() (err error) {
	if err := p.Plan.Check(); err != nil {
		return fmt.Errorf("gguf: %w", err)
	}
	if p.shape, err = p.source.shape(); err != nil {
		return err
	}
	if p.layers != p.Plan.Layers {
		return fmt.Errorf("gguf: the plan is for a model of %d layers, %s has %d", p.Plan.Layers, p.source.Path, p.layers)
	}
	p.result.Layers, p.result.Kept = p.layers, p.layers-len(p.Plan.Drop)
	info, err := os.Stat(p.Output)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("gguf: %w", err)
	case info.IsDir():
		return fmt.Errorf("gguf: %s is a directory: -o names the file that is written", p.Output)
	}
	if from, err := p.source.file.Stat(); err == nil && os.SameFile(from, info) {
		return fmt.Errorf("gguf: %s is the file that is pruned: choose another name", p.Output)
	}
	if !p.Force {
		return fmt.Errorf("gguf: %s is there already: choose another name, or --force to replace it", p.Output)
	}
	return nil
}

// provenance adds the plan, under the first of the keys shallow.plan, shallow.plan.2, … that is free.
func (p *pruning) provenance(metadata []Entry) ([]Entry, error) {
	data, err := p.Plan.JSON()
	if err != nil {
		return nil, err
	}
	key := "shallow.plan"
	for i := 2; slices.ContainsFunc(metadata, func(e Entry) bool { return e.Key == key }); i++ {
		key = fmt.Sprintf("shallow.plan.%d", i)
	}
	return append(metadata, text(key, strings.TrimSpace(string(data)))), nil
}

// plan lists the tensors that stay, in the order of the file's list, and checks that every layer has some.
func (p *pruning) plan() ([]move, error) {
	gone := map[int]bool{}
	for _, l := range p.Plan.Drop {
		gone[l] = true
	}
	to, next := make([]int, p.layers+p.behind), 0
	for l := range to {
		to[l] = next
		if !gone[l] {
			next++
		}
	}
	tensors := make([]int, len(to))
	var moves []move
	for _, t := range p.source.Tensors {
		layer, rest, ok := layerOf(t.Name)
		switch {
		case !ok:
			moves = append(moves, move{from: t, name: t.Name})
			continue
		case layer >= len(to):
			return nil, fmt.Errorf("gguf: %s: tensor %q belongs to none of the %d layers: the file is damaged", p.source.Path, t.Name, len(to))
		case !gone[layer]:
			moves = append(moves, move{from: t, name: fmt.Sprintf("blk.%d.%s", to[layer], rest)})
		}
		tensors[layer]++
	}
	if l := slices.Index(tensors[:p.layers], 0); l >= 0 {
		return nil, fmt.Errorf("gguf: %s: layer %d has no tensors: the file is a part of a model", p.source.Path, l)
	}
	return moves, nil
}

// write fills the new file.
func (p *pruning) write(ctx context.Context, out *atomicfile.File, metadata []Entry) error {
	// Tensors keep the order in which they lie, so that they are copied in long runs; the list's order is nearly always that.
	slices.SortStableFunc(p.moves, func(a, b move) int { return cmp.Compare(a.from.Offset, b.from.Offset) })
	err := p.timed("copy", func() error {
		return p.source.write(ctx, out, metadata, p.moves, func(done int64) { p.progress("copy", done, p.result.Bytes) })
	})
	switch {
	case err == nil:
		return nil
	case checkpoint.IsFull(err):
		return fmt.Errorf("gguf: %s needs %d bytes and the disk is full: %w", p.Output, p.result.Bytes, err)
	case ctx.Err() != nil:
		return fmt.Errorf("gguf: stopped while writing %s: %w", p.Output, ctx.Err())
	}
	return fmt.Errorf("gguf: %s: %w", p.Output, err)
}

// prove reads what was written, compares it with the source and runs both where that can be.
func (p *pruning) prove(ctx context.Context, name string, metadata []Entry) error {
	written, err := Open(name)
	if err != nil {
		return fmt.Errorf("gguf: what was written cannot be read: %w", err)
	}
	defer written.Close()
	if !slices.EqualFunc(written.Metadata, metadata, equal) {
		return fmt.Errorf("gguf: %s: the metadata read back differ from what was written: the disk or its cache is faulty", p.Output)
	}
	err = p.timed("hash", func() (err error) {
		p.result.Hash, err = compare(ctx, p.source, written, p.moves, func(done int64) { p.progress("hash", done, 2*p.result.Bytes) })
		return err
	})
	if err != nil {
		return err
	}
	original, err := p.runnable()
	if err != nil || original == nil {
		return err
	}
	defer original.Close()
	pruned, err := written.Checkpoint()
	if err != nil {
		return fmt.Errorf("gguf: what was written cannot be run: %w", err)
	}
	defer pruned.Close()
	return p.timed("prove", func() (err error) {
		p.result.Proof, err = prune.Prove(ctx, p.Device, original, pruned, p.Plan.Drop, p.Progress)
		return err
	})
}

// runnable shows the source as a checkpoint that package decoder runs. It is nil, and the result says why, where there is none.
func (p *pruning) runnable() (*checkpoint.Checkpoint, error) {
	c, err := p.source.Checkpoint()
	var cannot *UnsupportedError
	if errors.As(err, &cannot) {
		p.result.Reason = cannot.Reason
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	m, err := decoder.Open(p.Device, c, decoder.Options{})
	if err != nil {
		p.result.Reason = err.Error()
		return nil, c.Close()
	}
	m.Close()
	return c, nil
}

func (p *pruning) progress(stage string, done, total int64) {
	if p.Progress != nil {
		p.Progress(stage, done, total)
	}
}

// timed runs a stage and notes its seconds.
func (p *pruning) timed(stage string, work func() error) error {
	begin := time.Now()
	err := work()
	p.result.Seconds[stage] = time.Since(begin).Seconds()
	return err
}
