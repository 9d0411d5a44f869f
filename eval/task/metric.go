package task

import (
	"fmt"
	"math"
	"slices"

	"shallow/eval/task/internal/pyrandom"
	"shallow/eval/task/internal/pyregexp"
)

// Metric is one entry of metric_list.
type Metric struct {
	Name           string
	HigherIsBetter bool
	aggregation    string
	match          matching
}

// matching says what exact_match passes over.
type matching struct {
	remove                      []*pyregexp.Regexp
	anyCase, noMarks, noNumbers bool
}

// kinds are the known metrics, where they apply and how the values of the items become one.
var metricKinds = map[string]struct {
	types       []OutputType
	aggregation string
	higher      bool
}{
	"acc":             {[]OutputType{MultipleChoice, AnswerToken, LogLikelihood}, "mean", true},
	"acc_norm":        {[]OutputType{MultipleChoice}, "mean", true},
	"acc_bytes":       {[]OutputType{MultipleChoice}, "mean", true},
	"exact_match":     {[]OutputType{Generate, MultipleChoice}, "mean", true},
	"perplexity":      {[]OutputType{LogLikelihood}, "perplexity", false},
	"word_perplexity": {[]OutputType{Rolling}, "weighted_perplexity", false},
	"byte_perplexity": {[]OutputType{Rolling}, "weighted_perplexity", false},
	"bits_per_byte":   {[]OutputType{Rolling}, "bits_per_byte", false},
	// Ours: of the ids that were scored.
	"token_perplexity": {[]OutputType{Rolling, NextToken}, "token_perplexity", false},
	"loss_per_token":   {[]OutputType{Rolling, NextToken}, "loss", false},
	"loss_norm":        {[]OutputType{Rolling, NextToken}, "loss", false},
	// Ours: of what a model writes by itself.
	"agreement":     {[]OutputType{Continuation}, "mean", true},
	"baseline_loss": {[]OutputType{Continuation}, "mean", false},
	"repetition":    {[]OutputType{Continuation}, "mean", false},
}

// defaults are the metrics of a task that names none.
var defaults = map[OutputType][]string{
	MultipleChoice: {"acc", "acc_norm"}, LogLikelihood: {"perplexity", "acc"}, Generate: {"exact_match"}, AnswerToken: {"acc"},
	Rolling: {"word_perplexity", "byte_perplexity", "bits_per_byte"}, NextToken: {"loss_norm"}, Continuation: {"agreement", "baseline_loss", "repetition"},
}

// aggregation makes one number of an item's values: at(Σ value / Σ weight), with the slope of at for standard errors.
type aggregation struct {
	at, slope func(ratio float64) float64
	stderr    stderrKind
}

type stderrKind int

const (
	unknown   stderrKind = iota // the harness gives none: "N/A"
	sample                      // of a mean
	bootstrap                   // of a perplexity, from drawn samples
	ratio                       // ours: of a ratio of sums, to first order
)

var (
	aggregations = map[string]aggregation{
		"mean":                {same, one, sample},
		"perplexity":          {perplexity, perplexitySlope, bootstrap},
		"weighted_perplexity": {perplexity, perplexitySlope, unknown},
		"bits_per_byte":       {func(x float64) float64 { return -x / math.Ln2 }, func(float64) float64 { return -1 / math.Ln2 }, unknown},
		"token_perplexity":    {perplexity, perplexitySlope, ratio},
		"loss":                {same, one, ratio},
	}
	same            = func(x float64) float64 { return x }
	one             = func(float64) float64 { return 1 }
	perplexity      = func(x float64) float64 { return math.Exp(-x) }
	perplexitySlope = func(x float64) float64 { return -math.Exp(-x) }
)

// Value is what one item adds to a metric. Perplexities add a log-likelihood with a weight of words, bytes or ids; losses the
// negative; all others a score with weight 1.
type Value struct {
	Metric        string
	Value, Weight float64
}

// of is the aggregation of the values, in their order: sums are rounded as the harness rounds them.
func (a aggregation) of(values []Value) float64 {
	return a.at(quotient(values))
}

func quotient(values []Value) float64 {
	var sum, weight float64
	for _, v := range values {
		sum += v.Value
		weight += v.Weight
	}
	return sum / weight
}

// error is the standard error of the aggregation, NaN where there is none.
func (a aggregation) error(values []Value, draws int) float64 {
	if len(values) < 2 || draws <= 0 {
		return math.NaN()
	}
	switch a.stderr {
	case sample:
		scores := make([]float64, len(values))
		for i, v := range values {
			scores[i] = v.Value
		}
		return deviation(scores) / math.Sqrt(float64(len(values)))
	case bootstrap:
		return deviation(a.drawn(values, draws))
	case ratio:
		return spread(a.influence(values))
	}
	return math.NaN()
}

// deviation is the sample's standard deviation.
func deviation(x []float64) float64 {
	var mean, squares float64
	for _, v := range x {
		mean += v
	}
	mean /= float64(len(x))
	for _, v := range x {
		squares += (v - mean) * (v - mean)
	}
	return math.Sqrt(squares / float64(len(x)-1))
}

// drawn are aggregations of samples with replacement, a thousand from each seed 0, 1, …
func (a aggregation) drawn(values []Value, draws int) []float64 {
	chunk := min(1000, draws)
	var out []float64
	picks, picked := make([]int, len(values)), make([]Value, len(values))
	for seed := range draws / chunk {
		r := pyrandom.New(uint64(seed))
		for range chunk {
			r.Choices(len(values), picks)
			for i, p := range picks {
				picked[i] = values[p]
			}
			out = append(out, a.of(picked))
		}
	}
	return out
}

// influence is, to first order, how far each item moves the aggregation.
func (a aggregation) influence(values []Value) []float64 {
	r, weight := quotient(values), 0.0
	for _, v := range values {
		weight += v.Weight
	}
	out := make([]float64, len(values))
	for i, v := range values {
		out[i] = a.slope(r) * (v.Value - r*v.Weight) / weight
	}
	return out
}

// spread is the standard error of a sum of independent influences.
func spread(influence []float64) float64 {
	var squares float64
	for _, u := range influence {
		squares += u * u
	}
	n := float64(len(influence))
	return math.Sqrt(squares * n / (n - 1))
}

// Paired is how much a metric changes from the items' values under one model to those under another, with its standard error:
// that of the paired differences, which is smaller than what the two errors suggest, since hard items are hard for both.
func Paired(metric string, from, to []Value) (difference, stderr float64, err error) {
	kind, known := metricKinds[metric]
	if !known || len(from) != len(to) || len(from) == 0 {
		return 0, 0, fmt.Errorf("task: metric %s of %d and of %d items cannot be paired", metric, len(from), len(to))
	}
	a := aggregations[kind.aggregation]
	difference = a.of(to) - a.of(from)
	u, v := a.influence(from), a.influence(to)
	for i := range u {
		u[i] = v[i] - u[i]
	}
	if len(u) < 2 {
		return difference, math.NaN(), nil
	}
	return difference, spread(u), nil
}

// readMetrics reads metric_list.
func (t *Task) readMetrics(n *node) error {
	entries, err := n.Objects("metric_list: ")
	if err != nil {
		return err
	}
	for _, e := range entries {
		named, ok := e.At["metric"]
		if !ok {
			return n.Fail("metric_list: an entry without metric")
		}
		name, err := named.Text("metric_list: metric")
		if err != nil {
			return err
		}
		m, err := newMetric(name, t.OutputType)
		if err != nil {
			return named.Fail("metric_list: %v", err)
		}
		if slices.ContainsFunc(t.Metrics, func(o Metric) bool { return o.Name == name }) {
			return named.Fail("metric_list: metric %s is listed twice", name)
		}
		keys := table{
			"metric": func(*node) error { return nil },
			"aggregation": func(n *node) error {
				a, err := n.Text("metric_list: aggregation")
				if err == nil && a != m.aggregation {
					err = n.Fail("metric_list: %s is aggregated by %s, not by %q", name, m.aggregation, a)
				}
				return err
			},
			"higher_is_better": func(n *node) (err error) {
				m.HigherIsBetter, err = n.Truth("metric_list: higher_is_better")
				return err
			},
		}
		if name == "exact_match" && t.OutputType == Generate {
			keys["ignore_case"] = truthInto(&m.match.anyCase, "metric_list: ignore_case")
			keys["ignore_punctuation"] = truthInto(&m.match.noMarks, "metric_list: ignore_punctuation")
			keys["ignore_numbers"] = truthInto(&m.match.noNumbers, "metric_list: ignore_numbers")
			keys["regexes_to_ignore"] = func(n *node) error {
				texts, err := n.Texts("metric_list: regexes_to_ignore")
				for _, s := range texts {
					r, err := pyregexp.Compile(s)
					if err != nil {
						return n.Fail("metric_list: regexes_to_ignore: %v", err)
					}
					m.match.remove = append(m.match.remove, r)
				}
				return err
			}
		}
		if err := keys.read(e, "metric_list: "); err != nil {
			return err
		}
		t.Metrics = append(t.Metrics, m)
	}
	t.metricList = plain(n)
	return nil
}

func truthInto(to *bool, key string) func(*node) error {
	return func(n *node) (err error) {
		*to, err = n.Truth(key)
		return err
	}
}

func newMetric(name string, output OutputType) (Metric, error) {
	kind, known := metricKinds[name]
	if !known {
		var names []string
		for k := range metricKinds {
			names = append(names, k)
		}
		return Metric{}, fmt.Errorf("metric %q is not known%s", name, nearest(name, names))
	}
	if !slices.Contains(kind.types, output) {
		return Metric{}, fmt.Errorf("metric %s does not go with output_type %s", name, output)
	}
	return Metric{Name: name, HigherIsBetter: kind.higher, aggregation: kind.aggregation}, nil
}
