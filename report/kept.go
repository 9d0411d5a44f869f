package report

import (
	"fmt"
	"math"
	"slices"

	"shallow/sweep"
)

// kept draws, for each strategy and healing, how much of its score above chance each task keeps: what the model writes beside
// what it chooses.
func (b *builder) kept() (figures []*figure) {
	for _, v := range b.curves() {
		if f := b.keptOf(v); f != nil {
			figures = append(figures, f)
		}
	}
	return figures
}

// curves are the pairs of strategy and healing that any task has, without cells.
func (b *builder) curves() (all []curve) {
	for _, s := range b.subjects {
		for _, v := range s.curves {
			if !slices.ContainsFunc(all, func(w curve) bool { return w.strategy == v.strategy && w.healing == v.healing }) {
				all = append(all, curve{strategy: v.strategy, healing: v.healing})
			}
		}
	}
	return all
}

func (b *builder) keptOf(v curve) *figure {
	c := &chart{
		Title: plain(v.label()),
		X:     scale{Label: fractionLabel, Percent: true},
		Y:     scale{Label: "share of the score above chance kept", Percent: true},
		Falls: true,
	}
	table := dataTable{Head: []string{"task", "kind", "dropped", "n", "share of layers", "kept", "standard error"}, Words: 3}
	written := 0
	for _, want := range []sort{choice, generation} {
		for i, s := range with(b.subjects, want) {
			l := line{Label: plain(s.task), Colour: inkChoice, Dash: i % len(dashes)}
			kind := "chooses"
			if want == generation {
				l.Colour, kind = inkGeneration, "writes"
			}
			for _, w := range s.curves {
				if w.strategy != v.strategy || w.healing != v.healing {
					continue
				}
				for _, cell := range w.cells {
					share, ok := s.share(cell)
					if !ok {
						continue
					}
					value, _ := s.of(cell)
					l.Points = append(l.Points, point{
						X: rounded(b.fraction(cell.N)), Y: rounded(share.value), Error: rounded(share.stderr), Recorded: cell.Recorded,
						Text: fmt.Sprintf("%s\n%s\n%s %v: keeps %s", plain(s.task), b.about(w, cell), plain(s.metric), value, percent(share.value)),
					})
					table.Rows = append(table.Rows, []string{
						plain(s.task), kind, dropped(cell), fmt.Sprint(cell.N), precise(b.fraction(cell.N)), precise(share.value), precise(share.stderr),
					})
				}
			}
			if len(l.Points) > 1 {
				c.Lines = append(c.Lines, l)
				if want == generation {
					written++
				}
			}
		}
	}
	if written == 0 || written == len(c.Lines) {
		return nil
	}
	c.Levels = []level{{"all of it", 1, true}, {"chance", 0, false}}
	c.along()
	c.frame(-0.5, 1.5)
	f := b.figure(c, "kept", v.label())
	f.Table = table
	f.Table.Name = f.Title
	return f
}

// comparison is how generation stands beside multiple choice at one n of one strategy and healing: means over tasks of what is
// kept.
type comparison struct {
	v                  curve
	n                  int
	chosen, written    float64
	choices, generated []string
}

// compare looks at the n that is nearest to a quarter of the layers and has both kinds of task.
func (b *builder) compare(v curve) (c comparison, ok bool) {
	best := math.Inf(1)
	for n := 1; n < b.model.Layers; n++ {
		x := comparison{v: v, n: n}
		x.chosen, x.choices = b.mean(choice, v, n)
		x.written, x.generated = b.mean(generation, v, n)
		d := math.Abs(float64(n) - float64(b.model.Layers)/4)
		if len(x.choices) > 0 && len(x.generated) > 0 && d < best {
			c, best, ok = x, d, true
		}
	}
	return c, ok
}

func (b *builder) mean(want sort, v curve, n int) (mean float64, tasks []string) {
	for _, s := range with(b.subjects, want) {
		cell := s.like(v, n)
		if cell == nil {
			continue
		}
		if kept, ok := s.share(cell); ok {
			mean += kept.value
			tasks = append(tasks, plain(s.task))
		}
	}
	return mean / float64(max(1, len(tasks))), tasks
}

// favourite are curves in the order in which sentences speak of them: healed before unhealed, similarity before others.
func (b *builder) favourite() []curve {
	all := b.curves()
	slices.SortStableFunc(all, func(x, y curve) int {
		rank := func(v curve) int {
			r := 0
			if v.healing == sweep.Unhealed {
				r += 2
			}
			if v.strategy != sweep.Similarity {
				r++
			}
			return r
		}
		return rank(x) - rank(y)
	})
	return all
}
