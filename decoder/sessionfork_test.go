package decoder_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"shallow/decoder"
	"shallow/internal/shared"
)

// branching are texts that share beginnings with one another, and what each of them says as a whole.
type branching struct {
	texts  [][]int
	v      int
	logits [][]float32 // [T·V] of each text
	tops   [][]float64 // log-probabilities of each row's likeliest token, and of token 3
	threes [][]float64
}

// newBranching makes texts that part within a page, at the end of one, and behind another branch's beginning.
func newBranching(t *testing.T, m *decoder.Model, drop []int) branching {
	t.Helper()
	r := rand.New(rand.NewPCG(5, 6))
	most := 150
	if p := m.Spec.Positions; p > 0 {
		most = min(most, p)
	}
	b := branching{v: m.Spec.V}
	grow := func(from []int, to int) {
		text := slices.Clone(from)
		for len(text) < min(to, most) {
			text = append(text, r.IntN(m.Spec.V))
		}
		b.texts = append(b.texts, text)
	}
	grow(nil, 150)
	grow(b.texts[0][:min(70, most)], 131)
	grow(b.texts[0][:min(64, most)], 140)
	grow(b.texts[1][:min(100, most)], 128)
	grow(b.texts[0][:5], 30)
	for _, text := range b.texts {
		_, g := runStates(t, m, [][]int{text}, drop)
		b.logits = append(b.logits, allLogits(t, m, g))
		var tops, threes []float64
		h := m.Head()
		if err := h.Predict(g.X(), func(_ int, p decoder.Prediction) error {
			tops, threes = append(tops, p.LogProb(p.Top)), append(threes, p.LogProb(3))
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		h.Release()
		b.tops, b.threes = append(b.tops, tops), append(b.threes, threes)
	}
	return b
}

// common is how many tokens two texts begin with together.
func (b branching) common(i, j int) int {
	n := 0
	for n < min(len(b.texts[i]), len(b.texts[j])) && b.texts[i][n] == b.texts[j][n] {
		n++
	}
	return n
}

// check compares what a session says behind token at of a text.
func (b branching) check(t *testing.T, what string, text, at int, p decoder.Prediction, logProbs bool) {
	t.Helper()
	sameBits(t, what, p.Logits, b.logits[text][at*b.v:(at+1)*b.v])
	if !logProbs {
		return
	}
	if p.LogProb(p.Top) != b.tops[text][at] || p.LogProb(3) != b.threes[text][at] {
		t.Fatalf("%s: log-probabilities %v and %v, want %v and %v", what, p.LogProb(p.Top), p.LogProb(3), b.tops[text][at], b.threes[text][at])
	}
}

// Sequences are opened, forked, taken on, cut back and shut at random: all that they say is what whole texts say, and
// no page is lost or given twice.
func TestForksEqualWholeSequences(t *testing.T) {
	for _, name := range shared.Families(t) {
		t.Run(name, func(t *testing.T) {
			bothPrecisions(t, func(t *testing.T, p decoder.Precision) {
				m := openModel(t, readExpected(t, name).dir, 2, decoder.Options{Precision: p})
				b := newBranching(t, m, nil)
				stack, err := m.Resident(nil, false)
				if err != nil {
					t.Fatal(err)
				}
				defer stack.Release()
				s, err := stack.NewSession(decoder.Room{Sequences: 3, Kept: 3, Length: longest(b.texts), Tokens: 500, Rows: 29})
				if err != nil {
					t.Fatal(err)
				}
				defer s.Release()
				wander(t, s, m.Spec, b, rand.New(rand.NewPCG(7, 8)), 60)
			})
		})
	}
}

// wander takes random sequences of a session a number of steps on.
func wander(t *testing.T, s *decoder.Session, spec *decoder.Spec, b branching, r *rand.Rand, rounds int) {
	t.Helper()
	texts := map[int]int{} // of the open sequences
	var open []int
	shut := func(at int) {
		s.Shut(open[at])
		delete(texts, open[at])
		open = slices.Delete(open, at, at+1)
	}
	begin := func(seq, text int, err error) {
		if err == nil {
			open, texts[seq] = append(open, seq), text
		}
	}
	for range rounds {
		switch r.IntN(4) {
		case 0:
			seq, err := s.Open()
			begin(seq, r.IntN(len(b.texts)), err)
		case 1:
			if len(open) > 0 {
				parent, text := open[r.IntN(len(open))], r.IntN(len(b.texts))
				length := min(s.Length(parent), b.common(texts[parent], text))
				length -= r.IntN(length/2 + 1)
				if !spec.Shares(len(b.texts[text])) {
					length = 0 // the beginning of a long text is not what it is in a short one
				}
				seq, err := s.Fork(parent, length)
				if err == nil && length > s.Forkable(parent) {
					t.Fatalf("a fork of %d tokens whose rotations depend on their number", length)
				}
				begin(seq, text, err)
			}
		case 2:
			if len(open) > 0 && r.IntN(3) == 0 {
				s.Truncate(open[r.IntN(len(open))], r.IntN(150))
			}
		case 3:
			if len(open) > 3 {
				shut(r.IntN(len(open)))
			}
		}
		var steps []decoder.Step
		var starts []int
		for _, i := range r.Perm(len(open))[:min(3, len(open))] {
			seq, text := open[i], b.texts[texts[open[i]]]
			at := s.Length(seq)
			if n := min(1+r.IntN(2)*r.IntN(70), len(text)-at); n > 0 {
				step := decoder.Step{Sequence: seq, IDs: text[at : at+n], Wanted: r.IntN(n+2) - 1, LogProbs: r.IntN(2) == 0}
				if !spec.Shares(len(text)) {
					step.Whole = len(text)
				}
				steps, starts = append(steps, step), append(starts, at)
			}
		}
		if len(steps) == 0 {
			continue
		}
		seen := make([]int, len(steps))
		err := s.Predict(steps, func(step, token int, p decoder.Prediction) error {
			seen[step]++
			text := texts[steps[step].Sequence]
			b.check(t, fmt.Sprintf("text %d, row %d", text, starts[step]+token), text, starts[step]+token, p, steps[step].LogProbs)
			return nil
		})
		if errors.Is(err, decoder.ErrFull) {
			shut(r.IntN(len(open)))
		} else if err != nil {
			t.Fatal(err)
		}
		for i, step := range steps {
			want := max(0, step.Wanted)
			if step.Wanted == 0 {
				want = 1
			}
			if err == nil && (seen[i] != want || s.Length(step.Sequence) != starts[i]+len(step.IDs)) {
				t.Fatalf("%d predictions of %d, %d tokens", seen[i], want, s.Length(step.Sequence))
			}
		}
		if err := s.CheckPages(); err != nil {
			t.Fatal(err)
		}
	}
	for len(open) > 0 {
		shut(0)
	}
	if all, free := s.Tokens(); free != all {
		t.Errorf("room for %d of %d tokens is free in the end", free, all)
	}
}

// Long random walks on one small model, with little room.
func FuzzSessionPages(f *testing.F) {
	dir := shared.Dir(f, "reference", "families", "llama-plain")
	for seed := range uint64(4) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		m := openModel(t, dir, 1, decoder.Options{Precision: decoder.Float32})
		drop := []int{1, 2, 3, 4, 5}
		b := newBranching(t, m, drop)
		stack, err := m.Resident(drop, false)
		if err != nil {
			t.Fatal(err)
		}
		defer stack.Release()
		s, err := stack.NewSession(decoder.Room{Sequences: 3, Kept: 4, Length: 150, Tokens: 256})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Release()
		wander(t, s, m.Spec, b, rand.New(rand.NewPCG(seed, 1)), 200)
	})
}
