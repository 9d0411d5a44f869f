package eval

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"shallow/decoder"
	"shallow/eval/task"
	"shallow/score"
)

// run computes what the journals do not have, and gives every item of each variant its responses.
func (w *work) run(ctx context.Context, m *decoder.Model, vs []*variant, o Options) (err error) {
	for _, v := range vs {
		if v.journal, err = openJournal(m, v.file, v.drop, o.Key, o.ReadOnly); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, v.journal.close()) }()
	}
	for _, v := range vs {
		if err := w.generate(ctx, m, v, o); err != nil {
			return err
		}
		w.judge(v, o.Judge)
	}
	return w.score(ctx, m, vs, o)
}

// asked is what a variant has to be asked.
type asked struct {
	*variant
	requests []score.Request
	owners   []owner
	to       []*task.Response
	keys     []string
	results  []score.Result
	missing  []int // that the journal does not have
}

// score computes log-likelihoods. Variants whose journals lack the same requests go together.
func (w *work) score(ctx context.Context, m *decoder.Model, vs []*variant, o Options) error {
	keys := make([]string, len(w.requests))
	for i, r := range w.requests {
		keys[i] = scoreKey(r)
	}
	together := map[string][]*asked{}
	var order []string
	var all []*asked
	for _, v := range vs {
		a := &asked{variant: v, requests: slices.Clip(w.requests), owners: slices.Clip(w.owners), keys: slices.Clip(keys)}
		for _, o := range w.owners {
			a.to = append(a.to, v.response(o))
		}
		for _, x := range v.extra {
			a.requests, a.owners = append(a.requests, x.Request), append(a.owners, x.owner)
			a.keys, a.to = append(a.keys, scoreKey(x.Request)), append(a.to, x.to)
		}
		a.results = make([]score.Result, len(a.requests))
		var missing []string
		for i, key := range a.keys {
			var known bool
			if a.results[i], known = v.journal.scores[key]; !known {
				a.missing, missing = append(a.missing, i), append(missing, key)
			}
		}
		key := strings.Join(missing, " ")
		if len(together[key]) == 0 {
			order = append(order, key)
		}
		together[key] = append(together[key], a)
		all = append(all, a)
	}
	for _, key := range order {
		if err := w.scoreTogether(ctx, m, together[key], o); err != nil {
			return err
		}
	}
	for _, a := range all {
		// In the order of the requests, so that the windows of a text are always added in theirs.
		for i, r := range a.results {
			a.to[i].LogLikelihood += r.LogLikelihood
			a.to[i].Greedy = a.to[i].Greedy && r.Greedy
		}
	}
	return nil
}

// scoreTogether computes what variants lack, which is the same for all of them.
func (w *work) scoreTogether(ctx context.Context, m *decoder.Model, vs []*asked, o Options) error {
	missing := vs[0].missing
	if len(missing) == 0 {
		return nil
	}
	requests := make([]score.Request, len(missing))
	for i, r := range missing {
		requests[i] = vs[0].requests[r]
	}
	drops := make([][]int, len(vs))
	for i, v := range vs {
		drops[i] = v.drop
	}
	_, err := score.Variants(ctx, m, requests, drops, score.Options{
		Memory: o.Memory,
		Save: func(variant int, done []int, found []score.Result) error {
			v := vs[variant]
			for _, r := range done {
				v.results[missing[r]] = found[r]
				v.journal.addScore(v.keys[missing[r]], found[r])
			}
			return v.journal.flush()
		},
		Begin: func(f score.Forecast) {
			o.begin(Forecast{Phase: Scoring, Known: len(vs[0].requests) - len(missing), Forecast: f})
		},
		Progress: func(done, total int64) { o.progress(Scoring, done, total) },
	})
	var broken *score.RequestError
	if errors.As(err, &broken) {
		return fmt.Errorf("eval: %s: %w", w.name(vs[0].owners[missing[broken.Request]]), broken.Err)
	}
	return err
}

// response is what an answer is added to.
func (v *variant) response(o owner) *task.Response {
	return &v.Tasks[o.task].Responses[o.item][o.place]
}
