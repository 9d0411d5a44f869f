package eval

import (
	"context"
	"errors"
	"fmt"

	"shallow/decoder"
	"shallow/score"
)

// run computes what the journal does not have, and gives every item its responses.
func (w *work) run(ctx context.Context, m *decoder.Model, o Options) (err error) {
	j, err := openJournal(m, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, j.close()) }()
	if err := w.generate(ctx, m, o, j); err != nil {
		return err
	}
	w.judge(o.Judge)
	return w.score(ctx, m, o, j)
}

// score computes log-likelihoods.
func (w *work) score(ctx context.Context, m *decoder.Model, o Options, j *journal) error {
	results := make([]score.Result, len(w.requests))
	keys := make([]string, len(w.requests))
	var missing []int
	var requests []score.Request
	for i, r := range w.requests {
		keys[i] = scoreKey(r)
		var known bool
		if results[i], known = j.scores[keys[i]]; !known {
			missing, requests = append(missing, i), append(requests, r)
		}
	}
	if len(requests) > 0 {
		_, err := score.Run(ctx, m, requests, score.Options{
			Memory: o.Memory,
			Drop:   o.Drop,
			Save: func(done []int, found []score.Result) error {
				for _, r := range done {
					results[missing[r]] = found[r]
					j.addScore(keys[missing[r]], found[r])
				}
				return j.flush()
			},
			Begin: func(f score.Forecast) {
				o.begin(Forecast{Phase: Scoring, Known: len(w.requests) - len(requests), Forecast: f})
			},
			Progress: func(done, total int64) { o.progress(Scoring, done, total) },
		})
		var broken *score.RequestError
		if errors.As(err, &broken) {
			return fmt.Errorf("eval: %v: %w", w.owners[missing[broken.Request]], broken.Err)
		}
		if err != nil {
			return err
		}
	}
	// In the order of the requests, so that the windows of a text are always added in theirs.
	for i, r := range results {
		w.owners[i].add(r)
	}
	return nil
}
