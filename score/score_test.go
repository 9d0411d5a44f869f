package score_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"shallow/checkpoint"
	"shallow/compute/cpu"
	"shallow/decoder"
	"shallow/internal/shared"
	"shallow/score"
)

func openModel(t testing.TB, dir string, threads int, o decoder.Options) *decoder.Model {
	t.Helper()
	dev, err := cpu.New(cpu.Options{Threads: threads})
	if err != nil {
		t.Fatal(err)
	}
	c, err := checkpoint.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	m, err := decoder.Open(dev, c, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		m.Close()
		c.Close()
		dev.Close()
	})
	return m
}

// item is what is used here of a line of the reference's items.
type item struct {
	Task            string
	DocID           int       `json:"doc_id"`
	ContextIDs      []int     `json:"context_ids"`
	ContextsIDs     [][]int   `json:"contexts_ids"`
	ContinuationIDs [][]int   `json:"continuation_ids"`
	DroppedLeft     int       `json:"dropped_left"`
	LogLikelihoods  []float64 `json:"loglikelihoods"`
	IsGreedy        []bool    `json:"is_greedy"`
}

// TestReference scores the ids that the harness scored.
func TestReference(t *testing.T) {
	for _, name := range []string{"llama2-tok", "gpt2-tok"} {
		t.Run(name, func(t *testing.T) {
			m := openModel(t, shared.Dir(t, "reference", "eval", name), 2, decoder.Options{Precision: decoder.Float32, Pack: true})
			var requests []score.Request
			var want []score.Result
			var what []string
			for _, run := range []string{"mmlu-5shot", "mmlu-0shot", "choice-0shot"} {
				for _, it := range readItems(t, filepath.Join(shared.Dir(t, "reference", "eval", "harness", name), run+".items.jsonl")) {
					for i, continuation := range it.ContinuationIDs {
						context := it.ContextIDs
						if it.ContextsIDs != nil {
							context = it.ContextsIDs[i]
						}
						if len(context) == 0 || it.DroppedLeft > 0 {
							continue // ids are given for the first long contexts only
						}
						requests = append(requests, score.Request{Context: context, Continuation: continuation})
						want = append(want, score.Result{LogLikelihood: it.LogLikelihoods[i], Greedy: it.IsGreedy[i]})
						what = append(what, fmt.Sprintf("%s, document %d, choice %d", it.Task, it.DocID, i))
					}
				}
			}
			var f score.Forecast
			got, err := score.Run(context.Background(), m, requests, nil, score.Options{Begin: func(x score.Forecast) { f = x }})
			if err != nil {
				t.Fatal(err)
			}
			worst := 0.0
			for i := range got {
				d := math.Abs(got[i].LogLikelihood - want[i].LogLikelihood)
				worst = max(worst, d)
				if !(d <= 1e-3) || got[i].Greedy != want[i].Greedy {
					t.Errorf("%s: %+v, want %+v", what[i], got[i], want[i])
				}
			}
			t.Logf("%d requests, %d tokens, %d computed; worst difference %.2g nat", len(got), f.Tokens, f.Rows, worst)
			if f.Rows*2 > f.Tokens {
				t.Errorf("%d rows computed for %d tokens: choices do not share their questions", f.Rows, f.Tokens)
			}
		})
	}
}

func readItems(t *testing.T, path string) (items []item) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		var it item
		if err := json.Unmarshal(lines.Bytes(), &it); err != nil {
			t.Fatal(err)
		}
		items = append(items, it)
	}
	return items
}

// TestAloneEqualsTogether scores random requests with common beginnings alone, together, in small groups, with layers
// left out, and on any number of threads.
func TestAloneEqualsTogether(t *testing.T) {
	for _, name := range shared.Families(t) {
		t.Run(name, func(t *testing.T) {
			for _, p := range []decoder.Precision{decoder.Float32, decoder.BFloat16} {
				one := openModel(t, shared.Family(t, name), 1, decoder.Options{Precision: p})
				requests := randomRequests(one.Spec)
				for _, drop := range [][]int{nil, {one.Spec.L - 1}} {
					var want []score.Result
					for i := range requests {
						r, err := score.Run(context.Background(), one, requests[i:i+1], drop, score.Options{})
						if err != nil {
							t.Fatal(err)
						}
						want = append(want, r[0])
					}
					for threads := 1; threads <= 3; threads++ {
						m := openModel(t, shared.Family(t, name), threads, decoder.Options{Precision: p, Rows: []int{0, 9, 64}[threads-1], Pack: threads == 2})
						got, err := score.Run(context.Background(), m, requests, drop, score.Options{})
						if err != nil {
							t.Fatal(err)
						}
						for i := range got {
							if got[i] != want[i] {
								t.Errorf("%v, %d threads, without %v, request %d: %+v, alone %+v", p, threads, drop, i, got[i], want[i])
							}
						}
					}
				}
			}
		})
	}
}

// randomRequests have beginnings in common; some are beginnings of others, some the same but for the context's length.
func randomRequests(s *decoder.Spec) (requests []score.Request) {
	r := rand.New(rand.NewPCG(8, 9))
	most := 150
	if s.Positions > 0 {
		most = min(most, s.Positions)
	}
	for range 25 {
		var ids []int
		if len(requests) > 0 && r.IntN(4) > 0 {
			from := requests[r.IntN(len(requests))]
			ids = slices.Concat(from.Context, from.Continuation)
			ids = ids[:1+r.IntN(len(ids))]
		}
		for n := 2 + r.IntN(20)*r.IntN(5); n > 0 && len(ids) < most || len(ids) < 2; n-- {
			ids = append(ids, r.IntN(s.V))
		}
		at := 1 + r.IntN(len(ids)-1)
		requests = append(requests, score.Request{Context: ids[:at:at], Continuation: ids[at:]})
		if r.IntN(3) == 0 { // another continuation of the same slice
			requests = append(requests, score.Request{Context: ids[:at:at], Continuation: []int{r.IntN(s.V)}})
		}
	}
	return requests
}

func TestRequestsThatCannotBeScored(t *testing.T) {
	m := openModel(t, shared.Family(t, "llama-plain"), 1, decoder.Options{})
	for want, r := range map[string]score.Request{
		"2 tokens of context and 0": {Context: []int{1, 2}},
		"0 tokens of context and 2": {Continuation: []int{1, 2}},
		"outside the vocabulary":    {Context: []int{1, 2}, Continuation: []int{1 << 20}},
	} {
		_, err := score.Run(context.Background(), m, []score.Request{{Context: []int{1}, Continuation: []int{2}}, r}, nil, score.Options{})
		var which *score.RequestError
		if !errors.As(err, &which) || which.Request != 1 || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q of request 1", r, err, want)
		}
	}
	ids := make([]int, 1000)
	if _, err := score.Run(context.Background(), m, []score.Request{{Context: ids, Continuation: ids}}, nil, score.Options{Memory: 1 << 20}); err == nil || !strings.Contains(err.Error(), "--memory") {
		t.Errorf("too little memory: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := score.Run(ctx, m, []score.Request{{Context: []int{1}, Continuation: []int{2}}}, nil, score.Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
