package prune

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"shallow/checkpoint"
	"shallow/compute"
	"shallow/plan"
)

// Options say what to cut out of what, and where the result goes.
type Options struct {
	Output    string
	Plan      *plan.Plan
	Tool      string // for the model card, as "shallow 0.1.0"
	ShardSize int64  // bytes of tensors in one file; 0 is checkpoint.DefaultShardSize
	Force     bool   // replace a directory that is not empty

	// Adapter is the directory of a PEFT adapter of the source, renumbered along with it; "" for none. It goes to AdapterOutput, or else
	// to the folder adapter within Output.
	Adapter       string
	AdapterOutput string

	// Device computes the proof. Unproved goes on where none can be made; the card and the result then say so.
	Device   compute.Device
	Unproved bool

	// Progress, if given, is called with the name of the stage ("copy", "hash", "prove") and how far it is.
	Progress func(stage string, done, total int64)
}

// Result is what was done.
type Result struct {
	Output  string             `json:"output"`
	Layers  int                `json:"layers"` // before
	Kept    int                `json:"kept"`   // layers after
	Drop    []int              `json:"drop"`
	Tensors int                `json:"tensors"`
	Bytes   int64              `json:"bytes"` // of the tensors
	Hash    string             `json:"sha256"`
	Proof   *Proof             `json:"proof,omitempty"`
	Reason  string             `json:"not_proved_because,omitempty"`
	Config  []string           `json:"config,omitempty"`   // what changed in config.json and files like it, and what is worth knowing
	LeftOut []string           `json:"left_out,omitempty"` // files that did not come along
	Adapter *AdapterResult     `json:"adapter,omitempty"`
	Seconds map[string]float64 `json:"seconds"` // of each stage
}

// run is one pruning at work.
type run struct {
	Options
	source *checkpoint.Checkpoint
	layout checkpoint.Layout
	writer *checkpoint.Writer
	result *Result
	// companions are files beside config.json, rewritten.
	companions map[string][]byte
	adapter    *adapter // nil for none
}

// Prune writes the checkpoint that is left when the plan's layers are cut out of source. The output appears under its name
// when it is whole and proved; after an error, or when ctx ends, nothing is left of it.
func Prune(ctx context.Context, source *checkpoint.Checkpoint, o Options) (_ *Result, err error) {
	r := &run{Options: o, source: source, result: &Result{Output: o.Output, Drop: o.Plan.Drop, Seconds: map[string]float64{}}}
	if err := r.checkPlan(); err != nil {
		return nil, err
	}
	if err := r.checkOutput(); err != nil {
		return nil, err
	}
	if err := r.checkOneTensorForAll(); err != nil {
		return nil, err
	}
	config, notes, err := rewrite(source.Config, r.layout, o.Plan.Drop)
	if err != nil {
		return nil, err
	}
	r.result.Config = notes
	if err := r.readCompanions(); err != nil {
		return nil, err
	}
	if err := r.checkProvable(); err != nil {
		return nil, err
	}
	if o.Adapter != "" {
		if r.adapter, err = openAdapter(o.Adapter, namesOf(r.layout, o.Plan.Drop), o.Output); err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, r.adapter.close()) }()
	}
	r.writer, err = checkpoint.NewWriter(o.Output, checkpoint.WriterOptions{Replace: o.Force, Progress: r.counter("copy", r.bytes())})
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.writer.Abort())
		}
	}()
	if err := r.write(ctx, config); err != nil {
		return nil, err
	}
	if err := r.check(ctx); err != nil {
		return nil, err
	}
	if err := r.writeCard(); err != nil {
		return nil, err
	}
	return r.result, r.commit(ctx)
}

// commit puts the adapter where it belongs, and then the directories into place.
func (r *run) commit(ctx context.Context) error {
	switch {
	case r.adapter == nil:
	case r.AdapterOutput == "":
		r.adapter.result.Output = filepath.Join(r.Output, adapterFolder)
		if err := r.adapter.write(ctx, r.writer, adapterFolder); err != nil {
			return err
		}
		r.result.Adapter = &r.adapter.result
	default:
		r.adapter.result.Output = r.AdapterOutput
		w, err := checkpoint.NewWriter(r.AdapterOutput, checkpoint.WriterOptions{Replace: r.Force})
		if err != nil {
			return err
		}
		if err := r.adapter.write(ctx, w, "."); err != nil {
			return errors.Join(err, w.Abort())
		}
		if err := r.timed("commit", r.writer.Commit); err != nil {
			return errors.Join(err, w.Abort())
		}
		r.result.Adapter = &r.adapter.result
		return w.Commit()
	}
	return r.timed("commit", r.writer.Commit)
}

// checkOutput refuses to replace what is read.
func (r *run) checkOutput() error {
	for _, source := range []string{r.source.Dir, r.Adapter} {
		for _, output := range []string{r.Output, r.AdapterOutput} {
			if source == "" || output == "" {
				continue
			}
			if err := notWithin(source, output); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkOneTensorForAll refuses checkpoints in which one tensor outside of the layers has a part for each of them, as Gemma 3n's
// embed_tokens_per_layer: cutting it would take more than moving bytes.
func (r *run) checkOneTensorForAll() error {
	for _, name := range r.layout.Outside {
		if strings.Contains(name, "_per_layer") || strings.Contains(name, ".per_layer_model") {
			return fmt.Errorf("prune: tensor %q has a part for each layer, and tensors are only moved whole: such a model is not pruned", name)
		}
	}
	return nil
}

// checkPlan holds the plan against the checkpoint.
func (r *run) checkPlan() error {
	if err := r.Plan.Check(); err != nil {
		return fmt.Errorf("prune: %w", err)
	}
	var err error
	if r.layout, err = r.source.Layout(); err != nil {
		return err
	}
	if r.layout.Layers != r.Plan.Layers {
		return fmt.Errorf("prune: the plan is for a model of %d layers, %s has %d", r.Plan.Layers, r.source.Dir, r.layout.Layers)
	}
	if hash := r.source.Config.Hash(); r.Plan.Model.ConfigHash != "" && r.Plan.Model.ConfigHash != hash {
		return fmt.Errorf("prune: the plan was made for %s, whose config.json has the hash %.12s…, that of %s has %.12s…: make a plan for this model",
			r.Plan.Model.Name, r.Plan.Model.ConfigHash, r.source.Dir, hash)
	}
	r.result.Layers, r.result.Kept = r.layout.Layers, r.layout.Layers-len(r.Plan.Drop)
	return nil
}

// outputs are the tensors that stay, under their new names.
func (r *run) outputs() []checkpoint.Output {
	var outputs []checkpoint.Output
	add := func(name, as string) {
		t, _ := r.source.Tensor(name)
		outputs = append(outputs, checkpoint.Copy(t, as))
	}
	for _, name := range r.layout.Outside {
		add(name, name)
	}
	to := 0
	for l, names := range slices.Concat(r.layout.Tensors, r.layout.Extra) {
		if slices.Contains(r.Plan.Drop, l) {
			continue
		}
		for _, name := range names {
			add(name, r.layout.Rename(name, to))
		}
		to++
	}
	checkpoint.SourceOrder(outputs)
	return outputs
}

func (r *run) bytes() (n int64) {
	for _, o := range r.outputs() {
		n += o.From.Length
	}
	return n
}

// write fills the new directory with all but the model card.
func (r *run) write(ctx context.Context, config []byte) error {
	outputs := r.outputs()
	r.result.Tensors, r.result.Bytes = len(outputs), r.bytes()
	r.result.Config = append(r.result.Config, r.furtherTokens()...)
	err := r.timed("copy", func() error {
		return r.writer.WriteTensors(ctx, outputs, r.ShardSize, r.source.Metadata())
	})
	if err != nil {
		return err
	}
	if err := r.writer.WriteFile(checkpoint.ConfigFile, config); err != nil {
		return err
	}
	if err := r.copyFiles(ctx); err != nil {
		return err
	}
	text, err := r.Plan.JSON()
	if err != nil {
		return err
	}
	if err := r.writer.WriteFile(planFile, text); err != nil {
		return err
	}
	return r.timed("sync", r.writer.Sync)
}

// furtherTokens says that layers which predict further tokens are kept. They were trained on the states that leave the unpruned model.
func (r *run) furtherTokens() (notes []string) {
	if n := len(r.layout.Extra); n > 0 {
		notes = append(notes, fmt.Sprintf("the weights of %d layers behind the last, which predict further tokens, are kept, numbered from %d on", n, r.result.Kept))
	}
	for _, name := range r.layout.Outside {
		if slices.ContainsFunc(strings.Split(name, "."), func(part string) bool { return part == "mtp" || part == "mtp_layers" }) {
			return append(notes, fmt.Sprintf("the weights that predict further tokens (%s and the like) are kept", name))
		}
	}
	return notes
}

// check hashes every tensor on both sides and proves that both sides compute the same.
func (r *run) check(ctx context.Context) error {
	pruned, err := checkpoint.Open(r.writer.Dir())
	if err != nil {
		return fmt.Errorf("prune: what was written cannot be read: %w", err)
	}
	defer pruned.Close()
	err = r.timed("hash", func() (err error) {
		r.result.Hash, err = compareBytes(ctx, r.outputs(), r.source, pruned, r.counter("hash", 2*r.result.Bytes))
		return err
	})
	if err != nil || r.result.Reason != "" {
		return err
	}
	return r.timed("prove", func() (err error) {
		r.result.Proof, err = prove(ctx, r.Device, r.source, pruned, r.Plan.Drop, r.Progress)
		return err
	})
}

// timed runs a stage and notes its seconds.
func (r *run) timed(stage string, work func() error) error {
	begin := time.Now()
	err := work()
	r.result.Seconds[stage] = time.Since(begin).Seconds()
	return err
}

// counter turns byte counts into calls of Progress.
func (r *run) counter(stage string, total int64) func(int64) {
	if r.Progress == nil {
		return func(int64) {}
	}
	var done int64
	return func(n int64) {
		done += n
		r.Progress(stage, min(done, total), total)
	}
}
