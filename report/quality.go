package report

import (
	"fmt"
	"math"

	"shallow/sweep"
)

const fractionLabel = "layers dropped"

// qualities draws the score of each task of a sort against the fraction of layers dropped.
func (b *builder) qualities(want sort) (figures []*figure) {
	for _, s := range with(b.subjects, want) {
		if f := b.quality(s); f != nil {
			figures = append(figures, f)
		}
	}
	return figures
}

func (b *builder) quality(s *subject) *figure {
	c := &chart{
		Title: plain(s.task),
		X:     scale{Label: fractionLabel, Percent: true},
		Y:     scale{Label: plain(s.metric)},
		Falls: s.sort != loss,
	}
	for _, v := range s.curves {
		l := style(b.result, v)
		for _, cell := range v.cells {
			if value, ok := s.of(cell); ok {
				l.Points = append(l.Points, b.point(s, v, cell, value))
			}
		}
		if len(l.Points) > 0 {
			c.Lines = append(c.Lines, l)
		}
	}
	if len(c.Lines) == 0 {
		return nil
	}
	if whole, ok := s.whole(); ok {
		c.Levels = append(c.Levels, level{fmt.Sprintf("unpruned %.3g", whole.value), rounded(whole.value), true})
	}
	caption := plain(s.metric)
	highest := math.Inf(1)
	switch chance, ok := s.chance(); {
	case s.sort == loss:
		c.Levels = append(c.Levels, level{Label: "uniform guessing 1", Value: 1})
		highest = lossLimit
	case ok && (s.sort == choice || chance > 0):
		c.Levels = append(c.Levels, level{Label: fmt.Sprintf("chance %.3g", chance), Value: rounded(chance)})
	case s.sort == choice:
		caption += "; the task has no known chance level"
	}
	c.along()
	c.frame(0, highest)
	f := b.figure(c, map[sort]string{choice: "accuracy", generation: "generation", loss: "loss"}[s.sort], s.task)
	f.Caption = caption + settingsOf(s)
	f.Table = b.scores(s)
	f.Table.Name = f.Title
	return f
}

// settingsOf says how a task was set, in a few words.
func settingsOf(s *subject) string {
	all := s.cells()
	c := all[0]
	text := ""
	if s.sort != loss {
		text += fmt.Sprintf(", %d-shot", c.Shots)
	}
	low, high := c.Samples, c.Samples
	for _, d := range all {
		low, high = min(low, d.Samples), max(high, d.Samples)
	}
	if low == high {
		return text + ", " + many(high, "document")
	}
	return text + fmt.Sprintf(", %d to %d documents", low, high)
}

// point is a cell's value against the fraction of layers dropped.
func (b *builder) point(s *subject, v curve, c *sweep.Cell, value score) point {
	return point{
		X: rounded(b.fraction(c.N)), Y: rounded(value.value), Error: rounded(value.stderr),
		Text:     b.about(v, c) + "\n" + plain(s.metric) + " " + value.String(),
		Recorded: c.Recorded,
	}
}

// fraction is n as a share of the layers.
func (b *builder) fraction(n int) float64 { return float64(n) / float64(b.model.Layers) }

// about says which variant a cell is of.
func (b *builder) about(v curve, c *sweep.Cell) string {
	if c.N == 0 {
		return "unpruned, " + plain(healed(c.Healing))
	}
	text := fmt.Sprintf("%s\nn = %d of %d layers (%s)\nwithout %s", plain(v.label()), c.N, b.model.Layers, percent(b.fraction(c.N)), dropped(c))
	if c.Distance != nil {
		text += fmt.Sprintf(", distance %.3f", *c.Distance)
	}
	if c.Recorded {
		text += "\nrecorded elsewhere"
	}
	return text
}

// scores is the table behind a task's figure.
func (b *builder) scores(s *subject) dataTable {
	t := dataTable{
		Head:  []string{"strategy", "healing", "dropped", "n", "share", plain(s.metric), "standard error", "documents", "cell"},
		Words: 3,
	}
	for _, c := range s.cells() {
		value, ok := s.of(c)
		if !ok {
			continue
		}
		healing := plain(c.Healing)
		if c.Recorded {
			healing += " (recorded)"
		}
		stderr := "not known"
		if value.stderr > 0 {
			stderr = fmt.Sprintf("%.4f", value.stderr)
		}
		t.Rows = append(t.Rows, []string{
			plain(c.Strategy), healing, dropped(c), fmt.Sprint(c.N), precise(b.fraction(c.N)),
			fmt.Sprintf("%.4f", value.value), stderr, fmt.Sprint(c.Samples), short(c.ID),
		})
	}
	return t
}
