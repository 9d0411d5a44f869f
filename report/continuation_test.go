package report

import (
	"slices"
	"strings"
	"testing"
)

// TestContinuations: of continuations only pruned cells have scores that compare with the unpruned model's, whose cell comes first.
func TestContinuations(t *testing.T) {
	r := fixture(t)
	lower := false
	for i := range r.Cells {
		c := &r.Cells[i]
		if c.Task != "gsm8k" {
			continue
		}
		c.Kind = "continuation"
		repetition := c.Metrics[0]
		repetition.Metric, repetition.Filter, repetition.HigherIsBetter = "repetition", "16", &lower
		c.Metrics[0].Metric, c.Metrics[0].Filter = "agreement", "16"
		if c.Metrics = append(c.Metrics, repetition); c.N == 0 {
			c.Metrics = c.Metrics[1:]
		}
	}
	p := build(r)
	figures := p.figures()
	at := slices.IndexFunc(figures, func(f *figure) bool { return f.ID == "generation-gsm8k" })
	if at < 0 {
		t.Fatal("there is no figure of the agreement")
	}
	f := figures[at]
	if len(f.Chart.Lines) != 4 || len(f.Chart.Lines[0].Points) != 24 || !strings.HasPrefix(f.Caption, "agreement, 16") {
		t.Errorf("%d lines, the caption is %q", len(f.Chart.Lines), f.Caption)
	}
	if _, err := p.render(); err != nil {
		t.Error(err)
	}
}
