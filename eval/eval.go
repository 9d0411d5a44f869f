// Package eval scores a model on tasks, with the numbers that lm-evaluation-harness gives and several times faster.
//
// Tasks, prompts and metrics are package task's; the ids that are scored are the harness's (see encoder). The requests of
// all tasks go to package score together, so that what they share is computed once, and texts that are generated go to
// a generate.Engine, many at a time. What has been computed is kept in a journal: an evaluation that was stopped, or asked
// for again with more tasks, computes nothing twice.
package eval

import (
	"context"
	"fmt"

	"shallow/decoder"
	"shallow/eval/task"
	"shallow/score"
	"shallow/tokenizer"
)

// Options say what is evaluated, and how.
type Options struct {
	Rows      task.Rows // where documents come from
	Tokenizer *tokenizer.Tokenizer
	Ends      []int        // tokens that end a generated text
	Task      task.Options // shots, limit, seed
	MaxLength int          // tokens that the model is given at most; 0 is the model's context
	Bootstrap int          // samples for standard errors that have no formula; 0 leaves those out
	Drop      []int        // layers that are left out
	Memory    int64        // bytes for weights, activations, states, keys and values; 0 is no bound
	Journal   string       // file that keeps what was computed; "" for none
	Key       string       // what else results depend on: kernels, an adapter
	Judge     *Evaluation  // another model's, whose continuations this one gives losses

	// Begin, if given, is called once before scoring and once before generating, where there is anything to do.
	Begin func(Forecast)
	// Progress, if given, is called now and then: in a Scoring phase with rows times layers, in a Generating one with texts.
	Progress func(p Phase, done, total int64)
}

// Phase is a part of an evaluation.
type Phase string

// The phases, in their order.
const (
	Scoring    Phase = "score"
	Generating Phase = "generate"
)

// Forecast is what a phase will take.
type Forecast struct {
	Phase Phase
	Known int // requests that the journal has already
	score.Forecast
}

// Evaluation is what was found.
type Evaluation struct {
	Set    *task.Set
	Tasks  []*Evaluated
	Groups []task.Result
	Length int // tokens that the model was given at most

	vocabulary, bootstrap int
}

// Evaluated is a task with what the model made of its items.
type Evaluated struct {
	*task.Run
	Responses [][]task.Response // of each item
	Scores    [][]task.Score    // of each item, one a filter
	Total     task.Result

	continued []continued // of a continuation task, by item
}

// Run evaluates a model on the tasks of a set.
func Run(ctx context.Context, m *decoder.Model, set *task.Set, o Options) (*Evaluation, error) {
	length := m.Spec.Context
	if o.MaxLength > 0 {
		length = o.MaxLength
	}
	if p := m.Spec.Positions; p > 0 && length > p {
		return nil, fmt.Errorf("eval: a length of %d tokens, the model knows %d positions", length, p)
	}
	e, err := newEncoder(o.Tokenizer, m.Checkpoint.Config, length)
	if err != nil {
		return nil, err
	}
	w := &work{encoder: e}
	v := &Evaluation{Set: set, Length: length}
	for _, t := range set.Tasks {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		run, err := t.Build(ctx, o.Rows, o.Task)
		if err != nil {
			return nil, err
		}
		done := &Evaluated{Run: run, Responses: make([][]task.Response, len(run.Items))}
		v.Tasks = append(v.Tasks, done)
		for i := range run.Items {
			if err := w.add(done, i); err != nil {
				return nil, fmt.Errorf("eval: %s, document %d: %w", t.Name, run.Items[i].DocID, err)
			}
		}
	}
	if err := w.run(ctx, m, o); err != nil {
		return nil, err
	}
	v.vocabulary, v.bootstrap = m.Spec.V, o.Bootstrap
	if o.Judge != nil {
		if err := o.Judge.total(); err != nil {
			return nil, err
		}
	}
	return v, v.total()
}

// total scores the responses.
func (v *Evaluation) total() error {
	results := map[string]task.Result{}
	v.Groups = nil
	for _, t := range v.Tasks {
		t.Scores = nil
		for i := range t.Items {
			s, err := t.score(i, v.vocabulary)
			if err != nil {
				return err
			}
			t.Scores = append(t.Scores, s)
		}
		var err error
		if t.Total, err = t.Run.Total(t.Scores, task.TotalOptions{Draws: v.bootstrap}); err != nil {
			return err
		}
		results[t.Task.Name] = t.Total
	}
	for _, g := range v.Set.Groups {
		r := g.Aggregate(results)
		results[g.Name] = r
		v.Groups = append(v.Groups, r)
	}
	return nil
}

func (o *Options) begin(f Forecast) {
	if o.Begin != nil {
		o.Begin(f)
	}
}

func (o *Options) progress(p Phase, done, total int64) {
	if o.Progress != nil {
		o.Progress(p, done, total)
	}
}
