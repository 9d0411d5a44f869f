package sweep

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"shallow/compute"
	"shallow/internal/machine"
)

// Options say where and with what a sweep is computed.
type Options struct {
	Output  string // the directory of cells, claims and sweep.json
	Tool    string // for what is written, as "shallow 0.1.0"
	Loader  Loader
	Device  compute.Device
	Kernels string // the instruction-set level, since bits differ between levels
	// Recorded are cells that are taken as they are instead of being computed.
	Recorded Recorded
	// Beat is the time between two signs of life, for other processes on the same folder; 0 is 5 seconds.
	Beat time.Duration

	// Keep is for a sweep with one variant and at most one healing: its plan and checkpoints stay in the output as plan.json,
	// pruned and healed.
	Keep bool

	// Begin, if given, is told what the sweep will take before it begins. An error of it ends the sweep.
	Begin func(*Forecast) error
	// Report, if given, is called now and then.
	Report func(Progress)
	// Note, if given, is told what a person wants to know.
	Note func(text string)
}

// Progress is where a sweep is.
type Progress struct {
	Stage       string        // hash, measure, score, generate, prune, heal; wait for another process; cell for one that is done
	What        string        // it is done to
	Done, Total int64         // of the stage
	Layers      int           // rows of a measure or score stage are counted once a layer
	Cells       int           // that are done
	Planned     int           // of the grid; 0 while it is not known
	Left        time.Duration // about, of the whole sweep; 0 where it is not known
}

// sweep is a sweep at work.
type sweep struct {
	Options
	spec     *Spec
	subjects []*subject
	tasks    []*prepared
	units    []*unit
	spots    []*spot
	cells    map[string]*Cell // that are known, by id
	saved    int              // cells that this process computed
	claims   *claims
	result   *Result

	at    Progress
	clock clock
}

// clock tells how fast work was done so far.
type clock struct {
	spent time.Duration
	done  float64 // rows through a layer
}

// Run computes the cells of a spec that the output does not have, and writes sweep.json whenever some are done. When ctx ends
// it stops; the same call goes on where it was. Several processes may run on one folder: each cell is computed by one.
//
// What cannot be computed does not keep the rest from it: the errors come together at the end.
func Run(ctx context.Context, spec *Spec, o Options) (*Result, error) {
	s, err := begin(ctx, spec, o)
	if err != nil {
		return nil, err
	}
	defer s.close()
	if s.claims, err = openClaims(filepath.Join(o.Output, "claims"), o.Beat); err != nil {
		return nil, err
	}
	defer s.claims.keep()()
	if o.Begin == nil {
		for _, m := range s.subjects {
			err = errors.Join(err, s.fits(m))
		}
	} else {
		var f *Forecast
		if f, err = s.forecast(ctx); err == nil {
			err = o.Begin(f)
		}
	}
	if err != nil {
		return nil, err
	}
	for _, m := range s.subjects {
		if !spec.measured() {
			break
		}
		if err := s.measure(ctx, m); err != nil {
			return nil, err
		}
	}
	if err := s.layOut(ctx); err != nil {
		return nil, err
	}
	if _, err := s.disk(); err != nil {
		return nil, err
	}
	if err := s.describe(); err != nil {
		return nil, err
	}
	if err := s.write(); err != nil {
		return nil, err
	}
	s.tidyOutput()
	if o.Keep {
		if err := s.keep(ctx); err != nil {
			return nil, err
		}
	}
	if err = s.compute(ctx); err == nil {
		err = s.tidyUnits(ctx)
	}
	return s.result, errors.Join(err, s.write())
}

// begin opens models and tasks.
func begin(ctx context.Context, spec *Spec, o Options) (_ *sweep, err error) {
	if err := spec.Check(); err != nil {
		return nil, fmt.Errorf("sweep: %w", err)
	}
	if o.Loader == nil {
		o.Loader = Files{}
	}
	if err := os.MkdirAll(o.Output, 0o777); err != nil {
		return nil, fmt.Errorf("sweep: %w", err)
	}
	s := &sweep{Options: o, spec: spec, cells: map[string]*Cell{}}
	if s.tasks, err = prepare(ctx, spec, o.Loader); err != nil {
		return nil, err
	}
	for _, m := range spec.Models {
		subject, err := s.openSubject(ctx, m)
		if err != nil {
			s.close()
			return nil, fmt.Errorf("%w (model %s)", err, m.Name)
		}
		s.subjects = append(s.subjects, subject)
	}
	return s, nil
}

func (s *sweep) close() {
	for _, m := range s.subjects {
		m.close()
	}
}

// measured reports whether a strategy chooses by distances.
func (s *Spec) measured() bool {
	return slices.Contains(s.Strategies, Similarity) && s.Unhealed ||
		slices.ContainsFunc(s.Healings, func(h HealingSpec) bool {
			return slices.Contains(h.Strategies, Similarity) || h.Strategies == nil && slices.Contains(s.Strategies, Similarity)
		})
}

// memory is the bound on what is in memory at once.
func (s *sweep) memory() int64 {
	if s.spec.Memory > 0 {
		return s.spec.Memory
	}
	return min(machine.Memory()/2, 16e9)
}

// describe begins the result.
func (s *sweep) describe() error {
	spec, err := json.Marshal(s.spec)
	if err != nil {
		return fmt.Errorf("sweep: %w", err)
	}
	s.result = &Result{Version: 1, Tool: s.Tool, Spec: spec, Planned: len(s.spots)}
	for _, m := range s.subjects {
		d, err := m.describe()
		if err != nil {
			return err
		}
		s.result.Models = append(s.result.Models, d)
	}
	for i := range s.spec.Healings {
		s.result.Healings = append(s.result.Healings, s.spec.Healings[i].describe())
	}
	return nil
}

// stage begins a part of the work, for progress.
func (s *sweep) stage(name, what string) {
	s.at.Stage, s.at.What, s.at.Done, s.at.Total = name, what, 0, 0
}

// progress says how far the stage is.
func (s *sweep) progress(done, total int64) {
	s.at.Done, s.at.Total = done, total
	s.report()
}

func (s *sweep) report() {
	if s.Report == nil {
		return
	}
	s.at.Planned, s.at.Cells = len(s.spots), 0
	for _, x := range s.spots {
		if _, known := s.cells[x.id]; known {
			s.at.Cells++
		}
	}
	s.Report(s.at)
}

func (s *sweep) note(format string, a ...any) {
	if s.Note != nil {
		s.Note(fmt.Sprintf(format, a...))
	}
}
