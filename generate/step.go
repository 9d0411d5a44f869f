package generate

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"shallow/decoder"
)

// stepWork is memory that every step uses again.
type stepWork struct {
	steps     []decoder.Step
	jobs      []*job // whose these are
	starts    []int  // lengths of the sequences before them
	sequences []int
	lengths   []int
}

// step takes all live jobs on by one token, and as much of new prompts as there are rows left, in one pass through the
// layers.
func (e *Engine) step() {
	rows, prompt := e.lay()
	if rows > 0 {
		err := e.session.Predict(e.work.steps, e.see)
		for errors.Is(err, decoder.ErrFull) && e.forget() {
			err = e.session.Predict(e.work.steps, e.see)
		}
		if err != nil {
			for _, j := range e.work.jobs {
				j.err = err
			}
		}
	}
	e.mu.Lock()
	if rows > 0 {
		e.stats.Steps++
	}
	e.stats.Rows += int64(rows)
	e.stats.Prompt += int64(prompt)
	e.mu.Unlock()
	e.live = slices.DeleteFunc(e.live, func(j *job) bool {
		if j.MaxTokens == 0 && e.session.Length(j.text.seq) == j.prefill {
			j.finish = FinishLength
		}
		ended := j.err != nil || j.finish != ""
		if ended {
			e.retire(j)
			e.end(j, j.finish, j.err)
		}
		return ended
	})
}

// lay chooses the tokens of a step: first the last ones of all jobs that generate, then prompts in the order in which
// they came.
func (e *Engine) lay() (rows, prompt int) {
	w := &e.work
	w.steps, w.jobs, w.starts = w.steps[:0], w.jobs[:0], w.starts[:0]
	add := func(j *job, s decoder.Step, at int) {
		s.Sequence = j.text.seq
		w.steps, w.jobs, w.starts = append(w.steps, s), append(w.jobs, j), append(w.starts, at)
		rows += len(s.IDs)
	}
	for _, j := range e.live {
		if at := e.session.Length(j.text.seq); at >= len(j.Prompt) {
			add(j, decoder.Step{IDs: j.text.ids[at : at+1], LogProbs: j.LogProbs}, at)
		}
	}
	for _, j := range e.live {
		at := e.session.Length(j.text.seq)
		n := min(j.prefill-at, e.o.StepRows-rows)
		if n <= 0 {
			continue
		}
		s := decoder.Step{IDs: j.Prompt[at : at+n], Whole: j.prefill}
		switch {
		case j.PromptLogProbs:
			s.Wanted, s.LogProbs = n, true
		case at+n == j.prefill:
			s.LogProbs = j.LogProbs
		default:
			s.Wanted = -1
		}
		add(j, s, at)
		prompt += n
	}
	return rows, prompt
}

// see takes what follows a token of a step: the log-probability of the next one, or the next one.
func (e *Engine) see(step, token int, p decoder.Prediction) error {
	j, at := e.work.jobs[step], e.work.starts[step]+token+1
	if j.err != nil {
		return nil
	}
	if at < len(j.Prompt) {
		t := Token{ID: j.Prompt[at], Prompt: true}
		if j.err = t.score(p, j.Top, at); j.err != nil {
			return nil
		}
		j.text.scores = append(j.text.scores, t)
		e.tell(j, t)
		return nil
	}
	id, err := j.sampler.Next(p.Logits)
	if err != nil {
		j.err = fmt.Errorf("%w: behind token %d: %w", ErrNotFinite, at-1, err)
		return nil
	}
	t := Token{ID: id, End: slices.Contains(j.Ends, id)}
	if j.LogProbs {
		if j.err = t.score(p, j.Top, at); j.err != nil {
			return nil
		}
	} else if math.IsInf(float64(p.Logits[id]), -1) {
		j.err = notFinite(at)
		return nil
	}
	e.tell(j, t)
	e.mu.Lock()
	e.stats.Generated++
	e.mu.Unlock()
	j.generated++
	switch {
	case t.End:
		j.finish = FinishEnd
	case j.generated == j.MaxTokens:
		j.finish = FinishLength
	default:
		j.text.ids = append(j.text.ids, id)
	}
	return nil
}

func notFinite(at int) error {
	return fmt.Errorf("%w: behind token %d", ErrNotFinite, at-1)
}

// score says how likely the token in place at is, and which are most likely there.
func (t *Token) score(p decoder.Prediction, top, at int) error {
	if !p.Finite() {
		return notFinite(at)
	}
	t.Known, t.LogProb = true, p.LogProb(t.ID)
	t.Top = likeliest(p, top)
	return nil
}

// first is the token with fewer of the most likely ones.
func (t Token) first(top int) Token {
	switch {
	case top == 0:
		t.Top = nil
	case len(t.Top) > top:
		t.Top = t.Top[:top:top]
	}
	return t
}

// likeliest are the n tokens with the largest logits, the lower id first among equals.
func likeliest(p decoder.Prediction, n int) []Likely {
	if n == 0 {
		return nil
	}
	top := make([]Likely, 0, n)
	for id, v := range p.Logits {
		if len(top) == n {
			if v <= p.Logits[top[n-1].ID] {
				continue
			}
			top = top[:n-1]
		}
		at := len(top)
		for at > 0 && v > p.Logits[top[at-1].ID] {
			at--
		}
		top = slices.Insert(top, at, Likely{ID: id})
	}
	for i := range top {
		top[i].LogProb = p.LogProb(top[i].ID)
	}
	return top
}
