package eval

import (
	"fmt"

	"shallow/eval/task"
	"shallow/score"
)

// continued is an item's continuation, and what a baseline made of the same prompt.
type continued struct {
	*generation
	baseline []int           // the baseline's own continuation; nil without one
	losses   []task.Response // what the baseline gives each stretch between two lengths
}

// continuation lets the model go on from the first tokens of a text for as long as the task's last length.
func (w *work) continuation(t *Evaluated, i int, it *task.Item) error {
	lengths := t.Task.Lengths
	most := lengths.Of[len(lengths.Of)-1]
	ids := w.encoder.tokenizer.Encode(it.Text, true)
	if err := w.encoder.tokenizer.Err(); err != nil {
		return err
	}
	ids = ids[:min(len(ids), lengths.Prompt)]
	switch {
	case len(ids) == 0:
		return fmt.Errorf("the text is empty")
	case len(ids)+most > w.encoder.length:
		return fmt.Errorf("%d tokens behind a prompt of %d, the model is given %d: name a task with shorter lengths", most, len(ids), w.encoder.length)
	}
	t.Responses[i] = make([]task.Response, 1)
	g := &generation{owner: owner{t, i, &t.Responses[i][0]}, prompt: ids, most: most, open: true}
	w.generations = append(w.generations, g)
	t.continued = append(t.continued, continued{generation: g})
	return nil
}

// judge asks for the losses of another model's continuations, and of this one's own, and lays this one's beside the others.
func (w *work) judge(other *Evaluation) {
	if other == nil {
		return
	}
	own := map[string]*Evaluated{}
	for _, g := range w.generations {
		own[g.task.Task.Name] = g.task
	}
	for _, t := range other.Tasks {
		mine := own[t.Task.Name]
		if mine == nil {
			continue
		}
		for i := range t.continued {
			for _, c := range []*continued{&t.continued[i], &mine.continued[i]} {
				c.baseline = mine.continued[i].ids
				w.stretches(c)
			}
		}
	}
}

// stretches asks for the log-likelihood of what lies between two lengths, one after another.
func (w *work) stretches(c *continued) {
	lengths := c.task.Task.Lengths.Of
	c.losses = make([]task.Response, len(lengths))
	from := 0
	all := append(append([]int{}, c.prompt...), c.ids...)
	for i, to := range lengths {
		w.ask(owner{c.task, c.item, &c.losses[i]}, score.Request{Context: all[:len(c.prompt)+from], Continuation: all[len(c.prompt)+from : len(c.prompt)+to]})
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
