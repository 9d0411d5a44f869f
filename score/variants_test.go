package score_test

import (
	"context"
	"slices"
	"testing"

	"shallow/decoder"
	"shallow/internal/shared"
	"shallow/score"
)

// TestVariantsEqualRuns scores a model without several lists of layers at once, and without each by itself.
func TestVariantsEqualRuns(t *testing.T) {
	for _, name := range shared.Families(t) {
		t.Run(name, func(t *testing.T) {
			for _, p := range []decoder.Precision{decoder.Float32, decoder.BFloat16} {
				m := openModel(t, shared.Family(t, name), 2, decoder.Options{Precision: p, Rows: 48})
				requests := randomRequests(m.Spec)
				drops := [][]int{nil, {1}, {1}, {0}, {m.Spec.L - 1}, {m.Spec.L - 2}}
				if m.Spec.L > 3 {
					drops = append(drops, []int{1, 2}, []int{2, 3}, []int{1, 3}, []int{0, m.Spec.L - 1})
				}
				saved := make([]int, len(drops))
				var last int64
				passes := 0
				got, err := score.Variants(context.Background(), m, requests, drops, score.Options{
					Save: func(variant int, done []int, _ []score.Result) error { saved[variant] += len(done); return nil },
					Progress: func(done, total int64) {
						if last = done; done == total {
							passes++
						}
					},
				})
				if err != nil {
					t.Fatal(err)
				}
				if passes == 0 || slices.Min(saved) != len(requests) {
					t.Errorf("progress ends at %d, saved %v of %d requests", last, saved, len(requests))
				}
				for v, drop := range drops {
					want, err := score.Run(context.Background(), m, requests, drop, score.Options{})
					if err != nil {
						t.Fatal(err)
					}
					if !slices.Equal(got[v], want) {
						t.Errorf("%v without %v: the results are not those of a run by itself", p, drop)
					}
				}
			}
		})
	}
}

// TestVariantsShareLayers counts what is computed for the cuts of the deepest strategy: the whole model once, and for each cut
// the last layer alone.
func TestVariantsShareLayers(t *testing.T) {
	m := openModel(t, shared.Family(t, "llama-plain"), 1, decoder.Options{})
	requests := randomRequests(m.Spec)
	l := m.Spec.L
	var drops [][]int
	for n := range l - 1 {
		var drop []int
		for i := l - 1 - n; i < l-1; i++ {
			drop = append(drop, i)
		}
		drops = append(drops, drop)
	}
	var f score.Forecast
	var total int64
	_, err := score.Variants(context.Background(), m, requests, drops, score.Options{
		Begin:    func(x score.Forecast) { f = x },
		Progress: func(_, of int64) { total = of },
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := int64(f.Rows) * int64(l+len(drops)-1); total != want {
		t.Errorf("%d rows through layers for %d cuts, want %d", total, len(drops), want)
	}
	if _, err := score.Variants(context.Background(), m, requests, [][]int{{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}}, score.Options{}); err == nil && l <= 10 {
		t.Error("a model without layers is scored")
	}
}
