package report

import (
	"fmt"
	"math"
	"strings"

	"shallow/sweep"
)

// Findings are the sentences that the page computes from a result: where quality is lost, what the loss does there, what is saved.
// Each model's begin with its name where there are several.
func Findings(r *sweep.Result) (all []string) {
	for i := range r.Models {
		b := newBuilder(r, &r.Models[i])
		for _, s := range b.findings() {
			if len(r.Models) > 1 {
				s = plain(b.model.Name) + ": " + s
			}
			all = append(all, s)
		}
	}
	return all
}

// mostSentences bounds how many tasks have one of their own; the table of transitions has them all.
const mostSentences = 5

func (b *builder) findings() (all []string) {
	say := func(s string) {
		if s != "" {
			all = append(all, s)
		}
	}
	say(b.generationSentence())
	choices := with(b.subjects, choice)
	for _, s := range choices[:min(len(choices), mostSentences)] {
		say(b.transitionSentence(s))
	}
	say(b.stepSentence())
	say(b.savedSentence())
	return all
}

// generationSentence says plainly where quality is lost.
func (b *builder) generationSentence() string {
	for _, v := range b.favourite() {
		c, ok := b.compare(v)
		if !ok {
			continue
		}
		first := "Writing and choosing lose about as much: "
		switch {
		case c.written < c.chosen-0.05:
			first = "Generation is lost before multiple choice: "
		case c.written > c.chosen+0.05:
			first = "Multiple choice is lost before generation: "
		}
		return fmt.Sprintf("%swithout %d of %d layers (%s), %s %s %s and %s %s %s of what the unpruned model has above chance.",
			first, c.n, b.model.Layers, plain(v.words()),
			list(c.generated), keeps(c.generated), percent(c.written),
			list(c.choices), keeps(c.choices), percent(c.chosen))
	}
	return ""
}

func keeps(tasks []string) string {
	if len(tasks) > 1 {
		return "keep on average"
	}
	return "keeps"
}

// transitionSentence says at which n a task collapses, for every strategy and healing, and where it does not.
func (b *builder) transitionSentence(s *subject) string {
	var gone, left []string
	furthest := "" // where the curves end that keep more than half, and which they are
	var whole []string
	for _, v := range s.curves {
		_, after, ok := s.transition(v)
		last := v.cells[len(v.cells)-1]
		if !ok || last.N == 0 {
			continue
		}
		how := plain(v.strategy) + " unhealed"
		if v.healing != sweep.Unhealed {
			how = plain(v.strategy) + " healed by " + plain(v.healing)
		}
		if after != nil {
			gone = append(gone, fmt.Sprintf("at n = %d (%s) with %s", after.N, percent(b.fraction(after.N)), how))
			continue
		}
		where := fmt.Sprintf("at n = %d (%s)", last.N, percent(b.fraction(last.N)))
		if where != furthest && len(whole) > 0 {
			left, whole = append(left, furthest+" with "+list(whole)), nil
		}
		furthest, whole = where, append(whole, how)
	}
	if len(whole) > 0 {
		left = append(left, furthest+" with "+list(whole))
	}
	switch {
	case len(gone) > 0 && len(left) > 0:
		return fmt.Sprintf("Half of its score above chance in %s is gone %s; more than half is left %s.", plain(s.task), strings.Join(gone, ", "), strings.Join(left, ", "))
	case len(gone) > 0:
		return fmt.Sprintf("Half of its score above chance in %s is gone %s.", plain(s.task), strings.Join(gone, ", "))
	case len(left) > 0:
		return fmt.Sprintf("More than half of its score above chance in %s is left %s.", plain(s.task), strings.Join(left, ", "))
	}
	return s.noTransition()
}

// noTransition says why a task has none.
func (s *subject) noTransition() string {
	_, known := s.chance()
	_, scored := s.whole()
	switch {
	case len(s.curves) == 0 || !scored:
		return ""
	case !known:
		return fmt.Sprintf("%s has no known chance level, so no transition can be named.", plain(s.task))
	}
	return fmt.Sprintf("In %s the unpruned model is not clearly above chance, so nothing can be lost there.", plain(s.task))
}

// stepSentence compares the largest collapse of a healed curve, or else of any, with what the loss does in the same step.
func (b *builder) stepSentence() string {
	losses := with(b.subjects, loss)
	if len(losses) == 0 {
		return ""
	}
	var best *step
	var of *subject
	for _, s := range with(b.subjects, choice) {
		for _, t := range steps(s, losses[0]) {
			healed, bestHealed := t.healing != sweep.Unhealed, best != nil && best.healing != sweep.Unhealed
			if t.lossKnown && (best == nil || healed && !bestHealed || healed == bestHealed && t.accuracy > best.accuracy) {
				best, of = &t, s
			}
		}
	}
	if best == nil {
		return ""
	}
	where := fmt.Sprintf("Between n = %d and n = %d (%s), ", best.from.N, best.to.N, plain(curve{strategy: best.strategy, healing: best.healing}.words()))
	jump := fmt.Sprintf("%s loses %s of what it has above chance while the loss goes %s of its way to uniform guessing", plain(of.task), percent(best.accuracy), percent(best.loss))
	switch {
	case best.loss < best.accuracy/3:
		return where + jump + ": one jumps, the other does not."
	case best.loss > best.accuracy/1.5:
		return where + jump + ": both move together."
	}
	return where + jump + "."
}

// savedSentence says what dropping about a quarter of the layers saves.
func (b *builder) savedSentence() string {
	all := b.variants()
	best := -1
	for i, v := range all {
		distance := func(v variant) float64 { return math.Abs(b.fraction(v.n) - 0.25) }
		if v.n > 0 && (best < 0 || distance(v) < distance(all[best])) {
			best = i
		}
	}
	if best < 0 || b.model.Bytes <= 0 {
		return ""
	}
	v, whole := all[best], all[0]
	parts := []string{fmt.Sprintf("%s fewer bytes of weights", percent(1-float64(v.bytes)/float64(whole.bytes)))}
	if whole.cache > 0 {
		parts = append(parts, fmt.Sprintf("%s fewer of keys and values", percent(1-v.cache/whole.cache)))
	}
	if v.speed > 0 && whole.speed > 0 {
		parts = append(parts, fmt.Sprintf("%.2f times the tokens per second", v.speed/whole.speed))
	}
	return fmt.Sprintf("Without %d of %d layers there are %s.", v.n, b.model.Layers, list(parts))
}
