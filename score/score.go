// Package score gives the log-likelihoods of many continuations at once.
//
// Requests are sorted, so that those that begin alike stand together, and go through the model as trees: the tokens that
// requests share, such as the examples before the questions of a subject, or the question before its choices, are
// computed once. A group of trees goes through one layer after another, so a layer is read once a group and the model
// need not fit the memory. In the last layer and the head only those rows are computed that predict a token of a
// continuation. Nothing is padded.
//
// Variants of a model that lack some of its layers go together too: they part where the first layer is missing.
//
// A request's result is the same, bit for bit, whatever other requests there are, in whatever groups they go, and on any
// number of threads.
package score

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"shallow/decoder"
)

// Request asks for the log-likelihood of a continuation behind a context. Both have at least one token. Requests may share
// a slice for their contexts: where it is the same, it is not looked at twice.
type Request struct{ Context, Continuation []int }

// Result is what the model says of a continuation.
type Result struct {
	LogLikelihood float64 // the sum over its tokens, in nats
	Greedy        bool    // each of its tokens is the likeliest at its place
}

// Options say how to score.
type Options struct {
	Memory int64 // bounds weights, activations and states together, in bytes; 0 is no bound
	// Save, if given, is called for each variant with the numbers of the requests that a group has finished.
	Save func(variant int, done []int, results []Result) error
	// Begin, if given, is called once with what the run will take.
	Begin func(Forecast)
	// Progress, if given, is called now and then with how many rows have gone through how many layers, rows times layers.
	Progress func(done, total int64)
}

// Forecast is what a run will take.
type Forecast struct {
	Requests int
	Tokens   int   // of all requests
	Rows     int   // that are computed for them
	Groups   int   // times that the weights will be read
	Memory   int64 // bytes of weights, activations and states at the most
}

// RequestError says which request could not be scored.
type RequestError struct {
	Request int
	Err     error
}

func (e *RequestError) Error() string { return fmt.Sprintf("score: request %d: %v", e.Request, e.Err) }

// Unwrap is the cause.
func (e *RequestError) Unwrap() error { return e.Err }

// Run scores requests by a model without the layers that drop lists. When ctx ends it stops within one piece of a layer and
// returns ctx's error.
func Run(ctx context.Context, m *decoder.Model, requests []Request, drop []int, o Options) ([]Result, error) {
	results, err := Variants(ctx, m, requests, [][]int{drop}, o)
	if err != nil {
		return nil, err
	}
	return results[0], nil
}

// Variants scores requests by a model without each of several lists of layers. What variants have in common before the
// first layer that only some of them have is computed once, and each layer is loaded once a group for all of them. Results
// are, bit for bit, those of Run with each list.
func Variants(ctx context.Context, m *decoder.Model, requests []Request, drops [][]int, o Options) ([][]Result, error) {
	if err := check(m, requests); err != nil {
		return nil, err
	}
	f, err := newForest(m.Spec.L, drops)
	if err != nil {
		return nil, err
	}
	order := make([]int, len(requests))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		return cmp.Or(compare(&requests[a], &requests[b]), cmp.Compare(a, b))
	})
	groups, forecast, err := divide(m, requests, order, f, o)
	if err != nil {
		return nil, err
	}
	if o.Begin != nil {
		o.Begin(forecast)
	}
	results := make([][]Result, len(drops))
	for v := range results {
		results[v] = make([]Result, len(requests))
	}
	p := &counter{report: o.Progress, total: int64(forecast.Rows) * int64(f.passes)}
	p.add(0)
	for _, group := range groups {
		r := &run{model: m, forest: f, tree: newTree(m.Spec, requests, group), results: results, progress: p}
		if err := r.through(ctx); err != nil {
			return nil, err
		}
		for v := range results {
			if o.Save == nil {
				break
			}
			if err := o.Save(v, group, results[v]); err != nil {
				return nil, err
			}
		}
	}
	return results, nil
}

func check(m *decoder.Model, requests []Request) error {
	for i := range requests {
		r := &requests[i]
		switch {
		case len(r.Context) == 0 || len(r.Continuation) == 0:
			return &RequestError{i, fmt.Errorf("%d tokens of context and %d of continuation: both need one", len(r.Context), len(r.Continuation))}
		case m.Spec.Positions > 0 && r.fed() > m.Spec.Positions:
			return &RequestError{i, fmt.Errorf("%d tokens, the model knows %d positions", r.fed(), m.Spec.Positions)}
		}
		for _, ids := range [][]int{r.Context, r.Continuation} {
			for _, id := range ids {
				if id < 0 || id >= m.Spec.V {
					return &RequestError{i, fmt.Errorf("token %d is outside the vocabulary of %d: tokenizer and model do not belong together", id, m.Spec.V)}
				}
			}
		}
	}
	return nil
}

// counter reports rows times layers.
type counter struct {
	report      func(done, total int64)
	done, total int64
}

func (c *counter) add(n int64) {
	if c.done += n; c.report != nil {
		c.report(c.done, c.total)
	}
}
