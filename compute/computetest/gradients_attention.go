package computetest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"testing"

	"shallow/compute"
)

// attentionBackward holds AttentionBackward to differences along directions that lie in a few rows each, so that every element is
// held, and single elements; sequences of lengths around a tile's, in one batch and alone.
func attentionBackward(t *testing.T, open func(t *testing.T, threads int) compute.Device) {
	for _, c := range attentionSlopes() {
		t.Run(c.String(), func(t *testing.T) { c.check(t, open) })
	}
}

// attentionSlope is a batch of texts with gradients of what they see, and what differences say.
type attentionSlope struct {
	attentionShape
	texts []attentionText
	douts [][]float32
	wants []attentionDirection
}

// attentionDirection is a number of elements of one tensor, q, k or v, of one text, and the loss's derivative along the sum of factor ·
// element.
type attentionDirection struct {
	text, tensor int
	factors      map[int]float64
	slope        float64
}

// attentionSlopes are made once for all devices.
var attentionSlopes = sync.OnceValue(func() (cs []*attentionSlope) {
	for n, s := range []attentionShape{
		{heads: 2, kvHeads: 2, headSize: 8},
		{heads: 6, kvHeads: 2, headSize: 20, softCap: 1.5},
		{heads: 4, kvHeads: 1, headSize: 16, window: 40},
		{heads: 2, kvHeads: 1, headSize: 64, window: 64, softCap: 4},
		{heads: 3, kvHeads: 3, headSize: 33, window: 1},
		{heads: 2, kvHeads: 1, headSize: 16, window: 100},
	} {
		r := rand.New(rand.NewPCG(uint64(n), 17))
		c := &attentionSlope{attentionShape: s}
		for _, length := range []int{1, 63, 64, 65, 130} {
			x := newAttentionText(r, s, length)
			c.texts, c.douts = append(c.texts, x), append(c.douts, normals(r, len(x.q)))
		}
		for text := range c.texts {
			for tensor := range 3 {
				c.differences(r, text, tensor)
			}
		}
		cs = append(cs, c)
	}
	return cs
})

// differences adds directions for one tensor of one text: one in every 16 rows of each key-value head, and some single elements.
func (c *attentionSlope) differences(r *rand.Rand, text, tensor int) {
	x := c.texts[text]
	heads := c.kvHeads
	if tensor == 0 {
		heads = c.heads
	}
	cols := heads * c.headSize
	add := func(kv int, factors map[int]float64) {
		c.wants = append(c.wants, attentionDirection{text, tensor, factors, c.slope(text, tensor, kv, factors)})
	}
	kv := func(element int) int { return element % cols / c.headSize * c.kvHeads / heads }
	for lo := 0; lo < x.length; lo += 16 {
		head := r.IntN(heads)
		factors := map[int]float64{}
		for row := lo; row < min(lo+16, x.length); row++ {
			for ch := range c.headSize {
				factors[row*cols+head*c.headSize+ch] = float64(2*r.IntN(2) - 1)
			}
		}
		add(head*c.kvHeads/heads, factors)
	}
	for range 3 {
		element := r.IntN(x.length * cols)
		add(kv(element), map[int]float64{element: 1})
	}
}

// slope is the derivative of one key-value head's share of the loss along a direction.
func (c *attentionSlope) slope(text, tensor, kv int, factors map[int]float64) float64 {
	x := c.texts[text]
	tensors := [3][]float64{doubles(x.q), doubles(x.k), doubles(x.v)}
	at := []float64{0}
	origin := append([]float64(nil), tensors[tensor]...)
	return slopes(at, func() float64 {
		for i, f := range factors {
			tensors[tensor][i] = origin[i] + at[0]*f
		}
		return x.share(tensors[0], tensors[1], tensors[2], c.douts[text], kv)
	})[0]
}

// share is Σ dout · out over the queries of one key-value head.
func (x attentionText) share(q, k, v []float64, dout []float32, kv int) (loss float64) {
	d, group := x.headSize, x.heads/x.kvHeads
	scores, scale := make([]float64, x.length), float64(x.scale())
	for p := range x.length {
		from := 0
		if x.window > 0 {
			from = max(0, p-x.window+1)
		}
		for h := kv * group; h < (kv+1)*group; h++ {
			query, dy := q[(p*x.heads+h)*d:][:d], dout[(p*x.heads+h)*d:][:d]
			sum, weighted := 0.0, 0.0
			for j := from; j <= p; j++ {
				scores[j] = scale * dot(query, k[(j*x.kvHeads+kv)*d:][:d])
				if limit := float64(x.softCap); limit != 0 {
					scores[j] = limit * math.Tanh(scores[j]/limit)
				}
				w := math.Exp(scores[j])
				sum += w
				for ch, value := range v[(j*x.kvHeads+kv)*d:][:d] {
					weighted += w * value * float64(dy[ch])
				}
			}
			loss += weighted / sum
		}
	}
	return loss
}

// run takes some texts through attention and back, and returns dq, dk and dv of each.
func (c *attentionSlope) run(t *testing.T, dev compute.Device, texts ...int) [][3][]float32 {
	t.Helper()
	var chosen []attentionText
	var parts []attentionRows
	var tensors [4][]float32 // q, k, v, dout
	offsets, lengths := []int32{0}, []int32{}
	for n, i := range texts {
		x := c.texts[i]
		chosen, parts = append(chosen, x), append(parts, attentionRows{n, 0, x.length})
		for j, from := range [][]float32{x.q, x.k, x.v, c.douts[i]} {
			tensors[j] = append(tensors[j], from...)
		}
		offsets, lengths = append(offsets, offsets[n]+int32(x.length)), append(lengths, int32(x.length))
	}
	run := newAttentionRun(dev, rand.New(rand.NewPCG(1, 1)), compute.Float32, chosen...)
	for n, x := range chosen {
		run.store(n, 0, x.length)
	}
	outs, lses := run.attend(t, parts...)
	rows, wide, narrow := int(offsets[len(texts)]), c.heads*c.headSize, c.kvHeads*c.headSize
	put := func(cols int, x []float32) view { return place(dev, rows, cols, x) }
	dq, dk, dv := put(wide, nil), put(narrow, nil), put(narrow, nil)
	lse := put(c.heads, flat(lses))
	b := compute.Batch{Offsets: attentionInts(dev, offsets, len(offsets), 1), Lengths: attentionInts(dev, lengths, len(lengths), 1), MaxRows: 130, MaxLength: 130}
	backward(dev).AttentionBackward(dq.Tensor, dk.Tensor, dv.Tensor, put(wide, tensors[3]).Tensor, put(wide, flat(outs)).Tensor,
		put(wide, tensors[0]).Tensor, put(narrow, tensors[1]).Tensor, put(narrow, tensors[2]).Tensor, b, compute.AttentionOptions{
			HeadSize: c.headSize, Scale: c.texts[0].scale(), Window: c.window, SoftCap: c.softCap, LogSumExp: lse.Tensor})
	all := [3][][]float32{dq.read(t), dk.read(t), dv.read(t)}
	var results [][3][]float32
	for n := range texts {
		var result [3][]float32
		for j := range result {
			result[j] = flat(all[j][offsets[n]:offsets[n+1]])
		}
		results = append(results, result)
	}
	return results
}

func (c *attentionSlope) check(t *testing.T, open func(t *testing.T, threads int) compute.Device) {
	all := make([]int, len(c.texts))
	for i := range all {
		all[i] = i
	}
	first := c.run(t, open(t, 1), all...)
	for _, w := range c.wants {
		got := first[w.text][w.tensor]
		sum, squares := 0.0, 0.0
		for i, f := range w.factors {
			sum += f * float64(got[i])
			squares += float64(got[i]) * float64(got[i])
		}
		if bound := 3e-6 * (1 + math.Sqrt(float64(len(w.factors)))/4 + 4*math.Sqrt(squares)); !(math.Abs(sum-w.slope) <= bound) {
			t.Fatalf("text %d, the gradient by %s along %d elements is %v, want %v, give or take %.2g",
				w.text, []string{"q", "k", "v"}[w.tensor], len(w.factors), sum, w.slope, bound)
		}
	}
	same := func(what string, got [][3][]float32, texts ...int) {
		t.Helper()
		for n, text := range texts {
			for j := range 3 {
				sameAttention(t, fmt.Sprintf("text %d, tensor %d %s", text, j, what), got[n][j], first[text][j])
			}
		}
	}
	for _, threads := range []int{2, 3, 16} {
		same(fmt.Sprintf("on %d threads", threads), c.run(t, open(t, threads), all...), all...)
	}
	dev := open(t, 2)
	for i := range all {
		same("alone", c.run(t, dev, i), i)
	}
	same("in another order", c.run(t, dev, 4, 1, 0), 4, 1, 0)
}
