package serve_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"shallow/generate"
	"shallow/serve"
	"shallow/tokenizer"
)

// fakeEngine computes the next token from the last one, and waits where a test says so.
type fakeEngine struct {
	v       int
	length  int
	gate    chan struct{} // if given, each token waits for a value or its closing
	failure error         // what every request ends with after its first token
	explode bool          // Submit panics

	mu      sync.Mutex
	running int
}

func (f *fakeEngine) Length() int { return f.length }

func (f *fakeEngine) Check(r generate.Request) error {
	if len(r.Prompt) == 0 || len(r.Prompt)+r.MaxTokens > f.length+1 {
		return fmt.Errorf("fake: %w", generate.ErrRefused)
	}
	return nil
}

func (f *fakeEngine) Stats() generate.Stats {
	f.mu.Lock()
	defer f.mu.Unlock()
	return generate.Stats{Running: f.running}
}

func (f *fakeEngine) count(n int) {
	f.mu.Lock()
	f.running += n
	f.mu.Unlock()
}

func (f *fakeEngine) Submit(ctx context.Context, r generate.Request) (result generate.Result, err error) {
	f.count(1)
	defer f.count(-1)
	if f.explode {
		panic("fake")
	}
	if r.PromptLogProbs {
		for i, id := range r.Prompt {
			t := f.token(id, r.Top)
			t.Prompt, t.Known = true, i > 0
			r.Emit(t)
		}
	}
	last := r.Prompt[len(r.Prompt)-1]
	for range r.MaxTokens {
		if f.gate != nil {
			select {
			case <-f.gate:
			case <-ctx.Done():
				return result, ctx.Err()
			}
		}
		if err := ctx.Err(); err != nil {
			return result, err
		}
		last = (last*7 + 3) % f.v
		t := f.token(last, r.Top)
		t.End = slices.Contains(r.Ends, last)
		if !r.Emit(t) {
			return result, nil
		}
		if f.failure != nil {
			return result, f.failure
		}
		if t.End {
			break
		}
	}
	return result, nil
}

func (f *fakeEngine) token(id, top int) generate.Token {
	t := generate.Token{ID: id, Known: true, LogProb: -float64(id) / 16}
	for i := range top {
		t.Top = append(t.Top, generate.Likely{ID: (id + i) % f.v, LogProb: -float64(id+i) / 16})
	}
	return t
}

// bytesTokenizer has a token for each letter and digit, and the special token 0.
func bytesTokenizer(t testing.TB) *tokenizer.Tokenizer {
	t.Helper()
	vocab := `"<s>":0`
	for i, r := range letters {
		vocab += fmt.Sprintf(`,%q:%d`, string(r), i+1)
	}
	tok, err := tokenizer.Parse([]byte(`{"model":{"type":"BPE","vocab":{` + vocab + `},"merges":[]},
		"added_tokens":[{"id":0,"content":"<s>","special":true}],"decoder":{"type":"Fuse"}}`))
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

const letters = "abcdefghijklmnopqrstuvwxyz0123456789"

// newFake serves a fake engine; change may alter the options.
func newFake(t testing.TB, e *fakeEngine, change func(*serve.Options)) *serve.Server {
	t.Helper()
	e.v, e.length = len(letters)+1, 64
	o := serve.Options{Limits: serve.DefaultLimits(), Live: 4}
	if change != nil {
		change(&o)
	}
	s, err := serve.New(serve.Model{Name: "fake", Tokenizer: bytesTokenizer(t), Vocabulary: e.v, Start: 0,
		Info: map[string]any{"eos_token": "<s>"}}, e, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
