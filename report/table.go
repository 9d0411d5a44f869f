package report

import (
	"fmt"
	"strings"

	"shallow/plan"
	"shallow/similarity"
)

// Best is the table of the best block for each n. It says where another start is as good within the error of the
// measurement, and where the block takes the last layer.
func Best(d *similarity.Distances) string {
	var b strings.Builder
	b.WriteString("   n  best block  distance\n")
	for _, best := range d.Best {
		n := best.N
		var notes []string
		if best.Tie {
			notes = append(notes, fmt.Sprintf("≈ %v, within one standard error", span(best.Next.Start, n)))
		}
		if best.Start+n == d.Layers {
			notes = append(notes, "takes the last layer")
		}
		line := fmt.Sprintf("%4d  %-11v %-18s %s", n, span(best.Start, n), estimate(best.Distance, d.Stderr[n-1][best.Start], d.Sequences), strings.Join(notes, "; "))
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	return b.String()
}

// Layers is the table of single layers: how far each turns the last token, and how much it changes all tokens.
func Layers(d *similarity.Distances) string {
	var b strings.Builder
	b.WriteString("   ℓ  distance d(ℓ, 1)")
	if d.Influence != nil {
		fmt.Fprintf(&b, "   block influence (%d tokens)", d.Influence.Tokens)
	}
	b.WriteByte('\n')
	for l, v := range d.Distances[0] {
		var influence string
		switch {
		case d.Influence == nil:
		case l < len(d.Influence.Layers):
			influence = fmt.Sprintf("%.4f", d.Influence.Layers[l])
		default:
			influence = "not measured"
		}
		line := fmt.Sprintf("%4d  %-18s %s", l, estimate(v, d.Stderr[0][l], d.Sequences), influence)
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	return b.String()
}

// estimate is a mean and its standard error, which one sequence does not have.
func estimate(mean, stderr float64, sequences int) string {
	if sequences < 2 {
		return fmt.Sprintf("%.4f", mean)
	}
	return fmt.Sprintf("%.4f ± %.4f", mean, stderr)
}

func span(start, n int) plan.Range { return plan.Range{start, start + n} }

// Choice says how a plan's block stands among the others: its distance, the losses that were compared, and what comes
// second without taking the last layer.
func Choice(d *similarity.Distances, p *plan.Plan) string {
	var b strings.Builder
	row := d.Distances[p.N-1]
	fmt.Fprintf(&b, "distance %s", estimate(row[p.Start], d.Stderr[p.N-1][p.Start], d.Sequences))
	if best := d.Best[p.N-1]; best.Start != p.Start {
		fmt.Fprintf(&b, "; the least of all is %.4f at %v", best.Distance, span(best.Start, p.N))
	} else if best.Tie {
		fmt.Fprintf(&b, "; %v is within one standard error", span(best.Next.Start, p.N))
	}
	b.WriteByte('\n')
	if len(p.Losses) == 0 {
		return b.String()
	}
	b.WriteString("without     loss    distance\n")
	for _, l := range p.Losses {
		fmt.Fprintf(&b, "%-11v %.4f  %s\n", span(l.Start, p.N), l.Loss, estimate(row[l.Start], d.Stderr[p.N-1][l.Start], d.Sequences))
	}
	return b.String()
}
