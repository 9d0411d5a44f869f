package serve

import (
	"context"
	"fmt"
	"net/http"
	"runtime/debug"
	"sync"

	"shallow/generate"
)

// box is what the sequences of a request have put out and the reply has not yet taken. What it can hold is bounded by what the
// request asked for, so no sequence waits for a client that reads slowly.
type box struct {
	mu     sync.Mutex
	events []event
	ready  chan struct{} // has room for one: there is something
}

// event is what a sequence has more, or its end.
type event struct {
	delta delta
	done  bool
	err   error
}

func (b *box) put(e event) {
	b.mu.Lock()
	b.events = append(b.events, e)
	b.mu.Unlock()
	select {
	case b.ready <- struct{}{}:
	default:
	}
}

func (b *box) take() []event {
	b.mu.Lock()
	defer b.mu.Unlock()
	events := b.events
	b.events = nil
	return events
}

// usage is what a request cost.
type usage struct {
	Prompt     int `json:"prompt_tokens"`
	Completion int `json:"completion_tokens"`
	Total      int `json:"total_tokens"`
}

// complete takes the sequences of a request to their ends and shows what each has more, in order for each of them. show's
// error ends them all. Nothing of the request is left running when complete returns.
func (s *Server) complete(r *http.Request, requests []generate.Request, c settings, show func([]delta) error) (u usage, err error) {
	ctx, cancel := context.WithTimeoutCause(r.Context(), s.limits.Time, errTime)
	out := &box{ready: make(chan struct{}, 1)}
	choices := make([]*choice, len(requests))
	for i, one := range requests {
		choices[i] = s.newChoice(i, one, c)
		if i%c.n == 0 {
			u.Prompt += len(one.Prompt)
		}
	}
	s.metrics.promptTokens.Add(float64(u.Prompt))
	var running sync.WaitGroup
	for _, c := range choices {
		running.Go(func() { s.sequence(ctx, c, out) })
	}
	defer func() {
		cancel()
		running.Wait()
		for _, c := range choices {
			u.Completion += c.generated
		}
		u.Total = u.Prompt + u.Completion
	}()
	for left := len(choices); left > 0; {
		select {
		case <-out.ready:
		case <-ctx.Done():
			return u, context.Cause(ctx)
		}
		var deltas []delta
		for _, e := range out.take() {
			if e.err != nil {
				if ctx.Err() != nil {
					return u, context.Cause(ctx)
				}
				return u, e.err
			}
			if e.done {
				left--
			}
			if d := e.delta; d.text != "" || len(d.scored) > 0 || d.finish != "" {
				deltas = append(deltas, d)
			}
		}
		if len(deltas) > 0 {
			if err := show(deltas); err != nil {
				return u, err
			}
		}
	}
	return u, nil
}

// sequence runs one choice to its end.
func (s *Server) sequence(ctx context.Context, c *choice, out *box) {
	defer func() {
		if v := recover(); v != nil { // one request's fault must not end the others
			s.log.Error("panic", "value", v, "stack", string(debug.Stack()))
			out.put(event{done: true, err: fmt.Errorf("%w: %v", errPanic, v)})
		}
	}()
	if d := c.begin(); d.text != "" {
		out.put(event{delta: d})
	}
	if c.request.MaxTokens > 0 || c.request.PromptLogProbs {
		clock := s.metrics.clock()
		c.request.Emit = func(t generate.Token) bool {
			clock.tick(t)
			out.put(event{delta: c.add(t)})
			return c.finish == ""
		}
		if _, err := s.engine.Submit(ctx, c.request); err != nil {
			out.put(event{done: true, err: err})
			return
		}
	}
	out.put(event{delta: c.end(), done: true})
}
