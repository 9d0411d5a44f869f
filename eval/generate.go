package eval

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"shallow/decoder"
	"shallow/eval/task"
	"shallow/generate"
	"shallow/score"
)

// generationsAtOnce is how many texts share the steps of the engine where memory allows it: more than hides what reading
// the weights costs.
const generationsAtOnce = 64

// generate lets a variant go on from the prompts that its journal does not have.
func (w *work) generate(ctx context.Context, m *decoder.Model, v *variant, o Options) error {
	var missing []*generation
	for i := range w.generations {
		g := &w.generations[i]
		if ids, known := v.journal.texts[g.key()]; known {
			w.finish(v, g, ids)
			continue
		}
		missing = append(missing, g)
	}
	if len(missing) == 0 {
		return nil
	}
	// Prompts that begin alike follow one another, so that what they share is still there.
	slices.SortStableFunc(missing, func(a, b *generation) int {
		return cmp.Or(slices.Compare(a.prompt, b.prompt), cmp.Compare(a.most, b.most))
	})
	stack, err := m.Resident(v.drop, false)
	if err != nil {
		return err
	}
	defer stack.Release()
	engine, atOnce, err := newEngine(stack, missing, o.Memory)
	if err != nil {
		return err
	}
	f := score.Forecast{Requests: len(missing), Memory: stack.Bytes() + engine.Bytes()}
	for _, g := range missing {
		f.Tokens += len(g.prompt)
	}
	o.begin(Forecast{Phase: Generating, Known: len(w.generations) - len(missing), Forecast: f})
	r := &generating{work: w, variant: v, engine: engine, options: &o, total: len(missing)}
	return r.run(ctx, missing, atOnce)
}

// newEngine makes room for as many texts at once as the memory holds, and at least for one.
func newEngine(stack *decoder.Stack, all []*generation, memory int64) (e *generate.Engine, atOnce int, err error) {
	longest := 0
	for _, g := range all {
		longest = max(longest, len(g.prompt)+g.most)
	}
	atOnce = min(generationsAtOnce, len(all))
	if memory > 0 {
		atOnce = max(1, min(atOnce, int((memory-stack.Bytes())/stack.CacheBytes(longest))))
	}
	e, err = generate.NewEngine(stack, generate.EngineOptions{Sequences: atOnce, Length: longest})
	return e, atOnce, err
}

// generating is texts on their way through the engine.
type generating struct {
	work    *work
	variant *variant
	engine  *generate.Engine
	options *Options
	total   int

	lock sync.Mutex // of what follows, the journal and the responses
	done int
}

// run keeps the engine busy until all texts are there, or one of them fails.
func (r *generating) run(ctx context.Context, all []*generation, atOnce int) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := r.engine.Run(ctx); err != nil {
			stop(err)
		}
	}()
	queue := make(chan *generation)
	var workers sync.WaitGroup
	for range atOnce {
		workers.Go(func() {
			for g := range queue {
				if err := r.one(ctx, g); err != nil {
					stop(fmt.Errorf("eval: %s: %w", r.work.name(g.owner), err))
				}
			}
		})
	}
	for _, g := range all {
		select {
		case queue <- g:
		case <-ctx.Done():
		}
	}
	close(queue)
	workers.Wait()
	r.engine.Close()
	<-ended
	return context.Cause(ctx)
}

// one generates a text and keeps it.
func (r *generating) one(ctx context.Context, g *generation) error {
	request := generate.Request{Prompt: g.prompt, MaxTokens: g.most}
	if !g.open {
		request.Ends = r.options.Ends
	}
	request.Temperature = g.temperature
	var ids []int
	request.Emit = func(t generate.Token) bool {
		if t.End {
			return true
		}
		ids = append(ids, t.ID)
		return !g.stops(r.work.text(ids))
	}
	if _, err := r.engine.Submit(ctx, request); err != nil {
		return err
	}
	r.lock.Lock()
	defer r.lock.Unlock()
	r.work.finish(r.variant, g, ids)
	r.variant.journal.addText(g.key(), ids)
	r.done++
	r.options.progress(Generating, int64(r.done), int64(r.total))
	return r.variant.journal.flush()
}

// stops reports whether a text holds a stop. One that is empty stands behind every token.
func (g *generation) stops(text string) bool {
	return slices.ContainsFunc(g.until, func(stop string) bool { return strings.Contains(text, stop) })
}

// text is what tokens read as, without special ones.
func (w *work) text(ids []int) string { return w.encoder.tokenizer.Decode(ids, true) }

// finish makes a text the item's response.
func (w *work) finish(v *variant, g *generation, ids []int) {
	*v.response(g.owner) = task.Response{Text: task.Cut(w.text(ids), g.until), Tokens: len(ids)}
	if g.open {
		c := &v.Tasks[g.task].continued[g.item]
		c.prompt, c.ids = g.prompt, ids
	}
}
