package report

import (
	"fmt"
	"strings"

	"shallow/sweep"
)

// build makes a model's part: the six sections in the page's order.
func (b *builder) build() *modelPage {
	m := &modelPage{
		Name: plain(b.model.Name), ID: b.prefix + "model",
		Findings: b.findings(), Facts: modelFacts(b.model), Tasks: b.taskTable(), Files: b.fileTable(),
	}
	m.Sections = []*section{
		b.distanceSection(), b.accuracySection(), b.lossSection(), b.keptSection(), b.transitionSection(), b.costSection(),
	}
	return m
}

func (b *builder) section(id, short, title string, figures []*figure) *section {
	s := &section{ID: b.prefix + id, Short: short, Title: title, Figures: figures}
	seen := map[string]bool{}
	for _, f := range figures {
		if f.Chart == nil {
			continue
		}
		for _, l := range f.Chart.Lines {
			if !seen[l.Label] {
				seen[l.Label] = true
				s.Key = append(s.Key, line{Label: l.Label, Colour: l.Colour, Dash: l.Dash, Hollow: l.Hollow})
			}
			for _, p := range l.Points {
				s.Squares = s.Squares || p.Recorded
			}
		}
	}
	return s
}

func (b *builder) distanceSection() *section {
	s := b.section("distance", "Distances", "How far each block of layers moves the residual stream", nil)
	f := b.heatMap()
	if f == nil {
		s.Missing = "The sweep has no distances: no strategy needed a measurement."
		return s
	}
	s.Figures = []*figure{f}
	s.Intro = "Angular distance between what enters layer ℓ and what leaves the n layers from there on, at the last token. " +
		"Yellow is near: the block changes little. A ring marks the block that the similarity strategy drops at each n, a dot where the sweep has scored it."
	return s
}

func (b *builder) accuracySection() *section {
	figures := append(b.qualities(choice), b.qualities(generation)...)
	s := b.section("accuracy", "Accuracy", "Accuracy against the share of layers dropped", figures)
	if len(figures) == 0 {
		s.Missing = "The sweep has no task with a score that rises from chance."
		return s
	}
	s.Intro = "Bars are one standard error. The upper grey line is the unpruned model, the lower one guessing."
	s.Missing = b.absent("accuracy")
	return s
}

func (b *builder) lossSection() *section {
	figures := b.qualities(loss)
	s := b.section("loss", "Loss", "Normalised loss against the share of layers dropped", figures)
	if len(figures) == 0 {
		s.Missing = "There is no figure of the loss: the sweep has no task of text whose loss is known a token."
		return s
	}
	s.Intro = "Mean loss a token divided by the logarithm of the vocabulary's size: 1 is a uniform guess."
	if beyond(figures) {
		s.Intro += fmt.Sprintf(" Arrows at the upper edge are points beyond %.1f.", lossLimit)
	}
	s.Missing = b.absent("the loss")
	return s
}

func beyond(figures []*figure) bool {
	for _, f := range figures {
		for _, l := range f.Chart.Lines {
			for _, p := range l.Points {
				if p.Y > f.Chart.Y.High {
					return true
				}
			}
		}
	}
	return false
}

func (b *builder) keptSection() *section {
	figures := b.kept()
	s := b.section("kept", "Generation beside multiple choice", "Where quality is lost: generation beside multiple choice", figures)
	s.Key = nil
	if len(figures) == 0 {
		s.Missing = "There is no figure of this: it needs one task that the model answers by choosing and one that it answers by writing, both with a score of the unpruned model."
		return s
	}
	s.Key = []line{{Label: "tasks that choose among answers", Colour: inkChoice}, {Label: "tasks that write the answer", Colour: inkGeneration}}
	s.Intro = strings.TrimSpace(b.generationSentence() + " 100 % is the unpruned model's score, 0 % is chance, which for an answer that must be written is a score of 0.")
	return s
}

func (b *builder) transitionSection() *section {
	figures := b.calibrations()
	s := b.section("transition", "Accuracy against loss", "Accuracy against loss", figures)
	if len(figures) == 0 {
		s.Missing = "There is no figure of this: it needs a task that chooses among answers and a task of text with a loss, at the same n."
		return s
	}
	s.Intro = "Each point is one n. Where the line falls steeply, answers collapse while the loss hardly moves: the loss does not tell what the model has lost. " +
		"The transition is the first n at which a task keeps less than half of what the unpruned model has above chance."
	t := dataTable{Head: []string{"task", "strategy and healing", "transition", "share of layers", "score lost in that step", "loss gained in that step"}, Words: 2}
	losses := with(b.subjects, loss)
	for _, c := range with(b.subjects, choice) {
		for _, step := range steps(c, losses[0]) {
			gained := "not known"
			if step.lossKnown {
				gained = precise(step.loss)
			}
			t.Rows = append(t.Rows, []string{
				plain(c.task), plain(curve{strategy: step.strategy, healing: step.healing}.label()),
				fmt.Sprintf("n = %d", step.to.N), precise(b.fraction(step.to.N)), precise(step.accuracy), gained,
			})
		}
	}
	if len(t.Rows) > 0 {
		t.Name = "Transitions: shares of the score above chance, and of the loss's way to uniform guessing"
		s.Extra = &t
	}
	return s
}

func (b *builder) costSection() *section {
	figures, missing := b.costs()
	s := b.section("cost", "Savings", "What is saved", figures)
	s.Key = nil
	s.Intro = b.savedSentence()
	switch {
	case len(figures) == 0:
		s.Missing = "There is no figure of this: the sweep has no cells without layers, or does not say what they weigh."
	case len(missing) > 0:
		s.Missing = "Not known: " + list(missing) + "."
	}
	if t := b.healingTable(); len(t.Rows) > 0 {
		t.Name = "What healing took"
		s.Extra, s.Folded = &t, true
	}
	return s
}

// absent says which of strategies and healing a figure would have and does not.
func (b *builder) absent(of string) string {
	strategies, healed := map[string]bool{}, false
	for _, v := range b.curves() {
		strategies[v.strategy] = true
		healed = healed || v.healing != sweep.Unhealed
	}
	var parts []string
	for _, s := range []string{sweep.Similarity, sweep.Deepest} {
		if !strategies[s] {
			parts = append(parts, "the strategy "+s)
		}
	}
	if !healed {
		parts = append(parts, "healing")
	}
	if len(parts) == 0 {
		return ""
	}
	return "Not in the figures of " + strings.TrimSpace(of) + ", since the sweep has no such cells yet: " + list(parts) + "."
}
