package generate

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"

	"shallow/decoder"
)

// EngineOptions say how much an [Engine] does at a time. What it gives does not depend on them.
type EngineOptions struct {
	Sequences int // requests that are computed together; 0 is 16
	Length    int // tokens of the longest; 0 is the model's context
	Tokens    int // room for keys and values of all together; 0 is Sequences · Length
	StepRows  int // tokens that go through the layers together, at most; 0 is 256. Longer prompts go in pieces
	Kept      int // ended sequences whose keys and values stay while nobody needs their room; 0 is Sequences, -1 none
}

// Engine continues and scores the prompts of many requests at once. In each step the next tokens of all requests, and
// pieces of new prompts, go through the layers together, so that weights are read once for all of them. Requests that
// begin alike share keys and values of their beginnings, also with requests that have ended.
//
// A request's tokens and log-probabilities are, bit for bit, those that it gets alone.
type Engine struct {
	session  *decoder.Session
	spec     *decoder.Spec
	o        EngineOptions
	wake     chan struct{} // of one: there may be something to do
	stop     context.CancelFunc
	stopping context.Context
	done     chan struct{} // Run has returned

	mu      sync.Mutex
	arrived []*job
	stats   Stats
	started bool
	stopped error // why no more requests are taken
	release sync.Once

	// Run's own.
	waiting []*job
	live    []*job
	kept    []*text
	clock   int
	work    stepWork
}

// Stats counts what an engine has done, and says what it has to do.
type Stats struct {
	Steps     int64 // passes through the layers
	Rows      int64 // tokens of all passes
	Prompt    int64 // prompt tokens that were computed
	Reused    int64 // prompt tokens whose keys and values were there
	Generated int64 // tokens drawn
	Requests  int64 // that have ended
	Failed    int64 // of them with an error, cancelled ones among them

	Running, Waiting, Kept int // requests that have a place, that wait for one; sequences that stay
	Tokens, FreeTokens     int // room for keys and values, and what of it no sequence has
}

// NewEngine makes room for requests. The stack, its model and their device are the engine's alone until it is closed.
func NewEngine(stack *decoder.Stack, o EngineOptions) (*Engine, error) {
	if o.Sequences <= 0 {
		o.Sequences = 16
	}
	if o.StepRows <= 0 {
		o.StepRows = 256
	}
	if o.Kept == 0 {
		o.Kept = o.Sequences
	}
	s, err := stack.NewSession(decoder.Room{Sequences: o.Sequences, Kept: o.Kept, Length: o.Length, Tokens: o.Tokens, Rows: o.StepRows})
	if err != nil {
		return nil, err
	}
	room := s.Room()
	o.Length, o.Kept, o.StepRows = room.Length, room.Kept, room.Rows
	e := &Engine{session: s, spec: stack.Spec(), o: o, wake: make(chan struct{}, 1), done: make(chan struct{})}
	e.stopping, e.stop = context.WithCancel(context.Background())
	e.stats.Tokens, e.stats.FreeTokens = s.Tokens()
	e.o.Tokens = e.stats.Tokens
	return e, nil
}

// Length is how many tokens a sequence can have. A request's last token is only predicted: prompt and MaxTokens together
// may be one more.
func (e *Engine) Length() int { return e.o.Length }

// Bytes is the memory of keys and values.
func (e *Engine) Bytes() int64 { return e.session.Bytes() }

// Stats is the state of things.
func (e *Engine) Stats() Stats {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.stats
}

// Run serves requests until ctx ends, and gives its error, or until Close, and gives nil. Requests that have not ended by
// then end with [ErrStopped]. It is to be called once, on a goroutine of its own.
func (e *Engine) Run(ctx context.Context) (err error) {
	e.mu.Lock()
	again := e.started
	e.started = true
	stopped := e.stopped
	e.mu.Unlock()
	if again || stopped != nil {
		return fmt.Errorf("%w, or runs already", ErrStopped)
	}
	defer close(e.done)
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("generate: panic: %v\n%s", p, debug.Stack())
		}
		e.abandon(err)
	}()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-e.stopping.Done():
			return nil
		default:
		}
		e.admit()
		e.report()
		if len(e.live) > 0 {
			e.step()
			continue
		}
		select {
		case <-ctx.Done():
		case <-e.stopping.Done():
		case <-e.wake:
		}
	}
}

// abandon ends all requests that have not ended, and refuses new ones.
func (e *Engine) abandon(cause error) {
	e.mu.Lock()
	if e.stopped == nil {
		e.stopped = ErrStopped
		if cause != nil {
			e.stopped = fmt.Errorf("%w: %w", ErrStopped, cause)
		}
	}
	err := e.stopped
	jobs := append(append(e.arrived, e.waiting...), e.live...)
	e.arrived, e.stats.Running, e.stats.Kept = nil, 0, 0
	e.mu.Unlock()
	for _, j := range jobs {
		e.end(j, "", err)
	}
}

// Close stops Run and gives the memory of keys and values back. Requests that have not ended end with [ErrStopped].
func (e *Engine) Close() {
	e.stop()
	e.mu.Lock()
	started := e.started
	e.started = true
	e.mu.Unlock()
	if started {
		<-e.done
	} else {
		e.abandon(nil)
		close(e.done)
	}
	e.release.Do(e.session.Release)
}

// report brings the numbers up to date that say what there is now.
func (e *Engine) report() {
	e.mu.Lock()
	defer e.mu.Unlock()
	_, e.stats.FreeTokens = e.session.Tokens()
	e.stats.Running, e.stats.Kept = len(e.live), len(e.kept)
}
