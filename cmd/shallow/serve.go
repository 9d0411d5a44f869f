package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"shallow/decoder"
	"shallow/generate"
	"shallow/heal"
	"shallow/internal/machine"
	"shallow/serve"
)

type serveCommand struct {
	Model string `arg:"" help:"Model directory, GGUF file or hub id."`
	Host  string `help:"Address to listen on; 0.0.0.0 is all of this machine's." default:"127.0.0.1"`
	Port  int    `help:"Port to listen on; 0 is any free one." default:"8000"`
	Name  string `help:"The model's name in replies; the last part of MODEL if not given." placeholder:"NAME"`
	cutFlags
	Adapter string `help:"PEFT adapter to compute with, a directory or hub id." placeholder:"DIR"`

	Sequences   int           `help:"Sequences that are computed together." default:"32"`
	Length      int           `help:"Tokens of the longest sequence; 0 is the model's context." default:"0"`
	Cache       byteSize      `help:"Memory for the keys and values of all sequences; if not given, what they need at most, but no more than a quarter of the machine's and 4GB." placeholder:"SIZE"`
	MaxWaiting  int           `help:"Sequences that may wait for a place; more get status 429." default:"256"`
	MaxRequest  int           `help:"Prompts times n of one request." default:"128"`
	MaxBody     byteSize      `help:"Bytes of one request." default:"4MB" placeholder:"SIZE"`
	MaxTime     time.Duration `help:"Time of one request, its waiting included." default:"10m"`
	Grace       time.Duration `help:"Time that running requests have to finish once the server is stopped." default:"30s"`
	APIKey      string        `name:"api-key" env:"SHALLOW_API_KEY" help:"Key that clients must send." placeholder:"KEY"`
	SpecialText bool          `name:"special-tokens" help:"Put the tokenizer's special tokens, such as BOS, around text prompts of /v1/completions. Without it a request asks for them with add_special_tokens."`
	Verbose     bool          `short:"v" help:"Write a line to stderr for each request."`
	Quiet       bool          `short:"q" help:"Show no progress."`
	engineFlags
}

// Help shows examples.
func (serveCommand) Help() string {
	return `Answers OpenAI's /v1/completions, /v1/chat/completions and /v1/models, vLLM's /tokenize, /detokenize and /tokenizer_info, and /health
and /metrics (Prometheus). All requests are computed together: while one token of one sequence is computed, one of every other is too.
The first line on stdout says the address. Ctrl-C or SIGTERM stops the server in order: it takes no new requests and finishes those
that run; a second one ends it at once.

Any model name is accepted in a request; the reply says the model's own. A text prompt of /v1/completions is used as it is, so that its
positions are those that a client counts; chats get what their template says. Only this machine can reach the server unless --host says
otherwise; give an --api-key then.

Examples:

  shallow serve models/llama-2-7b-24
  shallow serve models/llama-2-7b --plan run/plan.json --name pruned --port 8001
  curl http://127.0.0.1:8000/v1/completions -H 'Content-Type: application/json' \
      -d '{"prompt": "The capital of France is", "max_tokens": 8, "temperature": 0}'
  lm_eval --model local-completions --tasks openbookqa \
      --model_args model=m,base_url=http://127.0.0.1:8000/v1/completions,num_concurrent=32,tokenizer_backend=remote
`
}

// Validate refuses numbers that make no server.
func (c *serveCommand) Validate() error {
	switch {
	case c.Port < 0 || c.Port > 65535:
		return errors.New("--port must be between 0 and 65535")
	case c.Sequences < 1 || c.MaxRequest < 1:
		return errors.New("--sequences and --max-request must be at least 1")
	case c.Length < 0 || c.MaxWaiting < 0:
		return errors.New("--length and --max-waiting must not be negative")
	case c.MaxTime <= 0 || c.Grace < 0:
		return errors.New("--max-time must be positive, and --grace not negative")
	}
	return nil
}

// Run serves until it is stopped.
func (c *serveCommand) Run(ctx context.Context) error {
	e, err := c.open(ctx, c.Model, false, c.Quiet)
	if err != nil {
		return err
	}
	defer e.Close()
	if c.Adapter != "" {
		dir, err := localModel(ctx, c.Adapter, c.Quiet)
		if err != nil {
			return err
		}
		_, release, err := heal.Use(e.Model, dir)
		if err != nil {
			return err
		}
		defer release()
	}
	model, err := c.model(e)
	if err != nil {
		return err
	}
	drop, err := c.drop(e.Model)
	if err != nil {
		return err
	}
	stack, err := e.Resident(drop, false)
	if err != nil {
		return err
	}
	defer stack.Release()
	engine, err := c.engine(stack, e.Spec.Context)
	if err != nil {
		return err
	}
	defer engine.Close()
	l, err := net.Listen("tcp", net.JoinHostPort(c.Host, strconv.Itoa(c.Port)))
	if err != nil {
		return fmt.Errorf("serve: %w", err)
	}
	defer func() { _ = l.Close() }() // mostly closed already
	server, err := serve.New(model, engine, c.options(l.Addr()))
	if err != nil {
		return err
	}
	fmt.Printf("serving %s at http://%s\n", model.Name, l.Addr())
	return c.serve(ctx, server, engine, l)
}

// model is what the server knows of the model.
func (c *serveCommand) model(e *engine) (serve.Model, error) {
	t, err := openTokenizer(e.Checkpoint.Dir)
	if err != nil {
		return serve.Model{}, err
	}
	name := c.Name
	if name == "" {
		name = strings.TrimSuffix(filepath.Base(filepath.Clean(c.Model)), ".gguf")
	}
	return serve.NewModel(name, e.Checkpoint, t, e.Spec.V)
}

// engine makes room for as many tokens as there are sequences for, or as there is memory for.
func (c *serveCommand) engine(stack *decoder.Stack, context int) (*generate.Engine, error) {
	length := c.Length
	if length == 0 {
		length = context
	}
	o := generate.EngineOptions{Sequences: c.Sequences, Length: length}
	each, err := cacheBytes(stack)
	if err != nil {
		return nil, err
	}
	room := int64(c.Cache)
	if room == 0 {
		room = 4e9
		if m := machine.Memory(); m > 0 {
			room = min(room, m/4)
		}
	}
	tokens := room / each
	if c.Cache > 0 && tokens < int64(length) {
		return nil, usagef("serve: --cache %v holds the keys and values of %d tokens, and one sequence may have %d: give more, or a smaller --length", c.Cache, tokens, length)
	}
	o.Tokens = int(min(max(tokens, int64(length)), int64(c.Sequences)*int64(length)))
	return generate.NewEngine(stack, o)
}

// cacheBytes is the memory of one token's keys and values.
func cacheBytes(stack *decoder.Stack) (int64, error) {
	const tokens = 64 // a page, less of which no session has
	s, err := stack.NewSession(decoder.Room{Length: tokens})
	if err != nil {
		return 0, err
	}
	defer s.Release()
	return max(s.Bytes()/tokens, 1), nil
}

func (c *serveCommand) options(address net.Addr) serve.Options {
	level := slog.LevelWarn
	if c.Verbose {
		level = slog.LevelInfo
	}
	o := serve.Options{Limits: serve.DefaultLimits(), Live: c.Sequences, APIKey: c.APIKey, Special: c.SpecialText,
		Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))}
	o.Body, o.Time, o.Grace, o.Waiting = int64(c.MaxBody), c.MaxTime, c.Grace, c.MaxWaiting
	o.Sequences = min(c.MaxRequest, c.Sequences+c.MaxWaiting)
	if a, ok := address.(*net.TCPAddr); !ok || !a.IP.IsLoopback() {
		o.Open = true
		if c.APIKey == "" {
			note("other machines can reach %v, and no --api-key is asked for", address)
		}
	}
	return o
}

// serve answers until ctx is done or the engine fails.
func (c *serveCommand) serve(ctx context.Context, server *serve.Server, engine *generate.Engine, l net.Listener) error {
	// The engine outlives ctx: what runs is finished.
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	failed := make(chan error, 1)
	go func() {
		failed <- engine.Run(context.WithoutCancel(ctx))
		stop()
	}()
	cut, err := server.Serve(ctx, l)
	engine.Close()
	if err := errors.Join(<-failed, err); err != nil {
		return err
	}
	if cut > 0 {
		note("%s did not finish within %v", plural(cut, "request"), c.Grace)
	}
	return nil
}
