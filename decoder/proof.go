package decoder

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"math"
	"slices"

	"shallow/compute"
)

// Skipping proves that pruned, a checkpoint without the dropped layers, computes what original computes when it leaves
// them out: the states at every boundary and all logits of the sequences, bit for bit. One layer is in memory at a time.
func Skipping(ctx context.Context, original, pruned *Model, drop []int, sequences [][]int) error {
	if original.in != pruned.in || original.headIn != pruned.headIn {
		return fmt.Errorf("decoder: the models multiply in %v and %v: their bits cannot be compared", original.in, pruned.in)
	}
	var kept []int
	for i := range original.Spec.L {
		if !slices.Contains(drop, i) {
			kept = append(kept, i)
		}
	}
	if len(kept) != pruned.Spec.L {
		return fmt.Errorf("decoder: %d layers are kept, the pruned checkpoint has %d", len(kept), pruned.Spec.L)
	}
	want, wantLogits, err := original.trace(ctx, drop, sequences)
	if err != nil {
		return err
	}
	got, gotLogits, err := pruned.trace(ctx, nil, sequences)
	if err != nil {
		return err
	}
	for i := range want {
		if got[i] == want[i] {
			continue
		}
		if i == 0 {
			return fmt.Errorf("decoder: the pruned checkpoint embeds tokens differently from the original")
		}
		return fmt.Errorf("decoder: states behind layer %d of the pruned checkpoint differ from those behind layer %d of the original", i-1, kept[i-1])
	}
	for i := range wantLogits {
		if math.Float32bits(gotLogits[i]) != math.Float32bits(wantLogits[i]) {
			return fmt.Errorf("decoder: logit %d of row %d is %g, the original's without the layers is %g", i%original.Spec.V, i/original.Spec.V, gotLogits[i], wantLogits[i])
		}
	}
	return nil
}

// trace gives a hash of the states at every boundary, and all logits.
func (m *Model) trace(ctx context.Context, drop []int, sequences [][]int) (hashes [][sha256.Size]byte, logits []float32, err error) {
	g, err := m.Start(sequences)
	if err != nil {
		return nil, nil, err
	}
	defer g.Close()
	state, err := g.bits()
	if err != nil {
		return nil, nil, err
	}
	if err := g.Finite(-1); err != nil {
		return nil, nil, err
	}
	hashes = append(hashes, sha256.Sum256(state))
	for l, err := range m.Layers(drop) {
		if err != nil {
			return nil, nil, err
		}
		if err := ctx.Err(); err != nil {
			return nil, nil, err
		}
		g.Forward(l)
		if state, err = g.bits(); err != nil {
			return nil, nil, err
		}
		// Values that are not finite would be equal, and prove nothing.
		if err := g.Finite(l.Index); err != nil {
			return nil, nil, err
		}
		hashes = append(hashes, sha256.Sum256(state))
	}
	h := m.Head()
	defer h.Release()
	if logits, err = g.Logits(h, nil); err != nil {
		return nil, nil, err
	}
	return hashes, logits, g.finiteLogits(logits)
}

// bits are the bytes of X.
func (g *Group) bits() ([]byte, error) {
	b := make([]byte, compute.Float32.Bytes(g.x.Rows*g.x.Cols))
	return b, g.model.Device.Download(b, g.x)
}

// Caching proves that every layer gives the same bits whether the rows of a sequence go through it together or in
// pieces, the later ones finding the keys and values of the earlier ones in the cache: the first half, a few rows, then
// one row at a time. One layer is in memory at a time.
func (m *Model) Caching(ctx context.Context, sequences [][]int) error {
	whole, err := m.Start(sequences)
	if err != nil {
		return err
	}
	defer whole.Close()
	lengths, ids, err := m.tokens(sequences)
	if err != nil {
		return err
	}
	pieces, err := m.start(sequences, ids, m.newPlan(lengths, stepwise(lengths, m.options.Rows)))
	if err != nil {
		return err
	}
	defer pieces.Close()
	for l, err := range m.Layers(nil) {
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		whole.Forward(l)
		pieces.Forward(l)
		want, err := whole.bits()
		if err != nil {
			return err
		}
		got, err := pieces.bits()
		if err != nil {
			return err
		}
		if !bytes.Equal(got, want) {
			return fmt.Errorf("decoder: layer %d gives other bits with cached keys and values than without", l.Index)
		}
	}
	return nil
}

// stepwise cuts each sequence into its first half, three rows, and single rows, at most limit rows at a time.
func stepwise(lengths []int, limit int) [][]span {
	var chunks [][]span
	for s, n := range lengths {
		half := (n + 1) / 2
		for at := 0; at < n; {
			rows := 1
			switch {
			case at < half:
				rows = half - at
			case at == half:
				rows = 3
			}
			to := min(at+min(rows, limit), n)
			chunks = append(chunks, []span{{s, at, to}})
			at = to
		}
	}
	return chunks
}
