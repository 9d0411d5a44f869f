// Package score gives the log-likelihoods of many continuations at once.
//
// Requests are sorted, so that those that begin alike stand together, and go through the model as trees: the tokens that
// requests share, such as the examples before the questions of a subject, or the question before its choices, are
// computed once. A group of trees goes through one layer after another, so a layer is read once a group and the model
// need not fit the memory. In the last layer and the head only those rows are computed that predict a token of a
// continuation. Nothing is padded.
//
// A request's result is the same, bit for bit, whatever other requests there are, in whatever groups they go, and on any
// number of threads.
package score

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"shallow/compute"
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
	Drop   []int // layers that are left out
	// Save, if given, is called with the numbers of the requests that a group has finished.
	Save func(done []int, results []Result) error
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

// Run scores requests. When ctx ends it stops within one piece of a layer and returns ctx's error.
func Run(ctx context.Context, m *decoder.Model, requests []Request, o Options) ([]Result, error) {
	if err := check(m, requests); err != nil {
		return nil, err
	}
	order := make([]int, len(requests))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		return cmp.Or(compare(&requests[a], &requests[b]), cmp.Compare(a, b))
	})
	groups, forecast, err := divide(m, requests, order, o)
	if err != nil {
		return nil, err
	}
	if o.Begin != nil {
		o.Begin(forecast)
	}
	results := make([]Result, len(requests))
	layers := m.Spec.L - len(o.Drop)
	p := &counter{report: o.Progress, total: int64(forecast.Rows) * int64(layers)}
	p.add(0)
	for _, group := range groups {
		t := newTree(m.Spec, requests, group)
		if err := t.run(ctx, m, o.Drop, results, p); err != nil {
			return nil, err
		}
		if o.Save != nil {
			if err := o.Save(group, results); err != nil {
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

// run takes a tree through the model.
func (t *tree) run(ctx context.Context, m *decoder.Model, drop []int, results []Result, p *counter) error {
	g, err := m.StartTree(t.segments)
	if err != nil {
		return fmt.Errorf("score: %w", err)
	}
	defer g.Close()
	x := m.Device.New(compute.Float32, len(t.rows), m.Spec.D)
	defer m.Device.Release(x.Memory)
	last := m.Spec.L - 1
	for slices.Contains(drop, last) {
		last--
	}
	for layer, err := range m.Layers(drop) {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		if layer.Index == last {
			g.ForwardRows(layer, t.rows, x)
			p.add(int64(g.Rows()))
			continue
		}
		for done := range g.Through(layer) {
			if err := ctx.Err(); err != nil {
				return err
			}
			p.add(int64(done))
		}
	}
	head := m.Head()
	defer head.Release()
	for _, r := range t.requests {
		results[r] = Result{Greedy: true}
	}
	// A row's targets come in the order of their places in the request, so each sum runs over ascending places.
	err = head.Predict(x, func(row int, p decoder.Prediction) error {
		for _, w := range t.targets[row] {
			r := &results[w.request]
			r.LogLikelihood += p.LogProb(w.id)
			r.Greedy = r.Greedy && w.id == p.Top
		}
		return nil
	})
	var broken *decoder.RowError
	if errors.As(err, &broken) {
		err = &RequestError{t.targets[broken.Row][0].request, explain(g, last, broken)}
	}
	return err
}

// explain finds what made a row's logits not finite. X of g is what entered the last layer.
func explain(g *decoder.Group, last int, broken *decoder.RowError) error {
	var at *decoder.NonFiniteError
	if errors.As(g.Finite(last-1), &at) {
		return at
	}
	return fmt.Errorf("%w, though all states that enter layer %d are: a weight of that layer, of the final norm or of the head is broken", broken, last)
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
