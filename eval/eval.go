// Package eval scores a model on tasks, with the numbers that lm-evaluation-harness gives and several times faster.
//
// Tasks, prompts and metrics are package task's; the ids that are scored are the harness's (see encoder). The requests of
// all tasks go to package score together, so that what they share is computed once, and texts that are generated go to
// a generate.Engine, many at a time. What has been computed is kept in a journal: an evaluation that was stopped, or asked
// for again with more tasks, computes nothing twice. Variants of a model that lack some of its layers can be evaluated
// together: they share the layers that they have in common at their beginning.
package eval

import (
	"context"
	"fmt"
	"slices"

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
	Bootstrap int          // draws for standard errors that have no formula; 0 gives no standard errors
	Drop      []int        // layers that are left out; Variants takes its own
	Memory    int64        // bytes for weights, activations, states, keys and values; 0 is no bound
	Journal   string       // file that keeps what was computed; "" for none. Variants have one each, as VariantJournal says
	ReadOnly  bool         // the journal is another process's: it is read, and nothing is kept
	Key       string       // what else results depend on: kernels, an adapter
	Judge     *Evaluation  // another model's, whose continuations this one gives losses

	// Begin, if given, is called before texts are generated and before continuations are scored, where there is anything to do.
	Begin func(Forecast)
	// Progress, if given, is called now and then: in a Scoring phase with rows times layers, in a Generating one with texts.
	Progress func(p Phase, done, total int64)
}

// Phase is a part of an evaluation.
type Phase string

// The phases, in their order.
const (
	Generating Phase = "generate"
	Scoring    Phase = "score"
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
	w, err := newWork(ctx, m, set, o)
	if err != nil {
		return nil, err
	}
	vs := []*variant{w.variant(o.Drop, o.Journal)}
	if err := w.run(ctx, m, vs, o); err != nil {
		return nil, err
	}
	if o.Judge != nil {
		if err := o.Judge.total(); err != nil {
			return nil, err
		}
	}
	return vs[0].Evaluation, vs[0].total()
}

// Variants evaluates a model without each of several lists of layers. The results are those of Run with each of them.
func Variants(ctx context.Context, m *decoder.Model, set *task.Set, drops [][]int, o Options) ([]*Evaluation, error) {
	o.Judge = nil
	w, err := newWork(ctx, m, set, o)
	if err != nil {
		return nil, err
	}
	var vs []*variant
	for _, drop := range drops {
		vs = append(vs, w.variant(drop, VariantJournal(o.Journal, drop)))
	}
	if err := w.run(ctx, m, vs, o); err != nil {
		return nil, err
	}
	var all []*Evaluation
	for _, v := range vs {
		if err := v.total(); err != nil {
			return nil, err
		}
		all = append(all, v.Evaluation)
	}
	return all, nil
}

// variant is an evaluation of the model without some layers, while it is under way.
type variant struct {
	*Evaluation
	drop    []int
	file    string // of its journal
	journal *journal
	extra   []extra // requests of this variant alone
}

// extra is a request beside those of the tasks' items, and what its result is added to.
type extra struct {
	owner
	score.Request
	to *task.Response
}

// variant begins an evaluation: the responses are there, and empty.
func (w *work) variant(drop []int, file string) *variant {
	v := &variant{Evaluation: &Evaluation{Set: w.set, Length: w.encoder.length, vocabulary: w.vocabulary, bootstrap: w.bootstrap}, drop: drop, file: file}
	for t, run := range w.runs {
		e := &Evaluated{Run: run}
		for _, responses := range w.responses[t] {
			e.Responses = append(e.Responses, slices.Clone(responses))
		}
		if run.Task.OutputType == task.Continuation {
			e.continued = make([]continued, len(run.Items))
		}
		v.Tasks = append(v.Tasks, e)
	}
	return v
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

// modelLength is how many tokens a model is given at most.
func (o *Options) modelLength(m *decoder.Model) (int, error) {
	length := m.Spec.Context
	if o.MaxLength > 0 {
		length = o.MaxLength
	}
	if p := m.Spec.Positions; p > 0 && length > p {
		return 0, fmt.Errorf("eval: a length of %d tokens, the model knows %d positions", length, p)
	}
	return length, nil
}
