// Command shallow makes open-weight language models shallower: it measures what each block of layers does to the residual
// stream, cuts the best block out of a checkpoint, proves that the result computes what skipping it computes, and heals the cut.
//
//	shallow measure MODEL --corpus texts.jsonl -o run
//	shallow plan run --drop 25%
//	shallow prune MODEL --plan run/plan.json -o shallower
//	shallow heal shallower --corpus texts.jsonl -o healed
//
// Each command is a file here: it reads its flags, calls one package and prints.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

// version is the program's, as --version and plan.json show it.
const version = "0.1.0"

// program is the command line.
type program struct {
	Inspect  inspectCommand  `cmd:"" help:"Show a model's layers, parameters and bytes, and what dropping layers saves."`
	Measure  measureCommand  `cmd:"" help:"Measure the distance across every block of layers."`
	Plan     planCommand     `cmd:"" help:"Choose which layers go."`
	Prune    pruneCommand    `cmd:"" help:"Cut layers out of a checkpoint and prove the result."`
	Heal     healCommand     `cmd:"" help:"Finetune a model, as after layers were cut out of it."`
	Merge    mergeCommand    `cmd:"" help:"Put an adapter into a model's weights."`
	Eval     evalCommand     `cmd:"" help:"Score a model on benchmarks."`
	Run      runCommand      `cmd:"" help:"Go the whole way with a model: measure, plan, prune, heal, score, report."`
	Sweep    sweepCommand    `cmd:"" help:"Score a grid of models, cuts, healings and tasks."`
	Report   reportCommand   `cmd:"" help:"Show what a sweep found as one HTML page."`
	States   statesCommand   `cmd:"" help:"Write the residual stream at every layer, and logits."`
	Generate generateCommand `cmd:"" help:"Continue a text."`
	Serve    serveCommand    `cmd:"" help:"Serve a model over HTTP, as OpenAI's interface does."`
	Tokenize tokenizeCommand `cmd:"" help:"Turn texts into token ids, or back."`
	Bench    benchCommand    `cmd:"" help:"Show what this machine does, and how fast it measures and runs a model."`

	Demo demoCommand `cmd:"" help:"Show the paper in miniature, on a small trained model that comes along."`

	Man        manCommand        `cmd:"" help:"Write the manual pages."`
	Completion completionCommand `cmd:"" help:"Print a script for the shell that completes commands and flags."`

	Version kong.VersionFlag `help:"Print the version."`
}

// The exit codes.
const (
	exitError       = 1
	exitUsage       = 2
	exitInterrupted = 130
)

func main() { os.Exit(run()) }

// run is main without the exit.
func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// The first Ctrl-C stops the work in order; the second is the system's again and kills.
	context.AfterFunc(ctx, stop)

	ignoreFileSizeSignal()

	var p program
	parser, err := kong.New(&p,
		kong.Name("shallow"),
		kong.Description("Makes open-weight language models shallower: measure, plan, prune, heal."),
		kong.UsageOnError(),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 110}),
		kong.Vars{"version": "shallow " + version},
		kong.BindTo(ctx, (*context.Context)(nil)),
	)
	if err != nil {
		return fail(err, exitError)
	}
	args := os.Args[1:]
	if len(args) == 0 {
		args = []string{"--help"}
	}
	command, err := parser.Parse(args)
	if err != nil {
		code := fail(err, exitUsage)
		fmt.Fprintln(os.Stderr, "Run shallow --help, or shallow COMMAND --help.")
		return code
	}
	err = command.Run()
	var usage usageError
	switch {
	case err == nil:
		return 0
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		return fail(errors.New("stopped"), exitInterrupted)
	case errors.As(err, &usage):
		return fail(err, exitUsage)
	}
	return fail(err, exitError)
}

func fail(err error, code int) int {
	fmt.Fprintln(os.Stderr, "shallow:", err)
	return code
}

// usageError is a mistake in the command line that only shows when the command runs.
type usageError struct{ message string }

func (e usageError) Error() string { return e.message }

func usagef(format string, a ...any) error { return usageError{fmt.Sprintf(format, a...)} }
