package report

import (
	"fmt"
	"math"
	"slices"

	"shallow/sweep"
)

// cacheTokens is the length of text for which the page tells what keys and values take.
const cacheTokens = 4096

// variant is what a model costs without n layers. Zero is not known.
type variant struct {
	n                 int
	bytes, parameters int64
	cache             float64 // bytes of keys and values of cacheTokens tokens
	speed, healing    float64 // tokens per second, seconds; medians over the cells of this n
}

// variants are the costs at every n that the sweep has, from the unpruned model on.
func (b *builder) variants() []variant {
	byN := map[int][]*sweep.Cell{0: nil}
	for i := range b.result.Cells {
		if c := &b.result.Cells[i]; c.Model == b.model.Name {
			byN[c.N] = append(byN[c.N], c)
		}
	}
	var all []variant
	for n, cells := range byN {
		v := variant{n: n, bytes: b.model.Bytes, parameters: b.model.Parameters}
		v.cache = float64(b.model.CacheBytes) * cacheTokens * (1 - b.fraction(n))
		if n > 0 {
			for _, l := range cells[0].Drop { // of the first strategy; layers mostly weigh the same
				v.bytes -= b.model.LayerBytes[l]
				v.parameters -= b.model.LayerParameters[l]
			}
		}
		v.speed = median(cells, func(c *sweep.Cell) float64 { return c.TokensPerSecond })
		v.healing = median(cells, func(c *sweep.Cell) float64 { return c.HealSeconds })
		all = append(all, v)
	}
	slices.SortFunc(all, func(x, y variant) int { return x.n - y.n })
	return all
}

// median is that of the values that are known.
func median(cells []*sweep.Cell, of func(*sweep.Cell) float64) float64 {
	var values []float64
	for _, c := range cells {
		if v := of(c); v > 0 && !math.IsInf(v, 0) {
			values = append(values, v)
		}
	}
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	return (values[(len(values)-1)/2] + values[len(values)/2]) / 2
}

// costs draws size, cache, memory and speed against n. missing says which of them are not known.
func (b *builder) costs() (figures []*figure, missing []string) {
	all := b.variants()
	add := func(id, title, absent string, words func(float64) string, of func(variant) float64, unit func(largest float64) (factor float64, label string)) {
		var l line
		largest := 0.0
		for _, v := range all {
			largest = max(largest, of(v))
		}
		factor, label := unit(largest)
		whole := of(all[0])
		t := dataTable{Head: []string{"n", "share of layers", title, "of the unpruned model's"}}
		for _, v := range all {
			x := of(v)
			if !(x > 0) {
				continue
			}
			of := "not known"
			if whole > 0 {
				of = precise(x / whole)
			}
			l.Points = append(l.Points, point{
				X: float64(v.n), Y: rounded(x * factor),
				Text: fmt.Sprintf("n = %d of %d layers (%s)\n%s: %s\n%s of the unpruned model's", v.n, b.model.Layers, percent(b.fraction(v.n)), title, words(x), of),
			})
			t.Rows = append(t.Rows, []string{fmt.Sprint(v.n), precise(b.fraction(v.n)), words(x), of})
		}
		if len(l.Points) < 2 {
			missing = append(missing, absent)
			return
		}
		l.Label = title
		c := &chart{Title: title, X: scale{Label: "layers dropped, n"}, Y: scale{Label: label}, Lines: []line{l}, Falls: id != "speed"}
		c.along()
		c.frame(math.Inf(-1), math.Inf(1))
		c.Y.Low = 0
		f := b.figure(c, "cost", id)
		f.Table = t
		f.Table.Name = f.Title
		figures = append(figures, f)
	}
	bytes := func(largest float64) (float64, string) {
		factor, unit := scaled(1, largest)
		return factor, unit
	}
	add("weights", "weights", "the size of the weights", amount, func(v variant) float64 { return float64(v.bytes) }, bytes)
	add("cache", fmt.Sprintf("keys and values of %s tokens", thousands(cacheTokens)), "the size of keys and values", amount, func(v variant) float64 { return v.cache }, bytes)
	add("memory", "weights, keys and values together", "the memory", amount, func(v variant) float64 { return float64(v.bytes) + v.cache }, bytes)
	add("speed", "speed", "the speed", func(x float64) string { return fmt.Sprintf("%.4g tokens/s", x) }, func(v variant) float64 { return v.speed },
		func(float64) (float64, string) { return 1, "tokens/s" })
	return figures, missing
}

// healingTable says what healing took, empty where nothing was healed or nothing is known.
func (b *builder) healingTable() dataTable {
	t := dataTable{Head: []string{"healing", "strategy", "dropped", "n", "seconds", "loss of the last step, nat per token"}, Words: 3}
	type key struct {
		healing, strategy string
		n                 int
	}
	seen := map[key]bool{}
	for i := range b.result.Cells {
		c := &b.result.Cells[i]
		k := key{c.Healing, c.Strategy, c.N}
		if c.Model != b.model.Name || c.Healing == sweep.Unhealed || seen[k] || c.HealSeconds <= 0 && c.HealLoss == nil {
			continue
		}
		seen[k] = true
		loss, healing := "not known", plain(c.Healing)
		if c.HealLoss != nil {
			loss = fmt.Sprintf("%.4f", *c.HealLoss)
		}
		if c.Recorded {
			healing += " (recorded)"
		}
		t.Rows = append(t.Rows, []string{healing, plain(c.Strategy), dropped(c), fmt.Sprint(c.N), fmt.Sprintf("%.0f", c.HealSeconds), loss})
	}
	return t
}
