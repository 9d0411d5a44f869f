package sweep

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"shallow/decoder"
	"shallow/eval"
	"shallow/generate"
	"shallow/heal"
	"shallow/internal/machine"
	"shallow/tokenizer"
)

// compute goes through the units until no cell is missing, leaving to other processes what they have claimed.
func (s *sweep) compute(ctx context.Context) error {
	var failures []error
	failed := map[*unit]bool{}
	for {
		left, busy, worked := 0, 0, false
		for _, u := range s.units {
			if failed[u] {
				continue
			}
			missing := s.missing(u)
			if len(missing) == 0 {
				continue
			}
			left++
			claimed, err := s.try(ctx, u, missing)
			switch {
			case ctx.Err() != nil:
				return cmp.Or(err, ctx.Err())
			case errors.Is(err, errLost):
				s.note("%v", err)
			case err != nil:
				failed[u] = true
				failures = append(failures, err)
				s.note("%v; the rest goes on", err)
			case claimed:
				worked = true
				if err := s.write(); err != nil {
					return err
				}
			default:
				busy++
			}
		}
		if left == 0 {
			return errors.Join(failures...)
		}
		if !worked && busy > 0 {
			s.stage("wait", fmt.Sprintf("%d parts are computed by other processes", busy))
			s.report()
			if err := s.wait(ctx); err != nil {
				return err
			}
		}
	}
}

// wait lets a beat go by.
func (s *sweep) wait(ctx context.Context) error {
	timer := time.NewTimer(s.claims.beat)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// once does what one process does for all, and waits while another does it.
func (s *sweep) once(ctx context.Context, id string, there func() bool, work func(context.Context) error) error {
	for {
		if there() {
			return nil
		}
		held, err := s.hold(ctx, id, func(ctx context.Context, _ func(string) (bool, error)) error {
			if there() {
				return nil
			}
			return work(ctx)
		})
		if err != nil && !errors.Is(err, errLost) {
			return err
		}
		if there() {
			return nil
		}
		if held && err == nil {
			return fmt.Errorf("sweep: %s: what was written to %s cannot be read again", id, s.Output)
		}
		s.stage("wait", id+" is computed by another process")
		s.report()
		if err := s.wait(ctx); err != nil {
			return err
		}
	}
}

// hold claims id and does work with it, in which more can be claimed; held is false where another process has id. All is given
// back in the end. When another process takes one of the claims over, work's context ends and the error is errLost.
func (s *sweep) hold(ctx context.Context, id string, work func(ctx context.Context, more func(id string) (bool, error)) error) (held bool, err error) {
	var all []*claim
	within, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	take := func(id string) (bool, error) {
		c, err := s.claims.take(id, func() { cancel(errLost) })
		if c == nil || err != nil {
			return false, err
		}
		all = append(all, c)
		return true, nil
	}
	defer func() {
		for _, c := range all {
			c.release()
		}
	}()
	if held, err := take(id); !held || err != nil {
		return false, err
	}
	err = work(within, take)
	if errors.Is(context.Cause(within), errLost) {
		err = errLost
	}
	return true, err
}

// try computes what is missing of a unit, unless another process is at it.
func (s *sweep) try(ctx context.Context, u *unit, missing []*spot) (claimed bool, err error) {
	before, saved := time.Now(), s.saved
	cost := s.cost(u)
	if u.healing != nil {
		claimed, err = s.hold(ctx, "heal-"+u.key, func(ctx context.Context, _ func(string) (bool, error)) error { return s.healed(ctx, u) })
	} else {
		first := missing[0].id
		claimed, err = s.hold(ctx, first, func(ctx context.Context, more func(string) (bool, error)) error {
			return s.unhealed(ctx, u, first, more)
		})
	}
	if claimed && err == nil && s.saved > saved { // else another process was quicker
		s.clock.spent += time.Since(before)
		s.clock.done += cost
		s.left(u)
	}
	return claimed, err
}

// unhealed scores the variants of a model on a task together. The first of them is claimed already.
func (s *sweep) unhealed(ctx context.Context, u *unit, first string, more func(string) (bool, error)) error {
	var mine []*spot
	var drops [][]int
	for _, x := range s.missing(u) { // looked for again, for another process may have been quicker
		if x.id != first {
			if ok, err := more(x.id); err != nil {
				return err
			} else if !ok {
				continue
			}
		}
		if s.cell(x) != nil {
			continue
		}
		mine, drops = append(mine, x), append(drops, x.drop)
	}
	if len(mine) == 0 {
		return nil
	}
	m, t := u.subject, mine[0].task
	folder := s.workFolder("scores-", first)
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return fmt.Errorf("sweep: %w", err)
	}
	o := s.evalOptions(m.model, m.tokenizer, t, fmt.Sprintf("%v, %d variants", u, len(mine)))
	o.Journal = filepath.Join(folder, "eval.journal")
	begin := time.Now()
	unpruned := eval.VariantJournal(o.Journal, nil)
	if err := s.continueUnpruned(ctx, m, t, unpruned); err != nil {
		return err
	}
	found, err := eval.Variants(ctx, m.model, t.set, drops, o)
	if err != nil && ctx.Err() == nil && len(mine) > 1 {
		// One that cannot be computed, such as one with a weight that is no number, keeps the others from nothing.
		return s.oneByOne(ctx, mine, o)
	}
	if err != nil {
		return fmt.Errorf("%w (%v)", err, u)
	}
	for i, x := range mine { // all before the first cell, whose absence names the folder
		if err := s.compare(ctx, x, found[i], unpruned); err != nil {
			return err
		}
	}
	seconds := time.Since(begin).Seconds() / float64(len(mine))
	for i, x := range mine {
		if err := s.finish(ctx, x, found[i], Cell{Seconds: seconds}); err != nil {
			return err
		}
	}
	return os.RemoveAll(folder)
}

// oneByOne scores variants each for itself.
func (s *sweep) oneByOne(ctx context.Context, spots []*spot, o eval.Options) error {
	var failures []error
	for _, x := range spots {
		begin := time.Now()
		found, err := eval.Variants(ctx, x.subject.model, x.task.set, [][]int{x.drop}, o)
		if err == nil {
			err = s.compare(ctx, x, found[0], eval.VariantJournal(o.Journal, nil))
		}
		if err == nil {
			err = s.finish(ctx, x, found[0], Cell{Seconds: time.Since(begin).Seconds()})
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			failures = append(failures, fmt.Errorf("%w (model %s %s, task %s)", err, x.subject.spec.Name, label(x.drop), x.task.name))
		}
	}
	return errors.Join(failures...)
}

// finish stores the cell of a spot, if it is still this process that should. c has what the run cost.
func (s *sweep) finish(ctx context.Context, x *spot, v *eval.Evaluation, c Cell) error {
	m := x.subject
	if err := m.clock(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	c.Drop, c.PeakMemory, c.TokensPerSecond = x.drop, machine.Peak(), m.pace/float64(m.layers()-len(x.drop))
	c.Settings = Settings{Precision: x.inputs.Precision, Kernels: s.Kernels}
	x.task.fill(&c, v)
	return s.save(x, c)
}

// evalOptions are those of a task.
func (s *sweep) evalOptions(m *decoder.Model, t *tokenizer.Tokenizer, p *prepared, what string) eval.Options {
	o := eval.Options{
		Rows: p.rows, Tokenizer: t, Ends: generate.Ends(m.Checkpoint), Task: p.options(), MaxLength: s.spec.MaxLength, Bootstrap: s.spec.Bootstrap,
		Memory: s.memory(), Key: s.Kernels,
	}
	o.Begin = func(f eval.Forecast) {
		s.stage(string(f.Phase), what)
		s.at.Layers = m.Spec.L
	}
	o.Progress = func(_ eval.Phase, done, total int64) { s.progress(done, total) }
	return o
}

// healed prunes, heals and scores a variant, each step once.
func (s *sweep) healed(ctx context.Context, u *unit) error {
	if len(s.missing(u)) == 0 { // another process was quicker
		return nil
	}
	m, at := u.subject, s.places(u.subject, u)
	result, err := s.heal(ctx, m, u, at)
	if err != nil {
		return fmt.Errorf("%w (%v)", err, u)
	}
	if err := s.scoreHealed(ctx, u, at, result); err != nil {
		return err
	}
	return s.discard(m, at)
}

func (s *sweep) scoreHealed(ctx context.Context, u *unit, at healed, result *heal.Result) error {
	m := u.subject
	c, err := openCheckpoint(at.model)
	if err != nil {
		return err
	}
	defer c.Close()
	precision, err := decoder.ParsePrecision(s.spec.Precision)
	if err != nil {
		return err
	}
	model, err := decoder.Open(s.Device, c, decoder.Options{Pack: true, Precision: precision})
	if err != nil {
		return err
	}
	defer model.Close()
	key := s.Kernels
	if at.adapter != "" {
		hash, release, err := heal.Use(model, at.adapter)
		if err != nil {
			return err
		}
		defer release()
		key += " " + hash
	}
	folder := s.workFolder("healed-", u.key)
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return fmt.Errorf("sweep: %w", err)
	}
	for _, x := range s.missing(u) {
		begin := time.Now()
		o := s.evalOptions(model, m.tokenizer, x.task, fmt.Sprintf("%v, %s", u, x.task.name))
		o.Key, o.Journal = key, filepath.Join(folder, x.id[:16]+".journal")
		v, err := eval.Run(ctx, model, x.task.set, o)
		if err != nil {
			return fmt.Errorf("%w (%v, task %s)", err, u, x.task.name)
		}
		unpruned := filepath.Join(folder, x.id[:16]+".unpruned.journal")
		if err := s.continueUnpruned(ctx, m, x.task, unpruned); err != nil {
			return err
		}
		if err := s.compare(ctx, x, v, unpruned); err != nil {
			return err
		}
		cost := Cell{Seconds: time.Since(begin).Seconds(), HealSeconds: result.Seconds, HealLoss: &result.Loss}
		if err := s.finish(ctx, x, v, cost); err != nil {
			return err
		}
	}
	return os.RemoveAll(folder)
}

// String says what a unit is.
func (u *unit) String() string {
	if u.healing != nil {
		return fmt.Sprintf("%s %s, %s", u.subject.spec.Name, label(u.points[0].drop), u.healing.Name)
	}
	return fmt.Sprintf("%s, %s", u.subject.spec.Name, u.spots[0].task.name)
}

// tidyUnits removes what a process left that was killed between storing a part's last cell and clearing up behind it.
func (s *sweep) tidyUnits(ctx context.Context) error {
	for _, u := range s.units {
		left := map[string]func() error{} // by claim
		if u.healing != nil {
			at := s.places(u.subject, u)
			folder := s.workFolder("healed-", u.key)
			claim := "heal-" + u.key
			if exists(s.claims.path(claim)) || exists(folder) || at.pruned != u.subject.path && s.passing() && exists(at.pruned) {
				left[claim] = func() error { return errors.Join(os.RemoveAll(folder), s.discard(u.subject, at)) }
			}
		} else {
			for _, x := range u.spots {
				if folder := s.workFolder("scores-", x.id); exists(s.claims.path(x.id)) || exists(folder) {
					left[x.id] = func() error { return os.RemoveAll(folder) }
				}
			}
		}
		for id, remove := range left {
			if _, err := s.hold(ctx, id, func(context.Context, func(string) (bool, error)) error { return remove() }); err != nil {
				return err
			}
		}
	}
	return s.tidyContinued(ctx)
}

// workFolder is where a part keeps journals while it is computed. It belongs to who has the claim.
func (s *sweep) workFolder(kind, id string) string {
	return filepath.Join(s.Output, "work", kind+id[:16])
}

// tidyOutput removes what killed processes were just writing.
func (s *sweep) tidyOutput() {
	const age = time.Minute // of what another process may still be at
	for _, folder := range []string{".", "cells", "hashes", "measure-*"} {
		left, _ := filepath.Glob(filepath.Join(s.Output, folder, ".*.tmp"))
		for _, path := range left {
			if info, err := os.Stat(path); err == nil && time.Since(info.ModTime()) > age {
				_ = os.Remove(path)
			}
		}
	}
}
