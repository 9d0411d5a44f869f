package prune

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"shallow/checkpoint"
	"shallow/plan"
)

// The files of a PEFT adapter, and the folder that it goes to beside a pruned model.
const (
	adapterConfig  = "adapter_config.json"
	adapterWeights = "adapter_model.safetensors"
	adapterPickle  = "adapter_model.bin"
	adapterFolder  = "adapter"
)

// AdapterResult is what was done with an adapter.
type AdapterResult struct {
	Output  string   `json:"output"`
	Tensors int      `json:"tensors"`
	Dropped int      `json:"dropped"` // tensors that belonged to layers that were cut
	Bytes   int64    `json:"bytes"`
	Hash    string   `json:"sha256"`
	Config  []string `json:"config,omitempty"` // what changed in adapter_config.json
	LeftOut []string `json:"left_out,omitempty"`
}

// adapter is a PEFT adapter of the original on its way to the pruned model.
type adapter struct {
	dir     string
	weights *checkpoint.Checkpoint
	outputs []checkpoint.Output
	config  []byte
	base    string // the pruned model's name; empty if it is not written in the same run
	result  AdapterResult
}

// MoveAdapter renumbers a PEFT adapter of source onto the model that a plan leaves, and writes it to output. Bytes of tensors are only moved.
// base is the pruned model's name or directory, which adapter_config.json then names; if it is empty, the old name stays.
func MoveAdapter(ctx context.Context, source *checkpoint.Checkpoint, p *plan.Plan, dir, output, base string, force bool) (_ *AdapterResult, err error) {
	r := &run{Options: Options{Plan: p, Output: output}, source: source, result: &Result{}}
	if err := r.checkPlan(); err != nil {
		return nil, err
	}
	if err := notWithin(dir, output); err != nil {
		return nil, err
	}
	a, err := openAdapter(dir, namesOf(r.layout, p.Drop), base)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, a.close()) }()
	w, err := checkpoint.NewWriter(output, checkpoint.WriterOptions{Replace: force})
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.Abort())
		}
	}()
	a.result.Output = output
	if err := a.write(ctx, w, "."); err != nil {
		return nil, err
	}
	return &a.result, w.Commit()
}

// openAdapter reads an adapter and works out what becomes of it; nothing is written.
func openAdapter(dir string, names layerNames, base string) (*adapter, error) {
	a := &adapter{dir: dir, base: base}
	config, err := checkpoint.ReadObject(dir, adapterConfig)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("prune: %s has no %s: it is no PEFT adapter", dir, adapterConfig)
	}
	if err != nil {
		return nil, err
	}
	if a.config, a.result.Config, err = rewriteAdapter(config, names, base); err != nil {
		return nil, fmt.Errorf("prune: %s: %w", filepath.Join(dir, adapterConfig), err)
	}
	if a.weights, err = checkpoint.OpenFile(dir, adapterWeights); err != nil {
		if _, e := os.Stat(filepath.Join(dir, adapterPickle)); e == nil && errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("prune: %s has %s but no %s: pickled weights are never opened here: save the adapter as safetensors", dir, adapterPickle, adapterWeights)
		}
		return nil, err
	}
	if err := a.rename(names); err != nil {
		return nil, errors.Join(fmt.Errorf("prune: %s: %w", filepath.Join(dir, adapterWeights), err), a.close())
	}
	return a, nil
}

func (a *adapter) close() error { return a.weights.Close() }

// rename gives the tensors that stay their new names. Those of no layer (embeddings, the head) keep theirs.
func (a *adapter) rename(names layerNames) error {
	for _, name := range a.weights.Names() {
		changed, keep, err := names.renumber(name)
		if err != nil {
			return fmt.Errorf("tensor %q: %w: the adapter is another model's", name, err)
		}
		if !keep {
			a.result.Dropped++
			continue
		}
		t, _ := a.weights.Tensor(name)
		a.outputs = append(a.outputs, checkpoint.Copy(t, changed))
		a.result.Bytes += t.Length
	}
	if len(a.outputs) == 0 {
		return fmt.Errorf("all its %d tensors belong to layers that are cut: nothing is left of it", a.result.Dropped)
	}
	a.result.Tensors = len(a.outputs)
	checkpoint.SourceOrder(a.outputs)
	return nil
}

// write puts the adapter into a folder of a writer's directory, and holds every tensor's bytes against the original's.
func (a *adapter) write(ctx context.Context, w *checkpoint.Writer, folder string) error {
	if err := os.MkdirAll(filepath.Join(w.Dir(), folder), 0o777); err != nil {
		return fmt.Errorf("prune: %w", err)
	}
	if err := w.WriteFileOf(ctx, filepath.Join(folder, adapterWeights), a.outputs, a.weights.Metadata()); err != nil {
		return err
	}
	if err := w.WriteFile(filepath.Join(folder, adapterConfig), a.config); err != nil {
		return err
	}
	if err := a.copyFiles(ctx, w, folder); err != nil {
		return err
	}
	written, err := checkpoint.OpenFile(filepath.Join(w.Dir(), folder), adapterWeights)
	if err != nil {
		return fmt.Errorf("prune: what was written cannot be read: %w", err)
	}
	defer written.Close()
	a.result.Hash, err = compareBytes(ctx, a.outputs, a.weights, written, func(int64) {})
	return err
}

// copyFiles brings the adapter's other files along: its card, a tokenizer. Weights of other formats and the trainer's state stay behind.
func (a *adapter) copyFiles(ctx context.Context, w *checkpoint.Writer, folder string) error {
	entries, err := os.ReadDir(a.dir)
	if err != nil {
		return fmt.Errorf("prune: %w", err)
	}
	for _, entry := range entries {
		name := entry.Name()
		from := filepath.Join(a.dir, name)
		info, err := os.Stat(from)
		switch {
		case err != nil:
			return fmt.Errorf("prune: %w", err)
		case name == adapterConfig || name == adapterWeights:
		case !info.Mode().IsRegular():
			a.result.LeftOut = append(a.result.LeftOut, name+string(filepath.Separator))
		case checkpoint.HoldsWeights(name) || strings.HasPrefix(name, "trainer_state") || strings.HasPrefix(name, "log."):
			a.result.LeftOut = append(a.result.LeftOut, name)
		case name == cardFile && a.base != "" && info.Size() <= maxCard:
			card, err := os.ReadFile(from)
			if err != nil {
				return fmt.Errorf("prune: %w", err)
			}
			front, body := splitFrontMatter(string(card))
			if err := w.WriteFile(filepath.Join(folder, name), []byte(setBaseModel(front, a.base)+body)); err != nil {
				return err
			}
		default:
			if err := w.CopyFile(ctx, filepath.Join(folder, name), from); err != nil {
				return err
			}
		}
	}
	return nil
}
