package sampling

import (
	"math"
	"strings"
	"testing"
)

func sampler(t *testing.T, o Options) *Sampler {
	t.Helper()
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestGreedy(t *testing.T) {
	s := sampler(t, Options{})
	for _, c := range []struct {
		logits []float32
		want   int
	}{{[]float32{1, 3, 2}, 1}, {[]float32{-5}, 0}, {[]float32{2, 7, 7}, 1}, {[]float32{float32(math.Inf(-1)), -1}, 1}} {
		if got, err := s.Next(c.logits); err != nil || got != c.want {
			t.Errorf("of %v: %d, %v; want %d", c.logits, got, err, c.want)
		}
	}
}

// TestShares counts how often tokens are drawn and compares with their probabilities.
func TestShares(t *testing.T) {
	const draws = 20000
	logits := []float32{float32(math.Log(0.1)), float32(math.Log(0.5)), float32(math.Log(0.15)), float32(math.Log(0.25))}
	for _, c := range []struct {
		o    Options
		want []float64
	}{
		{Options{Temperature: 1}, []float64{0.1, 0.5, 0.15, 0.25}},
		{Options{Temperature: 0.5}, []float64{0.01 / 0.345, 0.25 / 0.345, 0.0225 / 0.345, 0.0625 / 0.345}},
		{Options{Temperature: 1, TopK: 2}, []float64{0, 0.5 / 0.75, 0, 0.25 / 0.75}},
		{Options{Temperature: 1, TopK: 9}, []float64{0.1, 0.5, 0.15, 0.25}},
		{Options{Temperature: 1, TopP: 0.8}, []float64{0, 0.5 / 0.9, 0.15 / 0.9, 0.25 / 0.9}},
		{Options{Temperature: 1, TopP: 0.4}, []float64{0, 1, 0, 0}},
		{Options{Temperature: 1, TopK: 3, TopP: 0.8}, []float64{0, 0.5 / 0.75, 0, 0.25 / 0.75}},
	} {
		s := sampler(t, c.o)
		counts := make([]float64, len(logits))
		for range draws {
			id, err := s.Next(logits)
			if err != nil {
				t.Fatal(err)
			}
			counts[id]++
		}
		for id, n := range counts {
			if c.want[id] == 0 && n > 0 || math.Abs(n/draws-c.want[id]) > 0.02 {
				t.Errorf("%+v: token %d has a share of %.3f, want %.3f", c.o, id, n/draws, c.want[id])
			}
		}
	}
}

func TestSeed(t *testing.T) {
	logits := make([]float32, 1000)
	var first []int
	for run, seed := range []uint64{1, 1, 2} {
		s := sampler(t, Options{Temperature: 1, Seed: seed})
		same := true
		for i := range 8 {
			id, err := s.Next(logits)
			if err != nil {
				t.Fatal(err)
			}
			if run == 0 {
				first = append(first, id)
			}
			same = same && id == first[i]
		}
		if same != (seed == 1) {
			t.Errorf("run %d with seed %d draws the tokens of seed 1: %v", run, seed, same)
		}
	}
}

func TestRefuses(t *testing.T) {
	for _, o := range []Options{{Temperature: -1}, {Temperature: math.NaN()}, {TopK: -1}, {TopP: 1.5}} {
		if _, err := New(o); err == nil {
			t.Errorf("%+v is accepted", o)
		}
	}
	s := sampler(t, Options{Temperature: 1})
	if _, err := s.Next([]float32{0, float32(math.NaN())}); err == nil || !strings.Contains(err.Error(), "token 1") {
		t.Errorf("NaN: %v", err)
	}
}
