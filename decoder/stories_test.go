package decoder_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"shallow/decoder"
	"shallow/internal/shared"
	"shallow/tokenizer"
)

// stories is what a trained model of five layers computes on eighty stories.
type stories struct {
	Cut           int
	Loss          float64
	LossOfStory   []float64          `json:"loss_of_story"`
	TokensOfStory []int              `json:"tokens_of_story"`
	LayerSkipped  []float64          `json:"loss_with_layer_skipped"`
	BlockSkipped  map[string]float64 `json:"loss_with_block_skipped"`
	GreedyIDs     []int              `json:"greedy_ids"`
	FirstStory    []int              `json:"ids_of_first_story"`
	sequences     [][]int
	dir           string
}

func readStories(t testing.TB) *stories {
	t.Helper()
	e := &stories{dir: shared.Dir(t, "reference", "models", "stories260K")}
	data, err := os.ReadFile(filepath.Join(e.dir, "expected.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, e); err != nil {
		t.Fatal(err)
	}
	tok, err := tokenizer.Open(e.dir)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(shared.Dir(t, "data", "text", "tinystories", "derived-cased-stories.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() && len(e.sequences) < len(e.TokensOfStory) {
		var story struct{ Text string }
		if err := json.Unmarshal(lines.Bytes(), &story); err != nil {
			t.Fatal(err)
		}
		ids := tok.Encode(strings.ReplaceAll(story.Text, "\n\n", "\n"), true)
		e.sequences = append(e.sequences, ids[:min(len(ids), e.Cut)])
	}
	for s, ids := range e.sequences {
		if len(ids) != e.TokensOfStory[s] {
			t.Fatalf("story %d has %d tokens, want %d", s, len(ids), e.TokensOfStory[s])
		}
	}
	if !slices.Equal(e.sequences[0], e.FirstStory) {
		t.Fatal("the first story has other ids")
	}
	return e
}

// The loss with each layer and each block left out, branching off where the block begins.
func TestStoriesLosses(t *testing.T) {
	e := readStories(t)
	m := openModel(t, e.dir, 2, decoder.Options{Pack: true})
	trunk, err := m.Start(e.sequences)
	if err != nil {
		t.Fatal(err)
	}
	defer trunk.Close()
	type branch struct {
		lo, hi int
		want   float64
		*decoder.Group
	}
	var branches []*branch
	for i, want := range e.LayerSkipped {
		branches = append(branches, &branch{lo: i, hi: i + 1, want: want})
	}
	for name, want := range e.BlockSkipped {
		b := &branch{want: want}
		if _, err := fmt.Sscanf(name, "%d:%d", &b.lo, &b.hi); err != nil {
			t.Fatal(err)
		}
		branches = append(branches, b)
	}
	for l, err := range m.Layers(nil) {
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range branches {
			if b.lo == l.Index {
				b.Group = trunk.Clone()
				defer b.Close()
			}
			if b.hi <= l.Index {
				b.Forward(l)
			}
		}
		trunk.Forward(l)
	}
	h := m.Head()
	defer h.Release()
	perStory := func(g *decoder.Group) (mean float64, each []float64) {
		losses, err := g.Losses(h)
		if err != nil {
			t.Fatal(err)
		}
		var sum float64
		for s := range e.sequences {
			lo, hi := g.Offsets()[s], g.Offsets()[s+1]
			var story float64
			for _, l := range losses[lo:hi] {
				story += float64(l)
			}
			sum += story
			each = append(each, story/float64(hi-lo-1))
		}
		return sum / float64(len(losses)-len(e.sequences)), each
	}
	loss, each := perStory(trunk)
	worst := math.Abs(loss - e.Loss)
	for s, want := range e.LossOfStory {
		worst = max(worst, math.Abs(each[s]-want))
	}
	for _, b := range branches {
		got, _ := perStory(b.Group)
		if d := math.Abs(got - b.want); d > 1e-4 {
			t.Errorf("loss without layers %d to %d is %.6f, want %.6f", b.lo, b.hi-1, got, b.want)
		} else {
			worst = max(worst, d)
		}
	}
	if worst > 1e-4 {
		t.Errorf("a loss differs by %.2g", worst)
	}
	t.Logf("loss %.6f; largest difference of %d losses %.2g", loss, 1+len(e.LossOfStory)+len(branches), worst)
}

func TestStoriesGreedy(t *testing.T) {
	e := readStories(t)
	m := openModel(t, e.dir, 1, decoder.Options{})
	if got := greedy(t, m, e.GreedyIDs[:1], 200); !slices.Equal(got, e.GreedyIDs[1:]) {
		t.Errorf("greedy tokens %v, want %v", got, e.GreedyIDs[1:])
	}
}
