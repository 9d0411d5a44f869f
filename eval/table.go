package eval

import (
	"fmt"
	"math"
	"strings"
	"unicode/utf8"

	"shallow/eval/task"
)

// Table is the scores as a table of lm-evaluation-harness's columns, with aligned columns for a terminal or as Markdown.
// With a baseline's differences each row has that of its metric too.
func (v *Evaluation) Table(differences []Difference, markdown bool) string {
	rows := [][]string{{"Tasks", "Version", "Filter", "n-shot", "Metric", "", "Value", "", "Stderr"}}
	if len(differences) > 0 {
		rows[0] = append(rows[0], "Baseline", "Difference", "", "Stderr")
	}
	paired := map[[3]string]Difference{}
	for _, d := range differences {
		paired[[3]string{d.Task, d.Metric, d.Filter}] = d
	}
	seen := map[string]bool{}
	var walk func(name string, depth int)
	walk = func(name string, depth int) {
		if seen[name] {
			return
		}
		seen[name] = true
		for _, r := range v.Groups {
			if r.Name == name {
				rows = append(rows, v.rows(r, depth, "", "", paired)...)
			}
		}
		for _, t := range v.Tasks {
			if t.Task.Name == name {
				rows = append(rows, v.rows(t.Total, depth, fmt.Sprint(t.Task.Version), fmt.Sprint(t.NumFewshot), paired)...)
			}
		}
		for _, below := range v.Set.Subtasks()[name] {
			walk(below, depth+1)
		}
	}
	// Groups come children before parents.
	for i := len(v.Groups) - 1; i >= 0; i-- {
		walk(v.Groups[i].Name, 0)
	}
	for _, t := range v.Tasks {
		walk(t.Task.Name, 0)
	}
	if markdown {
		return markdownTable(rows)
	}
	return plainTable(rows)
}

// rows are a task's or group's metrics, its name beside the first.
func (v *Evaluation) rows(r task.Result, depth int, version, shots string, paired map[[3]string]Difference) (rows [][]string) {
	name := r.Alias
	if depth > 0 {
		name = strings.Repeat(" ", depth) + "- " + name
	}
	for _, m := range r.Metrics {
		arrow := v.arrow(r.Name, m.Metric)
		row := []string{name, version, m.Filter, shots, m.Metric, arrow, number(m.Value), "±", number(m.Stderr)}
		if len(paired) > 0 {
			if d, ok := paired[[3]string{r.Name, m.Metric, m.Filter}]; ok {
				row = append(row, number(d.Baseline), fmt.Sprintf("%+.4f", d.Difference), "±", number(d.Stderr))
			} else {
				row = append(row, "", "", "", "")
			}
		}
		rows = append(rows, row)
		name, version, shots = "", "", ""
	}
	return rows
}

// arrow says which way a metric is better.
func (v *Evaluation) arrow(name, metric string) string {
	switch better := v.Set.HigherIsBetter()[name][metric]; {
	case better == nil:
		return ""
	case *better:
		return "↑"
	}
	return "↓"
}

func number(x float64) string {
	switch {
	case math.IsNaN(x):
		return "N/A"
	case math.Abs(x) >= 1e6:
		return fmt.Sprintf("%.4g", x)
	}
	return fmt.Sprintf("%.4f", x)
}

func markdownTable(rows [][]string) string {
	var b strings.Builder
	for i, row := range rows {
		for _, cell := range row {
			b.WriteString("| " + cell + " ")
		}
		b.WriteString("|\n")
		if i == 0 {
			b.WriteString(strings.Repeat("|---", len(row)) + "|\n")
		}
	}
	return b.String()
}

func plainTable(rows [][]string) string {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	for _, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			gap := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if i >= 6 { // numbers to the right
				line.WriteString(gap + cell + "  ")
				continue
			}
			line.WriteString(cell + gap + "  ")
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	return b.String()
}
