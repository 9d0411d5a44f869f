package heal

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"

	"shallow/checkpoint"
	"shallow/compute"
	"shallow/decoder"
	"shallow/nf4"
)

// MergeOptions say how an adapter is merged.
type MergeOptions struct {
	Output   string // the directory of the merged checkpoint
	Force    bool   // replace a directory that is not empty
	Progress func(bytes, total int64)
}

// MergeResult is what was merged, and how near the result comes to what it was made of.
type MergeResult struct {
	Output    string   `json:"output"`
	Base      string   `json:"base"` // what the weights were taken as: stored, or nf4
	Modules   int      `json:"modules"`
	Rewritten int      `json:"rewritten_tensors"` // those with an adapter, and with an nf4 base all matrices of the layers
	Types     []string `json:"types"`             // that the rewritten tensors are stored in
	Bytes     int64    `json:"bytes"`
	Apart     float64  `json:"logits_apart"`           // from base and adapter side by side, as a share of the largest logit
	Other     string   `json:"other_base"`             // nf4 where Base is stored, stored where it is nf4
	FromOther float64  `json:"logits_from_other_base"` // how far the same logits are from that base with the adapter
	Rounding  float64  `json:"largest_rounding_error"` // of a weight when it was stored, as a share of its tensor's largest
	LeftOut   []string `json:"left_out,omitempty"`
}

// Merge writes a checkpoint whose weights are W + scale·B·A, computed in float32 and rounded to the type that each tensor is stored
// in. W is what m's layers hold: under an NF4 base every matrix of the layers goes through 4 bits first, as in training. Before the
// directory gets its name, the logits of the new checkpoint are compared with those of m with the adapter.
func Merge(ctx context.Context, m *decoder.Model, p *PEFT, o MergeOptions) (_ *MergeResult, err error) {
	if err := p.fit(modules(m.Spec)); err != nil {
		return nil, err
	}
	for _, x := range p.Modules {
		if name := x.Module + ".weight"; nf4.Quantized(m.Checkpoint, name) {
			return nil, fmt.Errorf("heal: %s: tensor %q is stored in 4 bits: merge into the model that it was quantised from", m.Checkpoint.Dir, name)
		}
	}
	w, err := checkpoint.NewWriter(o.Output, checkpoint.WriterOptions{Replace: o.Force, Progress: o.progress(m.Checkpoint.Size())})
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.Abort())
		}
	}()
	r := &merging{model: m, peft: p, result: MergeResult{Output: o.Output, Base: m.Base().String(), Modules: len(p.Modules), Bytes: m.Checkpoint.Size()}}
	if err := w.WriteTensors(ctx, r.outputs(), 0, m.Checkpoint.Metadata()); err != nil {
		return nil, err
	}
	if err := r.carry(ctx, w); err != nil {
		return nil, err
	}
	if err := w.Sync(); err != nil {
		return nil, err
	}
	if err := r.compare(ctx, w.Dir()); err != nil {
		return nil, err
	}
	return &r.result, w.Commit()
}

func (o MergeOptions) progress(total int64) func(int64) {
	if o.Progress == nil {
		return nil
	}
	var done int64
	return func(n int64) {
		done += n
		o.Progress(done, total)
	}
}

type merging struct {
	model  *decoder.Model
	peft   *PEFT
	config []byte // in place of the model's; nil is the model's
	result MergeResult
}

// outputs are all tensors, those that change made anew when it is their turn.
func (r *merging) outputs() []checkpoint.Output {
	c := r.model.Checkpoint
	adapted := map[string]*LowRank{}
	for i := range r.peft.Modules {
		adapted[r.peft.Modules[i].Module+".weight"] = &r.peft.Modules[i]
	}
	changed := map[string]bool{}
	for _, x := range modules(r.model.Spec) {
		name := x.name + ".weight"
		changed[name] = adapted[name] != nil || r.model.Base() == decoder.NF4
	}
	var all []checkpoint.Output
	for _, name := range c.Names() {
		t, _ := c.Tensor(name)
		x := checkpoint.Copy(t, name)
		if changed[name] {
			x = checkpoint.Output{Name: name, DType: t.DType, Shape: t.Shape, Make: func() ([]byte, error) { return r.merged(t, adapted[name]) }}
			r.result.Rewritten++
			if !slices.Contains(r.result.Types, string(t.DType)) {
				r.result.Types = append(r.result.Types, string(t.DType))
			}
		}
		all = append(all, x)
	}
	return all
}

// merged is a tensor's new bytes. a is nil where it has no adapter.
func (r *merging) merged(t checkpoint.Tensor, a *LowRank) ([]byte, error) {
	w, err := r.model.Held(t.Name)
	if err != nil {
		return nil, err
	}
	if a != nil {
		if err := r.add(w, a); err != nil {
			return nil, err
		}
	}
	data, err := narrow(w, t.DType)
	if err != nil {
		return nil, fmt.Errorf("heal: tensor %q: %w", t.Name, err)
	}
	again, err := widen(data, t.DType)
	if err != nil {
		return nil, err
	}
	var most, largest float64
	for i, v := range w {
		most, largest = max(most, math.Abs(float64(again[i])-float64(v))), max(largest, math.Abs(float64(v)))
		if again[i]-again[i] != 0 {
			return nil, fmt.Errorf("heal: tensor %q: %g with the adapter is no finite number as %s", t.Name, v, t.DType)
		}
	}
	if largest > 0 {
		r.result.Rounding = max(r.result.Rounding, most/largest)
	}
	return data, nil
}

// add adds scale·B·A to a matrix in the file's order.
func (r *merging) add(w []float32, a *LowRank) error {
	dev := r.model.Device
	turned := make([]float32, len(a.A)) // Aᵀ, the weight that B is multiplied by
	for i := range a.Rank {
		for j := range a.In {
			turned[j*a.Rank+i] = a.A[i*a.In+j]
		}
	}
	const block = 256 // rows of B at a time
	x, out := dev.New(compute.Float32, block, a.Rank), dev.New(compute.Float32, block, a.In)
	weight := dev.New(compute.Float32, a.In, a.Rank)
	defer func() {
		for _, t := range []compute.Tensor{x, out, weight} {
			dev.Release(t.Memory)
		}
	}()
	dev.Upload(weight, compute.Bytes(turned))
	host := make([]float32, block*a.In)
	for lo := 0; lo < a.Out; lo += block {
		n := min(block, a.Out-lo)
		part, delta := x.RowRange(0, n), out.RowRange(0, n)
		dev.Upload(part, compute.Bytes(a.B[lo*a.Rank:(lo+n)*a.Rank]))
		dev.MatMul(part, compute.Float32, compute.Product{Out: delta, W: weight})
		dev.Scale(delta, a.Scale)
		if err := dev.Download(compute.Bytes(host[:n*a.In]), delta); err != nil {
			return err
		}
		for i := range n {
			for j, v := range host[i*a.In : (i+1)*a.In] {
				if r.model.Spec.Names.Transposed {
					w[j*a.Out+lo+i] += v
				} else {
					w[(lo+i)*a.In+j] += v
				}
			}
		}
	}
	return nil
}

// carry copies every other file: config, tokenizer, chat templates.
func (r *merging) carry(ctx context.Context, w *checkpoint.Writer) error {
	const templates = "additional_chat_templates"
	dir := r.model.Checkpoint.Dir
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("heal: %w", err)
	}
	for _, e := range entries {
		name := e.Name()
		info, err := os.Stat(filepath.Join(dir, name))
		switch {
		case err != nil:
			return fmt.Errorf("heal: %w", err)
		case name == templates && info.IsDir():
			if err := copyFolder(ctx, w, dir, name); err != nil {
				return err
			}
		case !info.Mode().IsRegular(), name == adapterConfigFile, checkpoint.HoldsWeights(name):
			if !has(r.model.Checkpoint, name) && !isShard(r.model.Checkpoint, name) {
				r.result.LeftOut = append(r.result.LeftOut, name)
			}
		case name == checkpoint.ConfigFile && r.config != nil:
			if err := w.WriteFile(name, r.config); err != nil {
				return err
			}
		default:
			if err := w.CopyFile(ctx, name, filepath.Join(dir, name)); err != nil {
				return err
			}
		}
	}
	return nil
}

// isShard reports whether a file is one that the model's tensors lie in, or their index.
func isShard(c *checkpoint.Checkpoint, name string) bool {
	return name == checkpoint.IndexFile || slices.ContainsFunc(c.Names(), func(n string) bool {
		t, _ := c.Tensor(n)
		return t.File == name
	})
}

func copyFolder(ctx context.Context, w *checkpoint.Writer, dir, folder string) error {
	entries, err := os.ReadDir(filepath.Join(dir, folder))
	if err != nil {
		return fmt.Errorf("heal: %w", err)
	}
	if err := os.Mkdir(filepath.Join(w.Dir(), folder), 0o777); err != nil {
		return fmt.Errorf("heal: %w", err)
	}
	for _, e := range entries {
		name := filepath.Join(folder, e.Name())
		if err := w.CopyFile(ctx, name, filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return nil
}

// compare says how far the logits of the new checkpoint are from those of the model with the adapter.
func (r *merging) compare(ctx context.Context, dir string) error {
	t := newAdapters(r.model, r.peft)
	defer t.release(r.model.Device)
	if err := r.model.Adapt(t.adapters); err != nil {
		return err
	}
	defer func() { _ = r.model.Adapt(nil) }() // none cannot fail to fit
	sequences := probes(r.model.Spec.V)
	want, err := logits(ctx, r.model, sequences)
	if err != nil {
		return err
	}
	c, err := checkpoint.Open(dir)
	if err != nil {
		return err
	}
	defer c.Close()
	m, err := decoder.Open(r.model.Device, c, decoder.Options{Precision: decoder.Float32})
	if err != nil {
		return err
	}
	defer m.Close()
	got, err := logits(ctx, m, sequences)
	if err != nil {
		return err
	}
	if r.result.Apart = share(got, want); !(r.result.Apart >= 0) {
		return errors.New("heal: the merged model's logits are not finite")
	}
	return r.compareOther(ctx, t, sequences, got)
}

// compareOther says how far the merged model's logits are from those of the adapter beside the other base.
func (r *merging) compareOther(ctx context.Context, t *trainee, sequences [][]int, merged []float32) error {
	other := decoder.NF4
	if r.model.Base() == decoder.NF4 {
		other = decoder.Stored
	}
	m, err := decoder.Open(r.model.Device, r.model.Checkpoint, decoder.Options{Precision: decoder.Float32, Base: other})
	if err != nil {
		return err
	}
	defer m.Close()
	if err := m.Adapt(t.adapters); err != nil {
		return err
	}
	want, err := logits(ctx, m, sequences)
	if err != nil {
		return err
	}
	r.result.Other, r.result.FromOther = other.String(), share(merged, want)
	return nil
}

// share is the largest difference as a share of the largest number wanted.
func share(got, want []float32) float64 {
	var most, largest float64
	for i, v := range want {
		most, largest = max(most, math.Abs(float64(got[i])-float64(v))), max(largest, math.Abs(float64(v)))
	}
	return most / largest
}

// probes are sequences of ids that reach through the vocabulary.
func probes(v int) [][]int {
	sequences := make([][]int, 2)
	for s := range sequences {
		for i := range 24 {
			sequences[s] = append(sequences[s], int(random(1, forAdapter, uint64(s), uint64(i))%uint64(v)))
		}
	}
	return sequences
}

// logits are those of sequences, one layer in memory at a time.
func logits(ctx context.Context, m *decoder.Model, sequences [][]int) ([]float32, error) {
	g, err := m.Start(sequences)
	if err != nil {
		return nil, err
	}
	defer g.Close()
	for l, err := range m.Layers(nil) {
		if err != nil {
			return nil, err
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		g.Forward(l)
	}
	h := m.Head()
	defer h.Release()
	return g.Logits(h, nil)
}
