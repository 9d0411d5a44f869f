// Package heal finetunes a model, as after layers were cut out of it: the paper's QLoRA recipe by default.
//
// [NewData] makes rows of documents, and [Run] takes the steps: each is a window of micro-batches whose gradients together are
// those of the mean loss of all tokens that the window predicts, clipped, for AdamW under a warmed-up cosine. What comes out is an
// adapter that PEFT loads ([ReadPEFT] reads those that it wrote).
//
// The output holds log.jsonl, TensorBoard's events and, until the run is through, checkpoint.safetensors, which is replaced as a
// whole. A run that was killed at any moment goes on from it to the same bits as if it had not been: rows and dropout masks follow
// from their numbers, and every sum has an order of its own whatever the threads and the memory.
package heal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"time"

	"shallow/checkpoint"
	"shallow/decoder"
)

// Options say how a model is finetuned.
type Options struct {
	Output string // the directory
	Base   string // the model's name, as adapter_config.json shall have it

	Method      Method           // LoRA if empty
	TailLayers  int              // that Tail trains
	Cut         *Cut             // for Join and Matching; nil where it is not known
	FromScratch bool             // weights begin as random numbers
	DType       checkpoint.DType // of the weights that Full writes; the model's own if empty
	Objective   Loss             // NextToken if empty
	Teacher     *Teacher

	Init    string // an adapter directory to start from; else a new one:
	Rank    int
	Alpha   float64
	Targets string  // mlp, all, or ends of module names with commas between
	Dropout float64 // while training; negative is what the adapter of Init was trained with

	// LayerDrop is the probability with which a micro-batch leaves the last layer out while training. It falls in a line to zero
	// before the first. Source: Huang et al., 2016 (stochastic depth); nothing is scaled, as in Fan et al., 2020.
	LayerDrop float64

	Budget     Budget
	Usual      int     // steps where there is no budget
	Batch      int     // rows of a micro-batch
	Accumulate int     // micro-batches of a step
	Peak       float64 // learning rate
	Warmup     int     // steps; negative is DefaultWarmup
	Clip       float64 // largest norm of the gradients; 0 is no bound
	Beta2      float64 // of the second moment; 0 is 0.999
	Decay      float64 // weight decay of matrices
	Seed       uint64
	Length     int   // tokens of the longest row
	Memory     int64 // that weights, activations and states shall take; 0 is no bound. Activations are computed again rather than go beyond it
	Limit      int64 // memory that there is: what needs more is refused; 0 is not known

	CheckpointEvery int // steps; 0 is only when stopped
	ValidateEvery   int // steps; 0 is never

	// Given says what else the result depends on, as hashes of the corpus: a run goes on only with the same.
	Given map[string]string
	// Kernels names the instruction-set level, since bits differ between levels. AnyKernels lets a run go on at another.
	Kernels    string
	AnyKernels bool

	Begin    func(Forecast)             // called once, before the first step
	Progress func(Line, int, int)       // called after each step: its line, how many steps are done, and how many there will be
	Note     func(text string)          // something a person wants to know
	initHash string                     // of Init's numbers
	now      func() time.Time           // of log events
	stopAt   func(step int) (stop bool) // for tests: whether to stop as if asked to, behind a step
}

// Result is what a run came to.
type Result struct {
	Output     string  `json:"output"`
	Method     string  `json:"method"`
	Steps      int     `json:"steps"`
	Resumed    int     `json:"resumed,omitempty"` // the step from which the run went on
	Loss       float64 `json:"loss"`              // of the last step
	Validation *Check  `json:"validation,omitempty"`
	Trained    int64   `json:"trained_parameters"`
	Tokens     int64   `json:"tokens"` // predicted in all steps
	Seconds    float64 `json:"seconds"`
	Memory     int64   `json:"peak_memory,omitempty"`
}

// Check is the loss of held-out rows before the first step and behind the last.
type Check struct {
	Rows   int     `json:"rows"`
	Before float64 `json:"before"`
	After  float64 `json:"after"`
}

// StoppedError says that a run was asked to stop and wrote a checkpoint.
type StoppedError struct {
	Step int // that the checkpoint is of
	err  error
}

func (e *StoppedError) Error() string {
	return fmt.Sprintf("heal: stopped behind step %d, which is kept: the same command goes on from there", e.Step)
}

func (e *StoppedError) Unwrap() error { return e.err }

// resultFile is in the output when a run is through; its presence means that all is done.
const resultFile = "heal.json"

// check refuses options that mean nothing.
func (o *Options) check() error {
	switch {
	case o.Batch < 1 || o.Accumulate < 1:
		return fmt.Errorf("heal: batch and accumulate are at least 1")
	case o.CheckpointEvery < 0 || o.ValidateEvery < 0 || o.Clip < 0 || o.Decay < 0:
		return fmt.Errorf("heal: clip, decay and intervals must not be negative")
	case !(o.Peak > 0 && o.Peak < 100):
		return fmt.Errorf("heal: a learning rate of %g", o.Peak)
	case o.FromScratch && o.Method != Full:
		return fmt.Errorf("heal: only --method full begins from random weights")
	case !(o.LayerDrop >= 0 && o.LayerDrop < 1):
		return fmt.Errorf("heal: layers are left out with a probability of %g: want a number from 0 and below 1", o.LayerDrop)
	case o.DType != "" && o.Method != Full:
		return fmt.Errorf("heal: only --method full chooses the type of the weights, for the others leave most of them as they are")
	case !(o.Beta2 >= 0 && o.Beta2 < 1):
		return fmt.Errorf("heal: a second moment that keeps %g of itself: want a number from 0 and below 1", o.Beta2)
	case o.Init == "" && o.lora() && (o.Rank < 1 || !(o.Alpha > 0)):
		return fmt.Errorf("heal: rank and alpha are above 0")
	case !(o.Dropout < 1) || o.Dropout < 0 && o.Init == "":
		return fmt.Errorf("heal: dropout is at least 0 and below 1")
	}
	return nil
}

// lora reports whether adapters are trained.
func (o *Options) lora() bool { return o.Method == LoRA || o.Method == "" }

// Run finetunes a model on rows of data and writes what was trained to o.Output. A run that was killed or stopped goes on from its
// last checkpoint when it is called again with the same options.
func Run(ctx context.Context, m *decoder.Model, data *Data, held []Row, o Options) (*Result, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	if o.now == nil {
		o.now = time.Now
	}
	if err := os.MkdirAll(o.Output, 0o777); err != nil {
		return nil, fmt.Errorf("heal: %w", err)
	}
	// What a step throws away is little beside what stays: by default it could grow to as much before it is collected.
	defer debug.SetGCPercent(debug.SetGCPercent(garbageShare))
	unlock, err := lock(o.Output)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := sweep(o.Output); err != nil {
		return nil, err
	}
	if err := o.Budget.Check(); err != nil {
		return nil, err
	}
	if err := o.checkTeacher(m); err != nil {
		return nil, err
	}
	t, err := o.newTrainee(m)
	if err != nil {
		return nil, err
	}
	given := o.settings(m, t)
	if done, err := finished(o.Output, given); done != nil || err != nil {
		return done, err
	}
	l, err := newLoop(m, t, data, held, o, given)
	if err != nil {
		return nil, err
	}
	defer l.release()
	return l.run(ctx)
}

// sweep removes what a killed run was just writing.
func sweep(dir string) error {
	for _, name := range []string{checkpointFile, adapterFile, adapterConfigFile, resultFile} {
		left, err := filepath.Glob(filepath.Join(dir, "."+name+".*.tmp"))
		for _, path := range left {
			err = errors.Join(err, os.Remove(path))
		}
		if err != nil {
			return fmt.Errorf("heal: what a killed run left cannot be removed: %w", err)
		}
	}
	return nil
}

// adapter is the one to start from.
func (o *Options) adapter(m *decoder.Model) (*PEFT, error) {
	all := modules(m.Spec)
	if o.Init != "" {
		p, err := ReadPEFT(o.Init)
		if err != nil {
			return nil, err
		}
		p.Base = o.Base
		if o.Dropout >= 0 {
			p.Dropout = o.Dropout
		}
		o.Dropout = p.Dropout
		return p, p.fit(all)
	}
	some, err := chosen(all, o.Targets)
	if err != nil {
		return nil, err
	}
	if o.Objective == Matching {
		some = below(m, some, o.Cut.Layer)
	}
	p := &PEFT{Base: o.Base, Rank: o.Rank, Alpha: o.Alpha, Dropout: o.Dropout}
	for _, mod := range some {
		p.Modules = append(p.Modules, newAdapter(mod, o.Rank, o.Alpha, o.Seed))
	}
	return p, nil
}

// below are the modules of layers before one: what lies behind the cut does not change what is matched there.
func below(m *decoder.Model, some []module, layer int) []module {
	behind := map[string]bool{}
	for i := layer; i < m.Spec.L; i++ {
		for _, name := range m.LayerTensors(i) {
			behind[name] = true
		}
	}
	return slices.DeleteFunc(some, func(x module) bool { return behind[x.name+".weight"] })
}

// finished gives the result of a run that is through already.
func finished(dir string, given settings) (*Result, error) {
	var file struct {
		Settings settings `json:"settings"`
		Result   *Result  `json:"result"`
	}
	found, err := readJSON(filepath.Join(dir, resultFile), &file)
	if err != nil || !found {
		return nil, err
	}
	if err := file.Settings.same(given); err != nil {
		return nil, fmt.Errorf("heal: %s holds the result of another run: %w; choose another directory", dir, err)
	}
	if file.Result == nil {
		return nil, errors.New("heal: " + filepath.Join(dir, resultFile) + " has no result: remove the directory")
	}
	return file.Result, nil
}
