package world

import (
	"math/rand/v2"
	"slices"
)

// Question has four choices, of which one is right.
type Question struct {
	Passage  string   `json:"passage,omitempty"`
	Question string   `json:"question"`
	Choices  []string `json:"choices"`
	Answer   int      `json:"answer"` // which of Choices is right
	About    string   `json:"about"`  // which relation, or how many people
	Asked    *bool    `json:"asked,omitempty"`
}

const choices = 4

// choose puts the answer among others of all, without those in not. It gives where it is.
func choose(r *rand.Rand, answer string, all []string, with ...string) ([]string, int) {
	out := append([]string{answer}, with...)
	for _, i := range r.Perm(len(all)) {
		if len(out) == choices {
			break
		}
		if !slices.Contains(out, all[i]) {
			out = append(out, all[i])
		}
	}
	shuffle(r, out)
	return out, slices.Index(out, answer)
}

// ask is a question about a fact.
func (t *teller) ask(f Fact, held bool) Question {
	relation := &f.Entity.Relations[f.Relation]
	wordings := relation.Ask
	if held {
		wordings = relation.AskHeld
	}
	q := Question{Question: fill(pick(t.Rand, wordings), f.Entity.slots(false)), About: relation.Name}
	q.Choices, q.Answer = choose(t.Rand, f.Value(), words.Kinds[relation.Kind])
	return q
}

// reading is a passage about one or two people whom nobody knows, with a question that it answers.
func (t *teller) reading(count int, held bool) Question {
	known := relations["person"]
	tell := t.Perm(len(known))[:1+t.IntN(2)]
	if count == 1 {
		tell = t.Perm(len(known))[:2+t.IntN(2)]
	}
	who := persons()
	shuffle(t.Rand, who)
	var q Question
	values := map[int][]string{} // of the people, by relation
	for i := range count {
		x := who[i]
		for j, k := range tell {
			value := pick(t.Rand, words.Kinds[known[k].Kind])
			for slices.Contains(values[k], value) {
				value = pick(t.Rand, words.Kinds[known[k].Kind])
			}
			values[k] = append(values[k], value)
			if q.Passage != "" {
				q.Passage += " "
			}
			q.Passage += t.say(x, &known[k], value, j > 0 && t.IntN(2) == 0, held)
		}
		shuffle(t.Rand, tell)
	}
	asked, about := t.IntN(count), pick(t.Rand, tell)
	wordings := known[about].Ask
	if held {
		wordings = known[about].AskHeld
	}
	q.Question = fill(pick(t.Rand, wordings), who[asked].slots(false))
	others := slices.Delete(slices.Clone(values[about]), asked, asked+1)
	q.Choices, q.Answer = choose(t.Rand, values[about][asked], words.Kinds[known[about].Kind], others...)
	q.About = map[int]string{1: "one person", 2: "two people"}[count]
	return q
}
