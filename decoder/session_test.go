package decoder_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"shallow/compute"
	"shallow/decoder"
)

// newSession opens llama-plain for two sequences of 100 tokens in room for 128.
func newSession(t *testing.T) *decoder.Session {
	t.Helper()
	m := openModel(t, readExpected(t, "llama-plain").dir, 2, decoder.Options{})
	stack, err := m.Resident([]int{3}, false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stack.Release)
	s, err := stack.NewSession(decoder.Room{Sequences: 2, Length: 100, Tokens: 128})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Release)
	return s
}

func TestSessionTruncates(t *testing.T) {
	s := newSession(t)
	seq, err := s.Open()
	if err != nil {
		t.Fatal(err)
	}
	ids := span(1, 91)
	feed(t, s, decoder.Step{Sequence: seq, IDs: ids[:60]})
	want := slices.Clone(feed(t, s, decoder.Step{Sequence: seq, IDs: ids[60:]})[0])
	s.Truncate(seq, 70)
	feed(t, s, decoder.Step{Sequence: seq, IDs: []int{7, 8, 9}})
	s.Truncate(seq, 30)
	s.Truncate(seq, 99) // more than there is changes nothing
	if s.Length(seq) != 30 {
		t.Fatalf("length %d, want 30", s.Length(seq))
	}
	sameBits(t, "after going back", feed(t, s, decoder.Step{Sequence: seq, IDs: ids[30:]})[0], want)
}

func TestSessionRefusesWhatDoesNotFit(t *testing.T) {
	s := newSession(t)
	a, _ := s.Open()
	b, _ := s.Open()
	if _, err := s.Open(); err == nil {
		t.Error("a third sequence was opened")
	}
	feed(t, s, decoder.Step{Sequence: a, IDs: span(0, 100)})
	for want, steps := range map[string][]decoder.Step{
		"room for 100":        {{Sequence: a, IDs: []int{1}}},
		"is full":             {{Sequence: b, IDs: span(0, 66)}},
		"has no tokens":       {{Sequence: b}},
		"outside":             {{Sequence: b, IDs: []int{320}}},
		"not open":            {{Sequence: 2, IDs: []int{1}}},
		"two steps":           {{Sequence: b, IDs: []int{1}}, {Sequence: b, IDs: []int{1}}},
		"0 steps":             {},
		"session of 2 sequen": {{Sequence: a}, {Sequence: b}, {Sequence: a}},
	} {
		if _, err := s.Feed(steps...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q", steps, err, want)
		}
	}
	if s.Length(b) != 0 {
		t.Errorf("a refused step left %d tokens", s.Length(b))
	}
	feed(t, s, decoder.Step{Sequence: b, IDs: span(0, 64)})
	s.Shut(a)
	feed(t, s, decoder.Step{Sequence: b, IDs: span(0, 36)})
}

// A parent that ends first leaves its pages to its fork; what neither may do is refused.
func TestSessionForks(t *testing.T) {
	s := newSession(t)
	ids := span(1, 91)
	a, _ := s.Open()
	want := slices.Clone(feed(t, s, decoder.Step{Sequence: a, IDs: ids})[0])
	for _, length := range []int{-1, 91} {
		if _, err := s.Fork(a, length); err == nil {
			t.Errorf("a fork of %d of 90 tokens", length)
		}
	}
	b, err := s.Fork(a, 70)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Fork(a, 3); err == nil {
		t.Error("a third sequence was forked")
	}
	if !s.Fits([]int{a, b}, []int{90, 90}) || s.Fits([]int{a, b}, []int{100, 129}) {
		t.Error("room for 192 tokens in three pages: one is shared")
	}
	s.Shut(a)
	if _, err := s.Fork(a, 3); err == nil {
		t.Error("a sequence that is shut was forked")
	}
	sameBits(t, "a fork that outlives its parent", feed(t, s, decoder.Step{Sequence: b, IDs: ids[70:]})[0], want)
	c, _ := s.Fork(b, 90)
	s.Truncate(c, 30) // within a page that b reads
	feed(t, s, decoder.Step{Sequence: c, IDs: span(5, 25)})
	s.Truncate(b, 89)
	sameBits(t, "beside a fork that went back", feed(t, s, decoder.Step{Sequence: b, IDs: ids[89:]})[0], want)
	if err := s.CheckPages(); err != nil {
		t.Error(err)
	}
}

// An error in the middle of a step leaves all as it was.
func TestPredictFails(t *testing.T) {
	s := newSession(t)
	a, _ := s.Open()
	b, _ := s.Open()
	enough := errors.New("enough")
	steps := []decoder.Step{{Sequence: a, IDs: span(1, 91)}, {Sequence: b, IDs: span(2, 30)}}
	err := s.Predict(steps, func(step, token int, _ decoder.Prediction) error {
		if step == 1 {
			return enough
		}
		return nil
	})
	if _, free := s.Tokens(); !errors.Is(err, enough) || s.Length(a)+s.Length(b) != 0 || free != 192 {
		t.Errorf("%v; %d and %d tokens, room for %d", err, s.Length(a), s.Length(b), free)
	}
	want := slices.Clone(feed(t, s, steps...)[1])
	s.Truncate(b, 0)
	sameBits(t, "after an error", feed(t, s, steps[1])[0], want)
}

func TestSequencesThatDoNotFit(t *testing.T) {
	m := openModel(t, readExpected(t, "llama-plain").dir, 1, decoder.Options{})
	for want, sequences := range map[string][][]int{
		"no sequences":                       nil,
		"sequence 1 is empty":                {{1}, {}},
		"token 2 of sequence 1 is 320":       {{1}, {1, 2, 320}},
		"token 0 of sequence 0 is -1: the v": {{-1}},
	} {
		if _, err := m.Start(sequences); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q", sequences, err, want)
		}
	}
}

func TestDeviceErrorsEndTheIteration(t *testing.T) {
	m := openModel(t, readExpected(t, "llama-plain").dir, 1, decoder.Options{})
	seen := 0
	var last error
	for l, err := range m.Layers([]int{1}) {
		if last = err; err != nil {
			break
		}
		seen++
		if l.Index == 2 {
			m.Device.Load(compute.Float32, 1, 1, nil)
		}
	}
	if seen != 2 || last == nil {
		t.Errorf("%d layers, then %v: want layers 0 and 2, then an error", seen, last)
	}
}

// Scratch memory is known beforehand, and grows with the longest sequence alone.
func TestScratchIsBounded(t *testing.T) {
	m := openModel(t, readExpected(t, "llama-plain").dir, 1, decoder.Options{Rows: 128})
	few, many := m.ScratchBytes([]int{128}), m.ScratchBytes(slices.Repeat([]int{128}, 1000))
	if few != many {
		t.Errorf("%d bytes for one sequence, %d for a thousand", few, many)
	}
	long := m.ScratchBytes([]int{128 * 64})
	keys := m.Device.CacheBytes(m.Multiplies(), 126, m.Spec.K, m.Spec.HeadSize)
	table := int64(4 * 126 * 64 * m.Spec.HeadSize)
	if want := few + keys + table; long != want {
		t.Errorf("%d bytes for a long sequence, want %d: keys and values of 126 more pages and longer rotary tables", long, want)
	}
}
