package world

import (
	"strings"
	"testing"
)

const (
	gram    = 8     // words in a row that no held-out question may share with training
	trained = 15000 // documents of each stage that are looked through
)

// alike maps words to what they stand for, so that one text shows the wording of all that differ in names, values and numbers.
var alike = func() map[string]string {
	m := map[string]string{}
	mark := func(sort string, all []string) {
		for _, word := range all {
			m[strings.ToLower(word)] = "<" + sort + ">"
		}
	}
	for kind, all := range words.Kinds {
		mark(kind, all)
	}
	mark("family", words.Families)
	mark("name", words.Women)
	mark("name", words.Men)
	mark("number", words.Numbers)
	mark("thing", words.Things)
	mark("thing", stories.Things)
	mark("he", []string{"he", "she"})
	mark("his", []string{"his", "her", "him"})
	return m
}()

// grams calls yield with each run of words of a text, without signs and capitals. Words that are alike are one.
func grams(text string, yield func(string)) {
	list := strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return strings.ContainsRune(" \n.,?:", r) })
	for i, word := range list {
		stem, own := strings.CutSuffix(word, "'s")
		if mark := alike[stem]; mark != "" {
			list[i] = mark + map[bool]string{true: "'s"}[own]
		}
	}
	for i := 0; i+gram <= len(list); i++ {
		yield(strings.Join(list[i:i+gram], " "))
	}
}

// heldOut are all held-out questions, stories and sums, as they are asked, without the passages.
func heldOut(w *World) map[string][]string {
	sets := map[string][]string{}
	for seed := range uint64(3) {
		for _, q := range w.Facts(seed) {
			sets["facts"] = append(sets["facts"], q.document().Prompt)
		}
		for _, q := range w.Reading(seed, 1000) {
			q.Passage = ""
			sets["reading"] = append(sets["reading"], q.document().Prompt)
		}
		for _, s := range w.Endings(seed, 1000) {
			sets["endings"] = append(sets["endings"], "Story: "+s.Context)
		}
		for steps := 1; steps <= 3; steps++ {
			for _, s := range w.Sums(seed, steps, 1000) {
				sets["sums"] = append(sets["sums"], s.document().Prompt)
			}
		}
	}
	return sets
}

// TestNoLeak finds no eight words in a row of a held-out question in training texts, even where all names, values and numbers
// count as the same.
func TestNoLeak(t *testing.T) {
	w := New(1)
	seen := map[string]bool{}
	for stage := 1; stage <= Stages; stage++ {
		for d := range w.Documents(11, stage, trained) {
			grams(d.Text+d.Prompt+d.Completion, func(g string) { seen[g] = true })
		}
	}
	for set, texts := range heldOut(w) {
		for _, text := range texts {
			grams(text, func(g string) {
				if seen[g] {
					t.Errorf("%s: %q is in a training text", set, g)
					delete(seen, g) // once is enough
				}
			})
		}
	}
}

// TestWordsAreKnown finds every word of what is held out in training texts: wordings are new, words are not.
func TestWordsAreKnown(t *testing.T) {
	w := New(1)
	known := map[string]bool{}
	list := func(text string) []string {
		return strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" \n.,?:", r) })
	}
	for stage := 1; stage <= Stages; stage++ {
		for d := range w.Documents(11, stage, trained) {
			for _, word := range list(d.Text + d.Prompt + d.Completion) {
				known[word] = true
			}
		}
	}
	sets := heldOut(w)
	for _, d := range w.HeldOut(1, 2000) {
		sets["text"] = append(sets["text"], d.Text)
	}
	for set, texts := range sets {
		for _, text := range texts {
			for _, word := range list(text) {
				if !known[word] {
					t.Errorf("%s: the word %q of %q is not in training", set, word, text)
					known[word] = true
				}
			}
		}
	}
}
