package eval

import (
	"errors"
	"fmt"
	"slices"

	"shallow/eval/task"
	"shallow/score"
)

// continued is an item's continuation, and what a baseline made of the same prompt.
type continued struct {
	prompt, ids []int
	baseline    []int           // the baseline's own continuation; nil without one
	losses      []task.Response // what the baseline gives each stretch between two lengths
}

// continuation lets the model go on from the first tokens of a text for as long as the task's last length.
func (w *work) continuation(o owner, it *task.Item, lengths task.Lengths) ([]task.Response, error) {
	most := lengths.Of[len(lengths.Of)-1]
	ids := w.encoder.tokenizer.Encode(it.Text, true)
	if err := w.encoder.tokenizer.Err(); err != nil {
		return nil, err
	}
	ids = ids[:min(len(ids), lengths.Prompt)]
	switch {
	case len(ids) == 0:
		return nil, errors.New("the text is empty")
	case len(ids)+most > w.encoder.length:
		return nil, fmt.Errorf("%d tokens behind a prompt of %d, the model is given %d: name a task with shorter lengths", most, len(ids), w.encoder.length)
	}
	w.generations = append(w.generations, generation{owner: o, prompt: ids, most: most, open: true})
	return make([]task.Response, 1), nil
}

// judge lays this model's continuations beside those of another, and asks for the losses that it gives both.
func (w *work) judge(v *variant, other *Evaluation) {
	if other == nil {
		return
	}
	for t, mine := range v.Tasks {
		if mine.continued == nil {
			continue
		}
		at := slices.IndexFunc(other.Tasks, func(e *Evaluated) bool { return e.Task.Name == mine.Task.Name })
		if at < 0 {
			continue
		}
		for i := range mine.continued {
			own, theirs := &mine.continued[i], &other.Tasks[at].continued[i]
			theirs.baseline, own.baseline = own.ids, own.ids
			for _, c := range []*continued{own, theirs} {
				v.stretches(owner{task: t, item: i}, c, mine.Task.Lengths.Of)
			}
		}
	}
}

// stretches asks for the log-likelihood of what lies between two lengths, one after another.
func (v *variant) stretches(o owner, c *continued, lengths []int) {
	c.losses = make([]task.Response, len(lengths))
	all := slices.Concat(c.prompt, c.ids)
	from := len(c.prompt)
	for i, length := range lengths {
		to := len(c.prompt) + length
		v.extra = append(v.extra, extra{o, score.Request{Context: all[:from], Continuation: all[from:to]}, &c.losses[i]})
		from = to
	}
}

// score scores item i.
func (t *Evaluated) score(i, vocabulary int) ([]task.Score, error) {
	if t.continued == nil {
		return t.Score(t.Items[i], t.Responses[i], vocabulary)
	}
	c := &t.continued[i]
	var losses []float64
	for _, l := range c.losses {
		losses = append(losses, -l.LogLikelihood)
	}
	return t.Task.ScoreContinuation(c.ids, c.baseline, losses)
}
