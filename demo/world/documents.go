package world

import (
	"fmt"
	"iter"
	"math/rand/v2"
)

// Document is a text to train on, or a prompt with the completion that a model should give it.
type Document struct {
	Text       string `json:"text,omitempty"`
	Prompt     string `json:"prompt,omitempty"`
	Completion string `json:"completion,omitempty"`
}

// Stages is how many stages the curriculum has.
const Stages = 2

// share is how much of a stage's documents are of a sort.
type share struct {
	weight int
	make   func(t *teller) Document
}

// curriculum is what the stages are made of. The first has what later things build on: facts, sums of one step and passages about one person.
var curriculum = [Stages][]share{
	{
		{45, telling},
		{20, asking},
		{10, adding},
		{15, counting(1)},
		{10, understanding(1)},
	},
	{
		{25, telling},
		{22, asking},
		{3, adding},
		{5, counting(1)}, {8, counting(2)}, {9, counting(3)},
		{5, understanding(1)}, {11, understanding(2)},
		{12, ending},
	},
}

// Documents are n documents of a stage, 1 or 2. Other seeds give other documents about the same world; a larger n goes on with
// the same ones.
func (w *World) Documents(seed uint64, stage, n int) iter.Seq[Document] {
	if stage < 1 || stage > Stages {
		panic(fmt.Sprintf("world: stage %d: there are stages 1 to %d", stage, Stages))
	}
	return func(yield func(Document) bool) {
		t := &teller{rand.New(rand.NewPCG(seed, uint64(forTexts+16*stage))), w}
		shares, total := curriculum[stage-1], 0
		for _, s := range shares {
			total += s.weight
		}
		for range n {
			at, i := t.IntN(total), 0
			for ; at >= shares[i].weight; i++ {
				at -= shares[i].weight
			}
			if !yield(shares[i].make(t)) {
				return
			}
		}
	}
}

// telling is an article.
func telling(t *teller) Document { return Document{Text: t.article(false)} }

// asking is a question about a fact that may be asked in training.
func asking(t *teller) Document {
	f := pick(t.Rand, t.world.facts)
	for !f.Asked {
		f = pick(t.Rand, t.world.facts)
	}
	return t.ask(f, false).document()
}

// understanding is a question about a passage.
func understanding(people int) func(*teller) Document {
	return func(t *teller) Document { return t.reading(people, false).document() }
}

// adding is a sum without a story.
func adding(t *teller) Document { return t.plainSum().document() }

// counting is a word sum; one of three with the way to its result.
func counting(steps int) func(*teller) Document {
	return func(t *teller) Document {
		s := t.sum(steps, false)
		if t.IntN(3) == 0 {
			return Document{Prompt: "Question: " + s.Question + "\nSteps:", Completion: " " + s.Steps}
		}
		return s.document()
	}
}

// ending is a story.
func ending(t *teller) Document {
	s := t.story(false)
	return Document{Prompt: "Story: " + s.Context, Completion: " " + s.Endings[s.Answer]}
}

// document is the question with its answer, in the words in which the tasks ask.
func (q Question) document() Document {
	prompt := "Question: " + q.Question + "\nAnswer:"
	if q.Passage != "" {
		prompt = "Passage: " + q.Passage + "\n" + prompt
	}
	return Document{Prompt: prompt, Completion: " " + q.Choices[q.Answer]}
}

func (s Sum) document() Document {
	return Document{Prompt: "Question: " + s.Question + "\nAnswer:", Completion: " " + s.Result}
}
