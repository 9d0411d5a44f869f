package sweep

import (
	"fmt"
	"slices"
	"time"
)

// Costs of training a row beside computing it: forward, again where activations were not kept, and twice as much backward.
const (
	trainingCost = 4
	readRows     = 64 // what reading a layer costs, in rows
)

// cost is about how many rows go through a layer for what is missing of a unit.
func (s *sweep) cost(u *unit) (rows float64) {
	m := u.subject
	missing := s.missing(u)
	if len(missing) == 0 {
		return 0
	}
	if u.healing == nil {
		var drops [][]int
		for _, x := range missing {
			drops = append(drops, x.drop)
		}
		layers := shared(drops, m.layers())
		if missing[0].task.generates() {
			layers = 0
			for _, drop := range drops {
				layers += m.layers() - len(drop)
			}
		}
		return (missing[0].task.tokens(m.tokenizer) + readRows) * float64(layers)
	}
	left := float64(m.layers() - len(u.points[0].drop))
	for _, x := range missing {
		rows += (x.task.tokens(m.tokenizer) + readRows) * left
	}
	return rows + m.healings[u.healing.Name].rowsTrained()*left*trainingCost
}

// rowsTrained is how many tokens all steps of the healing have.
func (r *healer) rowsTrained() float64 {
	if r.options.Budget.Tokens > 0 {
		return float64(r.options.Budget.Tokens)
	}
	return r.tokens * float64(or(r.options.Budget.Steps, r.options.Usual))
}

// left reports a unit that is done, and how long the rest takes at the pace so far.
func (s *sweep) left(done *unit) {
	var rest float64
	for _, u := range s.units {
		rest += s.cost(u)
	}
	s.stage("done", done.String())
	s.at.Left = 0
	if s.clock.done > 0 {
		s.at.Left = time.Duration(rest / s.clock.done * float64(s.clock.spent))
	}
	s.progress(1, 1)
}

// clock measures how fast rows go through a layer in the middle, once.
func (m *subject) clock() error {
	if m.pace > 0 {
		return nil
	}
	const rows = 1024
	ids := make([]int, min(rows, m.model.Spec.Context))
	for i := range ids {
		ids[i] = i % m.model.Spec.V
	}
	g, err := m.model.Start([][]int{ids})
	if err != nil {
		return err
	}
	defer g.Close()
	layer := m.model.Layer(m.layers() / 2)
	defer layer.Release()
	for range 2 { // the first warms up
		begin := time.Now()
		g.Forward(layer)
		if err := m.model.Device.Sync(); err != nil {
			return err
		}
		m.pace = float64(len(ids)) / max(time.Since(begin).Seconds(), 1e-9)
	}
	return nil
}

// shared is how many layers all of some variants go through together, each common beginning counted once.
func shared(drops [][]int, layers int) (n int) {
	groups := map[string]bool{}
	for l := range layers {
		clear(groups)
		for _, drop := range drops {
			if slices.Contains(drop, l) {
				continue
			}
			before := 0
			for before < len(drop) && drop[before] < l {
				before++
			}
			groups[fmt.Sprint(drop[:before])] = true
		}
		n += len(groups)
	}
	return n
}
