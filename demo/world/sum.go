package world

import "strings"

// Sum is a story about things that come and go, and the question how many there are.
type Sum struct {
	Question string   `json:"question"`
	Choices  []string `json:"choices"`
	Answer   int      `json:"answer"` // which of Choices is right
	Result   string   `json:"result"` // the same as a word
	Steps    string   `json:"steps"`  // the way to it, in words
}

const (
	mostThings = 20 // no number is above this
	near       = 5  // wrong choices are at most so far from the right one
)

// step draws what comes or goes, so that there is something left and not too much.
func (t *teller) step(total int) (change int) {
	for {
		change = 2 + t.IntN(8)
		if t.IntN(2) == 0 {
			change = -change
		}
		if after := total + change; after >= 1 && after <= mostThings {
			return change
		}
	}
}

// sum makes a word sum of some steps.
func (t *teller) sum(steps int, held bool) Sum {
	all := persons()
	shuffle(t.Rand, all)
	who, other := all[0], all[1]
	for i := 2; other.he == who.he; i++ { // so that he is one of them
		other = all[i]
	}
	things := pick(t.Rand, words.Things)
	total := 2 + t.IntN(11)
	before := ""
	sentence := func(wordings split, number int, pronoun bool) string {
		s := who.slots(pronoun)
		s["k"], s["o"], s["t"] = words.Numbers[number], things, other.name
		wording := pick(t.Rand, wordings.of(held))
		for wording == before {
			wording = pick(t.Rand, wordings.of(held))
		}
		before = wording
		return fill(wording, s)
	}
	text := []string{sentence(sums.Open, total, false)}
	var way []string
	for range steps {
		change := t.step(total)
		way = append(way, describe(total, change))
		wordings, number := sums.More, change
		if change < 0 {
			wordings, number = sums.Less, -change
		}
		text = append(text, sentence(wordings, number, t.IntN(3) > 0))
		total += change
	}
	text = append(text, sentence(sums.Ask, 0, false))
	return t.answered(strings.Join(text, " "), way, total)
}

// describe is a step in words: three and four is seven.
func describe(total, change int) string {
	if change < 0 {
		return words.Numbers[total] + " less " + words.Numbers[-change] + " is " + words.Numbers[total+change]
	}
	return words.Numbers[total] + " and " + words.Numbers[change] + " is " + words.Numbers[total+change]
}

// plainSum asks for a step without a story.
func (t *teller) plainSum() Sum {
	total := 2 + t.IntN(mostThings-1)
	change := t.step(total)
	way := describe(total, change)
	question, _, _ := strings.Cut(way, " is ")
	return t.answered("What is "+question+"?", []string{way}, total+change)
}

func (t *teller) answered(question string, way []string, result int) Sum {
	s := Sum{Question: question, Result: words.Numbers[result]}
	s.Steps = strings.Join(way, ", ") + ", so the answer is " + s.Result + "."
	s.Choices, s.Answer = choose(t.Rand, s.Result, words.Numbers[max(1, result-near):min(mostThings, result+near)+1])
	return s
}
