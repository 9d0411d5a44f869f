package eval

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"shallow/checkpoint"
	"shallow/compute/cpu"
	"shallow/decoder"
	"shallow/internal/shared"
	"shallow/score"
	"shallow/tokenizer"
)

// edge is a line of the reference's single requests.
type edge struct {
	Kind, Context, Continuation string
	ContextIDs                  []int  `json:"context_ids"`
	ContextCount                int    `json:"context_ids_count"`
	ContextHash                 string `json:"context_ids_sha256"`
	ContinuationIDs             []int  `json:"continuation_ids"`
	DroppedLeft                 int    `json:"dropped_left"`
	LogLikelihood               *float64
	IsGreedy                    bool `json:"is_greedy"`
	Text                        string
	MaxTokens                   int `json:"max_gen_toks"`
	Windows                     []struct {
		Context       int     `json:"context_ids_count"`
		Scored        int     `json:"scored"`
		LogLikelihood float64 `json:"loglikelihood"`
	}
}

// TestEdges holds single requests at the edges against the harness: blanks at the seam, empty contexts, BOS in the text,
// texts that are too long, greedy continuations, windows.
func TestEdges(t *testing.T) {
	for _, name := range []string{"llama2-tok", "gpt2-tok"} {
		t.Run(name, func(t *testing.T) {
			m, e := openEncoder(t, shared.Dir(t, "reference", "eval", name))
			var requests []score.Request
			var check []func(got []score.Result)
			for _, x := range readEdges(t, filepath.Join(shared.Dir(t, "reference", "eval", "harness", name), "edges.items.jsonl")) {
				switch x.Kind {
				case "loglikelihood":
					r, err := e.pair(x.Context, x.Continuation)
					if x.LogLikelihood == nil {
						if err == nil {
							t.Errorf("%.40q and %q: the harness fails, got %v", x.Context, x.Continuation, r)
						}
						continue
					}
					if err != nil {
						t.Errorf("%.40q and %q: %v", x.Context, x.Continuation, err)
						continue
					}
					sameIDs(t, x, r.Context)
					if !slices.Equal(r.Continuation, x.ContinuationIDs) {
						t.Errorf("%.40q and %q: %v, want %v", x.Context, x.Continuation, r.Continuation, x.ContinuationIDs)
					}
					requests = append(requests, r)
					check = append(check, func(got []score.Result) {
						if !(math.Abs(got[0].LogLikelihood-*x.LogLikelihood) <= 1e-3) || got[0].Greedy != x.IsGreedy {
							t.Errorf("%.40q and %q: %+v, want %v, %v", x.Context, x.Continuation, got[0], *x.LogLikelihood, x.IsGreedy)
						}
					})
				case "loglikelihood_rolling":
					windows, err := e.rolling(x.Text)
					if err != nil || len(windows) != len(x.Windows) {
						t.Errorf("%.40q: %d windows, %v, want %d", x.Text, len(windows), err, len(x.Windows))
						continue
					}
					for i, w := range windows {
						if len(w.Context) != x.Windows[i].Context || len(w.Continuation) != x.Windows[i].Scored {
							t.Errorf("%.40q, window %d: %d and %d tokens, want %+v", x.Text, i, len(w.Context), len(w.Continuation), x.Windows[i])
						}
					}
					requests = append(requests, windows...)
					for i := range windows {
						want, n := x.Windows[i].LogLikelihood, float64(x.Windows[i].Scored)
						check = append(check, func(got []score.Result) {
							if !(math.Abs(got[0].LogLikelihood-want) <= 1e-3*max(1, n/100)) {
								t.Errorf("%.40q, window %d: %v, want %v", x.Text, i, got[0].LogLikelihood, want)
							}
						})
					}
				case "generate_until":
					ids, err := e.prompt(x.Context, x.MaxTokens)
					if err != nil {
						t.Errorf("%.40q: %v", x.Context, err)
					}
					sameIDs(t, x, ids)
				default:
					t.Errorf("a request of kind %q", x.Kind)
				}
			}
			got, err := score.Run(context.Background(), m, requests, nil, score.Options{})
			if err != nil {
				t.Fatal(err)
			}
			for i, c := range check {
				c(got[i : i+1])
			}
		})
	}
}

func openEncoder(t *testing.T, dir string) (*decoder.Model, *encoder) {
	t.Helper()
	dev, err := cpu.New(cpu.Options{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	c, err := checkpoint.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	m, err := decoder.Open(dev, c, decoder.Options{Precision: decoder.Float32})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		m.Close()
		c.Close()
		dev.Close()
	})
	tok, err := tokenizer.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	e, err := newEncoder(tok, c.Config, m.Spec.Context)
	if err != nil {
		t.Fatal(err)
	}
	return m, e
}

func readEdges(t *testing.T, path string) (edges []edge) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		var x edge
		if err := json.Unmarshal(lines.Bytes(), &x); err != nil {
			t.Fatal(err)
		}
		edges = append(edges, x)
	}
	return edges
}

// sameIDs compares ids with the reference's, or with their number and hash where they are long. The reference's are those
// before it cuts, but for prompts of generations.
func sameIDs(t *testing.T, x edge, ids []int) {
	t.Helper()
	switch {
	case x.DroppedLeft > 0:
		if len(ids) != x.ContextCount-x.DroppedLeft {
			t.Errorf("%.40q: %d ids, want %d without %d", x.Context, len(ids), x.ContextCount, x.DroppedLeft)
		}
	case x.ContextIDs != nil:
		if !slices.Equal(ids, x.ContextIDs) {
			t.Errorf("%.40q: %v, want %v", x.Context, ids, x.ContextIDs)
		}
	default:
		if len(ids) != x.ContextCount || hashOf(ids) != x.ContextHash {
			t.Errorf("%.40q: %d ids that are not the reference's %d", x.Context, len(ids), x.ContextCount)
		}
	}
}

// hashOf is the SHA-256 of ids as little-endian uint32.
func hashOf(ids []int) string {
	h := sha256.New()
	for _, id := range ids {
		_ = binary.Write(h, binary.LittleEndian, uint32(id))
	}
	return hex.EncodeToString(h.Sum(nil))
}
