package score_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"shallow/decoder"
	"shallow/score"
)

// llama2Starts are where the blocks of n = 1, 2, … layers start that change Llama-2-7B's residual stream least, as the paper's
// authors published them.
var llama2Starts = []int{23, 23, 23, 23, 23, 22, 22, 21, 20, 19, 18, 18, 17, 16, 15, 8}

// BenchmarkVariants scores the cuts of n = 1 … L/2 layers of the checkpoint SHALLOW_MODEL together and one by one, by turns. It
// reports how many times faster together is, and the same ratio counted in layers gone through.
func BenchmarkVariants(b *testing.B) {
	dir := os.Getenv("SHALLOW_MODEL")
	if dir == "" {
		b.Skip("SHALLOW_MODEL names no checkpoint")
	}
	m := openModel(b, dir, 0, decoder.Options{Pack: true})
	l := m.Spec.L
	r := rand.New(rand.NewPCG(1, 1))
	tokens := func(n int) []int {
		ids := make([]int, n)
		for i := range ids {
			ids[i] = 3 + r.IntN(m.Spec.V-3)
		}
		return ids
	}
	examples := tokens(256)
	var requests []score.Request
	for range 12 {
		question := slices.Concat(examples, tokens(64))
		for range 4 {
			requests = append(requests, score.Request{Context: question, Continuation: tokens(1)})
		}
	}
	for name, start := range map[string]func(n int) int{
		"deepest":    func(n int) int { return l - 1 - n },
		"from-half":  func(n int) int { return max(l/2, l-1-n-l/8) },
		"llama-2-7b": func(n int) int { return llama2Starts[n-1] * l / 32 },
	} {
		var drops [][]int
		alone := 0
		for n := 1; n <= min(l/2, len(llama2Starts)); n++ {
			var drop []int
			for i := range n {
				drop = append(drop, min(start(n), l-1-n)+i)
			}
			drops, alone = append(drops, drop), alone+l-n
		}
		b.Run(fmt.Sprintf("%s/%d-cuts", name, len(drops)), func(b *testing.B) {
			var together, single time.Duration
			passes := int64(0)
			for b.Loop() {
				began := time.Now()
				var rows int64
				got, err := score.Variants(context.Background(), m, requests, drops, score.Options{
					Begin:    func(f score.Forecast) { rows = int64(f.Rows) },
					Progress: func(_, total int64) { passes = total / rows },
				})
				if err != nil {
					b.Fatal(err)
				}
				together += time.Since(began)
				began = time.Now()
				for v, drop := range drops {
					want, err := score.Run(context.Background(), m, requests, drop, score.Options{})
					if err != nil {
						b.Fatal(err)
					}
					if want[0] != got[v][0] {
						b.Fatalf("without %v: %+v, together %+v", drop, want[0], got[v][0])
					}
				}
				single += time.Since(began)
			}
			b.ReportMetric(single.Seconds()/together.Seconds(), "times-faster")
			b.ReportMetric(float64(alone)/float64(passes), "by-layers")
			b.ReportMetric(0, "ns/op")
		})
	}
}
