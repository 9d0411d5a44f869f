package decoder_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"shallow/decoder"
	"shallow/internal/shared"
)

// tolerance is what states and logits may differ by in float32, as a share of the largest value.
const tolerance = 1e-5

func TestReferenceStatesAndLogits(t *testing.T) {
	for _, name := range shared.Families(t) {
		t.Run(name, func(t *testing.T) {
			e := readExpected(t, name)
			m := openModel(t, e.dir, 2, decoder.Options{Precision: decoder.Float32, Pack: true})
			states, g := runStates(t, m, e.sequences(), nil)
			logits := allLogits(t, m, g)
			var worst float64
			for s, n := range e.Lengths {
				lo := g.Offsets()[s] * m.Spec.D
				hi := lo + n*m.Spec.D
				want := e.tensors[fmt.Sprintf("states.%d", s)].floats()
				for i, x := range states {
					d := deviation(t, x[lo:hi], want[i*n*m.Spec.D:(i+1)*n*m.Spec.D])
					if d > tolerance {
						t.Errorf("sequence %d: states before layer %d differ by %.2g", s, i, d)
					}
					worst = max(worst, d)
				}
				lo, hi = g.Offsets()[s]*m.Spec.V, g.Offsets()[s+1]*m.Spec.V
				d := deviation(t, logits[lo:hi], e.tensors[fmt.Sprintf("logits.%d", s)].floats())
				if d > tolerance {
					t.Errorf("sequence %d: logits differ by %.2g", s, d)
				}
				worst = max(worst, d)
			}
			t.Logf("largest deviation %.2g", worst)
		})
	}
}

func TestReferenceSkippedLayers(t *testing.T) {
	for _, name := range shared.Families(t) {
		t.Run(name, func(t *testing.T) {
			e := readExpected(t, name)
			m := openModel(t, e.dir, 2, decoder.Options{Precision: decoder.Float32})
			for _, skip := range e.Skips {
				_, g := runStates(t, m, e.sequences(), span(skip[0], skip[1]))
				logits := allLogits(t, m, g)
				for s := range e.Lengths {
					lo, hi := g.Offsets()[s]*m.Spec.V, g.Offsets()[s+1]*m.Spec.V
					want := e.tensors[fmt.Sprintf("skip.%d-%d.logits.%d", skip[0], skip[1], s)].floats()
					if d := deviation(t, logits[lo:hi], want); d > tolerance {
						t.Errorf("without layers %d to %d: logits of sequence %d differ by %.2g", skip[0], skip[1]-1, s, d)
					}
				}
			}
		})
	}
}

func TestReferenceLoss(t *testing.T) {
	for _, name := range shared.Families(t) {
		t.Run(name, func(t *testing.T) {
			e := readExpected(t, name)
			m := openModel(t, e.dir, 2, decoder.Options{Precision: decoder.Float32})
			_, g := runStates(t, m, e.sequences()[2:], nil)
			h := m.Head()
			defer h.Release()
			losses, err := g.Losses(h)
			if err != nil {
				t.Fatal(err)
			}
			var sum float64
			for _, l := range losses {
				sum += float64(l)
			}
			if got := sum / float64(len(losses)-1); math.Abs(got-e.Loss) > 1e-5 {
				t.Errorf("loss %.7f, want %.7f", got, e.Loss)
			}
		})
	}
}

func TestReferenceGreedy(t *testing.T) {
	for _, name := range shared.Families(t) {
		t.Run(name, func(t *testing.T) {
			e := readExpected(t, name)
			m := openModel(t, e.dir, 2, decoder.Options{Precision: decoder.Float32})
			if got := greedy(t, m, e.sequences()[1], len(e.Greedy)); !slices.Equal(got, e.Greedy) {
				t.Errorf("greedy tokens %v, want %v", got, e.Greedy)
			}
		})
	}
}

// greedy goes on from a prompt through a session.
func greedy(t testing.TB, m *decoder.Model, prompt []int, n int) []int {
	t.Helper()
	stack, err := m.Resident(nil, false)
	if err != nil {
		t.Fatal(err)
	}
	defer stack.Release()
	session, err := stack.NewSession(decoder.Room{Length: len(prompt) + n})
	if err != nil {
		t.Fatal(err)
	}
	defer session.Release()
	seq, err := session.Open()
	if err != nil {
		t.Fatal(err)
	}
	var out []int
	feed := prompt
	for len(out) < n {
		logits, err := session.Feed(decoder.Step{Sequence: seq, IDs: feed})
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, argmax(logits[0]))
		feed = out[len(out)-1:]
	}
	return out
}
