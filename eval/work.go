package eval

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"shallow/decoder"
	"shallow/eval/task"
	"shallow/score"
)

// work is all that a model, or each variant of one, is asked, and where each answer belongs.
type work struct {
	set                   *task.Set
	runs                  []*task.Run
	encoder               *encoder
	vocabulary, bootstrap int

	requests    []score.Request
	owners      []owner
	generations []generation
	responses   [][][]task.Response // of each task's items, as they are before any answer
}

// owner is the response of an item that an answer belongs to.
type owner struct{ task, item, place int }

// generation is a text that is to be generated.
type generation struct {
	owner
	prompt      []int
	most        int
	until       []string
	open        bool // goes on past end tokens
	temperature float64
}

// newWork builds the tasks' items and turns them into requests.
func newWork(ctx context.Context, m *decoder.Model, set *task.Set, o Options) (*work, error) {
	length, err := o.modelLength(m)
	if err != nil {
		return nil, err
	}
	e, err := newEncoder(o.Tokenizer, m.Checkpoint.Config, length)
	if err != nil {
		return nil, err
	}
	w := &work{set: set, encoder: e, vocabulary: m.Spec.V, bootstrap: o.Bootstrap}
	for t, one := range set.Tasks {
		run, err := one.Build(ctx, o.Rows, o.Task)
		if err != nil {
			return nil, err
		}
		w.runs = append(w.runs, run)
		w.responses = append(w.responses, nil)
		for i := range run.Items {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			responses, err := w.add(run, owner{task: t, item: i})
			if err != nil {
				return nil, fmt.Errorf("eval: %s: %w", w.name(owner{task: t, item: i}), err)
			}
			w.responses[t] = append(w.responses[t], responses)
		}
	}
	return w, nil
}

// name says whose an answer is.
func (w *work) name(o owner) string {
	return fmt.Sprintf("%s, document %d", w.runs[o.task].Task.Name, w.runs[o.task].Items[o.item].DocID)
}

// add turns an item into requests and gives the responses that they will fill.
func (w *work) add(run *task.Run, o owner) ([]task.Response, error) {
	it := run.Items[o.item]
	switch run.Task.OutputType {
	case task.MultipleChoice, task.LogLikelihood:
		return w.choices(o, it)
	case task.Rolling:
		windows, err := w.encoder.rolling(it.Text)
		return w.whole(o, windows), err
	case task.NextToken:
		r, err := w.encoder.tokens(it.Text)
		if len(r.Context) == 0 {
			return w.whole(o, nil), err
		}
		return w.whole(o, []score.Request{r}), err
	case task.AnswerToken:
		return w.answers(o, it)
	case task.Generate:
		return w.generation(o, it)
	case task.Continuation:
		return w.continuation(o, it, run.Task.Lengths)
	}
	return nil, fmt.Errorf("output_type %q cannot be evaluated", run.Task.OutputType)
}

func (w *work) ask(o owner, r score.Request) {
	w.requests, w.owners = append(w.requests, r), append(w.owners, o)
}

// choices asks for the log-likelihood of each choice behind its context.
func (w *work) choices(o owner, it *task.Item) (responses []task.Response, err error) {
	for c, continuation := range it.Continuations {
		r, err := w.encoder.pair(it.Context(c), continuation)
		if err != nil {
			return nil, err
		}
		o.place = c
		w.ask(o, r)
		responses = append(responses, task.Response{Greedy: true, Tokens: len(r.Continuation)})
	}
	return responses, nil
}

// whole asks for the log-likelihood of a text, in windows.
func (w *work) whole(o owner, windows []score.Request) []task.Response {
	response := task.Response{Greedy: true}
	for _, r := range windows {
		response.Tokens += len(r.Continuation)
		w.ask(o, r)
	}
	return []task.Response{response}
}

// answers asks for one token behind the prompt, with as many examples as fit.
func (w *work) answers(o owner, it *task.Item) (responses []task.Response, err error) {
	var ids []int
	for shots := len(it.Shots); ; shots-- {
		ids = w.encoder.tokenizer.Encode(it.ContextWith(0, shots), true)
		if len(ids) <= w.encoder.length || shots == 0 || !it.DropShots {
			break
		}
	}
	if err := w.encoder.tokenizer.Err(); err != nil {
		return nil, err
	}
	ids = ids[max(0, len(ids)-w.encoder.length):]
	if len(ids) == 0 {
		return nil, errors.New("the prompt is empty")
	}
	for c, answer := range it.Continuations {
		id, err := w.encoder.answer(answer)
		if err != nil {
			return nil, err
		}
		o.place = c
		w.ask(o, score.Request{Context: ids, Continuation: []int{id}})
		responses = append(responses, task.Response{Greedy: true, Tokens: 1})
	}
	return responses, nil
}

func (w *work) generation(o owner, it *task.Item) ([]task.Response, error) {
	g := it.Generation
	ids, err := w.encoder.prompt(it.Context(0), g.MaxTokens)
	if err != nil {
		return nil, err
	}
	until := slices.Clone(g.Until)
	if eos, ok := w.encoder.tokenizer.EOS(); ok {
		until = append(until, w.encoder.tokenizer.Decode([]int{eos}, false))
	}
	w.generations = append(w.generations, generation{owner: o, prompt: ids, most: g.MaxTokens, until: until, temperature: g.Temperature})
	return make([]task.Response, 1), nil
}
