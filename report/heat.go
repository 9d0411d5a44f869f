package report

import (
	"fmt"

	"shallow/plan"
	"shallow/similarity"
	"shallow/sweep"
)

// heat is the heat map as the page's script draws it.
type heat struct {
	ID     string `json:"id"`
	Title  string `json:"title"`
	Layers int    `json:"layers"`
	// Distances[n-1][ℓ] and, rescaled to its row, Shades.
	Distances [][]float64 `json:"distances"`
	Shades    [][]float64 `json:"shades"`
	// Chosen[n-1] is the first layer of the block that the similarity strategy drops, -1 where it has none; Least that of the
	// smallest distance, which may take the last layer.
	Chosen []int `json:"chosen"`
	Least  []int `json:"least"`
	// Scored says at which n the sweep has scored the chosen block.
	Scored []bool `json:"scored"`
}

// chosen are the starts of the blocks that the similarity strategy drops: the sweep's, and at other n those that it would.
func chosen(r *sweep.Result, m *sweep.Model) (starts []int, scored []bool) {
	d := m.Distances
	starts, scored = make([]int, d.Layers), make([]bool, d.Layers)
	for i := range starts {
		starts[i] = -1
		if p, err := plan.Similarity(d, i+1, plan.Options{}); err == nil {
			starts[i] = p.Start
		}
	}
	for i := range r.Cells {
		if c := &r.Cells[i]; c.Model == m.Name && c.Strategy == sweep.Similarity && c.N > 0 && c.Start+c.N <= d.Layers {
			starts[c.N-1], scored[c.N-1] = c.Start, true
		}
	}
	return starts, scored
}

func (b *builder) heatMap() *figure {
	d := b.model.Distances
	if d == nil {
		return nil
	}
	h := &heat{Title: "angular distance of " + plain(b.model.Name), Layers: d.Layers, Shades: rescale(d)}
	h.Chosen, h.Scored = chosen(b.result, b.model)
	t := dataTable{Head: []string{"n", "chosen block", "distance", "standard error", "least of all", "its distance", "scored"}}
	for i, row := range d.Distances {
		h.Distances = append(h.Distances, rounding(row, 1e4))
		h.Shades[i] = rounding(h.Shades[i], 1e3)
		h.Least = append(h.Least, d.Best[i].Start)
		if l := h.Chosen[i]; l >= 0 {
			stderr, yes := "not known", "no"
			if d.Sequences > 1 {
				stderr = fmt.Sprintf("%.4f", d.Stderr[i][l])
			}
			if h.Scored[i] {
				yes = "yes"
			}
			t.Rows = append(t.Rows, []string{
				fmt.Sprint(i + 1), fmt.Sprint(span(l, i+1)), fmt.Sprintf("%.4f", row[l]), stderr,
				fmt.Sprint(span(d.Best[i].Start, i+1)), fmt.Sprintf("%.4f", row[d.Best[i].Start]), yes,
			})
		}
	}
	f := &figure{Title: h.Title, Heat: h, Table: t, Caption: sampled(d)}
	f.Table.Name = f.Title
	f.ID = b.name("heatmap", "")
	h.ID = f.ID
	return f
}

// sampled says what the distances are means over.
func sampled(d *similarity.Distances) string {
	return fmt.Sprintf("means over %s of %s tokens in all", many(d.Sequences, "sequence"), thousands(int64(d.Tokens)))
}

// rounding shortens numbers to 1/unit, for the page's data.
func rounding(values []float64, unit float64) []float64 {
	out := make([]float64, len(values))
	for i, v := range values {
		out[i] = float64(int64(v*unit+0.5)) / unit
	}
	return out
}
