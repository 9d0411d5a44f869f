package heal

import (
	"context"
	"time"

	"shallow/compute"
	"shallow/decoder"
)

// Forecast is what a run will take.
type Forecast struct {
	Trained int64         // parameters
	Steps   int           // that are left
	Resumed int           // step from which the run goes on, 0 for a new one
	Tokens  int64         // of the steps that are left
	Layers  int           // of the model
	Kept    int           // layers whose activations are kept; those of the others are computed twice
	Memory  int64         // bytes: weights, what is trained with its gradients and moments, activations
	Time    time.Duration // of the steps that are left, by one micro-batch that was timed
	Pace    Pace
}

// room is how many layers' activations the memory lets stay.
func (l *loop) room() decoder.TrainingRoom {
	room := decoder.TrainingRoom{Rows: l.Batch * l.Length, Kept: l.model.Spec.L}
	if l.Memory <= 0 {
		return room
	}
	for room.Kept > 0 && l.bytes(room) > l.Memory {
		room.Kept--
	}
	return room
}

// What a run takes beside what it asks for: the program with its tables and buffers of kernels, and what is thrown away until it
// is collected, by the share that Run sets.
const (
	programBytes = 64 << 20
	garbageShare = 4 // per cent
)

// bytes is the memory of a training in such a room.
func (l *loop) bytes(room decoder.TrainingRoom) int64 {
	n := l.model.TrainingBytes(l.trainee.adapters, room)
	const copies = 4 // value, gradient and two moments
	for _, v := range l.trainee.variables {
		n += copies * compute.Float32.Bytes(v.value.Rows*v.value.Cols)
	}
	return n + n*garbageShare/100 + programBytes
}

// plan finds out how many steps there will be, says what is to come, and sets the schedule. Where the pace has to be known, one
// micro-batch is timed, of which nothing stays.
func (l *loop) plan(ctx context.Context, room decoder.TrainingRoom, resumed int) error {
	pace := Pace{TokensPerStep: l.data.TokensPerRow() * float64(l.Batch*l.Accumulate)}
	rows := l.data.TokensPerRow()
	if l.Steps == 0 && l.Budget.NeedsRate() || l.Begin != nil {
		if l.Steps == 0 && !l.Budget.NeedsRate() {
			if err := l.count(pace); err != nil {
				return err
			}
		}
		var err error
		if pace.TokensPerSecond, err = l.pace(ctx); err != nil {
			return err
		}
	}
	if l.Steps == 0 {
		if err := l.count(pace); err != nil {
			return err
		}
	}
	warmup := l.Warmup
	if warmup < 0 {
		warmup = DefaultWarmup(l.Steps)
	}
	l.schedule = Schedule{Peak: l.Peak, Warmup: warmup, Steps: l.Steps}
	if err := l.data.SetRows(int64(l.Steps) * int64(l.Batch*l.Accumulate)); err != nil {
		return err
	}
	if l.Begin == nil {
		return nil
	}
	f := Forecast{Resumed: resumed, Steps: l.Steps - l.Step, Layers: l.model.Spec.L, Kept: room.Kept, Memory: l.bytes(room), Pace: pace}
	for _, v := range l.trainee.variables {
		f.Trained += int64(v.value.Rows) * int64(v.value.Cols)
	}
	f.Tokens = int64(rows * float64(f.Steps*l.Batch*l.Accumulate))
	f.Time = time.Duration(float64(f.Tokens) / pace.TokensPerSecond * float64(time.Second))
	l.Begin(f)
	return nil
}

// count turns the budget into steps.
func (l *loop) count(p Pace) (err error) {
	l.Steps, err = l.Budget.In(p, l.Usual)
	return err
}

// pace is the tokens per second of one micro-batch, of which nothing stays.
func (l *loop) pace(ctx context.Context) (float64, error) {
	rows := l.data.first(l.Batch)
	tokens := 0
	for _, r := range rows {
		tokens += len(r.IDs)
	}
	const cold = 2 * time.Second // a first pass this quick spent much of it on reading weights
	for again := false; ; again = true {
		begin := time.Now()
		_, err := l.accumulate(ctx, rows, 0, 1)
		l.clear()
		if took := time.Since(begin); again || took > cold || err != nil {
			return float64(tokens) / max(took.Seconds(), 1e-9), err
		}
	}
}

// first are rows as they are at the start, of the first source: they can be had before SetRows.
func (d *Data) first(n int) []Row {
	rows := make([]Row, n)
	s := d.sources[0]
	place := s.place
	for i := range rows {
		rows[i] = s.next()
	}
	s.place = place
	return rows
}
