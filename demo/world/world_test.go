package world

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// TestWordings counts the wordings of each relation, and finds none in two places.
func TestWordings(t *testing.T) {
	total := 0
	for sort, all := range relations {
		for _, r := range all {
			total++
			if len(r.Say) < 12 || len(r.Ask) < 8 || len(r.AskHeld) < 4 || len(r.SayHeld) < 2 {
				t.Errorf("%s, %s: %d statements, %d held out, %d questions, %d held out", sort, r.Name, len(r.Say), len(r.SayHeld), len(r.Ask), len(r.AskHeld))
			}
			if len(words.Kinds[r.Kind]) < choices {
				t.Errorf("%s, %s: there is no kind %q with %d words", sort, r.Name, r.Kind, choices)
			}
			distinct(t, sort+", "+r.Name, r.Say, r.SayHeld, r.Ask, r.AskHeld)
			for _, w := range slices.Concat(r.Say, r.SayHeld) {
				if sentence(w) == strings.ReplaceAll(sentence(w), "$v", "") && !strings.Contains(w, "$a") && !strings.Contains(w, "$A") && !strings.Contains(w, "$V") {
					t.Errorf("%s, %s: %q tells no value", sort, r.Name, w)
				}
			}
		}
	}
	if total != 17 {
		t.Errorf("%d relations", total)
	}
	for _, s := range []split{sums.Open, sums.More, sums.Less, sums.Ask, stories.Settings} {
		distinct(t, s.Say[0], s.Say, s.Held)
	}
	for _, s := range slices.Concat(stories.Situations, stories.WithThings) {
		if len(s.Say) < 4 || len(s.Held) < 2 || len(s.End) < 3 {
			t.Errorf("%s: %d wordings, %d held out, %d ends", s.Name, len(s.Say), len(s.Held), len(s.End))
		}
		distinct(t, s.Name, s.Say, s.Held, s.End)
	}
}

// sentence is a wording without capitals of slots, and with name and pronoun the same.
func sentence(wording string) string {
	return strings.NewReplacer("$S", "$n", "$s", "$n", "$N", "$n", "$V", "$v").Replace(wording)
}

func distinct(t *testing.T, name string, lists ...[]string) {
	t.Helper()
	seen := map[string]bool{}
	for _, wording := range slices.Concat(lists...) {
		if seen[sentence(wording)] {
			t.Errorf("%s: %q is there twice", name, wording)
		}
		seen[sentence(wording)] = true
	}
}

// TestFacts counts what is true: 1,440 facts, every value of a kind as often as any other, one fact in six never asked.
func TestFacts(t *testing.T) {
	w := New(1)
	asked := 0
	count := map[string]map[string]int{}
	for _, f := range w.facts {
		if f.Asked {
			asked++
		}
		r := f.Entity.Relations[f.Relation]
		if count[r.Name] == nil {
			count[r.Name] = map[string]int{}
		}
		count[r.Name][f.Value()]++
		if !slices.Contains(words.Kinds[r.Kind], f.Value()) {
			t.Errorf("%s, %s: %q is no %s", f.Entity.Name, r.Name, f.Value(), r.Kind)
		}
	}
	if len(w.facts) != 1440 || asked != 1200 {
		t.Errorf("%d facts, %d asked", len(w.facts), asked)
	}
	for name, values := range count {
		least, most := 1<<30, 0
		for _, n := range values {
			least, most = min(least, n), max(most, n)
		}
		if most-least > 2 && name != "material" {
			t.Errorf("%s: one value %d times, another %d times", name, least, most)
		}
	}
	unasked := map[string]bool{}
	for _, f := range w.facts {
		if !f.Asked {
			for _, ask := range f.Entity.Relations[f.Relation].Ask {
				unasked["Question: "+fill(ask, f.Entity.slots(false))+"\nAnswer:"] = true
			}
		}
	}
	for stage := 1; stage <= Stages; stage++ {
		for d := range w.Documents(3, stage, 5000) {
			if unasked[d.Prompt] {
				t.Errorf("training asks %q", d.Prompt)
			}
		}
	}
}

func collect(w *World, seed uint64, stage, n int) (all []Document) {
	return slices.Collect(w.Documents(seed, stage, n))
}

// TestSeeds draws the same from the same seed, other things from another, and more of the same for a larger number.
func TestSeeds(t *testing.T) {
	a, b := New(1), New(1)
	for stage := 1; stage <= Stages; stage++ {
		one := collect(a, 5, stage, 500)
		if !slices.Equal(one, collect(b, 5, stage, 500)) || !slices.Equal(one, collect(b, 5, stage, 900)[:500]) {
			t.Errorf("stage %d: the same seed gives other documents", stage)
		}
		if slices.Equal(one, collect(a, 6, stage, 500)) || slices.Equal(one, collect(New(2), 5, stage, 500)) {
			t.Errorf("stage %d: another seed gives the same documents", stage)
		}
	}
	if x, y := fmt.Sprint(a.Facts(1), a.Reading(1, 50), a.Endings(1, 50), a.Sums(1, 2, 50), a.HeldOut(1, 50)),
		fmt.Sprint(b.Facts(1), b.Reading(1, 50), b.Endings(1, 50), b.Sums(1, 2, 50), b.HeldOut(1, 50)); len(x) != len(y) {
		t.Error("the same seed gives other questions")
	}
	// No held-out text is one that was trained on.
	seen := map[string]bool{}
	for stage := 1; stage <= Stages; stage++ {
		for _, d := range collect(a, 5, stage, 10000) {
			seen[d.Text] = true
		}
	}
	for _, d := range a.HeldOut(5, 1000) {
		if seen[d.Text] && strings.Count(d.Text, ".") > 3 { // of three sentences there are not many
			t.Errorf("%q is in training", d.Text)
		}
	}
}

var update = flag.Bool("update", false, "write testdata anew")

// TestSamples shows what texts look like: some of each sort are kept in a file.
func TestSamples(t *testing.T) {
	w := New(1)
	var b strings.Builder
	for stage := 1; stage <= Stages; stage++ {
		fmt.Fprintf(&b, "# stage %d\n\n", stage)
		for _, d := range collect(w, 1, stage, 30) {
			fmt.Fprintf(&b, "%s%s%s\n\n", d.Text, d.Prompt, strings.Replace(d.Completion, " ", " » ", 1))
		}
	}
	show := func(name, prompt string, all []string, answer int) {
		fmt.Fprintf(&b, "# %s\n\n%s\n", name, prompt)
		for i, c := range all {
			fmt.Fprintf(&b, " %s %s\n", []string{"-", "»"}[map[bool]int{true: 1}[i == answer]], c)
		}
		b.WriteString("\n")
	}
	for _, q := range slices.Concat(w.Facts(1)[:8], w.Reading(1, 4)) {
		show(q.About, q.document().Prompt, q.Choices, q.Answer)
	}
	for _, s := range w.Endings(1, 6) {
		show("story, "+s.About, s.Context, s.Endings, s.Answer)
	}
	for steps := 1; steps <= 3; steps++ {
		for _, s := range w.Sums(1, steps, 2) {
			show(fmt.Sprintf("sum of %d", steps), s.Question, s.Choices, s.Answer)
			fmt.Fprintf(&b, "Steps: %s\n\n", s.Steps)
		}
	}
	for _, d := range w.HeldOut(1, 4) {
		fmt.Fprintf(&b, "# held-out text\n\n%s\n\n", d.Text)
	}
	const file = "testdata/samples.txt"
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != b.String() {
		t.Errorf("texts are not those of %s; go test ./demo/world -run Samples -update writes it", file)
	}
}
