package computetest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"shallow/compute"
)

// attentionCopies copies places of a cache and compares, through the eyes of attention, with a cache into which the same
// rows were stored: copies are bit equal, what lies beside them stays.
func attentionCopies(t *testing.T, open func(t *testing.T, threads int) compute.Device, kind compute.Kind) {
	const length = 3 * compute.PageSize
	r := rand.New(rand.NewPCG(11, 12))
	for _, s := range attentionShapes {
		for threads := 1; threads <= 3; threads++ {
			x := newAttentionText(r, s, length)
			copied := newAttentionRun(open(t, threads), r, kind, x)
			copied.store(0, 0, length)

			places := r.Perm(length)
			n := r.IntN(length/2 + 1)
			to, from := places[:n], places[n:2*n]
			y, cols := x, s.kvHeads*s.headSize
			y.k, y.v = slices.Clone(x.k), slices.Clone(x.v)
			for i := range n {
				copy(y.k[to[i]*cols:(to[i]+1)*cols], x.k[from[i]*cols:])
				copy(y.v[to[i]*cols:(to[i]+1)*cols], x.v[from[i]*cols:])
			}
			stored := newAttentionRun(open(t, 1), r, kind, y)
			stored.store(0, 0, length)

			slots := copied.slots(0, 0, length)
			pick := func(places []int) compute.Tensor {
				picked := make([]int32, n)
				for i, p := range places {
					picked[i] = slots[p]
				}
				return column(copied.dev, picked)
			}
			copied.dev.CopyKV(copied.cache, pick(to), pick(from))
			got, _ := copied.attend(t, attentionRows{0, 0, length})
			want, _ := stored.attend(t, attentionRows{0, 0, length})
			sameAttention(t, fmt.Sprintf("%v: %d places copied on %d threads", s, n, threads), got[0], want[0])
		}
	}
}
