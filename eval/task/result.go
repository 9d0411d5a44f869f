package task

import (
	"encoding/json"
	"fmt"
	"math"

	"shallow/eval/task/internal/pytext"
)

// Result is what a task or a group scored.
type Result struct {
	Name, Alias string
	SampleLen   int // documents
	Metrics     []Measure
	Group       bool
}

// Measure is a metric's value with its standard error.
type Measure struct {
	Metric, Filter string
	Value          float64
	Stderr         float64 // NaN where there is none
	Samples        int     // of a group: the documents behind the value
}

// Find is a metric of a filter; the first of all filters where that is "".
func (r Result) Find(metric, filter string) (Measure, bool) {
	for _, m := range r.Metrics {
		if m.Metric == metric && (m.Filter == filter || filter == "") {
			return m, true
		}
	}
	return Measure{}, false
}

// MarshalJSON writes the object that the harness has under "results".
func (r Result) MarshalJSON() ([]byte, error) {
	name, alias := pytext.Member{Key: "name", Value: r.Name}, pytext.Member{Key: "alias", Value: r.Alias}
	o := pytext.Object{name, alias}
	if r.Group {
		o = pytext.Object{alias, name}
	}
	if !r.Group || len(r.Metrics) > 0 {
		o = append(o, pytext.Member{Key: "sample_len", Value: r.SampleLen})
	}
	var counts pytext.Object
	for _, m := range r.Metrics {
		stderr := any("N/A")
		if !math.IsNaN(m.Stderr) && !math.IsInf(m.Stderr, 0) {
			stderr = m.Stderr
		}
		key := m.Metric + "," + m.Filter
		o = append(o, pytext.Member{Key: key, Value: m.Value}, pytext.Member{Key: m.Metric + "_stderr," + m.Filter, Value: stderr})
		if r.Group {
			counts = append(counts, pytext.Member{Key: key, Value: m.Samples})
		}
	}
	if counts != nil {
		o = append(o, pytext.Member{Key: "sample_count", Value: counts})
	}
	return pytext.JSON(o, "")
}

// TotalOptions say how standard errors are found.
type TotalOptions struct {
	Draws int // of the bootstrap for perplexities; 0: no standard errors at all, as with bootstrap_iters 0 in the harness
}

// Total makes the task's result of all items' scores, in the order of the items.
func (r *Run) Total(scores [][]Score, o TotalOptions) (Result, error) {
	out := Result{Name: r.Task.Name, Alias: r.Task.Title(), SampleLen: len(scores)}
	if len(scores) == 0 {
		return out, fmt.Errorf("task: %s: there is no score", r.Task.Name)
	}
	for f := range scores[0] {
		for m := range scores[0][f].Values {
			values := make([]Value, len(scores))
			for i, s := range scores {
				values[i] = s[f].Values[m]
			}
			a := aggregations[metricKinds[values[0].Metric].aggregation]
			measure := Measure{Metric: values[0].Metric, Filter: scores[0][f].Filter, Value: a.of(values), Stderr: a.error(values, o.Draws)}
			if math.IsNaN(measure.Value) {
				return out, fmt.Errorf("task: %s: %s of %d items is not a number", r.Task.Name, measure.Metric, len(values))
			}
			out.Metrics = append(out.Metrics, measure)
		}
	}
	return out, nil
}

// HigherIsBetter says of each task's and group's metrics whether more is better; nil where the tasks of a group disagree.
func (s *Set) HigherIsBetter() map[string]map[string]*bool {
	out := map[string]map[string]*bool{}
	put := func(name, metric string, higher *bool) {
		if out[name] == nil {
			out[name] = map[string]*bool{}
		}
		if old, known := out[name][metric]; known && old != nil && (higher == nil || *old != *higher) {
			higher = nil
		} else if known {
			higher = old
		}
		out[name][metric] = higher
	}
	for _, t := range s.Tasks {
		for metric, higher := range t.HigherIsBetter() {
			put(t.Name, metric, &higher)
		}
	}
	for _, g := range s.Groups {
		for _, child := range g.Children {
			for metric, higher := range out[child] {
				put(g.Name, metric, higher)
			}
		}
	}
	return out
}

// Versions are the versions of tasks and groups, for results.json.
func (s *Set) Versions() map[string]json.RawMessage {
	out := map[string]json.RawMessage{}
	write := func(name string, version any) {
		if data, err := pytext.JSON(version, ""); err == nil {
			out[name] = data
		}
	}
	for _, t := range s.Tasks {
		write(t.Name, t.Version)
	}
	for _, g := range s.Groups {
		write(g.Name, g.Version)
	}
	return out
}

// Shots are the numbers of examples of tasks and groups, of those by task; a group has one where all its tasks agree.
func (s *Set) Shots(tasks map[string]int) map[string]int {
	out := map[string]int{}
	for name, shots := range tasks {
		out[name] = shots
	}
	for _, g := range s.Groups {
		first, agree, known := 0, true, false
		for _, child := range g.Children {
			shots, ok := out[child]
			if ok && known && shots != first {
				agree = false
			}
			if ok {
				first, known = shots, true
			}
		}
		if known && agree {
			out[g.Name] = first
		}
	}
	return out
}

// Subtasks are the names in each group.
func (s *Set) Subtasks() map[string][]string {
	out := map[string][]string{}
	for _, g := range s.Groups {
		out[g.Name] = g.Children
	}
	return out
}

// written is a value of a task file as Python's str() writes it.
func written(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	return fmt.Sprint(v)
}
