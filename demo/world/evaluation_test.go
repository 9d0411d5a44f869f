package world

import (
	"math"
	"slices"
	"strings"
	"testing"
)

// places counts where the right choices are, and holds the counts against equal ones by chi-square.
type places [choices]int

func (p *places) check(t *testing.T, name string) {
	t.Helper()
	n := 0
	for _, x := range p {
		n += x
	}
	square, want := 0., float64(n)/choices
	for _, x := range p {
		square += (float64(x) - want) * (float64(x) - want) / want
	}
	if square > 16.3 || n == 0 { // three degrees of freedom: once in a thousand
		t.Errorf("%s: the right choices stand at %v: chi-square %.1f", name, *p, square)
	}
}

// kindOf is the kind that has all of some words.
func kindOf(all []string) string {
	for kind, list := range words.Kinds {
		if !slices.ContainsFunc(all, func(c string) bool { return !slices.Contains(list, c) }) {
			return kind
		}
	}
	return ""
}

func checkChoices(t *testing.T, text string, all []string, answer int) {
	t.Helper()
	sorted := slices.Sorted(slices.Values(all))
	if len(slices.Compact(sorted)) != choices || answer < 0 || answer >= choices {
		t.Errorf("%q: choices %q, the right one is number %d", text, all, answer)
	}
}

// TestFactQuestions asks each fact once, with choices of the answer's kind, of which the right one is what is true.
func TestFactQuestions(t *testing.T) {
	w := New(1)
	var p places
	for seed := range uint64(3) {
		all := w.Facts(seed)
		told := 0
		for _, q := range all {
			checkChoices(t, q.Question, q.Choices, q.Answer)
			if kindOf(q.Choices) == "" {
				t.Errorf("%q: choices %q are of several kinds", q.Question, q.Choices)
			}
			p[q.Answer]++
			if !*q.Asked {
				told++
			}
		}
		if len(all) != 1440 || told != 240 || len(Told(all)) != told {
			t.Errorf("%d questions, %d of them about facts that are only told", len(all), told)
		}
	}
	p.check(t, "facts")
	t.Run("answers", func(t *testing.T) {
		for _, f := range w.facts {
			q := w.scoring(1, 0).ask(f, true)
			if !strings.Contains(strings.ToLower(q.Question), strings.ToLower(f.Entity.Name)) || q.Choices[q.Answer] != f.Value() {
				t.Errorf("%q of %s: %q, want %q", q.Question, f.Entity.Name, q.Choices[q.Answer], f.Value())
			}
		}
	})
}

// TestReadingAnswersStandInThePassage looks for each answer, and finds the other choices of its kind.
func TestReadingAnswersStandInThePassage(t *testing.T) {
	var p places
	people := map[string]int{}
	others := 0
	for _, q := range New(1).Reading(1, 3000) {
		checkChoices(t, q.Question, q.Choices, q.Answer)
		p[q.Answer]++
		people[q.About]++
		if kindOf(q.Choices) == "" {
			t.Errorf("%q: choices %q are of several kinds", q.Question, q.Choices)
		}
		list := strings.FieldsFunc(q.Passage, func(r rune) bool { return strings.ContainsRune(" .,'", r) })
		there := 0
		for i, c := range q.Choices {
			in := slices.ContainsFunc(list, func(word string) bool { return strings.EqualFold(word, c) })
			if i == q.Answer && !in {
				t.Errorf("%q is not in %q", c, q.Passage)
			}
			if in {
				there++
			}
		}
		if there > 1 {
			others++
		}
	}
	p.check(t, "reading")
	if people["one person"] != 1000 || people["two people"] != 2000 || others < 2000 {
		t.Errorf("passages are about %v; %d have a wrong choice too", people, others)
	}
}

// TestEndings finds the right end among those of the situation, and the wrong ones among others.
func TestEndings(t *testing.T) {
	var p places
	about := map[string]int{}
	for _, s := range New(1).Endings(1, 4000) {
		checkChoices(t, s.Context, s.Endings, s.Answer)
		p[s.Answer]++
		about[s.About]++
		for _, e := range s.Endings {
			if strings.Fields(e)[0] != strings.Fields(s.Endings[s.Answer])[0] {
				t.Errorf("%q: ends are of several people: %q", s.Context, s.Endings)
			}
		}
	}
	p.check(t, "endings")
	for _, x := range slices.Concat(stories.Situations, stories.WithThings) {
		if about[x.Name] < 80 {
			t.Errorf("%d stories about %s", about[x.Name], x.Name)
		}
		for _, like := range x.Like {
			if !slices.ContainsFunc(stories.Situations, func(y situation) bool { return y.Name == like && slices.Contains(y.Like, x.Name) || y.Name == like }) {
				t.Errorf("%s is like %s, which there is not", x.Name, like)
			}
		}
	}
}

// TestSums works out each sum from its words.
func TestSums(t *testing.T) {
	w := New(1)
	for steps := 1; steps <= 3; steps++ {
		var p places
		results := map[string]int{}
		all := w.Sums(1, steps, 2000)
		trained := &teller{w.scoring(2, 9).Rand, w}
		for range 2000 {
			all = append(all, trained.sum(steps, false))
		}
		for _, s := range all {
			checkChoices(t, s.Question, s.Choices, s.Answer)
			p[s.Answer]++
			results[s.Result]++
			if got := workOut(s.Question); words.Numbers[got] != s.Result || s.Choices[s.Answer] != s.Result {
				t.Errorf("%q is %d, the answer is %q (%s)", s.Question, got, s.Result, s.Choices[s.Answer])
			}
			if strings.Count(s.Steps, " is ") != steps+1 || !strings.HasSuffix(s.Steps, "the answer is "+s.Result+".") {
				t.Errorf("%q: %q", s.Question, s.Steps)
			}
		}
		p.check(t, "sums")
		for word, n := range results {
			if math.Abs(float64(n)/float64(len(all))-.05) > .06 {
				t.Errorf("sums of %d: %d of %d are %s", steps, n, len(all), word)
			}
		}
	}
}

// workOut adds and takes away what the sentences of a sum say, by their verbs and who does what.
func workOut(question string) int {
	sentences := strings.Split(question, ". ")
	total := 0
	for i, s := range sentences[:len(sentences)-1] {
		list := strings.Fields(strings.TrimSuffix(s, "."))
		number := 0
		for _, word := range list {
			number = max(number, slices.Index(words.Numbers, word))
		}
		switch {
		case i == 0:
			total = number
		case has(s, "buys", "finds", "gets", "brings"), has(s, "gives her", "gives him"):
			total += number
		default:
			total -= number
		}
	}
	return total
}

func has(s string, any ...string) bool {
	return slices.ContainsFunc(any, func(x string) bool { return strings.Contains(s, x) })
}
