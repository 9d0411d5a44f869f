package sweep

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"shallow/eval"
	"shallow/eval/task"
	"shallow/internal/atomicfile"
)

// besideUnpruned is part of the inputs of cells whose continuations are compared with those of the model before it was pruned and
// healed, on the same kernels and in the same precision.
const besideUnpruned = "unpruned"

// continues reports whether a task asks what models write when they go on by themselves.
func (p *prepared) continues() bool { return len(p.continuations().Tasks) > 0 }

// continuations are those of a task's tasks.
func (p *prepared) continuations() *task.Set {
	set := new(task.Set)
	for _, t := range p.set.Tasks {
		if t.OutputType == task.Continuation {
			set.Tasks = append(set.Tasks, t)
		}
	}
	return set
}

// continued names what the unpruned model writes on a task, by all that it depends on.
func (s *sweep) continued(m *subject, t *prepared) (id string) {
	in := s.inputs(m)
	in.Task = &t.inputs
	return "continued-" + in.id()[:16]
}

// continuedFolder belongs to who has the claim of that id; what is whole in it stays as it is until all cells are there.
func (s *sweep) continuedFolder(id string) string { return filepath.Join(s.Output, "work", id) }

// continueUnpruned lets the unpruned model go on from the texts of a continuation task, once for all variants and processes, and
// puts the journal of that to a file, unless it is there.
func (s *sweep) continueUnpruned(ctx context.Context, m *subject, t *prepared, to string) error {
	if !t.continues() || exists(to) {
		return nil
	}
	id := s.continued(m, t)
	folder := s.continuedFolder(id)
	whole := filepath.Join(folder, "whole.journal")
	there := func() bool {
		data, err := os.ReadFile(whole)
		return exists(to) || err == nil && atomicfile.Write(to, data) == nil
	}
	return s.once(ctx, id, there, func(ctx context.Context) error {
		if err := os.MkdirAll(folder, 0o777); err != nil {
			return fmt.Errorf("sweep: %w", err)
		}
		o := s.evalOptions(m.model, m.tokenizer, t, fmt.Sprintf("%s unpruned, %s", m.spec.Name, t.name))
		o.Journal = filepath.Join(folder, "eval.journal")
		if _, err := eval.Run(ctx, m.model, t.continuations(), o); err != nil {
			return fmt.Errorf("%w (model %s unpruned, with which its variants are compared, task %s)", err, m.spec.Name, t.name)
		}
		if err := os.Rename(o.Journal, whole); err != nil {
			return fmt.Errorf("sweep: %w", err)
		}
		there() // before another process that needs it no more clears up
		return nil
	})
}

// compare lays what a variant wrote beside what the unpruned model writes, of which there is a journal, and lets that model judge
// it, as eval does with a baseline.
func (s *sweep) compare(ctx context.Context, x *spot, v *eval.Evaluation, journal string) error {
	if x.inputs.Beside == "" {
		return nil
	}
	m := x.subject
	o := s.evalOptions(m.model, m.tokenizer, x.task, fmt.Sprintf("%s %s, %s, judged", m.spec.Name, label(x.drop), x.task.name))
	o.Journal, o.Judge = journal, v
	if _, err := eval.Run(ctx, m.model, x.task.continuations(), o); err != nil {
		return fmt.Errorf("%w (model %s unpruned, with which %s is compared, task %s)", err, m.spec.Name, label(x.drop), x.task.name)
	}
	return nil
}

// tidyContinued removes what the unpruned models wrote, which no cell needs any more.
func (s *sweep) tidyContinued(ctx context.Context) error {
	var seen []string
	for _, x := range s.spots {
		id := s.continued(x.subject, x.task)
		if !x.task.continues() || slices.Contains(seen, id) {
			continue
		}
		seen = append(seen, id)
		folder := s.continuedFolder(id)
		if !exists(s.claims.path(id)) && !exists(folder) {
			continue
		}
		_, err := s.hold(ctx, id, func(context.Context, func(string) (bool, error)) error { return os.RemoveAll(folder) })
		if err != nil {
			return err
		}
	}
	return nil
}
