package computetest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"shallow/compute"
)

// attention holds StoreKV and Attention against softmax(q·Kᵀ)·V in float64, and their bits against one another: alone and in a
// batch, whole and in chunks, on any number of threads, whatever lies in the places a row does not see.
func attention(t *testing.T, open func(t *testing.T, threads int) compute.Device) {
	for _, kind := range []compute.Kind{compute.Float32, compute.BFloat16} {
		t.Run(kind.String(), func(t *testing.T) {
			t.Run("values", func(t *testing.T) { attentionValues(t, open, kind) })
			t.Run("bits", func(t *testing.T) { attentionBits(t, open, kind) })
			t.Run("unseen", func(t *testing.T) { attentionUnseen(t, open, kind) })
			t.Run("causal", func(t *testing.T) { attentionCausal(t, open, kind) })
			t.Run("copies", func(t *testing.T) { attentionCopies(t, open, kind) })
			t.Run("after NaN", func(t *testing.T) { attentionAfterNaN(t, open(t, 1), kind) })
		})
	}
	t.Run("errors", func(t *testing.T) { attentionErrors(t, open(t, 1)) })
}

// attentionShape is what a layer's attention looks like.
type attentionShape struct {
	heads, kvHeads, headSize, window int
	softCap                          float32
}

func (s attentionShape) String() string {
	return fmt.Sprintf("%d heads over %d of %d, window %d, soft cap %g", s.heads, s.kvHeads, s.headSize, s.window, s.softCap)
}

// attentionText is one sequence: queries [T, H·headSize], keys and values [T, K·headSize].
type attentionText struct {
	attentionShape
	q, k, v []float32
	length  int
}

func newAttentionText(r *rand.Rand, s attentionShape, length int) attentionText {
	fill := func(cols int) []float32 {
		x := make([]float32, length*cols)
		for i := range x {
			x[i] = float32(r.NormFloat64())
		}
		return x
	}
	return attentionText{s, fill(s.heads * s.headSize), fill(s.kvHeads * s.headSize), fill(s.kvHeads * s.headSize), length}
}

func (x attentionText) scale() float32 { return float32(1 / math.Sqrt(float64(x.headSize))) }

// reference is out [T, H·headSize] and the log-sum-exps [T, H], with keys and values, and perhaps queries, rounded by round.
func (x attentionText) reference(roundQ, round func(float32) float64) (out, lse []float64) {
	d := x.headSize
	out, lse = make([]float64, x.length*x.heads*d), make([]float64, x.length*x.heads)
	for p := range x.length {
		for h := range x.heads {
			from := 0
			if x.window > 0 {
				from = max(0, p-x.window+1)
			}
			kv := h * x.kvHeads / x.heads
			scores, largest := make([]float64, p+1), math.Inf(-1)
			for j := from; j <= p; j++ {
				for c := range d {
					scores[j] += roundQ(x.q[(p*x.heads+h)*d+c]) * round(x.k[(j*x.kvHeads+kv)*d+c])
				}
				scores[j] *= float64(x.scale())
				if limit := float64(x.softCap); limit != 0 {
					scores[j] = limit * math.Tanh(scores[j]/limit)
				}
				largest = max(largest, scores[j])
			}
			sum := 0.0
			for j := from; j <= p; j++ {
				sum += math.Exp(scores[j] - largest)
			}
			for j := from; j <= p; j++ {
				weight := math.Exp(scores[j]-largest) / sum
				for c := range d {
					out[(p*x.heads+h)*d+c] += weight * round(x.v[(j*x.kvHeads+kv)*d+c])
				}
			}
			lse[p*x.heads+h] = largest + math.Log(sum)
		}
	}
	return out, lse
}

func attentionExact(x float32) float64 { return float64(x) }

// attentionRound rounds to bfloat16, ties to even.
func attentionRound(x float32) float64 {
	b := math.Float32bits(x)
	return float64(math.Float32frombits((b + 0x7fff + b>>16&1) &^ 0xffff))
}

// attentionRun is a cache with some texts in it.
type attentionRun struct {
	dev   compute.Device
	shape attentionShape
	cache compute.Cache
	texts []attentionText
	table [][]int32
	have  []int // positions of each text that are stored
}

// newAttentionRun takes pages for the texts in an arbitrary order out of a cache with room to spare.
func newAttentionRun(dev compute.Device, r *rand.Rand, kind compute.Kind, texts ...attentionText) *attentionRun {
	pages, most := 3, 0
	for _, x := range texts {
		n := (x.length + compute.PageSize - 1) / compute.PageSize
		pages, most = pages+n, max(most, n)
	}
	s := texts[0].attentionShape
	run := &attentionRun{dev: dev, shape: s, texts: texts, cache: dev.NewCache(kind, pages, s.kvHeads, s.headSize)}
	order := r.Perm(pages)
	for _, x := range texts {
		row := make([]int32, most)
		for p := range row {
			row[p] = -1
			if p*compute.PageSize < x.length {
				row[p] = int32(order[0])
				order = order[1:]
			}
		}
		run.table = append(run.table, row)
		run.have = append(run.have, 0)
	}
	return run
}

// spoil stores x in every place of every page.
func (run *attentionRun) spoil(x float32) {
	n, cols := run.cache.Pages()*compute.PageSize, run.shape.kvHeads*run.shape.headSize
	v, slots := slices.Repeat([]float32{x}, n*cols), make([]int32, n)
	for i := range slots {
		slots[i] = int32(i)
	}
	rows := attentionTensor(run.dev, v, n, cols)
	run.dev.StoreKV(run.cache, rows, rows, attentionInts(run.dev, slots, n, 1))
}

func (run *attentionRun) slots(text, from, to int) []int32 {
	var s []int32
	for p := from; p < to; p++ {
		s = append(s, run.table[text][p/compute.PageSize]*compute.PageSize+int32(p%compute.PageSize))
	}
	return s
}

// store puts positions [from, to) of a text into the cache.
func (run *attentionRun) store(text, from, to int) {
	x := run.texts[text]
	cols := x.kvHeads * x.headSize
	run.dev.StoreKV(run.cache, attentionTensor(run.dev, x.k[from*cols:to*cols], to-from, cols),
		attentionTensor(run.dev, x.v[from*cols:to*cols], to-from, cols), attentionInts(run.dev, run.slots(text, from, to), to-from, 1))
}

// attentionRows are positions [from, to) of a text.
type attentionRows struct{ text, from, to int }

// attend computes rows in one batch and returns, for each of them, what it sees and its log-sum-exps.
func (run *attentionRun) attend(t *testing.T, parts ...attentionRows) (outs, lses [][]float32) {
	t.Helper()
	s := run.shape
	cols := s.heads * s.headSize
	var q []float32
	offsets, lengths, table := []int32{0}, []int32{}, []int32{}
	maxRows, maxLength := 0, 0
	for _, p := range parts {
		x := run.texts[p.text]
		q = append(q, x.q[p.from*cols:p.to*cols]...)
		offsets = append(offsets, int32(len(q)/cols))
		lengths = append(lengths, int32(p.to))
		table = append(table, run.table[p.text]...)
		maxRows, maxLength = max(maxRows, p.to-p.from), max(maxLength, p.to)
	}
	dev, n := run.dev, len(q)/cols
	b := compute.Batch{
		Offsets: attentionInts(dev, offsets, len(offsets), 1), Lengths: attentionInts(dev, lengths, len(parts), 1),
		Table: attentionInts(dev, table, len(parts), len(table)/len(parts)), MaxRows: maxRows, MaxLength: maxLength,
	}
	// out has a gap between its rows, to see that strides are minded.
	out, lse := dev.New(compute.Float32, n, cols+5).ColRange(2, 2+cols), dev.New(compute.Float32, n, s.heads)
	dev.Attention(out, attentionTensor(dev, q, n, cols), run.cache, b,
		compute.AttentionOptions{HeadSize: s.headSize, Scale: run.texts[0].scale(), Window: s.window, SoftCap: s.softCap, LogSumExp: lse})
	all, sums := make([]float32, n*cols), make([]float32, n*s.heads)
	if err := dev.Download(compute.Bytes(all), out); err != nil {
		t.Fatal(err)
	}
	if err := dev.Download(compute.Bytes(sums), lse); err != nil {
		t.Fatal(err)
	}
	for i := range parts {
		lo, hi := int(offsets[i]), int(offsets[i+1])
		outs, lses = append(outs, all[lo*cols:hi*cols]), append(lses, sums[lo*s.heads:hi*s.heads])
	}
	return outs, lses
}

func attentionTensor(dev compute.Device, x []float32, rows, cols int) compute.Tensor {
	t := dev.New(compute.Float32, rows, cols)
	dev.Upload(t, compute.Bytes(x))
	return t
}

func attentionInts(dev compute.Device, x []int32, rows, cols int) compute.Tensor {
	t := dev.New(compute.Int32, rows, cols)
	dev.Upload(t, compute.Bytes(x))
	return t
}

// sameAttention fails where two results differ in a bit.
func sameAttention(t *testing.T, what string, got, want []float32) {
	t.Helper()
	for i := range want {
		if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
			t.Fatalf("%s: element %d is %v, want the bits of %v", what, i, got[i], want[i])
		}
	}
	if len(got) != len(want) {
		t.Fatalf("%s: %d elements, want %d", what, len(got), len(want))
	}
}

func attentionValues(t *testing.T, open func(t *testing.T, threads int) compute.Device, kind compute.Kind) {
	dev := open(t, 2)
	r := rand.New(rand.NewPCG(1, 2))
	lengths := []int{1, 63, 64, 65, 200}
	for _, s := range []attentionShape{
		{1, 1, 5, 0, 0}, {2, 2, 8, 0, 0}, {3, 1, 12, 0, 0}, {4, 2, 16, 0, 0}, {7, 1, 20, 0, 0}, {4, 4, 24, 0, 0}, {2, 1, 64, 0, 0}, {4, 1, 80, 0, 0}, {2, 2, 96, 0, 0},
		{8, 2, 128, 0, 0}, {1, 1, 256, 0, 0}, {4, 2, 16, 1, 0}, {4, 2, 24, 63, 0}, {2, 1, 64, 64, 0}, {6, 2, 20, 65, 0}, {3, 3, 80, 100, 0}, {100, 1, 16, 0, 0},
		{3, 1, 10, 0, 0}, {2, 2, 14, 0, 0}, {4, 1, 18, 0, 0}, {4, 4, 33, 0, 0},
		{4, 2, 16, 0, 50}, {8, 1, 20, 0, 0.5}, {2, 1, 256, 0, 50}, {4, 2, 24, 63, 2}, {6, 2, 14, 65, 1}, {2, 1, 64, 1, 30},
	} {
		var texts []attentionText
		var parts []attentionRows
		for i, n := range lengths {
			texts = append(texts, newAttentionText(r, s, n))
			parts = append(parts, attentionRows{i, 0, n})
		}
		run := newAttentionRun(dev, r, kind, texts...)
		for i, n := range lengths {
			run.store(i, 0, n)
		}
		outs, lses := run.attend(t, parts...)
		for i, x := range texts {
			if kind == compute.Float32 {
				out, lse := x.reference(attentionExact, attentionExact)
				near(t, fmt.Sprintf("%v, length %d", s, x.length), outs[i], out, 1e-5)
				near(t, fmt.Sprintf("%v, length %d, log-sum-exp", s, x.length), lses[i], lse, 1e-5)
				continue
			}
			// A device may round the queries, and the weights before they meet the values.
			out, lse := x.reference(attentionRound, attentionRound)
			exact, exactLSE := x.reference(attentionExact, attentionRound)
			if distance(lses[i], lse) > distance(lses[i], exactLSE) {
				out, lse = exact, exactLSE
			}
			near(t, fmt.Sprintf("%v, length %d", s, x.length), outs[i], out, 1.0/256)
			near(t, fmt.Sprintf("%v, length %d, log-sum-exp", s, x.length), lses[i], lse, 1e-5)
		}
	}
}

func distance(got []float32, want []float64) float64 {
	worst := 0.0
	for i := range want {
		worst = max(worst, math.Abs(float64(got[i])-want[i]))
	}
	return worst
}

// near fails where got is further from want than tolerance times want's largest value.
func near(t *testing.T, what string, got []float32, want []float64, tolerance float64) {
	t.Helper()
	largest := 0.0
	for _, x := range want {
		largest = max(largest, math.Abs(x))
	}
	if d := distance(got, want); !(d <= tolerance*largest) {
		t.Errorf("%s: off by %.3g of at most %.3g", what, d, tolerance*largest)
	}
}

// attentionShapes are enough different ones for the tests of bits.
var attentionShapes = []attentionShape{{4, 2, 24, 0, 0}, {4, 1, 80, 0, 0}, {2, 2, 128, 0, 0}, {5, 1, 64, 70, 0}, {8, 2, 16, 1, 0}, {100, 2, 16, 90, 0},
	{4, 2, 24, 0, 1}, {6, 1, 14, 70, 2}}

func attentionBits(t *testing.T, open func(t *testing.T, threads int) compute.Device, kind compute.Kind) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, s := range attentionShapes {
		t.Run(s.String(), func(t *testing.T) {
			texts := []attentionText{newAttentionText(r, s, 200), newAttentionText(r, s, 1), newAttentionText(r, s, 131), newAttentionText(r, s, 64)}
			want := make([][]float32, len(texts))
			wantLSE := make([][]float32, len(texts))
			for i, x := range texts { // alone, on one thread
				run := newAttentionRun(open(t, 1), r, kind, x)
				run.store(0, 0, x.length)
				outs, lses := run.attend(t, attentionRows{0, 0, x.length})
				want[i], wantLSE[i] = outs[0], lses[0]
			}
			run := newAttentionRun(open(t, 3), r, kind, texts...)
			var parts []attentionRows
			for i, x := range texts {
				run.store(i, 0, x.length)
				parts = append(parts, attentionRows{i, 0, x.length})
			}
			outs, lses := run.attend(t, parts...)
			for i := range texts {
				sameAttention(t, fmt.Sprintf("batched text %d", i), outs[i], want[i])
				sameAttention(t, fmt.Sprintf("batched text %d, log-sum-exp", i), lses[i], wantLSE[i])
			}
			// In chunks, each stored just before it is used.
			chunked := newAttentionRun(open(t, 2), r, kind, texts...)
			cols := s.heads * s.headSize
			for from, n := 0, 1; from < 200; from, n = from+n, n%17+r.IntN(40)+1 {
				var now []attentionRows
				for i, x := range texts {
					if lo, hi := min(from, x.length), min(from+n, x.length); lo < hi {
						chunked.store(i, lo, hi)
						now = append(now, attentionRows{i, lo, hi})
					}
				}
				outs, _ := chunked.attend(t, now...)
				for i, p := range now {
					sameAttention(t, fmt.Sprintf("positions [%d, %d) of text %d", p.from, p.to, p.text), outs[i], want[p.text][p.from*cols:p.to*cols])
				}
			}
			// One row at a time, though later positions are in the cache already.
			for p := range 200 {
				outs, _ := run.attend(t, attentionRows{0, p, p + 1})
				sameAttention(t, fmt.Sprintf("position %d alone", p), outs[0], want[0][p*cols:(p+1)*cols])
			}
		})
	}
}

// attentionUnseen fills the cache with what must not be seen before the texts are stored.
func attentionUnseen(t *testing.T, open func(t *testing.T, threads int) compute.Device, kind compute.Kind) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, s := range attentionShapes {
		x := newAttentionText(r, s, 150)
		clean := newAttentionRun(open(t, 1), r, kind, x)
		clean.store(0, 0, x.length)
		want, _ := clean.attend(t, attentionRows{0, 0, x.length})
		cols := s.heads * s.headSize
		for _, stale := range []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1)), 3e38, 1} {
			run := newAttentionRun(open(t, 2), r, kind, x)
			run.spoil(stale)
			for from := 0; from < x.length; from += 29 {
				to := min(from+29, x.length)
				run.store(0, from, to)
				got, _ := run.attend(t, attentionRows{0, from, to})
				sameAttention(t, fmt.Sprintf("%v: positions [%d, %d) over places that held %v", s, from, to, stale), got[0], want[0][from*cols:to*cols])
			}
		}
		// Pages before the window may be gone.
		if s.window > 0 {
			for p := 0; (p+1)*compute.PageSize <= 149-s.window+1; p++ {
				clean.table[0][p] = -1
			}
			got, _ := clean.attend(t, attentionRows{0, 149, 150})
			sameAttention(t, fmt.Sprintf("%v: the last position without the pages before its window", s), got[0], want[0][149*cols:])
		}
	}
}

// attentionCausal spoils one position: only rows that see it may change.
func attentionCausal(t *testing.T, open func(t *testing.T, threads int) compute.Device, kind compute.Kind) {
	r := rand.New(rand.NewPCG(7, 8))
	for _, s := range attentionShapes {
		x := newAttentionText(r, s, 150)
		run := newAttentionRun(open(t, 2), r, kind, x)
		run.store(0, 0, x.length)
		want, _ := run.attend(t, attentionRows{0, 0, x.length})
		cols, kvCols := s.heads*s.headSize, s.kvHeads*s.headSize
		for _, bad := range []int{0, 17, 64, 77, 149} {
			y := x
			y.k, y.v = slices.Clone(x.k), slices.Clone(x.v)
			for c := range kvCols {
				y.k[bad*kvCols+c], y.v[bad*kvCols+c] = float32(math.NaN()), float32(math.Inf(1))
			}
			run.texts[0] = y
			run.store(0, 0, y.length)
			got, _ := run.attend(t, attentionRows{0, 0, y.length})
			for p := range y.length {
				row := got[0][p*cols : (p+1)*cols]
				if p < bad || s.window > 0 && p >= bad+s.window {
					sameAttention(t, fmt.Sprintf("%v: position %d beside NaN at %d", s, p, bad), row, want[0][p*cols:(p+1)*cols])
				} else if !slices.ContainsFunc(row, func(v float32) bool { return v != v }) {
					t.Fatalf("%v: position %d sees NaN at %d and does not show it", s, p, bad)
				}
			}
			run.texts[0] = x
			run.store(0, 0, x.length)
		}
	}
}

// attentionAfterNaN runs heads of a size that needs padding before and after wide heads that are all NaN: nothing of
// one call is left to the next.
func attentionAfterNaN(t *testing.T, dev compute.Device, kind compute.Kind) {
	r := rand.New(rand.NewPCG(9, 10))
	narrow, wide := newAttentionText(r, attentionShape{4, 2, 20, 0, 0}, 100), newAttentionText(r, attentionShape{4, 2, 128, 0, 0}, 100)
	for _, x := range [][]float32{wide.q, wide.k, wide.v} {
		for i := range x {
			x[i] = float32(math.NaN())
		}
	}
	attend := func(x attentionText) []float32 {
		run := newAttentionRun(dev, r, kind, x)
		run.store(0, 0, x.length)
		outs, _ := run.attend(t, attentionRows{0, 0, x.length})
		return outs[0]
	}
	want := attend(narrow)
	attend(wide)
	sameAttention(t, "after NaN", attend(narrow), want)
}

// attentionErrors gives what does not fit and expects Sync to say so.
func attentionErrors(t *testing.T, dev compute.Device) {
	cache := dev.NewCache(compute.Float32, 2, 2, 16)
	if err := dev.Sync(); err != nil {
		t.Fatal(err)
	}
	ints := func(rows, cols int, x ...int32) compute.Tensor { return attentionInts(dev, x, rows, cols) }
	q, kv := dev.New(compute.Float32, 3, 64), dev.New(compute.Float32, 3, 32)
	good := compute.Batch{Offsets: ints(2, 1, 0, 3), Lengths: ints(1, 1, 70), Table: ints(1, 2, 1, 0), MaxRows: 3, MaxLength: 70}
	options := compute.AttentionOptions{HeadSize: 16, Scale: 1}
	attend := func(change func(out, q *compute.Tensor, b *compute.Batch, o *compute.AttentionOptions)) func() {
		return func() {
			out, q, b, o := dev.New(compute.Float32, 3, 64), q, good, options
			change(&out, &q, &b, &o)
			dev.Attention(out, q, cache, b, o)
		}
	}
	type (
		T = *compute.Tensor
		B = *compute.Batch
		O = *compute.AttentionOptions
	)
	for what, operation := range map[string]func(){
		"a cache of int32":             func() { dev.NewCache(compute.Int32, 1, 1, 16) },
		"a cache of -1 pages":          func() { dev.NewCache(compute.Float32, -1, 1, 16) },
		"a cache beyond all memory":    func() { dev.NewCache(compute.Float32, 1<<40, 1<<19, 1<<19) },
		"a slot past the cache":        func() { dev.StoreKV(cache, kv, kv, ints(3, 1, 0, 1, 128)) },
		"a negative slot":              func() { dev.StoreKV(cache, kv, kv, ints(3, 1, 0, -1, 2)) },
		"too few slots":                func() { dev.StoreKV(cache, kv, kv, ints(2, 1, 0, 1)) },
		"keys of another width":        func() { dev.StoreKV(cache, q, kv, ints(3, 1, 0, 1, 2)) },
		"a copy past the cache":        func() { dev.CopyKV(cache, ints(2, 1, 0, 128), ints(2, 1, 1, 2)) },
		"a copy from past the cache":   func() { dev.CopyKV(cache, ints(2, 1, 0, 1), ints(2, 1, 2, 128)) },
		"a copy to a negative slot":    func() { dev.CopyKV(cache, ints(1, 1, -1), ints(1, 1, 2)) },
		"a copy of too few slots":      func() { dev.CopyKV(cache, ints(2, 1, 0, 1), ints(1, 1, 2)) },
		"another head size":            attend(func(_, _ T, _ B, o O) { o.HeadSize = 32 }),
		"a negative window":            attend(func(_, _ T, _ B, o O) { o.Window = -1 }),
		"a negative soft cap":          attend(func(_, _ T, _ B, o O) { o.SoftCap = -1 }),
		"a soft cap that is no number": attend(func(_, _ T, _ B, o O) { o.SoftCap = nan }),
		"queries of three heads":       attend(func(out, q T, _ B, _ O) { *out, *q = out.ColRange(0, 48), q.ColRange(0, 48) }),
		"out of another shape":         attend(func(out, _ T, _ B, _ O) { *out = out.RowRange(0, 2) }),
		"a page past the cache":        attend(func(_, _ T, b B, _ O) { b.Table = ints(1, 2, 1, 2) }),
		"a negative page":              attend(func(_, _ T, b B, _ O) { b.Table = ints(1, 2, -1, 0) }),
		"a table that is too short":    attend(func(_, _ T, b B, _ O) { b.Table = ints(1, 1, 1) }),
		"fewer positions than rows":    attend(func(_, _ T, b B, _ O) { b.Lengths = ints(1, 1, 2) }),
		"rows past the queries":        attend(func(_, _ T, b B, _ O) { b.Offsets = ints(2, 1, 0, 4) }),
		"offsets that descend":         attend(func(_, _ T, b B, _ O) { b.Offsets = ints(2, 1, 2, 1) }),
		"offsets of two sequences":     attend(func(_, _ T, b B, _ O) { b.Offsets = ints(3, 1, 0, 1, 3) }),
		"log-sum-exps of another row":  attend(func(_, _ T, _ B, o O) { o.LogSumExp = dev.New(compute.Float32, 2, 4) }),
	} {
		operation()
		if dev.Sync() == nil {
			t.Errorf("%s: no error", what)
		}
	}
	attend(func(_, _ T, _ B, _ O) {})()
	if err := dev.Sync(); err != nil {
		t.Errorf("what fits, after what does not: %v", err)
	}
}
