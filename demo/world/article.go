package world

import (
	"math/rand/v2"
	"strings"
)

// teller writes texts with one stream of random numbers.
type teller struct {
	*rand.Rand
	world *World
}

// slots are the words for somebody, by name or, if called so, by pronoun.
func (x referent) slots(pronoun bool) map[string]string {
	s := map[string]string{"n": x.name, "s": x.name, "p": x.possessive, "h": x.his, "he": x.he, "him": x.him}
	if pronoun {
		s["s"], s["p"] = x.he, x.his
	}
	return s
}

// about are the slots of a fact.
func (x referent) about(value string, pronoun bool) map[string]string {
	s := x.slots(pronoun)
	s["v"], s["a"] = value, withArticle(value)
	return s
}

// heldShare is how many of the sentences of held-out texts are in wordings that are held out too: as many as there are of those.
const heldShare = 1. / 7

// say tells a fact in a sentence.
func (t *teller) say(x referent, relation *Relation, value string, pronoun, held bool) string {
	wordings := relation.Say
	if held && t.Float64() < heldShare {
		wordings = relation.SayHeld
	}
	return fill(pick(t.Rand, wordings), x.about(value, pronoun))
}

// article tells all facts of an entity, in any order.
func (t *teller) article(held bool) string {
	e := pick(t.Rand, t.world.Entities)
	var b strings.Builder
	b.WriteString("Article:")
	for i, k := range t.Perm(len(e.Relations)) {
		pronoun := i > 0 && t.IntN(2) == 0
		b.WriteString(" " + t.say(e.referent, &e.Relations[k], e.Values[k], pronoun, held))
	}
	return b.String()
}
