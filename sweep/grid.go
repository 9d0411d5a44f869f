package sweep

import (
	"context"
	"fmt"
	"slices"

	"shallow/plan"
)

// point is a model's variant: the layers that a strategy drops.
type point struct {
	strategy string
	n        int
	drop     []int
	plan     *plan.Plan // nil where nothing is dropped
}

// spot is a cell of the grid, computed or not.
type spot struct {
	point
	subject *subject
	task    *prepared
	healing *HealingSpec // nil for none
	id      string
	inputs  inputs
}

// unit is spots that are computed together: the unhealed variants of a model on a task, or a healed variant on all tasks.
type unit struct {
	subject *subject
	healing *HealingSpec
	key     string // of a healed variant: the hash of its weights' inputs
	points  []point
	spots   []*spot
}

// layOut makes the grid: all spots in the order of the result, and the units that compute them.
func (s *sweep) layOut(ctx context.Context) error {
	s.units, s.spots = nil, nil
	for _, m := range s.subjects {
		unhealed, healed, err := s.points(m)
		if err != nil {
			return err
		}
		var later []*unit
		for i := range s.spec.Healings {
			h := &s.spec.Healings[i]
			if len(healed[h.Name]) == 0 {
				continue
			}
			if _, err := s.healer(ctx, m, h); err != nil {
				return err
			}
			byKey := map[string]*unit{}
			for _, p := range healed[h.Name] {
				in := s.inputs(m)
				in.Drop, in.Healing = p.drop, &m.healings[h.Name].inputs
				key := in.id()
				if byKey[key] == nil {
					byKey[key] = &unit{subject: m, healing: h, key: key}
					later = append(later, byKey[key])
				}
				byKey[key].points = append(byKey[key].points, p)
			}
		}
		for _, t := range s.tasks {
			if len(unhealed) > 0 {
				u := &unit{subject: m, points: unhealed}
				s.fill(u, t)
				s.units = append(s.units, u)
			}
			for _, u := range later {
				s.fill(u, t)
			}
		}
		s.units = append(s.units, later...)
	}
	s.order()
	return nil
}

// points are a model's variants, without healing and for each healing.
func (s *sweep) points(m *subject) (unhealed []point, healed map[string][]point, err error) {
	if s.spec.Unhealed {
		if unhealed, err = s.pointsOf(m, s.spec.Strategies, s.spec.Drop, true); err != nil {
			return nil, nil, err
		}
	}
	healed = map[string][]point{}
	for _, h := range s.spec.Healings {
		strategies, drop := s.spec.Strategies, s.spec.Drop
		if h.Strategies != nil {
			strategies = h.Strategies
		}
		if h.Drop != nil {
			drop = h.Drop
		}
		if healed[h.Name], err = s.pointsOf(m, strategies, drop, false); err != nil {
			return nil, nil, fmt.Errorf("%w (healing %s)", err, h.Name)
		}
	}
	return unhealed, healed, nil
}

// pointsOf are the whole model, where it is wanted, and what each strategy drops.
func (s *sweep) pointsOf(m *subject, strategies []string, drop Depths, whole bool) ([]point, error) {
	depths, err := drop.In(m.layers())
	if err != nil {
		return nil, fmt.Errorf("sweep: %s: %w", m.spec.Name, err)
	}
	var all []point
	if whole || slices.Contains(depths, 0) {
		all = append(all, point{strategy: None, drop: []int{}})
	}
	for _, strategy := range strategies {
		for _, n := range depths {
			if n == 0 {
				continue
			}
			p, err := s.plan(m, strategy, n)
			if err != nil {
				return nil, err
			}
			all = append(all, point{strategy, n, p.Drop, p})
		}
	}
	return all, nil
}

// fill adds a task's spots to a unit.
func (s *sweep) fill(u *unit, t *prepared) {
	for _, p := range u.points {
		in := s.inputs(u.subject)
		in.Drop, in.Task = p.drop, &t.inputs
		if u.healing != nil {
			in.Healing = &u.subject.healings[u.healing.Name].inputs
		}
		if t.continues() && (u.healing != nil || p.n > 0) {
			in.Beside = besideUnpruned
		}
		u.spots = append(u.spots, &spot{p, u.subject, t, u.healing, in.id(), in})
	}
}

// order lists all spots as the result has them: by models, tasks, healings, strategies, n.
func (s *sweep) order() {
	rank := func(x *spot) []int {
		healing, strategy := -1, slices.Index([]string{None, Similarity, Deepest}, x.strategy)
		for i := range s.spec.Healings {
			if x.healing == &s.spec.Healings[i] {
				healing = i
			}
		}
		return []int{slices.Index(s.subjects, x.subject), slices.Index(s.tasks, x.task), healing, strategy, x.n}
	}
	for _, u := range s.units {
		s.spots = append(s.spots, u.spots...)
	}
	slices.SortStableFunc(s.spots, func(a, b *spot) int { return slices.Compare(rank(a), rank(b)) })
}

// missing are a unit's spots that have no result yet, each id once.
func (s *sweep) missing(u *unit) []*spot {
	var all []*spot
	seen := map[string]bool{}
	for _, x := range u.spots {
		if seen[x.id] || s.cell(x) != nil {
			continue
		}
		seen[x.id] = true
		all = append(all, x)
	}
	return all
}
