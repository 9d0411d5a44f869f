package world

import (
	"math/rand/v2"
	"slices"
)

// A World is what is true, and the source of texts about it.
type World struct {
	Entities []*Entity
	facts    []Fact
}

// Entity is a person, a town, a river or the people of a craft.
type Entity struct {
	Name      string
	Relations []Relation
	Values    []string // of the relations
	referent
}

// referent is how texts refer to somebody.
type referent struct {
	name, he, him, his, possessive string
}

// Fact is one value of an entity.
type Fact struct {
	Entity   *Entity
	Relation int
	Asked    bool // in training; if not, articles tell it and no question does
}

// Value is what is true.
func (f Fact) Value() string { return f.Entity.Values[f.Relation] }

const (
	people     = 204
	askedOf    = 6 // of so many facts one is not asked in training
	forWorld   = 1 // streams of random numbers
	forTexts   = 2
	forScoring = 3
)

// New draws a world.
func New(seed uint64) *World {
	r := rand.New(rand.NewPCG(seed, forWorld))
	w := &World{}
	var full []referent
	for _, family := range words.Families {
		for _, p := range persons() {
			name := p.name + " " + family
			full = append(full, referent{name, p.he, p.him, p.his, name + "'s"})
		}
	}
	shuffle(r, full)
	w.populate(r, "person", full[:people])
	var all []referent
	for _, town := range words.Kinds["town"] {
		all = append(all, referent{town, "it", "it", "its", town + "'s"})
	}
	w.populate(r, "town", all)
	all = nil
	for _, river := range words.Kinds["river"] {
		name := "the " + river
		all = append(all, referent{name, "it", "it", "its", name + "'s"})
	}
	w.populate(r, "river", all)
	all = nil
	for _, craft := range words.Kinds["craft"] {
		name := "the " + craft + "s"
		all = append(all, referent{name, "they", "them", "their", "their"})
	}
	w.populate(r, "craft", all)
	for i, craft := range words.Kinds["craft"] {
		e := w.Entities[len(w.Entities)-len(all)+i]
		e.Values[slices.IndexFunc(e.Relations, func(r Relation) bool { return r.Name == "material" })] = words.Materials[craft]
	}
	for _, e := range w.Entities {
		for i := range e.Relations {
			w.facts = append(w.facts, Fact{Entity: e, Relation: i})
		}
	}
	for place, i := range r.Perm(len(w.facts)) {
		w.facts[i].Asked = place%askedOf > 0
	}
	return w
}

// persons are the first names.
func persons() (all []referent) {
	for _, name := range words.Women {
		all = append(all, referent{name, "she", "her", "her", name + "'s"})
	}
	for _, name := range words.Men {
		all = append(all, referent{name, "he", "him", "his", name + "'s"})
	}
	return all
}

// relations of each sort of entity.
var relations = map[string][]Relation{
	"person": readWordings[[]Relation]("person"), "town": readWordings[[]Relation]("town"),
	"river": readWordings[[]Relation]("river"), "craft": readWordings[[]Relation]("craft"),
}

// populate adds entities of a sort. Each value of a kind is that of as many of them as any other, but for the rest of a division.
func (w *World) populate(r *rand.Rand, sort string, all []referent) {
	first := len(w.Entities)
	for _, x := range all {
		w.Entities = append(w.Entities, &Entity{Name: x.name, Relations: relations[sort], referent: x})
	}
	for _, relation := range relations[sort] {
		var deck []string
		for len(deck) < len(all) {
			kind := slices.Clone(words.Kinds[relation.Kind])
			shuffle(r, kind)
			deck = append(deck, kind...)
		}
		deck = deck[:len(all)]
		shuffle(r, deck)
		for i, e := range w.Entities[first:] {
			e.Values = append(e.Values, deck[i])
		}
	}
}

func shuffle[T any](r *rand.Rand, s []T) {
	r.Shuffle(len(s), func(i, j int) { s[i], s[j] = s[j], s[i] })
}

func pick[T any](r *rand.Rand, s []T) T { return s[r.IntN(len(s))] }
