package world

import (
	"embed"
	"fmt"
	"math/rand/v2"
	"slices"
)

// Tasks are the task files, for package eval/task, of what [World.Write] puts into the folder data.
//
//go:embed tasks/*.yaml
var Tasks embed.FS

// scoring is the stream of an evaluation set, which no document comes from.
func (w *World) scoring(seed, set uint64) *teller {
	return &teller{rand.New(rand.NewPCG(seed, forScoring+16*set)), w}
}

// Facts are questions about all facts in held-out wordings, one each, in any order.
func (w *World) Facts(seed uint64) []Question {
	t := w.scoring(seed, 0)
	all := make([]Question, len(w.facts))
	for i, f := range w.facts {
		all[i] = t.ask(f, true)
		all[i].Asked = &f.Asked
	}
	shuffle(t.Rand, all)
	return all
}

// Told are those of questions about facts that training texts tell and never ask.
func Told(facts []Question) []Question {
	return slices.DeleteFunc(slices.Clone(facts), func(q Question) bool { return *q.Asked })
}

// Reading are n passages with questions in held-out wordings, every third about one person, the others about two.
func (w *World) Reading(seed uint64, n int) []Question {
	t := w.scoring(seed, 1)
	all := make([]Question, n)
	for i := range all {
		all[i] = t.reading(min(2, 1+i%3), true)
	}
	return all
}

// Endings are n stories with their ends. The stories are in held-out wordings.
func (w *World) Endings(seed uint64, n int) []Story {
	t := w.scoring(seed, 2)
	all := make([]Story, n)
	for i := range all {
		all[i] = t.story(true)
	}
	return all
}

// Sums are n word sums of so many steps, in held-out wordings.
func (w *World) Sums(seed uint64, steps, n int) []Sum {
	t := w.scoring(seed, uint64(3+steps))
	all := make([]Sum, n)
	for i := range all {
		all[i] = t.sum(steps, true)
	}
	return all
}

// HeldOut are n texts for a loss: articles and passages that training does not see, with one sentence in seven in a held-out wording.
func (w *World) HeldOut(seed uint64, n int) []Document {
	t := w.scoring(seed, 3)
	all := make([]Document, n)
	for i := range all {
		if i%4 == 3 {
			q := t.reading(2, true)
			all[i].Text = fmt.Sprintf("Passage: %s\nQuestion: %s\nAnswer: %s", q.Passage, q.Question, q.Choices[q.Answer])
			continue
		}
		all[i].Text = t.article(true)
	}
	return all
}
