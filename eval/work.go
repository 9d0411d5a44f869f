package eval

import (
	"fmt"
	"slices"

	"shallow/eval/task"
	"shallow/score"
)

// work is all that the model is asked, and where each answer belongs.
type work struct {
	encoder     *encoder
	requests    []score.Request
	owners      []owner
	generations []*generation
}

// owner is the response of an item that an answer belongs to.
type owner struct {
	task *Evaluated
	item int
	to   *task.Response
}

// generation is a text that is to be generated.
type generation struct {
	owner
	prompt      []int
	most        int
	until       []string
	open        bool // goes on past end tokens
	temperature float64
	key         string // of the journal
	ids         []int  // what came
}

// add turns item i of a task into requests.
func (w *work) add(t *Evaluated, i int) error {
	it := t.Items[i]
	switch t.Task.OutputType {
	case task.MultipleChoice, task.LogLikelihood:
		return w.choices(t, i, it)
	case task.Rolling:
		windows, err := w.encoder.rolling(it.Text)
		if err != nil {
			return err
		}
		w.whole(t, i, windows)
		return nil
	case task.NextToken:
		r, err := w.encoder.tokens(it.Text)
		if err != nil {
			return err
		}
		if len(r.Context) == 0 {
			w.whole(t, i, nil)
			return nil
		}
		w.whole(t, i, []score.Request{r})
		return nil
	case task.AnswerToken:
		return w.answers(t, i, it)
	case task.Generate:
		return w.generation(t, i, it)
	case task.Continuation:
		return w.continuation(t, i, it)
	}
	return fmt.Errorf("output_type %q cannot be evaluated", t.Task.OutputType)
}

// choices asks for the log-likelihood of each choice behind its context.
func (w *work) choices(t *Evaluated, i int, it *task.Item) error {
	t.Responses[i] = make([]task.Response, len(it.Continuations))
	for c, continuation := range it.Continuations {
		r, err := w.encoder.pair(it.Context(c), continuation)
		if err != nil {
			return err
		}
		t.Responses[i][c] = task.Response{Greedy: true, Tokens: len(r.Continuation)}
		w.ask(owner{t, i, &t.Responses[i][c]}, r)
	}
	return nil
}

// whole asks for the log-likelihood of a text, in windows.
func (w *work) whole(t *Evaluated, i int, windows []score.Request) {
	t.Responses[i] = []task.Response{{Greedy: true}}
	to := &t.Responses[i][0]
	for _, r := range windows {
		to.Tokens += len(r.Continuation)
		w.ask(owner{t, i, to}, r)
	}
}

// answers asks for one token behind the prompt, with as many examples as fit.
func (w *work) answers(t *Evaluated, i int, it *task.Item) error {
	t.Responses[i] = make([]task.Response, len(it.Continuations))
	var ids []int
	for shots := len(it.Shots); ; shots-- {
		ids = w.encoder.tokenizer.Encode(it.ContextWith(0, shots), true)
		if len(ids) <= w.encoder.length || shots == 0 || !it.DropShots {
			break
		}
	}
	if err := w.encoder.tokenizer.Err(); err != nil {
		return err
	}
	ids = ids[max(0, len(ids)-w.encoder.length):]
	if len(ids) == 0 {
		return fmt.Errorf("the prompt is empty")
	}
	for c, answer := range it.Continuations {
		id, err := w.encoder.answer(answer)
		if err != nil {
			return err
		}
		t.Responses[i][c] = task.Response{Greedy: true, Tokens: 1}
		w.ask(owner{t, i, &t.Responses[i][c]}, score.Request{Context: ids, Continuation: []int{id}})
	}
	return nil
}

func (w *work) generation(t *Evaluated, i int, it *task.Item) error {
	g := it.Generation
	ids, err := w.encoder.prompt(it.Context(0), g.MaxTokens)
	if err != nil {
		return err
	}
	until := slices.Clone(g.Until)
	if eos, ok := w.encoder.tokenizer.EOS(); ok {
		until = append(until, w.encoder.tokenizer.Decode([]int{eos}, false))
	}
	t.Responses[i] = make([]task.Response, 1)
	w.generations = append(w.generations, &generation{
		owner: owner{t, i, &t.Responses[i][0]}, prompt: ids, most: g.MaxTokens, until: until, temperature: g.Temperature,
	})
	return nil
}

func (w *work) ask(to owner, r score.Request) {
	w.requests, w.owners = append(w.requests, r), append(w.owners, to)
}

// add adds a request's result to the response that it belongs to.
func (o owner) add(r score.Result) {
	o.to.LogLikelihood += r.LogLikelihood
	o.to.Greedy = o.to.Greedy && r.Greedy
}

// String says whose an answer is.
func (o owner) String() string {
	return fmt.Sprintf("%s, document %d", o.task.Task.Name, o.task.Items[o.item].DocID)
}
