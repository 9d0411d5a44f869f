package generate_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"shallow/checkpoint"
	"shallow/compute/cpu"
	"shallow/decoder"
	"shallow/generate"
	"shallow/internal/sampling"
	"shallow/internal/shared"
)

// newSession opens a checkpoint for one sequence of up to 300 tokens.
func newSession(t *testing.T, dir string) *decoder.Session {
	t.Helper()
	dev, err := cpu.New(cpu.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	c, err := checkpoint.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	m, err := decoder.Open(dev, c, decoder.Options{})
	if err != nil {
		t.Fatal(err)
	}
	stack, err := m.Resident(nil, false)
	if err != nil {
		t.Fatal(err)
	}
	s, err := stack.NewSession(decoder.Room{Length: 300})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Release()
		stack.Release()
		m.Close()
		c.Close()
		dev.Close()
	})
	return s
}

func greedyStory(t *testing.T) (dir string, ids []int) {
	t.Helper()
	dir = shared.Dir(t, "reference", "models", "stories260K")
	data, err := os.ReadFile(filepath.Join(dir, "expected.json"))
	if err != nil {
		t.Fatal(err)
	}
	var e struct {
		IDs []int `json:"greedy_ids"`
	}
	if err := json.Unmarshal(data, &e); err != nil {
		t.Fatal(err)
	}
	return dir, e.IDs
}

func TestGreedyStoryStreamsAndEnds(t *testing.T) {
	dir, want := greedyStory(t)
	s := newSession(t, dir)
	var seen []int
	emit := func(id int) error { seen = append(seen, id); return nil }
	ids, ended, err := generate.Run(context.Background(), s, want[:1], generate.Options{MaxTokens: 200}, emit)
	if err != nil || ended || !slices.Equal(ids, want[1:]) || !slices.Equal(seen, ids) {
		t.Errorf("%v, ended %v, %v; want %v", ids, ended, err, want[1:])
	}
	// The same session again, ending before the first occurrence of its 50th token.
	end := want[50]
	ids, ended, err = generate.Run(context.Background(), s, want[:1], generate.Options{MaxTokens: 200, Ends: []int{9999, end}}, nil)
	if at := slices.Index(want[1:], end); err != nil || !ended || !slices.Equal(ids, want[1:1+at]) {
		t.Errorf("%v, ended %v, %v; want %v", ids, ended, err, want[1:1+at])
	}
}

func TestSeedsDrawTheSameTokens(t *testing.T) {
	dir, want := greedyStory(t)
	s := newSession(t, dir)
	draw := func(seed uint64) []int {
		o := generate.Options{MaxTokens: 60, Options: sampling.Options{Temperature: 1, TopP: 0.95, Seed: seed}}
		ids, _, err := generate.Run(context.Background(), s, want[:1], o, nil)
		if err != nil {
			t.Fatal(err)
		}
		return ids
	}
	one := draw(1)
	if !slices.Equal(draw(1), one) {
		t.Error("the same seed drew other tokens")
	}
	if slices.Equal(draw(2), one) {
		t.Error("another seed drew the same tokens")
	}
}

func TestRunStops(t *testing.T) {
	dir, want := greedyStory(t)
	s := newSession(t, dir)
	enough := errors.New("enough")
	ids, _, err := generate.Run(context.Background(), s, want[:1], generate.Options{MaxTokens: 9}, func(int) error { return enough })
	if !errors.Is(err, enough) || len(ids) != 1 {
		t.Errorf("%v, %v: want one token and the error of emit", ids, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, _, err := generate.Run(ctx, s, want[:1], generate.Options{MaxTokens: 9}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	for _, prompt := range [][]int{nil, {-1}, {512}, make([]int, 301)} {
		if _, _, err := generate.Run(context.Background(), s, prompt, generate.Options{MaxTokens: 9}, nil); err == nil {
			t.Errorf("prompt of %d tokens: no error", len(prompt))
		}
	}
	if _, _, err := generate.Run(context.Background(), s, want[:1], generate.Options{}, nil); err == nil {
		t.Error("no tokens to generate: no error")
	}
	// Nothing of all that is left in the session.
	if ids, _, err := generate.Run(context.Background(), s, want[:1], generate.Options{MaxTokens: 9}, nil); err != nil || !slices.Equal(ids, want[1:10]) {
		t.Errorf("%v, %v; want %v", ids, err, want[1:10])
	}
}

func TestEnds(t *testing.T) {
	for name, want := range map[string][]int{
		"llama-rope-llama3": {2, 3}, // a list in generation_config.json wins
		"qwen2":             {5},
		"glm4":              {2, 3},
	} {
		c, err := checkpoint.Open(shared.Dir(t, "reference", "families", name))
		if err != nil {
			t.Fatal(err)
		}
		if got := generate.Ends(c); !slices.Equal(got, want) {
			t.Errorf("%s ends with %v, want %v", name, got, want)
		}
		c.Close()
	}
}
