package eval

import (
	"encoding/json"
	"fmt"
	"math"

	"shallow/eval/task"
)

// Difference is how far a metric of a task is from that of a baseline on the same documents. Its standard error is that of
// the mean of the documents' differences, which is far smaller than either score's own.
type Difference struct {
	Task       string  `json:"task"`
	Metric     string  `json:"metric"`
	Filter     string  `json:"filter"`
	Baseline   float64 `json:"baseline"`
	Difference float64 `json:"difference"`
	Stderr     float64 `json:"stderr"` // NaN of a single document
}

// MarshalJSON writes numbers that JSON has not, as of a single document, as null.
func (d Difference) MarshalJSON() ([]byte, error) {
	finite := func(v float64) *float64 {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil
		}
		return &v
	}
	type plain Difference // without this method
	return json.Marshal(struct {
		plain
		Baseline   *float64 `json:"baseline"`
		Difference *float64 `json:"difference"`
		Stderr     *float64 `json:"stderr"`
	}{plain(d), finite(d.Baseline), finite(d.Difference), finite(d.Stderr)})
}

// Paired compares the items of two evaluations of the same tasks.
func Paired(v, baseline *Evaluation) ([]Difference, error) {
	before := map[string]*Evaluated{}
	for _, t := range baseline.Tasks {
		before[t.Task.Name] = t
	}
	var all []Difference
	for _, t := range v.Tasks {
		b := before[t.Task.Name]
		if b == nil {
			continue
		}
		if len(b.Items) != len(t.Items) {
			return nil, fmt.Errorf("eval: %s has %d documents, under the baseline %d", t.Task.Name, len(t.Items), len(b.Items))
		}
		ds, err := t.paired(b)
		if err != nil {
			return nil, err
		}
		all = append(all, ds...)
	}
	return all, nil
}

func (t *Evaluated) paired(b *Evaluated) (all []Difference, err error) {
	for m, measure := range t.Total.Metrics {
		from, to := b.values(measure), t.values(measure)
		if len(from) == 0 || len(from) != len(to) {
			continue
		}
		d := Difference{Task: t.Task.Name, Metric: measure.Metric, Filter: measure.Filter, Baseline: b.Total.Metrics[m].Value}
		if d.Difference, d.Stderr, err = task.Paired(measure.Metric, from, to); err != nil {
			return nil, fmt.Errorf("eval: %s: %w", t.Task.Name, err)
		}
		all = append(all, d)
	}
	return all, nil
}

// values are what each item has of a metric behind a filter.
func (t *Evaluated) values(m task.Measure) (values []task.Value) {
	for _, scores := range t.Scores {
		for _, s := range scores {
			if s.Filter != m.Filter {
				continue
			}
			for _, v := range s.Values {
				if v.Metric == m.Metric {
					values = append(values, v)
				}
			}
		}
	}
	return values
}
