package generate

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"shallow/internal/sampling"
)

// Request is a prompt that an [Engine] continues, scores, or both.
type Request struct {
	Prompt    []int // at least one token
	MaxTokens int   // to generate; with 0 only the prompt is scored
	Ends      []int // tokens after which the text has ended; see [Ends]
	sampling.Options

	LogProbs       bool // of generated tokens
	PromptLogProbs bool // prompt tokens are emitted before all others, with their log-probabilities
	Top            int  // with either: so many of the most likely tokens in each place

	// Emit, if given, sees tokens as they come and tells whether it wants more. It runs on Submit's goroutine and may take
	// its time: others do not wait for it.
	Emit func(Token) (more bool)
}

// Token is a token of a request, and how likely it was.
type Token struct {
	ID      int
	Prompt  bool     // it is the prompt's own
	End     bool     // it is one of Ends, and no part of the text
	Known   bool     // LogProb and Top are given: they were asked for, and this is not the first token of the prompt
	LogProb float64  // natural logarithm
	Top     []Likely // the most likely first, the lower id first among equals. To be read only
}

// Likely is a token that could stand in a place. Its log-probability is, bit for bit, the one that [Token] would have.
type Likely struct {
	ID      int
	LogProb float64
}

// Finish says why a request has ended.
type Finish string

// The ends of requests.
const (
	FinishLength  Finish = "length"  // it has its MaxTokens
	FinishEnd     Finish = "end"     // by one of its Ends
	FinishStopped Finish = "stopped" // Emit wanted no more
)

// Result says how a request ended, and what it was given.
type Result struct {
	Finish Finish // empty with an error
	Prompt int    // tokens of the prompt
	Reused int    // of them, those whose keys and values another request had computed
	Tokens int    // generated tokens that were emitted, one of Ends included
}

// What can be wrong with a request. Other errors of Submit are those of its context and of the device.
var (
	ErrRefused   = errors.New("generate: the request cannot be served")
	ErrNotFinite = errors.New("generate: the model's logits are not finite")
	ErrStopped   = errors.New("generate: the engine has stopped")
)

// Check tells what [Engine.Submit] refuses at once. All such errors are [ErrRefused].
func (e *Engine) Check(r Request) error {
	_, err := e.newJob(r)
	return err
}

func (e *Engine) newJob(r Request) (*job, error) {
	refuse := func(format string, a ...any) (*job, error) {
		return nil, fmt.Errorf("%w: %w", ErrRefused, fmt.Errorf(format, a...))
	}
	j := &job{Request: r, signal: make(chan struct{}, 1), prefill: len(r.Prompt)}
	if r.MaxTokens == 0 {
		j.prefill-- // nothing is asked of what follows the last token
	}
	j.need = j.prefill + max(0, r.MaxTokens-1)
	switch {
	case len(r.Prompt) == 0:
		return refuse("the prompt has no tokens")
	case r.MaxTokens < 0 || r.MaxTokens > e.o.Length:
		return refuse("%d tokens to generate, expected 0 to %d", r.MaxTokens, e.o.Length)
	case r.MaxTokens == 0 && !r.PromptLogProbs:
		return refuse("nothing to generate, and no log-probabilities of the prompt are asked for")
	case j.need > e.o.Length:
		return refuse("%d prompt tokens and %d to generate: there is room for %d together", len(r.Prompt), r.MaxTokens, e.o.Length+1)
	case j.need > e.o.Tokens:
		return refuse("%d prompt tokens and %d to generate: all keys and values have room for %d", len(r.Prompt), r.MaxTokens, e.o.Tokens)
	case r.Top < 0:
		return refuse("the %d most likely tokens are asked for", r.Top)
	}
	for i, id := range r.Prompt {
		if id < 0 || id >= e.spec.V {
			return refuse("token %d of the prompt is %d: the vocabulary has %d", i, id, e.spec.V)
		}
	}
	j.Top = min(r.Top, e.spec.V)
	var err error
	if j.sampler, err = sampling.New(r.Options); err != nil {
		return refuse("%w", err)
	}
	return j, nil
}

// Submit waits for a place among the requests that are computed together, and then until the request has ended: by its
// number of tokens, by one of its Ends, by Emit, by ctx, or by an error. With an error, too, the result says what was
// emitted. Any number of goroutines may submit at the same time.
func (e *Engine) Submit(ctx context.Context, r Request) (Result, error) {
	result := Result{Prompt: len(r.Prompt)}
	r.Prompt, r.Ends = slices.Clone(r.Prompt), slices.Clone(r.Ends) // the engine may read them a little longer than Submit runs
	j, err := e.newJob(r)
	if err != nil {
		return result, err
	}
	if err := e.enqueue(j); err != nil {
		return result, err
	}
	failed := true
	defer func() { e.leave(j, failed) }() // the place is free at the next step, also where Emit panics
	for {
		select {
		case <-ctx.Done():
			return result, ctx.Err()
		case <-j.signal:
		}
		news := e.take(j)
		result.Reused = news.reused
		for _, t := range news.tokens {
			if err := ctx.Err(); err != nil {
				return result, err
			}
			if !t.Prompt {
				result.Tokens++
			}
			if r.Emit != nil && !r.Emit(t) {
				failed = false
				result.Finish = FinishStopped
				return result, nil
			}
		}
		if news.err != nil {
			return result, news.err
		}
		if news.finish != "" {
			failed = false
			result.Finish = news.finish
			return result, nil
		}
	}
}
