// Package plan decides which layers go, and says so in plan.json and in the words of other tools.
//
// A [Plan] comes from one of four strategies: [Similarity], the paper's, takes the block of n layers with the smallest
// angular distance; [Deepest], the paper's simple one, the last n but the very last; [BlockInfluence] the n single layers
// that change the residual stream least; [Explicit] whatever is asked for. Layers are numbered from zero and ranges are
// half-open: [21, 29) is layers 21 to 28.
package plan

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"shallow/internal/atomicfile"
	"shallow/similarity"
)

// Strategy is how layers are chosen.
type Strategy string

// The strategies.
const (
	BySimilarity     Strategy = "similarity"
	ByDeepest        Strategy = "deepest"
	ByBlockInfluence Strategy = "block-influence"
	ByLoss           Strategy = "rerank" // similarity's best few, compared by the loss without them
	ByHand           Strategy = "layers"
)

// Range is the layers from its first to before its second number.
type Range [2]int

// String writes the range as "[21, 29)".
func (r Range) String() string { return fmt.Sprintf("[%d, %d)", r[0], r[1]) }

// Plan says which layers of which model go; it is the content of plan.json.
type Plan struct {
	Version  int              `json:"version"` // 1
	Tool     string           `json:"tool"`
	Model    similarity.Model `json:"model"`
	Strategy Strategy         `json:"strategy"`
	Layers   int              `json:"layers"` // L, before the cut
	N        int              `json:"n"`      // how many go
	Start    int              `json:"start"`  // the first that goes
	Drop     []int            `json:"drop"`   // all that go, ascending
	Ranges   []Range          `json:"ranges"` // the same as half-open ranges
	// Distance is d(Start, N) of a contiguous block that was measured, Row d(ℓ, N) for ℓ = 0 … L-N.
	Distance *float64  `json:"distance,omitempty"`
	Row      []float64 `json:"row,omitempty"`
	// Influence is the block influence of each dropped layer, under the strategy that chooses by it.
	Influence []float64 `json:"influence,omitempty"`
	// Losses are the candidates that were compared by loss, the best first.
	Losses []Loss  `json:"losses,omitempty"`
	Corpus *Corpus `json:"corpus,omitempty"`
	From   string  `json:"from,omitempty"` // SHA-256 of distances.json
}

// Loss is what the model loses without a candidate block.
type Loss struct {
	Start int     `json:"start"`
	Loss  float64 `json:"loss"` // nat per predicted token
}

// Corpus names the sequences behind a plan.
type Corpus struct {
	Hash string `json:"hash"`
}

// maxLayers bounds what a file may claim; the deepest published models have some hundred layers.
const maxLayers = 4096

// maxFile bounds the size of a plan.json that is read.
const maxFile = 16 << 20

// New makes the plan that drops some layers of a model with the given number of layers.
func New(strategy Strategy, layers int, drop []int) (*Plan, error) {
	drop = slices.Clone(drop)
	slices.Sort(drop)
	drop = slices.Compact(drop)
	p := &Plan{
		Version: 1, Tool: "shallow", Strategy: strategy,
		Layers: layers, N: len(drop), Drop: drop, Ranges: ranges(drop),
	}
	if len(drop) > 0 {
		p.Start = drop[0]
	}
	if err := p.Check(); err != nil {
		return nil, fmt.Errorf("plan: %w", err)
	}
	return p, nil
}

// Kept are the ranges of layers that stay.
func (p *Plan) Kept() []Range {
	var kept []int
	for l := range p.Layers {
		if !slices.Contains(p.Drop, l) {
			kept = append(kept, l)
		}
	}
	return ranges(kept)
}

// String says what goes, as "drops 8 of 32 layers, [21, 29): 21 22 23 24 25 26 27 28".
func (p *Plan) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "drops %d of %d layers, ", p.N, p.Layers)
	for i, r := range p.Ranges {
		if i > 0 {
			b.WriteString(" and ")
		}
		b.WriteString(r.String())
	}
	b.WriteByte(':')
	for _, l := range p.Drop {
		fmt.Fprintf(&b, " %d", l)
	}
	return b.String()
}

// Check reports what is inconsistent in a plan. It is called by everything here that reads or makes one.
func (p *Plan) Check() error {
	switch {
	case p.Version != 1:
		return fmt.Errorf("version is %d; this program reads version 1", p.Version)
	case p.Layers < 2 || p.Layers > maxLayers:
		return fmt.Errorf("layers is %d, not between 2 and %d", p.Layers, maxLayers)
	case len(p.Drop) == 0:
		return fmt.Errorf("it drops no layer")
	case len(p.Drop) >= p.Layers:
		return fmt.Errorf("it drops %d of %d layers; at least one must stay", len(p.Drop), p.Layers)
	case p.N != len(p.Drop):
		return fmt.Errorf("n is %d, but drop lists %d layers", p.N, len(p.Drop))
	}
	for i, l := range p.Drop {
		if l < 0 || l >= p.Layers {
			return fmt.Errorf("drop has layer %d; the model's are 0 to %d", l, p.Layers-1)
		}
		if i > 0 && l <= p.Drop[i-1] {
			return fmt.Errorf("drop has layer %d after %d; it must ascend", l, p.Drop[i-1])
		}
	}
	if want := ranges(p.Drop); !slices.Equal(p.Ranges, want) {
		return fmt.Errorf("ranges %v are not those of drop, %v", p.Ranges, want)
	}
	if p.Start != p.Drop[0] {
		return fmt.Errorf("start is %d, but the first dropped layer is %d", p.Start, p.Drop[0])
	}
	if p.Row != nil && len(p.Row) != p.Layers-p.N+1 {
		return fmt.Errorf("row has %d distances; blocks of %d of %d layers have %d starts",
			len(p.Row), p.N, p.Layers, p.Layers-p.N+1)
	}
	if p.Influence != nil && len(p.Influence) != p.N {
		return fmt.Errorf("influence has %d entries for %d dropped layers", len(p.Influence), p.N)
	}
	return nil
}

// ranges joins ascending layers to half-open ranges.
func ranges(layers []int) []Range {
	var out []Range
	for _, l := range layers {
		if n := len(out); n > 0 && out[n-1][1] == l {
			out[n-1][1]++
			continue
		}
		out = append(out, Range{l, l + 1})
	}
	return out
}

// Read reads and checks a plan.json.
func Read(name string) (*Plan, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("plan: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("plan: %w", err)
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("plan: %s: larger than %d MB; it is no plan.json", name, maxFile>>20)
	}
	p, err := Parse(data)
	if err != nil {
		return nil, fmt.Errorf("plan: %s: %w", name, err)
	}
	return p, nil
}

// Parse reads the bytes of a plan.json. Unknown keys and plans that contradict themselves are errors.
func Parse(data []byte) (*Plan, error) {
	p := new(Plan)
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(p); err != nil {
		return nil, fmt.Errorf("not a plan.json: %w", err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, fmt.Errorf("something follows the JSON object")
	}
	if err := p.Check(); err != nil {
		return nil, err
	}
	return p, nil
}

// JSON is the plan as plan.json holds it.
func (p *Plan) JSON() ([]byte, error) {
	if err := p.Check(); err != nil {
		return nil, fmt.Errorf("plan: %w", err)
	}
	data, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("plan: %w", err)
	}
	return append(data, '\n'), nil
}

// Write writes plan.json.
func (p *Plan) Write(name string) error {
	data, err := p.JSON()
	if err != nil {
		return err
	}
	if err := atomicfile.Write(name, data); err != nil {
		return fmt.Errorf("plan: %w", err)
	}
	return nil
}
