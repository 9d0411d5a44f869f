package sweep

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"shallow/decoder"
	"shallow/gguf"
	"shallow/heal"
	"shallow/plan"
	"shallow/prune"
)

// healed is where a healed variant's files are.
type healed struct {
	pruned  string // the checkpoint without the layers
	output  string // what the healing writes
	adapter string // "" where the weights themselves were trained
	model   string // what is evaluated
}

// places says where the files of a healed variant go.
func (s *sweep) places(m *subject, u *unit) healed {
	name := fmt.Sprintf("%s-%s-%s", fileName(m.spec.Name), u.healing.Name, u.key[:12])
	h := healed{pruned: filepath.Join(s.Output, "work", name+"-pruned"), output: filepath.Join(s.Output, "healed", name)}
	if s.spec.KeepCheckpoints {
		h.pruned = filepath.Join(s.Output, "pruned", fmt.Sprintf("%s-%s-%s", fileName(m.spec.Name), label(u.points[0].drop), hashJSON(s.inputs(m))[:8]))
	}
	if s.Keep {
		h.pruned, h.output = filepath.Join(s.Output, keptPruned), filepath.Join(s.Output, keptHealed)
	}
	if gguf.Is(m.path) {
		h.pruned += ".gguf"
	}
	if len(u.points[0].drop) == 0 {
		h.pruned = m.path
	}
	h.model = h.pruned
	if u.healing.Method == string(heal.LoRA) {
		h.adapter = h.output
	} else {
		h.model = filepath.Join(h.output, "model")
	}
	return h
}

// label is dropped layers as part of a file's name.
func label(drop []int) string {
	if len(drop) == 0 {
		return "whole"
	}
	if n := len(drop); drop[n-1]-drop[0] == n-1 {
		return fmt.Sprintf("without-%d-%d", drop[0], drop[n-1])
	}
	return "without-" + hashJSON(drop)[:8]
}

// prune writes the checkpoint without a variant's layers, unless it is there. It appears under its name when it is whole.
func (s *sweep) prune(ctx context.Context, m *subject, p *plan.Plan, to string) error {
	if p == nil || exists(to) { // of the whole model there is nothing to do
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o777); err != nil {
		return fmt.Errorf("sweep: %w", err)
	}
	s.stage("prune", m.spec.Name+" "+label(p.Drop))
	progress := func(_ string, done, total int64) { s.progress(done, total) }
	if !gguf.Is(m.path) {
		_, err := prune.Prune(ctx, m.checkpoint, prune.Options{Output: to, Plan: p, Tool: s.Tool, Force: true, Device: s.Device, Progress: progress})
		return err
	}
	f, err := gguf.Open(m.path)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = gguf.Prune(ctx, f, gguf.PruneOptions{Output: to, Plan: p, Force: true, Device: s.Device, Progress: progress})
	return err
}

// heal prunes and heals a variant, going on where an earlier attempt was stopped.
func (s *sweep) heal(ctx context.Context, m *subject, u *unit, at healed) (*heal.Result, error) {
	r, err := s.healer(ctx, m, u.healing)
	if err != nil {
		return nil, err
	}
	drop := u.points[0].drop
	if at.adapter == "" && exists(filepath.Join(at.output, "heal.json")) && !exists(at.model) {
		// The training is through, and its checkpoint was removed.
		if err := os.RemoveAll(at.output); err != nil {
			return nil, fmt.Errorf("sweep: %w", err)
		}
	}
	if err := s.prune(ctx, m, u.points[0].plan, at.pruned); err != nil {
		return nil, err
	}
	c, err := openCheckpoint(at.pruned)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	o := r.options
	base := baseOptions(u.healing.Base)
	model, err := decoder.Open(s.Device, c, base)
	if err != nil {
		return nil, err
	}
	defer model.Close()
	if o.Objective != heal.NextToken {
		base.Base = decoder.Stored
		teacher, err := decoder.Open(s.Device, m.checkpoint, base)
		if err != nil {
			return nil, err
		}
		defer teacher.Close()
		o.Teacher = &heal.Teacher{Model: teacher, Temperature: r.temperature()}
	}
	if n := len(drop); n > 0 {
		last := drop[n-1] + 1
		o.Cut = &heal.Cut{Layer: last - n, Behind: last}
	}
	data, err := r.rows()
	if err != nil {
		return nil, err
	}
	o.Output = at.output
	o.Given = map[string]string{"corpus": data.Cursor().Data, "base": u.healing.Base}
	s.stage("heal", u.String())
	o.Progress = func(_ heal.Line, done, total int) { s.progress(int64(done), int64(total)) }
	if err := os.MkdirAll(filepath.Dir(o.Output), 0o777); err != nil {
		return nil, fmt.Errorf("sweep: %w", err)
	}
	return heal.Run(ctx, model, data, nil, o)
}

// baseOptions open a model in the precision of a healing's base.
func baseOptions(base string) (o decoder.Options) {
	switch base {
	case "nf4":
		o.Base = decoder.NF4
	case "bf16":
		o.Precision = decoder.BFloat16
	case "float32":
		o.Precision = decoder.Float32
	}
	return o
}

// passing says that checkpoints are removed when they have been scored.
func (s *sweep) passing() bool { return !s.spec.KeepCheckpoints && !s.Keep }

// discard removes the checkpoints of a healed variant that nobody asked for. The adapter stays.
func (s *sweep) discard(m *subject, at healed) error {
	if !s.passing() {
		return nil
	}
	var err error
	if at.pruned != m.path {
		err = os.RemoveAll(at.pruned)
	}
	if at.adapter == "" {
		err = errors.Join(err, os.RemoveAll(at.model))
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("sweep: %w", err)
	}
	return nil
}
