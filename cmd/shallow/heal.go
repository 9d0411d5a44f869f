package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"shallow/checkpoint"
	"shallow/corpus"
	"shallow/decoder"
	"shallow/gguf"
	"shallow/heal"
	"shallow/internal/machine"
)

type healCommand struct {
	Model  string   `arg:"" help:"Model directory or hub id."`
	Output string   `short:"o" required:"" help:"Directory for the adapter, log.jsonl and TensorBoard's events." placeholder:"DIR"`
	Corpus []string `help:"Texts: .txt, .jsonl or .json with a text, ids, or prompt and completion in each object, .parquet; or a data set of the hub. FILE:0.7 gives it a weight among others; can be given several times." placeholder:"FILE" sep:"none"`
	Stage  []string `help:"Corpora one after another: SHARE=FILE[:WEIGHT],… for a share of the training. Can be given several times." placeholder:"STAGE" sep:"none"`
	Field  string   `help:"Key or column of the text." default:"text"`
	Split  string   `help:"What ends a document in a .txt file: blank for a blank line; none makes the file one document, which gives a row for every --length tokens." enum:"none,blank" default:"none"`

	Method  string   `help:"What is trained: lora, low-rank adapters; full, every weight; tail, the head and the last layers; join, the layers on both sides of the cut." enum:"lora,full,tail,join" default:"lora"`
	Loss    string   `help:"What is made small: next-token; match, the squared difference of the residual stream at the cut from the unpruned model's behind it; distill, the divergence of its next-token distribution. The last two need --teacher." enum:"next-token,match,distill" default:"next-token"`
	Teacher string   `help:"The unpruned model, for --loss match and distill." placeholder:"MODEL"`
	Heat    float64  `name:"temperature" help:"Of both distributions in --loss distill." default:"1" placeholder:"T"`
	Tail    int      `name:"tail-layers" help:"How many of the last layers --method tail trains." default:"1" placeholder:"K"`
	Cut     string   `help:"Where layers are gone, as LAYER:ORIGINAL, the first layer behind the cut and its number in the unpruned model; from plan.json beside the model if not given." placeholder:"L:M"`
	Scratch bool     `name:"from-scratch" help:"Begin --method full from random weights. The model then needs none: a config.json and tokenizer files suffice."`
	DType   string   `name:"dtype" help:"Type of the weights that --method full writes: float32, bfloat16 or float16; the model's own if not given." enum:",float32,bfloat16,float16" default:"" placeholder:"TYPE"`
	Base    string   `help:"What the frozen weights are held in: nf4, bf16 or float32." enum:"nf4,bf16,float32" default:"nf4"`
	Preset  string   `help:"Settings of the paper for a model; found by the model if not given, default for none." placeholder:"NAME"`
	Init    string   `help:"PEFT adapter to start from, a directory." placeholder:"DIR"`
	Rank    int      `help:"Rank of a new adapter; the preset's if not given." placeholder:"R"`
	Alpha   float64  `help:"The adapter is scaled by alpha/rank; alpha is the rank if not given." placeholder:"A"`
	Targets string   `help:"Matrices that get an adapter: mlp, all, or names as q_proj,v_proj." default:"mlp"`
	Dropout *float64 `help:"Probability with which an adapter's inputs are zeroed in training; the preset's or the adapter's if not given." placeholder:"P"`
	Drop    float64  `name:"layer-drop" help:"Stochastic depth: probability with which the last layer is left out of a micro-batch; in a line less for those before it." default:"0" placeholder:"P"`

	Steps  int     `help:"Train so many optimizer steps." placeholder:"N"`
	Tokens string  `help:"Or so many tokens, as 20M." placeholder:"N"`
	Hours  float64 `help:"Or so many hours, by the speed at the start." placeholder:"H"`

	Batch      int      `help:"Rows of a micro-batch." default:"1" placeholder:"N"`
	Accumulate int      `help:"Micro-batches of a step; as many as give the preset's 16 rows if not given." placeholder:"N"`
	Length     int      `help:"Longest row, in tokens; the preset's if not given." placeholder:"T"`
	Pack       bool     `help:"Join documents and cut them into rows of --length tokens, instead of one document a row."`
	NoShuffle  bool     `help:"Take the documents in their order, again from the start where they end."`
	PromptW    float64  `name:"prompt-weight" help:"What a prompt's tokens count in documents that have prompt and completion." default:"0" placeholder:"W"`
	CompleteW  float64  `name:"completion-weight" help:"What a completion's tokens count." default:"1" placeholder:"W"`
	LR         *float64 `name:"lr" help:"Peak of the learning rate; the preset's if not given." placeholder:"RATE"`
	Warmup     int      `help:"Steps in which the learning rate rises; 100, at most a tenth of all, if not given." default:"-1" placeholder:"N"`
	Clip       float64  `help:"Longest gradient, all tensors as one vector; 0 is any." default:"1" placeholder:"NORM"`
	Decay      float64  `name:"weight-decay" help:"Weight decay of AdamW, for matrices." default:"0" placeholder:"D"`
	Beta2      float64  `name:"beta2" help:"How much the second moment of AdamW keeps of itself." default:"0.999" placeholder:"B"`
	Seed       uint64   `help:"Seed of the order, random weights, a new adapter and dropout." default:"1"`

	Evaluation      []string `help:"Texts that the model will be evaluated on: training documents that overlap them are pointed out. Can be given several times." placeholder:"FILE" sep:"none"`
	Held            int      `help:"Hold out so many documents to validate on." default:"0" placeholder:"N"`
	Validation      []string `help:"Texts to validate on instead; --held then takes so many of them. Can be given several times." placeholder:"FILE" sep:"none"`
	ValidateEvery   int      `help:"Validate every so many steps, and at begin and end; 0 is at begin and end alone." default:"0" placeholder:"N"`
	CheckpointEvery int      `help:"Keep a checkpoint every so many steps; 0 is only when stopped." default:"50" placeholder:"N"`
	AnyKernels      bool     `name:"allow-different-kernels" help:"Go on from a checkpoint that another kind of processor computed."`

	engineFlags
	memoryFlag
	JSON  bool `help:"Print the result as JSON."`
	Quiet bool `short:"q" help:"Show no progress."`
}

// Help shows examples.
func (healCommand) Help() string {
	return `The paper's recipe: the base is frozen in 4 bits (NF4), adapters of low rank on the feed-forward matrices are trained with AdamW and
a warmed-up cosine. The result is an adapter as PEFT has them; shallow merge puts it into the weights. --method full, tail and join train
weights instead, in float32, and write a whole checkpoint to OUT/model.

A checkpoint is kept every --checkpoint-every steps and on Ctrl-C. The same command goes on from it, also after kill -9, and ends with the
same bits as if it had never stopped, whatever --threads and --memory. OUT/log.jsonl has a line a step: step, loss, lr, grad_norm before
clipping, tokens that the step predicted; OUT/tensorboard the same for TensorBoard.

Without --steps, --tokens or --hours it is the paper's 5000 steps, unless that takes more than 12 hours.
` + aboutModels + `
Examples:

  shallow heal models/llama-2-7b-24 --corpus c4.jsonl --tokens 20M -o healed
  shallow heal models/llama-2-7b-24 --corpus web.jsonl:0.7 --corpus code.jsonl:0.3 --pack --hours 8 --held 64 -o healed
  shallow heal models/tiny --corpus ids.jsonl --base float32 --steps 200 --batch 4 --accumulate 4 --lr 1e-3 -o healed
  shallow merge models/llama-2-7b-24 healed -o models/llama-2-7b-24-healed
`
}

// Validate refuses what means nothing.
func (c *healCommand) Validate() error {
	if (len(c.Corpus) == 0) == (len(c.Stage) == 0) {
		return errors.New("give --corpus, the texts to train on, or --stage for several one after another")
	}
	if c.Batch < 1 || c.Accumulate < 0 || c.Length < 0 || c.Rank < 0 || c.Alpha < 0 || c.Held < 0 || c.ValidateEvery < 0 || c.CheckpointEvery < 0 {
		return errors.New("--batch is at least 1; --accumulate, --length, --rank, --alpha, --held and intervals are not negative")
	}
	if c.Init != "" && (c.Rank > 0 || c.Alpha > 0 || c.Targets != "mlp") {
		return errors.New("--init brings its own rank, alpha and targets")
	}
	if c.ValidateEvery > 0 && c.Held == 0 && len(c.Validation) == 0 {
		return errors.New("--validate-every needs --held, how many documents to hold out, or --validation")
	}
	return nil
}

// Run trains and says what came out.
func (c *healCommand) Run(ctx context.Context) error {
	e, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer e.Close()
	if c.Method != "lora" && gguf.Is(e.Checkpoint.Dir) {
		return usagef("%s is a GGUF file: --method %s writes a Hugging Face checkpoint, and needs one", c.Model, c.Method)
	}
	teacher, err := c.teacher(ctx, e)
	if err != nil {
		return err
	}
	defer teacher.Close()
	preset, err := c.preset(e)
	if err != nil {
		return err
	}
	o, err := c.options(e, preset)
	if err != nil {
		return err
	}
	o.Teacher = teacher.options(c.Heat)
	if o.Cut, err = c.cut(e); err != nil {
		return err
	}
	data, err := c.data(ctx, e, &o)
	if err != nil {
		return err
	}
	o.Given = map[string]string{"corpus": data.Cursor().Data, "base": c.Base}
	if n := data.Dropped(); n > 0 && !c.Quiet {
		note("%s left out: they have nothing to predict", plural(n, "document"))
	}
	if err := c.pointOutOverlaps(ctx, e, data); err != nil {
		return err
	}
	bar := c.bar(&o)
	result, err := heal.Run(ctx, e.Model, data, data.Held(0), o)
	bar.close()
	var stopped *heal.StoppedError
	if errors.As(err, &stopped) && !c.Quiet {
		note("stopped behind step %d, which is kept: the same command goes on from there", stopped.Step)
	}
	if err != nil {
		return err
	}
	result.Memory = machine.Peak()
	if c.JSON {
		return printJSON(result)
	}
	c.print(result)
	return nil
}

// open opens the model in the base's precision.
func (c *healCommand) open(ctx context.Context) (*engine, error) {
	o := decoder.Options{}
	switch c.Base {
	case "nf4":
		o.Base = decoder.NF4
	case "bf16":
		o.Precision = decoder.BFloat16
	case "float32":
		o.Precision = decoder.Float32
	}
	return c.openWith(ctx, c.Model, o, c.Quiet, func(dir string) (*checkpoint.Checkpoint, error) {
		found, err := openRunnable(dir)
		if c.Scratch && errors.Is(err, checkpoint.ErrNoWeights) {
			return decoder.Blank(dir)
		}
		return found, err
	})
}

func (c *healCommand) preset(e *engine) (heal.Preset, error) {
	if c.Preset != "" {
		return heal.PresetNamed(c.Preset)
	}
	return heal.PresetOf(c.Model, e.Spec), nil
}

// options are those of the flags, and the preset's where there is no flag.
func (c *healCommand) options(e *engine, p heal.Preset) (heal.Options, error) {
	o := heal.Options{
		Output: c.Output, Base: c.Model, Method: heal.Method(c.Method), TailLayers: c.Tail, FromScratch: c.Scratch, Objective: heal.Loss(c.Loss), Init: c.Init, Rank: c.Rank, Alpha: c.Alpha, Targets: c.Targets, Dropout: p.Dropout, LayerDrop: c.Drop,
		Budget: heal.Budget{Steps: c.Steps, Hours: c.Hours}, Usual: p.Steps, Batch: c.Batch, Accumulate: c.Accumulate, Length: c.Length,
		Peak: p.Rate, Warmup: c.Warmup, Clip: c.Clip, Beta2: c.Beta2, Decay: c.Decay, DType: checkpoint.ElementType(c.DType), Seed: c.Seed, Memory: c.bytes(), Limit: machine.Memory(),
		CheckpointEvery: c.CheckpointEvery, ValidateEvery: c.ValidateEvery, Kernels: e.device.Level().String(), AnyKernels: c.AnyKernels,
	}
	if o.Rank == 0 {
		o.Rank = p.Rank
	}
	if o.Alpha == 0 {
		o.Alpha = float64(o.Rank)
	}
	if o.Accumulate == 0 {
		o.Accumulate = max(1, p.Rows/c.Batch)
	}
	if o.Length == 0 {
		o.Length = p.Length
	}
	if c.LR != nil {
		o.Peak = *c.LR
	}
	if c.Init != "" {
		o.Dropout = -1
	}
	if c.Dropout != nil {
		o.Dropout = *c.Dropout
		if !(o.Dropout >= 0 && o.Dropout < 1) {
			return o, usagef("--dropout is at least 0 and below 1")
		}
	}
	if c.Tokens != "" {
		var err error
		if o.Budget.Tokens, err = heal.ParseCount(c.Tokens); err != nil {
			return o, usagef("--tokens: %v", err)
		}
	}
	return o, nil
}

// data reads the corpora. Rows get no longer than the longest document.
func (c *healCommand) data(ctx context.Context, e *engine, o *heal.Options) (*heal.Data, error) {
	stages := []heal.StageSpec{{Share: 1}}
	for _, text := range c.Corpus {
		x, err := heal.ParseCorpus(text)
		if err != nil {
			return nil, usagef("%v", err)
		}
		stages[0].Corpora = append(stages[0].Corpora, x)
	}
	if len(c.Stage) > 0 {
		stages = nil
	}
	for _, text := range c.Stage {
		s, err := heal.ParseStage(text)
		if err != nil {
			return nil, usagef("%v", err)
		}
		stages = append(stages, s)
	}
	d := heal.DataOptions{Pack: c.Pack, Shuffle: !c.NoShuffle, Seed: c.Seed, PromptWeight: c.PromptW, CompletionWeight: c.CompleteW, Held: c.Held}
	if end := endOfText(e.Checkpoint.Config); end >= 0 {
		d.End = []int{end}
	}
	var sources []heal.Source
	longest := 0
	for number, stage := range stages {
		d.Stages = append(d.Stages, stage.Share)
		groups, err := heal.Groups(stage.Corpora)
		if err != nil {
			return nil, err
		}
		for _, g := range groups {
			found, err := c.read(ctx, e, g.Names, o, d.End)
			if err != nil {
				return nil, err
			}
			s := heal.Source{Name: g.Name, Weight: g.Weight, Stage: number, Documents: heal.Documents(found)}
			for _, x := range s.Documents {
				longest = max(longest, len(x.IDs))
			}
			sources = append(sources, s)
		}
	}
	if len(c.Validation) > 0 {
		found, err := c.take(ctx, e, c.Validation, corpus.Options{Samples: c.Held, Length: o.Length, End: d.End})
		if err != nil {
			return nil, err
		}
		d.Held, d.Validation = 0, heal.Documents(found)
		for _, x := range d.Validation {
			longest = max(longest, len(x.IDs))
		}
	}
	if !c.Pack {
		o.Length = max(2, min(o.Length, longest))
	}
	d.Length = o.Length
	return heal.NewData(sources, d)
}

// read takes the documents of some files to train on.
func (c *healCommand) read(ctx context.Context, e *engine, names []string, o *heal.Options, end []int) (*corpus.Corpus, error) {
	limit := corpus.Options{Length: o.Length, End: end}
	if c.Pack {
		limit.Length = 0
	}
	limit.Samples, limit.Tokens = c.enough(names, o)
	return c.take(ctx, e, names, limit)
}

// endOfText is the token that ends a text, -1 where config.json names none.
func endOfText(c *checkpoint.Config) int {
	if c.KindOf("eos_token_id") == checkpoint.List {
		if ids := c.Ints("eos_token_id"); len(ids) > 0 {
			return slices.Min(ids)
		}
		return -1
	}
	return c.Int("eos_token_id", -1)
}

// bar shows what is to come, and then how far it is.
func (c *healCommand) bar(o *heal.Options) *progress {
	var loss float64
	var tokens float64
	bar := newProgress("heal", c.Quiet, func(rate float64) string { return fmt.Sprintf("loss %.4f, %.0f tokens/s", loss, rate*tokens) })
	if c.Quiet {
		return bar
	}
	o.Begin = func(f heal.Forecast) {
		tokens = f.Pace.TokensPerStep
		if f.Resumed > 0 {
			note("goes on behind step %d", f.Resumed)
		}
		note("%s parameters are trained for %s of %.0f tokens; %v of memory, activations of %d of %s kept; about %v at %.0f tokens/s",
			count(f.Trained), plural(f.Steps, "step"), tokens, byteSize(f.Memory), f.Kept, plural(f.Layers, "layer"), rounded(f.Time), f.Pace.TokensPerSecond)
		if o.Memory > 0 && f.Memory > o.Memory {
			note("that is more than the %v of --memory: less is not possible with this --batch and --length", byteSize(o.Memory))
		}
		bar.report(int64(f.Resumed), int64(f.Resumed+f.Steps))
	}
	o.Progress = func(l heal.Line, done, total int) {
		loss = l.Loss
		bar.report(int64(done), int64(total))
	}
	return bar
}

// rounded is a duration as a person says it.
func rounded(d time.Duration) time.Duration {
	if d > time.Minute {
		return d.Round(time.Minute)
	}
	return d.Round(time.Second)
}

func (c *healCommand) print(r *heal.Result) {
	what := "an adapter of %s parameters"
	if r.Method != string(heal.LoRA) {
		what = "in model, with %s trained weights"
	}
	fmt.Printf("%s: "+what+", %s, loss %.4f in the last\n", r.Output, count(r.Trained), plural(r.Steps, "step"), r.Loss)
	if v := r.Validation; v != nil {
		fmt.Printf("validation loss on %s: %.4f before, %.4f after\n", plural(v.Rows, "row"), v.Before, v.After)
	}
	if r.Seconds > 0 {
		fmt.Printf("%v, %.0f predicted tokens/s, %v of memory at most\n", rounded(time.Duration(r.Seconds*float64(time.Second))), float64(r.Tokens)/r.Seconds, byteSize(r.Memory))
	}
}
