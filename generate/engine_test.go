package generate_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"

	"shallow/checkpoint"
	"shallow/compute"
	"shallow/compute/cpu"
	"shallow/decoder"
	"shallow/generate"
	"shallow/internal/sampling"
	"shallow/internal/shared"
)

// spy is a device that counts products and can be made to fail.
type spy struct {
	compute.Device
	mu       sync.Mutex
	products int
	poison   int32 // a token whose embedding is NaN; 0 is none
	fatal    int32 // one whose embedding is an error of the device
	broken   bool  // products panic
}

func (d *spy) MatMul(x compute.Tensor, in compute.Kind, products ...compute.Product) {
	d.mu.Lock()
	broken := d.broken
	d.products++
	d.mu.Unlock()
	if broken {
		panic("broken")
	}
	d.Device.MatMul(x, in, products...)
}

func (d *spy) Embed(out, table, ids compute.Tensor, scale float32) {
	d.Device.Embed(out, table, ids, scale)
	if d.poison+d.fatal == 0 {
		return
	}
	tokens := make([]int32, ids.Rows)
	if err := d.Download(compute.Bytes(tokens), ids); err != nil {
		return
	}
	for i, id := range tokens {
		switch id {
		case d.poison:
			d.Upload(out.RowRange(i, i+1), compute.Bytes(slices.Repeat([]float32{float32(math.NaN())}, out.Cols)))
		case d.fatal:
			d.Load(compute.Float32, 1, 1, nil)
		}
	}
}

func (d *spy) set(broken bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.broken = broken
}

func (d *spy) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.products
}

// openStack loads all layers of a family's reference checkpoint.
func openStack(t testing.TB, family string, threads int, o decoder.Options) (*decoder.Model, *decoder.Stack, *spy) {
	t.Helper()
	dev, err := cpu.New(cpu.Options{Threads: threads})
	if err != nil {
		t.Fatal(err)
	}
	c, err := checkpoint.Open(shared.Dir(t, "reference", "families", family))
	if err != nil {
		t.Fatal(err)
	}
	watched := &spy{Device: dev}
	m, err := decoder.Open(watched, c, o)
	if err != nil {
		t.Fatal(err)
	}
	stack, err := m.Resident(nil, false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stack.Release()
		m.Close()
		c.Close()
		dev.Close()
	})
	return m, stack, watched
}

// startEngine runs an engine until the test ends.
func startEngine(t testing.TB, stack *decoder.Stack, o generate.EngineOptions) *generate.Engine {
	t.Helper()
	e, err := generate.NewEngine(stack, o)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		if err := e.Run(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	t.Cleanup(e.Close)
	return e
}

// collected is all that a request gave.
type collected struct {
	tokens []generate.Token
	result generate.Result
}

// submitAll submits requests at once: each after the ones before it have emitted so many tokens together.
func submitAll(t *testing.T, e *generate.Engine, requests []generate.Request, after []int) []collected {
	t.Helper()
	out := make([]collected, len(requests))
	var mu sync.Mutex
	emitted, ended := 0, 0
	next := sync.NewCond(&mu)
	var all sync.WaitGroup
	for i, r := range requests {
		mu.Lock()
		for emitted < after[i] && ended < i {
			next.Wait()
		}
		mu.Unlock()
		r.Emit = func(token generate.Token) bool {
			mu.Lock()
			defer mu.Unlock()
			out[i].tokens = append(out[i].tokens, token)
			emitted++
			next.Signal()
			return true
		}
		all.Go(func() {
			result, err := e.Submit(context.Background(), r)
			if err != nil {
				t.Errorf("request %d: %v", i, err)
			}
			mu.Lock()
			defer mu.Unlock()
			out[i].result = result
			ended++
			next.Signal()
		})
	}
	all.Wait()
	return out
}

// randomRequests begin alike or not, want this and that.
func randomRequests(r *rand.Rand, v, longest, n int) []generate.Request {
	random := func(n int) []int {
		ids := make([]int, n)
		for i := range ids {
			ids[i] = r.IntN(v)
		}
		return ids
	}
	stems := [][]int{random(70), random(64), random(20)}
	stems = append(stems, slices.Concat(stems[0], random(30)))
	var all []generate.Request
	for range n {
		one := generate.Request{MaxTokens: r.IntN(12), Top: r.IntN(3)}
		if r.IntN(4) > 0 {
			one.Prompt = slices.Clone(stems[r.IntN(len(stems))])
		}
		one.Prompt = append(one.Prompt, random(1+r.IntN(40))...)
		one.Prompt = one.Prompt[:min(len(one.Prompt), longest-one.MaxTokens)]
		one.LogProbs = r.IntN(2) == 0
		one.PromptLogProbs = one.MaxTokens == 0 || r.IntN(3) == 0
		if r.IntN(2) == 0 {
			one.Options = sampling.Options{Temperature: 1, TopP: 0.9, Seed: r.Uint64()}
		}
		if r.IntN(2) == 0 {
			one.Ends = random(v / 20)
		}
		all = append(all, one)
		if r.IntN(8) == 0 {
			all = append(all, one)
		}
	}
	return all
}

// Whatever else is in flight, however much goes through the layers at a time: a request gets what it gets alone.
func TestEngineEqualsAlone(t *testing.T) {
	for _, family := range []string{"llama-plain", "qwen2", "mistral-window", "llama-gqa-tied", "gpt2", "llama-rope-dynamic"} {
		for _, p := range []decoder.Precision{decoder.Float32, decoder.BFloat16} {
			t.Run(fmt.Sprintf("%s/%v", family, p), func(t *testing.T) {
				m, stack, _ := openStack(t, family, 1, decoder.Options{Precision: p})
				longest := 150
				if n := m.Spec.Positions; n > 0 {
					longest = min(longest, n)
				}
				session, err := stack.NewSession(decoder.Room{Length: longest})
				if err != nil {
					t.Fatal(err)
				}
				defer session.Release()
				r := rand.New(rand.NewPCG(1, 2))
				requests := randomRequests(r, m.Spec.V, longest, 24)
				var want []collected
				for _, one := range requests {
					want = append(want, alone(t, m, session, one))
				}
				reused := 0
				for i, o := range []generate.EngineOptions{
					{Sequences: 8, StepRows: 40},
					{Sequences: 3, StepRows: 7, Tokens: 400, Kept: 5},
					{Sequences: 1, Kept: -1},
					{Sequences: 20, Tokens: 200, StepRows: 300},
				} {
					o.Length = longest
					_, stack, _ := openStack(t, family, 1+i%3, decoder.Options{Precision: p})
					e := startEngine(t, stack, o)
					after := make([]int, len(requests))
					for j := range after[1:] {
						after[j+1] = after[j] + r.IntN(2)*r.IntN(20)
					}
					for j, got := range submitAll(t, e, requests, after) {
						same(t, fmt.Sprintf("options %d, request %d", i, j), got, want[j])
						reused += got.result.Reused
					}
					e.Close()
					if s := e.Stats(); s.Running+s.Waiting+s.Kept != 0 || s.Requests != int64(len(requests)) || s.Failed != 0 {
						t.Errorf("in the end: %+v", s)
					}
				}
				if reused < 50 {
					t.Errorf("%d tokens were taken from others", reused)
				}
			})
		}
	}
}

// Requests share steps, so that weights are read once for all of them.
func TestEngineSharesSteps(t *testing.T) {
	m, stack, watched := openStack(t, "llama-plain", 1, decoder.Options{})
	e, err := generate.NewEngine(stack, generate.EngineOptions{Sequences: 32, Length: 40})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	var all sync.WaitGroup
	for i := range 32 {
		all.Go(func() {
			if _, err := e.Submit(context.Background(), generate.Request{Prompt: []int{i}, MaxTokens: 20}); err != nil {
				t.Error(err)
			}
		})
	}
	for e.Stats().Waiting < 32 {
		runtime.Gosched()
	}
	before := watched.count()
	go e.Run(context.Background())
	all.Wait()
	s := e.Stats()
	// Queries, keys and values are one product, gate and up another.
	if got, want := watched.count()-before, 20*(4*m.Spec.L+1); s.Steps != 20 || s.Rows != 640 || got != want {
		t.Errorf("%d steps of %d rows together, %d products: want 20, 640 and %d", s.Steps, s.Rows, got, want)
	}
	if s.Prompt != 32 || s.Generated != 640 || s.Requests != 32 {
		t.Errorf("%+v", s)
	}
}

// Requests that begin alike and come together compute their beginning once.
func TestEngineComputesBeginningsOnce(t *testing.T) {
	_, stack, _ := openStack(t, "llama-plain", 1, decoder.Options{})
	e := startEngine(t, stack, generate.EngineOptions{Sequences: 8, Length: 150, StepRows: 32})
	stem := make([]int, 100)
	for i := range stem {
		stem[i] = i * 7 % 300
	}
	var requests []generate.Request
	for i := range 12 {
		requests = append(requests, generate.Request{Prompt: append(slices.Clone(stem), i, 5), PromptLogProbs: true, Top: 1})
	}
	submitAll(t, e, requests, make([]int, len(requests)))
	// Who comes late does not wait for less than 16 tokens more.
	if s := e.Stats(); s.Prompt+s.Reused != 12*101 || s.Reused < 11*(99-15) {
		t.Errorf("%d prompt tokens computed, %d reused", s.Prompt, s.Reused)
	}
	for i := range requests {
		requests[i].PromptLogProbs, requests[i].MaxTokens = false, 2
	}
	before := e.Stats()
	submitAll(t, e, requests, make([]int, len(requests)))
	if s := e.Stats(); s.Prompt > before.Prompt+12*2 {
		t.Errorf("%d prompt tokens computed anew", s.Prompt-before.Prompt)
	}
}

func TestEngineRefuses(t *testing.T) {
	_, stack, _ := openStack(t, "llama-plain", 1, decoder.Options{})
	e := startEngine(t, stack, generate.EngineOptions{Sequences: 2, Length: 150, Tokens: 70})
	for i, r := range []generate.Request{
		{MaxTokens: 1},
		{Prompt: []int{1}},
		{Prompt: []int{1}, MaxTokens: -1},
		{Prompt: []int{1, -1}, MaxTokens: 1},
		{Prompt: []int{320}, MaxTokens: 1},
		{Prompt: make([]int, 150), MaxTokens: 2},
		{Prompt: make([]int, 152), PromptLogProbs: true},
		{Prompt: []int{1}, MaxTokens: math.MaxInt},
		{Prompt: []int{1}, MaxTokens: 1, Top: -1},
		{Prompt: []int{1}, MaxTokens: 1, Options: sampling.Options{Temperature: -1}},
	} {
		if _, err := e.Submit(context.Background(), r); !errors.Is(err, generate.ErrRefused) || e.Check(r) == nil {
			t.Errorf("request %d: %v", i, err)
		}
	}
	if all := e.Stats().Tokens; all < 70 || all > 192 {
		t.Errorf("room for %d tokens", all)
	}
	for _, r := range []generate.Request{
		{Prompt: make([]int, 150), MaxTokens: 1},
		{Prompt: make([]int, 151), PromptLogProbs: true},
		{Prompt: []int{7}, PromptLogProbs: true},
	} {
		if got := submitAll(t, e, []generate.Request{r}, []int{0}); got[0].result.Finish != generate.FinishLength {
			t.Errorf("%+v", got[0].result)
		}
	}
}

func TestEngineStopsRequests(t *testing.T) {
	_, stack, watched := openStack(t, "llama-plain", 1, decoder.Options{})
	watched.poison, watched.fatal = 319, 318
	e := startEngine(t, stack, generate.EngineOptions{Sequences: 2, Length: 150})
	background := context.Background()
	forever := generate.Request{Prompt: []int{1, 2, 3}, MaxTokens: 140}

	seen := 0
	stopped := forever
	stopped.Emit = func(generate.Token) bool { seen++; return seen < 3 }
	if result, err := e.Submit(background, stopped); err != nil || result.Finish != generate.FinishStopped || result.Tokens != 3 {
		t.Errorf("%+v, %v", result, err)
	}

	ctx, cancel := context.WithCancel(background)
	cancelled := forever
	cancelled.Emit = func(generate.Token) bool { cancel(); return true }
	if result, err := e.Submit(ctx, cancelled); !errors.Is(err, context.Canceled) || result.Tokens != 1 {
		t.Errorf("%+v, %v", result, err)
	}

	for _, r := range []generate.Request{
		{Prompt: []int{1, 319, 3}, MaxTokens: 5},
		{Prompt: []int{1, 319, 3}, PromptLogProbs: true},
		{Prompt: []int{1, 319, 3}, MaxTokens: 5, LogProbs: true, Options: sampling.Options{Temperature: 1}},
	} {
		if _, err := e.Submit(background, r); !errors.Is(err, generate.ErrNotFinite) {
			t.Errorf("NaN: %v", err)
		}
	}

	func() {
		defer func() {
			if recover() == nil {
				t.Error("a panic of Emit is lost")
			}
		}()
		panics := forever
		panics.Emit = func(generate.Token) bool { panic("no more") }
		_, _ = e.Submit(background, panics)
	}()

	fails := generate.Request{Prompt: []int{1, 318}, MaxTokens: 5}
	if result, err := e.Submit(background, fails); err == nil || errors.Is(err, generate.ErrStopped) || result.Tokens > 0 {
		t.Errorf("an error of the device: %+v, %v", result, err)
	}

	// All that has given its place back.
	submitAll(t, e, []generate.Request{forever, forever, forever}, make([]int, 3))
	if s := e.Stats(); s.Requests != 10 || s.Failed != 6 {
		t.Errorf("%+v", s)
	}
}

// However Run ends, nobody waits for ever.
func TestEngineEnds(t *testing.T) {
	enough := errors.New("enough")
	for name, end := range map[string]func(e *generate.Engine, d *spy, cancel context.CancelCauseFunc){
		"context": func(_ *generate.Engine, _ *spy, cancel context.CancelCauseFunc) { cancel(enough) },
		"close":   func(e *generate.Engine, _ *spy, _ context.CancelCauseFunc) { go e.Close() },
		"panic":   func(_ *generate.Engine, d *spy, _ context.CancelCauseFunc) { d.set(true) },
	} {
		t.Run(name, func(t *testing.T) {
			_, stack, watched := openStack(t, "llama-plain", 1, decoder.Options{})
			e, err := generate.NewEngine(stack, generate.EngineOptions{Sequences: 2, Length: 2000})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancelCause(context.Background())
			defer cancel(nil)
			var once sync.Once
			var all sync.WaitGroup
			for range 5 {
				all.Go(func() {
					r := generate.Request{Prompt: []int{1}, MaxTokens: 1900}
					r.Emit = func(generate.Token) bool {
						once.Do(func() { end(e, watched, cancel) })
						return true
					}
					if _, err := e.Submit(context.Background(), r); !errors.Is(err, generate.ErrStopped) {
						t.Errorf("submitted: %v", err)
					}
				})
			}
			err = e.Run(ctx)
			all.Wait()
			if (err == nil) != (name == "close") || name == "context" && !errors.Is(err, context.Canceled) {
				t.Errorf("Run: %v", err)
			}
			if _, err := e.Submit(context.Background(), generate.Request{Prompt: []int{1}, MaxTokens: 1}); !errors.Is(err, generate.ErrStopped) {
				t.Errorf("submitted too late: %v", err)
			}
			e.Close()
			e.Close()
			watched.set(false)
		})
	}
}

// An engine that never ran ends what waits for it.
func TestEngineCloses(t *testing.T) {
	_, stack, _ := openStack(t, "llama-plain", 1, decoder.Options{})
	e, err := generate.NewEngine(stack, generate.EngineOptions{Length: 100})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	go func() {
		_, err := e.Submit(context.Background(), generate.Request{Prompt: []int{1}, MaxTokens: 1})
		ended <- err
	}()
	e.Close()
	if err := <-ended; !errors.Is(err, generate.ErrStopped) {
		t.Error(err)
	}
	if err := e.Run(context.Background()); !errors.Is(err, generate.ErrStopped) {
		t.Error(err)
	}
}
