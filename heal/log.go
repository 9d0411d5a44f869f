package heal

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// logFile has a line of JSON a step.
const logFile = "log.jsonl"

// Line is what is logged of a step.
type Line struct {
	Step       int      `json:"step"` // from 1
	Loss       float64  `json:"loss"` // mean of the tokens that the step predicted, in nats
	Rate       float64  `json:"lr"`
	Norm       float64  `json:"grad_norm"` // of all gradients, before they were clipped
	Tokens     int      `json:"tokens"`    // that the step predicted
	Validation *float64 `json:"validation_loss,omitempty"`
}

// journal is the log of a run: lines of JSON, and the same as TensorBoard reads it.
type journal struct {
	file   *os.File
	events *eventFile
	now    func() time.Time
}

// openJournal opens the log behind a step; what was logged of later ones goes, because they will be done again.
func openJournal(dir string, step int, now func() time.Time) (*journal, error) {
	path := filepath.Join(dir, logFile)
	size, err := lengthUpTo(path, step)
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o666)
	if err != nil {
		return nil, fmt.Errorf("heal: %w", err)
	}
	if err = f.Truncate(size); err == nil {
		_, err = f.Seek(size, io.SeekStart)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("heal: %w", err)
	}
	events, err := createEvents(dir, step, now())
	if err != nil {
		f.Close()
		return nil, err
	}
	return &journal{f, events, now}, nil
}

// lengthUpTo is how many bytes the lines of the first steps take. It is an error if one of them is missing.
func lengthUpTo(path string, step int) (int64, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) && step == 0 {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("heal: %w", err)
	}
	defer f.Close()
	r := bufio.NewReader(f)
	var size int64
	for want := 1; want <= step; want++ {
		text, err := r.ReadBytes('\n')
		var line Line
		if err == nil {
			err = json.Unmarshal(bytes.TrimSpace(text), &line)
		}
		if err != nil || line.Step != want {
			return 0, fmt.Errorf("heal: %s: line %d is not that of step %d, though the checkpoint is of step %d: the file was changed", path, want, want, step)
		}
		size += int64(len(text))
	}
	return size, nil
}

// write adds a line.
func (j *journal) write(line Line) error {
	text, err := json.Marshal(line)
	if err != nil {
		return fmt.Errorf("heal: step %d: %w", line.Step, err)
	}
	if _, err := j.file.Write(append(text, '\n')); err != nil {
		return fmt.Errorf("heal: step %d cannot be logged: %w", line.Step, err)
	}
	scalars := []scalar{{"loss/train", line.Loss}, {"learning_rate", line.Rate}, {"grad_norm", line.Norm}}
	if line.Validation != nil {
		scalars = append(scalars, scalar{"loss/validation", *line.Validation})
	}
	return j.events.write(line.Step, j.now(), scalars)
}

// sync puts the lines on the disk.
func (j *journal) sync() error {
	if err := errors.Join(j.file.Sync(), j.events.file.Sync()); err != nil {
		return fmt.Errorf("heal: %w", err)
	}
	return nil
}

func (j *journal) close() {
	j.file.Close()
	j.events.file.Close()
}
