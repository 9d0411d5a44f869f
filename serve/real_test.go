package serve_test

import (
	"context"
	"encoding/json"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"shallow/checkpoint"
	"shallow/compute/cpu"
	"shallow/decoder"
	"shallow/generate"
	"shallow/internal/randommodel"
	"shallow/internal/shared"
	"shallow/serve"
	"shallow/tokenizer"
)

// newReal serves a checkpoint directory in float32, with an engine for that many sequences.
func newReal(t testing.TB, dir string, sequences int) (*serve.Server, *generate.Engine) {
	t.Helper()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	dev, err := cpu.New(cpu.Options{Threads: 2})
	check(err)
	c, err := checkpoint.Open(dir)
	check(err)
	m, err := decoder.Open(dev, c, decoder.Options{Precision: decoder.Float32})
	check(err)
	stack, err := m.Resident(nil, false)
	check(err)
	engine, err := generate.NewEngine(stack, generate.EngineOptions{Sequences: sequences, Length: 1024, Tokens: max(2048, 256*sequences)})
	check(err)
	done := make(chan error, 1)
	go func() { done <- engine.Run(context.Background()) }()
	t.Cleanup(func() {
		engine.Close()
		check(<-done)
		stack.Release()
		m.Close()
		c.Close()
		dev.Close()
	})
	tok, err := tokenizer.Open(dir)
	check(err)
	model, err := serve.NewModel(filepath.Base(dir), c, tok, m.Spec.V)
	check(err)
	s, err := serve.New(model, engine, serve.Options{Limits: serve.DefaultLimits(), Live: sequences})
	check(err)
	return s, engine
}

// openModel is what a server knows of a directory.
func openModel(t testing.TB, dir string) serve.Model {
	t.Helper()
	c, err := checkpoint.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	tok, err := tokenizer.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	m, err := serve.NewModel(filepath.Base(dir), c, tok, tok.Size())
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// demoModel is a directory with the random model of the demo.
func demoModel(t testing.TB) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "demo")
	if err := randommodel.Write(dir, 1); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestLocalCompletions answers every request that lm-evaluation-harness's client was recorded to send: texts and tokens equal,
// numbers within 1e-3.
func TestLocalCompletions(t *testing.T) {
	recorded, err := filepath.Glob(filepath.Join(shared.Dir(t, "reference", "eval", "local-completions"), "*.json"))
	if err != nil || len(recorded) == 0 {
		t.Fatalf("%d recordings, %v", len(recorded), err)
	}
	s, _ := newReal(t, shared.Dir(t, "reference", "eval", "llama2-tok"), 8)
	for _, file := range recorded {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var r struct {
			Exchanges []struct {
				Method, Path string
				Body         json.RawMessage
				Reply        *completion
			}
		}
		if err := json.Unmarshal(data, &r); err != nil {
			t.Fatal(err)
		}
		for i, x := range r.Exchanges {
			if x.Reply == nil { // the client asked for what the recorded server had not
				if w := ask(s, x.Method, x.Path, ""); w.Code != http.StatusOK {
					t.Errorf("%s: %s %s: %d", filepath.Base(file), x.Method, x.Path, w.Code)
				}
				continue
			}
			got := whole(t, s, string(x.Body))
			if len(got.Choices) != len(x.Reply.Choices) {
				t.Fatalf("%s, exchange %d: %d choices, want %d", filepath.Base(file), i, len(got.Choices), len(x.Reply.Choices))
			}
			for k := range got.Choices {
				compareChoice(t, filepath.Base(file), i, got.Choices[k], x.Reply.Choices[k])
			}
			sameReply(t, "stream of "+filepath.Base(file), streamed(t, s, string(x.Body)), got)
		}
	}
}

func compareChoice(t *testing.T, file string, at int, got, want completionChoice) {
	t.Helper()
	if got.Text != want.Text || got.Index != want.Index || *got.Finish != *want.Finish || (got.Logprobs == nil) != (want.Logprobs == nil) {
		t.Fatalf("%s, exchange %d: %+v, want %+v", file, at, got, want)
	}
	if got.Logprobs == nil {
		return
	}
	g, w := got.Logprobs, want.Logprobs
	if strings.Join(g.Tokens, " ") != strings.Join(w.Tokens, " ") || len(g.Logprobs) != len(w.Logprobs) || len(g.Top) != len(w.Top) {
		t.Fatalf("%s, exchange %d: tokens %q, want %q", file, at, g.Tokens, w.Tokens)
	}
	for i := range w.Logprobs {
		if (g.Logprobs[i] == nil) != (w.Logprobs[i] == nil) || (g.Top[i] == nil) != (w.Top[i] == nil) {
			t.Fatalf("%s, exchange %d: position %d: null or not", file, at, i)
		}
		if w.Logprobs[i] == nil {
			continue
		}
		if math.Abs(*g.Logprobs[i]-*w.Logprobs[i]) > 1e-3 {
			t.Errorf("%s, exchange %d: position %d: %v, want %v", file, at, i, *g.Logprobs[i], *w.Logprobs[i])
		}
		for name, value := range w.Top[i] {
			if have, ok := g.Top[i][name]; !ok || math.Abs(have-value) > 1e-3 || len(g.Top[i]) != len(w.Top[i]) {
				t.Errorf("%s, exchange %d: position %d: %v, want %v", file, at, i, g.Top[i], w.Top[i])
			}
			if greedy := *w.Logprobs[i] == value; greedy != (*g.Logprobs[i] == g.Top[i][name]) {
				t.Errorf("%s, exchange %d: position %d: greedy should be %v", file, at, i, greedy)
			}
		}
	}
}

// TestTogether: what 32 clients get at once is what each gets alone, and they share the engine's steps.
func TestTogether(t *testing.T) {
	s, engine := newReal(t, demoModel(t), 32)
	bodies := make([]string, 32)
	for i := range bodies {
		switch prompt := strings.Repeat("The bridge is old. ", 1+i%3) + strings.Repeat("x", i); i % 3 {
		case 0:
			bodies[i] = `{"prompt":"` + prompt + `","max_tokens":40,"temperature":0,"ignore_eos":true}`
		case 1:
			bodies[i] = `{"prompt":"` + prompt + `","max_tokens":40,"temperature":1.5,"top_p":0.9,"seed":7,"logprobs":2,"ignore_eos":true}`
		case 2:
			bodies[i] = `{"prompt":"` + prompt + `","max_tokens":40,"temperature":0,"logprobs":3,"echo":true,"ignore_eos":true}`
		}
	}
	alone := make([]completion, len(bodies))
	for i, body := range bodies {
		alone[i] = whole(t, s, body)
	}
	before := engine.Stats()
	together := make([]completion, len(bodies))
	var clients sync.WaitGroup
	for i, body := range bodies {
		clients.Go(func() { together[i] = whole(t, s, body) })
	}
	clients.Wait()
	for i := range bodies {
		sameReply(t, bodies[i], together[i], alone[i])
	}
	after := engine.Stats()
	if steps := after.Steps - before.Steps; steps > 32*40/8 {
		t.Errorf("%d tokens in %d steps", 32*40, steps)
	}
	until(t, "the engine has nothing to do", func() bool { s := engine.Stats(); return s.Running == 0 && s.Waiting == 0 })
}

// TestRealStops: stop strings cut the text wherever tokens end, and no part of one is shown.
func TestRealStops(t *testing.T) {
	s, _ := newReal(t, demoModel(t), 4)
	full := whole(t, s, `{"prompt":"The bridge","max_tokens":60,"temperature":0,"ignore_eos":true}`).Choices[0].Text
	for from := 0; from+3 < len(full); from += 7 {
		stop := strings.ToValidUTF8(full[from:from+3], "")
		at := strings.Index(full, stop)
		if stop == "" || strings.ContainsRune(stop, '\ufffd') || at < 0 {
			continue
		}
		quoted, _ := json.Marshal(stop)
		body := `{"prompt":"The bridge","max_tokens":60,"temperature":0,"ignore_eos":true,"stop":` + string(quoted) + `}`
		got := whole(t, s, body)
		if got.Choices[0].Text != full[:at] || *got.Choices[0].Finish != "stop" {
			t.Errorf("stop %q: %q, want %q", stop, got.Choices[0].Text, full[:at])
		}
		sameReply(t, body, streamed(t, s, body), got)
	}
}
