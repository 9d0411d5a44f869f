package world

import "slices"

// Story is a beginning and four ends, of which one fits.
type Story struct {
	Context string   `json:"context"`
	Endings []string `json:"endings"`
	Answer  int      `json:"answer"` // which of Endings fits
	About   string   `json:"about"`
}

// story tells of somebody in a situation.
func (t *teller) story(held bool) Story {
	who := pick(t.Rand, persons())
	number := t.IntN(len(stories.Situations) + len(stories.WithThings))
	withThing := number >= len(stories.Situations)
	thing := pick(t.Rand, stories.Things)
	slots := func(thing string, pronoun bool) map[string]string {
		s := who.slots(pronoun)
		s["x"] = thing
		return s
	}
	var x situation
	if withThing {
		x = stories.WithThings[number-len(stories.Situations)]
	} else {
		x = stories.Situations[number]
	}
	s := Story{About: x.Name}
	s.Context = fill(pick(t.Rand, stories.Settings.of(held)), slots(thing, false)) + " " +
		fill(pick(t.Rand, split{x.Say, x.Held}.of(held)), slots(thing, t.IntN(4) > 0))
	end := pick(t.Rand, x.End)
	right := fill(end, slots(thing, true))
	var wrong []string
	if withThing {
		for _, other := range stories.Things {
			if other != thing {
				wrong = append(wrong, fill(end, slots(other, true)))
			}
		}
	} else {
		for _, y := range stories.Situations {
			if y.Name != x.Name && !slices.Contains(x.Like, y.Name) {
				wrong = append(wrong, fill(pick(t.Rand, y.End), slots(thing, true)))
			}
		}
	}
	s.Endings, s.Answer = choose(t.Rand, right, wrong)
	return s
}
