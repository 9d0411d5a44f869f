package demo

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"shallow/checkpoint"
	"shallow/compute"
	"shallow/decoder"
	"shallow/plan"
	"shallow/prune"
	"shallow/report"
	"shallow/similarity"
	"shallow/tokenizer"
)

// Options say where the demo works.
type Options struct {
	Dir      string // of all it writes
	Seed     uint64
	Tool     string // for what is written, as "shallow 0.1.0"
	Device   compute.Device
	Progress func(done, total int64) // of measuring
}

// Result is what the demo found and made.
type Result struct {
	Dir       string                `json:"dir"`
	Distances *similarity.Distances `json:"-"`
	Best      []Cut                 `json:"best"`    // of the least distance
	Shallow   []Cut                 `json:"shallow"` // as long, right behind the first layer
	Plan      *plan.Plan            `json:"plan"`
	Pruned    *prune.Result         `json:"pruned"`
}

// depths are the block lengths that are compared.
var depths = []int{1, 2, 4, 6, 8}

// pruned is how many layers the checkpoint at the end has lost: a quarter.
const pruned = layers / 4

// compared is how many of the texts the cut models are compared on.
const compared = 8

// Run goes the whole way and writes model, texts, distances.json, the heat map, plan.json and the pruned model.
func Run(ctx context.Context, o Options) (*Result, error) {
	if err := os.MkdirAll(o.Dir, 0o777); err != nil {
		return nil, fmt.Errorf("demo: %w", err)
	}
	dir := filepath.Join(o.Dir, "model")
	if err := WriteModel(dir, o.Seed); err != nil {
		return nil, err
	}
	if err := WriteCorpus(filepath.Join(o.Dir, "texts.jsonl"), o.Seed); err != nil {
		return nil, err
	}
	tok, err := tokenizer.Open(dir)
	if err != nil {
		return nil, err
	}
	var sequences [][]int
	for _, text := range documents(texts, o.Seed) {
		sequences = append(sequences, tok.Encode(text, true))
	}
	c, err := checkpoint.Open(dir)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	m, err := decoder.Open(o.Device, c, decoder.Options{Pack: true})
	if err != nil {
		return nil, err
	}
	defer m.Close()

	r := &Result{Dir: o.Dir}
	if err := r.measure(ctx, m, sequences, o); err != nil {
		return nil, err
	}
	if err := r.compare(ctx, m, sequences[:compared]); err != nil {
		return nil, err
	}
	return r, r.prune(ctx, c, o)
}

// measure writes distances.json and the heat map.
func (r *Result) measure(ctx context.Context, m *decoder.Model, sequences [][]int, o Options) error {
	d, err := similarity.Measure(ctx, m, sequences, similarity.Options{Progress: o.Progress})
	if err != nil {
		return err
	}
	d.Tool, d.Model = o.Tool, similarity.ModelOf(m.Checkpoint)
	d.Corpus.Files = []string{"texts.jsonl"}
	r.Distances = d
	if err := d.Write(filepath.Join(o.Dir, "distances.json")); err != nil {
		return err
	}
	if err := report.WritePNG(filepath.Join(o.Dir, "heatmap.png"), d); err != nil {
		return err
	}
	return report.WriteSVG(filepath.Join(o.Dir, "heatmap.svg"), d)
}

// compare leaves blocks out, the best ones and shallow ones, and holds the predictions against the whole model's.
func (r *Result) compare(ctx context.Context, m *decoder.Model, sequences [][]int) error {
	whole, err := logits(m, sequences, nil)
	if err != nil {
		return err
	}
	for _, n := range depths {
		best, err := plan.Similarity(r.Distances, n, plan.Options{})
		if err != nil {
			return err
		}
		for _, c := range []struct {
			start int
			cuts  *[]Cut
		}{{best.Start, &r.Best}, {1, &r.Shallow}} {
			if err := ctx.Err(); err != nil {
				return err
			}
			p, err := plan.Block(r.Distances, n, c.start, plan.BySimilarity)
			if err != nil {
				return err
			}
			without, err := logits(m, sequences, p.Drop)
			if err != nil {
				return err
			}
			cut := Cut{N: n, Range: p.Ranges[0], Distance: *p.Distance}
			cut.Agreement, cut.Divergence = compare(whole, without, m.Spec.V)
			*c.cuts = append(*c.cuts, cut)
		}
	}
	return nil
}

// prune writes plan.json and the shallower checkpoint.
func (r *Result) prune(ctx context.Context, c *checkpoint.Checkpoint, o Options) error {
	p, err := plan.Similarity(r.Distances, pruned, plan.Options{})
	if err != nil {
		return err
	}
	p.Tool, p.Model = o.Tool, r.Distances.Model
	if err := p.Write(filepath.Join(o.Dir, "plan.json")); err != nil {
		return err
	}
	r.Plan = p
	r.Pruned, err = prune.Prune(ctx, c, prune.Options{
		Output: filepath.Join(o.Dir, "pruned"), Plan: p, Tool: o.Tool, Device: o.Device, Force: true,
	})
	return err
}
