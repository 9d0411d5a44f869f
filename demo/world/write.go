package world

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"

	"shallow/internal/atomicfile"
)

// WriteOptions say how much of a world is written.
type WriteOptions struct {
	Seed      uint64      // of documents and questions
	Documents [Stages]int // of the training stages
	Items     int         // of each set of questions but the facts, which are all there
}

// Write writes all that a model of the world is trained and tested with:
//
//	DIR/train-1.jsonl, train-2.jsonl     documents of the two stages
//	DIR/model                            tokenizer.json, tokenizer_config.json, config.json
//	DIR/data/SET/test.jsonl              facts, told, reading, endings, 1step, 2step, 3step and text, for --data
//	DIR/tasks/*.yaml                     the tasks, for --include
func (w *World) Write(dir string, o WriteOptions) error {
	for stage, n := range o.Documents {
		if err := writeLines(filepath.Join(dir, fmt.Sprintf("train-%d.jsonl", stage+1)), w.Documents(o.Seed, stage+1, n)); err != nil {
			return err
		}
	}
	if err := w.WriteModel(filepath.Join(dir, "model")); err != nil {
		return err
	}
	if err := w.WriteData(filepath.Join(dir, "data"), o.Seed, o.Items); err != nil {
		return err
	}
	return WriteTasks(filepath.Join(dir, "tasks"))
}

// WriteModel writes the tokenizer's files and config.json.
func (w *World) WriteModel(dir string) error {
	v, err := w.Tokenizer()
	if err != nil {
		return err
	}
	for name, data := range map[string][]byte{"tokenizer.json": v.JSON(), "tokenizer_config.json": v.ConfigJSON(MaxLength), "config.json": Config()} {
		if err := write(filepath.Join(dir, name), data); err != nil {
			return err
		}
	}
	return nil
}

// WriteData writes the evaluation sets, with n items each, but all facts.
func (w *World) WriteData(dir string, seed uint64, n int) error {
	file := func(set string) string { return filepath.Join(dir, set, "test.jsonl") }
	facts := w.Facts(seed)
	for set, questions := range map[string][]Question{"facts": facts, "told": Told(facts), "reading": w.Reading(seed, n)} {
		if err := writeLines(file(set), slices.Values(questions)); err != nil {
			return err
		}
	}
	if err := writeLines(file("endings"), slices.Values(w.Endings(seed, n))); err != nil {
		return err
	}
	for steps := 1; steps <= 3; steps++ {
		if err := writeLines(file(fmt.Sprintf("%dstep", steps)), slices.Values(w.Sums(seed, steps, n))); err != nil {
			return err
		}
	}
	return writeLines(file("text"), slices.Values(w.HeldOut(seed, n)))
}

// WriteTasks writes the task files.
func WriteTasks(dir string) error {
	names, err := fs.Glob(Tasks, "tasks/*.yaml")
	if err != nil {
		return err
	}
	for _, name := range names {
		data, err := Tasks.ReadFile(name)
		if err != nil {
			return err
		}
		if err := write(filepath.Join(dir, filepath.Base(name)), data); err != nil {
			return err
		}
	}
	return nil
}

func write(name string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		return fmt.Errorf("world: %w", err)
	}
	return atomicfile.Write(name, data)
}

// writeLines writes a .jsonl file.
func writeLines[T any](name string, rows iter.Seq[T]) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		return fmt.Errorf("world: %w", err)
	}
	f, err := atomicfile.Create(name)
	if err != nil {
		return err
	}
	defer f.Abort()
	b := bufio.NewWriter(f)
	e := json.NewEncoder(b)
	for row := range rows {
		if err := e.Encode(row); err != nil {
			return err
		}
	}
	if err := b.Flush(); err != nil {
		return err
	}
	return f.Commit()
}
