package heal

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"time"

	"shallow/compute"
	"shallow/decoder"
)

// variable is a tensor that is trained, with AdamW's moments.
type variable struct {
	name                           string
	vector                         bool // which does not decay
	value, gradient, first, second compute.Tensor
}

// The moments' rates and what keeps the root from zero. Source: Kingma and Ba, 2015, algorithm 1.
const (
	beta1   = 0.9
	beta2   = 0.999
	epsilon = 1e-8
)

// loop is a training on its way.
type loop struct {
	Options
	model     *decoder.Model
	gradients compute.Gradients
	training  *decoder.Training
	trainee   *trainee
	data      *Data
	held      []Row
	settings  settings
	zeros     []byte   // as many as the largest gradient has
	below     *entered // nil where nothing lies below what is trained

	state
	schedule Schedule
	log      *journal
}

// state is what a checkpoint keeps beside tensors.
type state struct {
	Step   int      `json:"step"`  // steps that are done
	Steps  int      `json:"steps"` // of the whole run
	Cursor Cursor   `json:"cursor"`
	Tokens int64    `json:"tokens"`
	Loss   float64  `json:"loss"`
	Before *float64 `json:"before,omitempty"` // validation loss before the first step
	After  *float64 `json:"after,omitempty"`  // and the last one
}

func newLoop(m *decoder.Model, t *trainee, data *Data, held []Row, o Options, s settings) (*loop, error) {
	g, ok := m.Device.(compute.Gradients)
	if !ok {
		return nil, fmt.Errorf("heal: %v computes no gradients", m.Device)
	}
	l := &loop{Options: o, model: m, gradients: g, trainee: t, data: data, held: held, settings: s}
	l.Cursor = data.Cursor()
	largest := 0
	for i := range t.variables {
		v := &t.variables[i]
		v.first = m.Device.New(compute.Float32, v.value.Rows, v.value.Cols)
		v.second = m.Device.New(compute.Float32, v.value.Rows, v.value.Cols)
		largest = max(largest, v.value.Rows*v.value.Cols)
	}
	l.zeros = make([]byte, 4*largest)
	return l, m.Device.Sync()
}

// release gives the memory back.
func (l *loop) release() {
	if l.training != nil {
		l.training.Release()
	}
	l.trainee.release(l.model.Device)
	l.Teacher.release()
	if l.log != nil {
		l.log.close()
	}
}

// belowBytes is how much of what enters the first trained layer is kept, where rows come again.
const belowBytes = 1 << 30

// run goes on from the last checkpoint, or begins, and writes the result.
func (l *loop) run(ctx context.Context) (_ *Result, err error) {
	resumed, err := l.resume()
	if err != nil {
		return nil, err
	}
	if err := l.data.Seek(l.Cursor); err != nil {
		return nil, err
	}
	room := l.room()
	if need := l.bytes(room); l.Limit > 0 && need > l.Limit {
		return nil, fmt.Errorf("heal: this takes %d MB of memory with no activations kept, and there are %d: a smaller --batch or --length, a lower --rank or --base nf4 take less", need>>20, l.Limit>>20)
	}
	if l.training, err = l.model.Train(l.trainee.adapters, l.trainee.parameters, room, uint32(l.Seed^l.Seed>>32)); err != nil {
		return nil, err
	}
	if l.training.Below() > 0 {
		l.below = &entered{states: map[string][]float32{}, left: belowBytes}
	}
	if err := l.plan(ctx, room, resumed); err != nil {
		return nil, err
	}
	if l.log, err = openJournal(l.Output, l.Step, l.now); err != nil {
		return nil, err
	}
	begin := l.now()
	if l.Before == nil && len(l.held) > 0 {
		loss, err := l.validate(ctx)
		if err != nil {
			return nil, l.interrupted(err)
		}
		l.Before, l.After = &loss, &loss
	}
	for l.Step < l.Steps {
		line, err := l.step(ctx)
		if err != nil {
			return nil, l.interrupted(err)
		}
		if err := l.behind(ctx, line); err != nil {
			return nil, err
		}
	}
	return l.finish(ctx, begin, resumed)
}

// behind validates, logs and keeps a checkpoint where it is time to.
func (l *loop) behind(ctx context.Context, line Line) error {
	last := l.Step == l.Steps
	if len(l.held) > 0 && (last || l.ValidateEvery > 0 && l.Step%l.ValidateEvery == 0) {
		loss, err := l.validate(ctx)
		if err != nil {
			return l.interrupted(err)
		}
		l.After, line.Validation = &loss, &loss
	}
	if err := l.log.write(line); err != nil {
		return err
	}
	if l.Progress != nil {
		l.Progress(line, l.Step, l.Steps)
	}
	if l.stopAt != nil && l.stopAt(l.Step) {
		return l.interrupted(context.Canceled)
	}
	if !last && l.CheckpointEvery > 0 && l.Step%l.CheckpointEvery == 0 {
		return l.keep()
	}
	return nil
}

// interrupted keeps a checkpoint where the error is that the run was asked to stop: of the last step that was done whole.
func (l *loop) interrupted(err error) error {
	if !errors.Is(err, context.Canceled) {
		return err
	}
	if l.Step == 0 {
		return err
	}
	if kept := l.keep(); kept != nil {
		return kept
	}
	return &StoppedError{l.Step, err}
}

// step is one step of the optimizer: a window of micro-batches, whose gradients together are those of the mean loss of all the
// tokens that the window predicts.
func (l *loop) step(ctx context.Context) (Line, error) {
	line := Line{Step: l.Step + 1, Rate: l.schedule.Rate(l.Step)}
	rows := l.data.Next(l.Batch * l.Accumulate)
	var predicted float64
	for _, r := range rows {
		predicted += r.Predicted()
		for _, t := range r.Targets {
			if t >= 0 {
				line.Tokens++
			}
		}
	}
	if !(predicted > 0) {
		return line, fmt.Errorf("heal: step %d has nothing to predict", line.Step)
	}
	for i := range l.Accumulate {
		loss, err := l.accumulate(ctx, rows, i, predicted)
		if err != nil {
			return line, fmt.Errorf("heal: step %d: %w", line.Step, err)
		}
		if loss-loss != 0 {
			return line, l.diverged(ctx, line.Step, rows[i*l.Batch:(i+1)*l.Batch], loss)
		}
		line.Loss += loss
	}
	var err error
	if line.Norm, err = l.norm(line.Step); err != nil {
		return line, err
	}
	l.update(line)
	if err := l.model.Device.Sync(); err != nil {
		return line, fmt.Errorf("heal: step %d: %w", line.Step, err)
	}
	l.Step, l.Cursor, l.Loss = line.Step, l.data.Cursor(), line.Loss
	l.Tokens += int64(line.Tokens)
	return line, nil
}

// accumulate adds the gradients of one micro-batch of a step's rows.
func (l *loop) accumulate(ctx context.Context, rows []Row, micro int, predicted float64) (float64, error) {
	tokens := 0
	for _, r := range rows {
		tokens += len(r.IDs)
	}
	b := l.batch(rows[micro*l.Batch:(micro+1)*l.Batch], predicted, l.Step, micro)
	b.Skip = l.skipped(micro)
	release, err := l.show(ctx, &b, float64(tokens*l.model.Spec.D))
	if err != nil {
		return 0, err
	}
	defer release()
	if err := l.entering(ctx, &b); err != nil {
		return 0, err
	}
	return l.training.Accumulate(ctx, b)
}

// batch is rows as the decoder takes them.
func (l *loop) batch(rows []Row, predicted float64, step, micro int) decoder.Batch {
	b := decoder.Batch{Weight: float32(1 / predicted), Step: uint32(step), MicroStep: uint32(micro)}
	for _, r := range rows {
		b.Sequences, b.Targets = append(b.Sequences, r.IDs), append(b.Targets, r.Targets)
		w := r.Weights
		if w == nil {
			w = ones(len(r.IDs))
		}
		b.Weights = append(b.Weights, w)
	}
	return b
}

// forLayers is a purpose of random numbers beside those of data and weights.
const forLayers = 66

// skipped are the layers that a micro-batch of the step at hand leaves out: it depends on the seed and on their numbers alone.
func (l *loop) skipped(micro int) (layers []int) {
	depth := l.model.Spec.L
	for i := range depth {
		unit := float64(random(l.Seed, forLayers, uint64(l.Step), uint64(micro*depth+i))>>11) / (1 << 53)
		if unit < l.LayerDrop*float64(i+1)/float64(depth) {
			layers = append(layers, i)
		}
	}
	return layers
}

func ones(n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = 1
	}
	return x
}

// finite is an error where what is trained holds a value that is no finite number: it would be kept as if it were good.
func (l *loop) finite() error {
	for _, v := range l.trainee.variables {
		squares, err := l.gradients.SumSquares(v.value)
		if err != nil {
			return err
		}
		if squares-squares != 0 {
			return &DivergedError{Step: l.Step, What: fmt.Sprintf("%q", v.name), Kept: l.kept()}
		}
	}
	return nil
}

// norm is the length of all gradients as one vector.
func (l *loop) norm(step int) (float64, error) {
	var sum float64
	for _, v := range l.trainee.variables {
		squares, err := l.gradients.SumSquares(v.gradient)
		if err != nil {
			return 0, err
		}
		if squares-squares != 0 {
			return 0, &DivergedError{Step: step, What: fmt.Sprintf("the gradient of %q", v.name), Kept: l.kept()}
		}
		sum += squares
	}
	return math.Sqrt(sum), nil
}

// update takes the parameters one step on and clears the gradients. A norm above Clip is shortened to it, as torch does.
func (l *loop) update(line Line) {
	scale := 1.0
	if l.Clip > 0 {
		scale = min(1, l.Clip/(line.Norm+1e-6))
	}
	for _, v := range l.trainee.variables {
		s := compute.AdamWStep{T: line.Step, Rate: line.Rate, Beta1: beta1, Beta2: beta2, Eps: epsilon}
		if l.Beta2 > 0 {
			s.Beta2 = l.Beta2
		}
		if !v.vector {
			s.Decay = l.Decay
		}
		l.gradients.AdamW(v.value, v.first, v.second, v.gradient, float32(scale), s)
	}
	l.clear()
}

// clear makes the gradients zero.
func (l *loop) clear() {
	for _, v := range l.trainee.variables {
		l.model.Device.Upload(v.gradient, l.zeros[:4*v.gradient.Rows*v.gradient.Cols])
	}
}

// validate is the loss of the rows that are held out, in nats a predicted token.
func (l *loop) validate(ctx context.Context) (float64, error) {
	var sum, predicted float64
	for lo := 0; lo < len(l.held); lo += l.Batch {
		part := l.held[lo:min(lo+l.Batch, len(l.held))]
		b := l.batch(part, 1, 0, 0)
		loss, err := l.training.Loss(ctx, b)
		if err != nil {
			return 0, fmt.Errorf("heal: validation: %w", err)
		}
		if loss-loss != 0 {
			if err := l.finite(); err != nil {
				return 0, err
			}
			return 0, &DivergedError{Step: l.Step, What: "the validation loss behind it", Kept: l.kept(), cause: l.training.Finite(ctx, b.Sequences)}
		}
		sum += loss
		for _, r := range part {
			predicted += r.Predicted()
		}
	}
	return sum / predicted, nil
}

// finish writes what was trained, then the result, and removes the checkpoint that is no longer needed.
func (l *loop) finish(ctx context.Context, begin time.Time, resumed int) (*Result, error) {
	r := &Result{Output: l.Output, Method: string(l.method()), Steps: l.Steps, Resumed: resumed, Loss: l.Loss, Tokens: l.Tokens, Seconds: l.now().Sub(begin).Seconds()}
	if l.Before != nil && l.After != nil {
		r.Validation = &Check{len(l.held), *l.Before, *l.After}
	}
	for _, v := range l.trainee.variables {
		r.Trained += int64(v.value.Rows) * int64(v.value.Cols)
	}
	if err := errors.Join(l.finite(), l.log.sync()); err != nil {
		return nil, err
	}
	l.training.Release() // makes room for what is written
	l.training = nil
	if err := l.write(ctx); err != nil {
		return nil, err
	}
	if err := writeJSON(filepath.Join(l.Output, resultFile), struct {
		Settings settings `json:"settings"`
		Result   *Result  `json:"result"`
	}{l.settings, r}); err != nil {
		return nil, err
	}
	return r, removeCheckpoint(l.Output)
}

// method is what is trained.
func (l *loop) method() Method {
	if l.lora() {
		return LoRA
	}
	return l.Method
}

// write writes the adapter, or the model.
func (l *loop) write(ctx context.Context) error {
	if l.lora() {
		return l.trainee.write(l.model, l.Output)
	}
	return l.trainee.writeModel(ctx, l.model, l.Output, l.DType)
}

// DivergedError says where a number stopped being finite, and which checkpoint is left.
type DivergedError struct {
	Step  int
	What  string // that is not finite: the loss, or a tensor's gradient
	Kept  int    // the step of the checkpoint that stays, 0 for none
	cause error
}

func (e *DivergedError) Error() string {
	text := fmt.Sprintf("heal: step %d: %s is not finite", e.Step, e.What)
	if e.cause != nil {
		text += ": " + e.cause.Error()
	}
	text += ". A lower --lr or a longer --warmup helps"
	if e.Kept > 0 {
		text += fmt.Sprintf("; the checkpoint of step %d is kept", e.Kept)
	}
	return text
}

func (e *DivergedError) Unwrap() error { return e.cause }

// diverged finds the layer from which on states are not finite.
func (l *loop) diverged(ctx context.Context, step int, rows []Row, loss float64) error {
	e := &DivergedError{Step: step, What: fmt.Sprintf("the loss, %v,", loss), Kept: l.kept()}
	e.cause = l.training.Finite(ctx, l.batch(rows, 1, step-1, 0).Sequences)
	return e
}
