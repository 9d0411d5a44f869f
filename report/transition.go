package report

import (
	"fmt"
	"math"

	"shallow/sweep"
)

// half is where a task counts as collapsed: below half of what the unpruned model has above chance.
const half = 0.5

// transition is the first cell of a curve that keeps less than half of what the unpruned model has above chance, and the cell
// before it. after is nil where the curve keeps more to its end; ok is false where that cannot be said.
func (s *subject) transition(v curve) (before, after *sweep.Cell, ok bool) {
	for _, c := range v.cells {
		kept, known := s.share(c)
		if !known {
			continue
		}
		ok = true
		if kept.value < half {
			return before, c, true
		}
		before = c
	}
	return nil, nil, ok
}

// step is what happens between a curve's last cell before a task's transition and the first behind it: the share of what the
// unpruned model has above chance that is lost, and the share of the loss's way from the unpruned model's to uniform guessing.
type step struct {
	strategy, healing string
	from, to          *sweep.Cell
	accuracy, loss    float64
	lossKnown         bool
}

// steps are a task's transitions, with what the loss of l, which may be nil, does there.
func steps(s, l *subject) (all []step) {
	for _, v := range s.curves {
		before, after, ok := s.transition(v)
		if !ok || before == nil || after == nil {
			continue
		}
		high, _ := s.share(before)
		low, _ := s.share(after)
		t := step{strategy: v.strategy, healing: v.healing, from: before, to: after, accuracy: high.value - low.value}
		if l != nil {
			from, ok1 := l.of(l.like(v, before.N))
			to, ok2 := l.of(l.like(v, after.N))
			whole, ok3 := l.whole()
			if ok1 && ok2 && ok3 && whole.value < 1 {
				t.loss, t.lossKnown = (to.value-from.value)/(1-whole.value), true
			}
		}
		all = append(all, t)
	}
	return all
}

// like is the cell of a curve's strategy and healing for another task, nil where there is none. n = 0 is the unpruned model's.
func (s *subject) like(v curve, n int) *sweep.Cell {
	for _, w := range s.curves {
		if w.strategy != v.strategy || w.healing != v.healing {
			continue
		}
		for _, c := range w.cells {
			if c.N == n {
				return c
			}
		}
	}
	if n == 0 && v.healing == sweep.Unhealed {
		return s.dense
	}
	return nil
}

// calibrations draw each task's score against the loss: a line that falls straight down is a model whose answers collapse
// while its loss hardly moves.
func (b *builder) calibrations() (figures []*figure) {
	losses := with(b.subjects, loss)
	if len(losses) == 0 {
		return nil
	}
	for _, s := range with(b.subjects, choice) {
		if f := b.calibration(s, losses[0]); f != nil {
			figures = append(figures, f)
		}
	}
	return figures
}

func (b *builder) calibration(s, l *subject) *figure {
	c := &chart{
		Title: plain(s.task) + " against the loss of " + plain(l.task),
		X:     scale{Label: "loss / ln V, " + plain(l.task), Low: math.Inf(1), High: math.Inf(-1)},
		Y:     scale{Label: plain(s.task) + ", " + plain(s.metric)},
		Falls: true,
	}
	table := dataTable{Head: []string{"strategy", "healing", "dropped", "n", "loss / ln V", plain(s.metric), "share above chance kept", "transition"}, Words: 3}
	for _, v := range s.curves {
		curved := style(b.result, v)
		_, after, _ := s.transition(v)
		for _, cell := range v.cells {
			x, ok1 := l.of(l.like(v, cell.N))
			y, ok2 := s.of(cell)
			if !ok1 || !ok2 {
				continue
			}
			p := point{
				X: rounded(min(x.value, lossLimit)), Y: rounded(y.value), Error: rounded(y.stderr), Recorded: cell.Recorded,
				Text: fmt.Sprintf("%s\n%s %v\nloss / ln V %v", b.about(v, cell), plain(s.metric), y, x),
			}
			row := []string{plain(cell.Strategy), plain(cell.Healing), dropped(cell), fmt.Sprint(cell.N), fmt.Sprintf("%.4f", x.value), fmt.Sprintf("%.4f", y.value), "", ""}
			if kept, ok := s.share(cell); ok {
				row[6] = percent(kept.value)
			}
			if cell == after {
				p.Mark = fmt.Sprintf("n = %d", cell.N)
				p.Text += "\ntransition: below half of what is above chance"
				row[7] = "here"
			}
			c.X.Low, c.X.High = min(c.X.Low, p.X), max(c.X.High, p.X)
			curved.Points = append(curved.Points, p)
			table.Rows = append(table.Rows, row)
		}
		if len(curved.Points) > 1 {
			c.Lines = append(c.Lines, curved)
		}
	}
	if len(c.Lines) == 0 {
		return nil
	}
	if whole, ok := s.whole(); ok {
		c.Levels = append(c.Levels, level{fmt.Sprintf("unpruned %.3g", whole.value), rounded(whole.value), true})
	}
	if chance, ok := s.chance(); ok {
		c.Levels = append(c.Levels, level{Label: fmt.Sprintf("chance %.3g", chance), Value: rounded(chance)})
	}
	room := max(0.04*(c.X.High-c.X.Low), 1e-3)
	c.X.Low, c.X.High = rounded(c.X.Low-room), rounded(c.X.High+room)
	c.frame(0, math.Inf(1))
	f := b.figure(c, "transition", s.task)
	f.Caption = "rings mark the transition"
	f.Table = table
	f.Table.Name = f.Title
	return f
}

// lossLimit is the greatest normalised loss that figures show to scale. Beyond uniform guessing it says little how bad it is.
const lossLimit = 1.6
