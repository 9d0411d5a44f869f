package plan

import (
	"cmp"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"shallow/similarity"
)

// ParseDrop reads how many layers of L to drop: a number, "8", or a share that is rounded down, "25%".
func ParseDrop(s string, layers int) (int, error) {
	n, err := parseCount(s, layers)
	if err != nil {
		return 0, err
	}
	if n < 1 {
		return 0, fmt.Errorf("plan: %s of %d layers is none; ask for at least one", s, layers)
	}
	if n >= layers {
		return 0, fmt.Errorf("plan: cannot drop %d of %d layers; at least one must stay", n, layers)
	}
	return n, nil
}

func parseCount(s string, layers int) (int, error) {
	number, share := strings.CutSuffix(s, "%")
	if !share {
		n, err := strconv.Atoi(number)
		if err != nil {
			return 0, fmt.Errorf("plan: cannot read %q as how many layers to drop; write 8 or 25%%", s)
		}
		return n, nil
	}
	// Exactly, since 29 % of 100 layers is 28.999… in binary.
	percent, ok := new(big.Rat).SetString(number)
	if !ok || len(number) > 16 || strings.ContainsAny(number, "eEpP/_") {
		return 0, fmt.Errorf("plan: cannot read %q as a share of the layers; write 25%%", s)
	}
	if percent.Sign() < 0 || percent.Cmp(big.NewRat(100, 1)) > 0 {
		return 0, fmt.Errorf("plan: %s is not between 0%% and 100%%", s)
	}
	return floor(percent.Mul(percent, big.NewRat(int64(layers), 100))), nil
}

// floor rounds a number that is not negative down.
func floor(r *big.Rat) int { return int(new(big.Int).Quo(r.Num(), r.Denom()).Int64()) }

// Options bound the choice of the strategies that choose by a measurement.
type Options struct {
	// From is f of the restriction ℓ ≥ ⌊f·(L-n+1)⌋ on the start of a block, 0 for none. The paper's authors use 0.5
	// where plain argmin picks shallow blocks.
	From float64
	// AllowLast lets the last layer go too.
	AllowLast bool
}

// Similarity drops the block of n layers with the smallest angular distance. Of equal ones the first is taken.
// Source: Gromov et al., 2024, section 3.2.
func Similarity(d *similarity.Distances, n int, o Options) (*Plan, error) {
	candidates, err := Candidates(d, n, o)
	if err != nil {
		return nil, err
	}
	return Block(d, n, candidates[0], BySimilarity)
}

// Candidates are the starts of blocks of n layers that the options allow, the smallest distance first.
func Candidates(d *similarity.Distances, n int, o Options) ([]int, error) {
	if n < 1 || n >= d.Layers {
		return nil, fmt.Errorf("plan: cannot drop %d of %d layers", n, d.Layers)
	}
	if !(o.From >= 0 && o.From < 1) {
		return nil, fmt.Errorf("plan: --from %v is not in [0, 1)", o.From)
	}
	starts := d.Layers - n + 1
	// The decimal number that was written, not the binary one beside it.
	f, _ := new(big.Rat).SetString(strconv.FormatFloat(o.From, 'f', -1, 64))
	from, to := floor(f.Mul(f, big.NewRat(int64(starts), 1))), starts
	if !o.AllowLast {
		to--
	}
	if from >= to {
		return nil, fmt.Errorf("plan: no block of %d of %d layers starts at %d or later and leaves the last layer in", n, d.Layers, from)
	}
	row := d.Distances[n-1]
	var candidates []int
	for l := from; l < to; l++ {
		candidates = append(candidates, l)
	}
	slices.SortStableFunc(candidates, func(a, b int) int { return cmp.Compare(row[a], row[b]) })
	return candidates, nil
}

// ByLosses drops, of the blocks of n layers from starts on, the one without which the model loses least. losses are in the
// order of starts; of equal ones the first is taken.
func ByLosses(d *similarity.Distances, n int, starts []int, losses []float64) (*Plan, error) {
	if len(starts) == 0 || len(starts) != len(losses) {
		return nil, fmt.Errorf("plan: %d losses for %d blocks", len(losses), len(starts))
	}
	candidates := make([]Loss, len(starts))
	for i := range starts {
		candidates[i] = Loss{starts[i], losses[i]}
	}
	slices.SortStableFunc(candidates, func(a, b Loss) int { return cmp.Compare(a.Loss, b.Loss) })
	p, err := Block(d, n, candidates[0].Start, ByLoss)
	if err != nil {
		return nil, err
	}
	p.Losses = candidates
	return p, nil
}

// Block drops the n measured layers from start on.
func Block(d *similarity.Distances, n, start int, s Strategy) (*Plan, error) {
	p, err := New(s, d.Layers, block(start, n))
	if err != nil {
		return nil, err
	}
	p.measured(d)
	distance := d.Distances[n-1][start]
	p.Distance, p.Row = &distance, slices.Clone(d.Distances[n-1])
	return p, nil
}

// Deepest drops layers L-1-n to L-2: the deepest n, the very last layer kept.
// Source: Gromov et al., 2024, section 4.4; the paper counts layers from one.
func Deepest(layers, n int) (*Plan, error) {
	if n < 1 || n >= layers {
		return nil, fmt.Errorf("plan: cannot drop %d of %d layers", n, layers)
	}
	return New(ByDeepest, layers, block(layers-1-n, n))
}

// BlockInfluence drops the n layers with the smallest block influence, one by one and not as a block; of equal ones the
// first. Without AllowLast the last layer stays. From restricts nothing here and is an error.
// Source: Men et al., "ShortGPT", 2024.
func BlockInfluence(d *similarity.Distances, n int, o Options) (*Plan, error) {
	if o.From != 0 {
		return nil, fmt.Errorf("plan: --from is about where a block starts; block-influence chooses single layers")
	}
	if d.Influence == nil {
		return nil, fmt.Errorf("plan: the measurement has no block influence; measure again without --influence off")
	}
	influence := d.Influence.Layers
	candidates := d.Layers - 1
	if o.AllowLast {
		if len(influence) < d.Layers {
			return nil, fmt.Errorf("plan: the last layer's block influence was not measured; measure again with --influence full")
		}
		candidates = d.Layers
	}
	if n < 1 || n > candidates || n >= d.Layers {
		return nil, fmt.Errorf("plan: cannot drop %d of %d layers", n, d.Layers)
	}
	order := block(0, candidates)
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(influence[a], influence[b]) })
	p, err := New(ByBlockInfluence, d.Layers, order[:n])
	if err != nil {
		return nil, err
	}
	p.measured(d)
	for _, l := range p.Drop {
		p.Influence = append(p.Influence, influence[l])
	}
	return p, nil
}

// Explicit drops the layers of a list of half-open ranges and single layers, as "21:29,3:5,7".
func Explicit(layers int, list string) (*Plan, error) {
	drop, err := ParseLayers(list, layers)
	if err != nil {
		return nil, err
	}
	return New(ByHand, layers, drop)
}

// ParseLayers reads a list of half-open ranges and single layers of a model with L layers, as "21:29,3:5,7". Ranges may
// touch and overlap; the result ascends.
func ParseLayers(list string, layers int) ([]int, error) {
	gone := make([]bool, max(0, min(layers, maxLayers)))
	for part := range strings.SplitSeq(list, ",") {
		from, to, isRange := strings.Cut(part, ":")
		a, err := strconv.Atoi(from)
		b := a + 1
		if err == nil && isRange {
			b, err = strconv.Atoi(to)
		}
		switch {
		case err != nil:
			return nil, fmt.Errorf("plan: cannot read %q as layers; write 21:29 for layers 21 to 28, and commas between ranges", part)
		case a < 0 || b > len(gone):
			return nil, fmt.Errorf("plan: %s is not within the model's layers, 0:%d", part, layers)
		case a >= b:
			return nil, fmt.Errorf("plan: %s holds no layer: a range ends before its second number", part)
		}
		for l := a; l < b; l++ {
			gone[l] = true
		}
	}
	var drop []int
	for l, is := range gone {
		if is {
			drop = append(drop, l)
		}
	}
	return drop, nil
}

// measured notes where a plan's figures come from.
func (p *Plan) measured(d *similarity.Distances) {
	p.Model = d.Model
	if d.Corpus.Hash != "" {
		p.Corpus = &Corpus{Hash: d.Corpus.Hash}
	}
}

// block is the n layers from start on.
func block(start, n int) []int {
	layers := make([]int, n)
	for i := range layers {
		layers[i] = start + i
	}
	return layers
}
