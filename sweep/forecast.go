package sweep

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"shallow/heal"
	"shallow/internal/machine"
)

// Forecast is what a sweep will take.
type Forecast struct {
	Models   []ModelForecast `json:"models"`
	Tasks    []TaskForecast  `json:"tasks"`
	Healings []string        `json:"healings,omitempty"`
	Cells    int             `json:"cells"`
	Known    int             `json:"known"` // cells that are there already; those of models that are not measured yet are not counted
	Measure  time.Duration   `json:"measure_ns"`
	Score    time.Duration   `json:"score_ns"`
	Heal     time.Duration   `json:"heal_ns"`
	Memory   int64           `json:"memory"` // bound on weights, activations and states
	Disk     int64           `json:"disk"`   // bytes of checkpoints and adapters, at most at once
}

// ModelForecast is a model of the grid.
type ModelForecast struct {
	Name     string `json:"name"`
	Layers   int    `json:"layers"`
	Bytes    int64  `json:"bytes"`
	Drop     []int  `json:"drop"`
	Measured bool   `json:"measured"` // or need not be
	// Pace is how many rows go through a layer in a second, on this machine as it is now.
	Pace float64 `json:"rows_per_s"`
}

// TaskForecast is a task of the grid.
type TaskForecast struct {
	Name      string `json:"name"`
	Documents int    `json:"documents"`
	Shots     int    `json:"num_fewshot"`
	Kind      string `json:"kind"`
}

// Time is all of it.
func (f *Forecast) Time() time.Duration { return f.Measure + f.Score + f.Heal }

// Look says what a sweep will take, and refuses what cannot fit. It computes no cell and does not measure; it times a layer of
// each model.
func Look(ctx context.Context, spec *Spec, o Options) (*Forecast, error) {
	s, err := begin(ctx, spec, o)
	if err != nil {
		return nil, err
	}
	defer s.close()
	return s.forecast(ctx)
}

func (s *sweep) forecast(ctx context.Context) (*Forecast, error) {
	f := &Forecast{Memory: s.memory()}
	for _, t := range s.tasks {
		f.Tasks = append(f.Tasks, TaskForecast{t.name, t.items, t.inputs.Shots[0], string(t.set.Tasks[0].OutputType)})
	}
	for _, m := range s.subjects {
		if err := s.look(ctx, m, f); err != nil {
			return nil, err
		}
	}
	if err := s.layOut(ctx); err != nil {
		return nil, err
	}
	for _, h := range s.spec.Healings {
		f.Healings = append(f.Healings, h.Name)
	}
	var err error
	if f.Disk, err = s.disk(); err != nil {
		return nil, err
	}
	f.Cells = len(s.spots)
	for _, x := range s.spots {
		if (x.strategy != Similarity || x.subject.distances != nil) && s.cell(x) != nil {
			f.Known++
		}
	}
	for _, u := range s.units {
		cost, training := s.cost(u), 0.0
		if u.healing != nil && cost > 0 {
			training = u.subject.healings[u.healing.Name].rowsTrained() * float64(u.subject.layers()-len(u.points[0].drop)) * trainingCost
			if err := u.longEnough(seconds(training / u.subject.pace)); err != nil {
				return nil, err
			}
		}
		f.Heal += seconds(training / u.subject.pace)
		f.Score += seconds((cost - training) / u.subject.pace)
	}
	return f, nil
}

// longest is how long a healing may take that nobody gave a length for, as in package heal.
const longest = 12 * time.Hour

// longEnough refuses the paper's number of steps where that takes longer than anyone expects.
func (u *unit) longEnough(takes time.Duration) error {
	h := u.healing
	if h.Steps > 0 || h.Tokens != "" || takes <= longest {
		return nil
	}
	steps := u.subject.healings[h.Name].options.Usual
	return fmt.Errorf("sweep: healing %s: the paper's %d steps take about %.0f hours here: give steps or tokens (steps=%[2]d for all of it)", h.Name, steps, takes.Hours())
}

// seconds is a duration, however long.
func seconds(s float64) time.Duration {
	const thirtyYears = 1e9
	return time.Duration(min(max(s, 0), thirtyYears) * float64(time.Second))
}

// look adds a model to the forecast.
func (s *sweep) look(ctx context.Context, m *subject, f *Forecast) error {
	depths, err := s.spec.Drop.In(m.layers())
	if err != nil {
		return fmt.Errorf("sweep: %s: %w", m.spec.Name, err)
	}
	if err := m.clock(); err != nil {
		return err
	}
	x := ModelForecast{Name: m.spec.Name, Layers: m.layers(), Bytes: m.checkpoint.Size(), Drop: depths, Measured: true, Pace: m.pace}
	if s.spec.measured() {
		sequences, err := s.sequences(ctx, m)
		if err != nil {
			return err
		}
		rows := 0
		for _, ids := range sequences {
			rows += len(ids)
		}
		if _, _, x.Measured = s.measured(m, sequences); !x.Measured {
			f.Measure += seconds(float64(rows*m.layers()) / m.pace)
		}
	}
	f.Models = append(f.Models, x)
	return s.fits(m)
}

// fits refuses early what the machine's memory cannot hold.
func (s *sweep) fits(m *subject) error {
	have := machine.Memory()
	if have <= 0 {
		return nil
	}
	refuse := func(what string, need int64) error {
		return fmt.Errorf("sweep: %s: %s takes about %.3g GB of memory, and there are %.3g GB", m.spec.Name, what, float64(need)/1e9, float64(have)/1e9)
	}
	var layer int64
	for i := range m.layers() {
		layer = max(layer, m.model.LayerBytes(i))
	}
	if layer > have {
		return refuse("one layer, packed,", layer)
	}
	for _, t := range s.tasks {
		if t.generates() && m.checkpoint.Size() > have {
			return refuse("task "+t.name+", which generates texts with all layers in memory,", m.checkpoint.Size())
		}
	}
	for i := range s.spec.Healings {
		h := &s.spec.Healings[i]
		depths := h.Drop
		if depths == nil {
			depths = s.spec.Drop
		}
		drops, err := depths.In(m.layers())
		if err != nil {
			return fmt.Errorf("sweep: %s: %w", m.spec.Name, err)
		}
		if len(drops) == 0 {
			continue
		}
		left := float64(m.layers()-drops[0]) / float64(m.layers())
		trained := m.trained(h, drops[0])
		if need := int64(float64(m.model.Spec.Parameters())*left*heldBytes[h.Base]) + 16*trained; need > have {
			return refuse("healing "+h.Name, need)
		}
	}
	return nil
}

// heldBytes is what a frozen weight takes.
var heldBytes = map[string]float64{"nf4": 0.5625, "bf16": 2, "float32": 4}

// trained is about how many parameters a healing trains in a model without n layers.
func (m *subject) trained(h *HealingSpec, n int) int64 {
	spec := m.model.Spec
	left := int64(spec.L - n)
	layer := spec.LayerParameters(spec.L - 1)
	switch heal.Method(h.Method) {
	case heal.Full:
		return spec.Parameters() - int64(n)*layer
	case heal.Tail:
		return int64(h.TailLayers)*layer + int64(spec.V)*int64(spec.D)
	case heal.Join:
		return 2 * layer
	}
	rank := h.Rank
	if rank == 0 {
		rank = heal.PresetOf(m.spec.Model, spec).Rank
	}
	return 3 * int64(rank) * int64(spec.D+spec.F) * left
}

// disk is how many bytes are written at most at once, and an error where there is no room for them.
func (s *sweep) disk() (int64, error) {
	var stay, passing int64
	for _, u := range s.units {
		if u.healing == nil || len(s.missing(u)) == 0 {
			continue
		}
		m, n := u.subject, len(u.points[0].drop)
		trained := m.trained(u.healing, n)
		pruned := m.checkpoint.Size() * int64(m.layers()-n) / int64(m.layers())
		if n == 0 || exists(s.places(m, u).pruned) {
			pruned = 0
		}
		written := 4 * trained
		if u.healing.Method != string(heal.LoRA) {
			written = m.checkpoint.Size() * int64(m.layers()-n) / int64(m.layers())
		}
		while := 12 * trained // value and two moments, in the training's checkpoint
		if !s.passing() {
			stay += pruned + written
		} else if u.healing.Method == string(heal.LoRA) {
			stay, while = stay+written, while+pruned
		} else {
			while += pruned + written
		}
		passing = max(passing, while)
	}
	if s.Keep && len(s.spec.Healings) == 0 && !exists(filepath.Join(s.Output, keptPruned)) {
		m := s.subjects[0]
		stay += m.checkpoint.Size() * int64(m.layers()-len(s.spots[len(s.spots)-1].drop)) / int64(m.layers())
	}
	need := stay + passing
	free, err := machine.FreeSpace(s.Output)
	if err == nil && need > free {
		return need, fmt.Errorf("sweep: %s: checkpoints and adapters take about %.3g GB, and %.3g GB are free: make room, or name another directory", s.Output, float64(need)/1e9, float64(free)/1e9)
	}
	return need, nil
}
