package demo

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"shallow/demo/world"
	"shallow/internal/atomicfile"
)

//go:embed model
var model embed.FS

//go:embed sweep.yaml
var grid []byte

// Files of the demo, in its directory.
const (
	ModelDir  = "model"
	WorldDir  = "world"
	SpecFile  = "sweep.yaml"
	SweepDir  = "sweep"
	PrunedDir = "pruned"
	PlanFile  = "plan.json"
)

// WorldSeed is that of the world whose facts the model knows.
const WorldSeed = 1

// How much of the world is written: texts to measure on, documents to heal with, items of each task.
const (
	measured = 128
	healed   = 8000
	items    = 150
)

// Write writes the model, the grid, and the texts and tasks that it names. Other seeds draw other texts and questions about the
// same world.
func Write(dir string, seed uint64) error {
	if err := fs.WalkDir(model, ModelDir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := model.ReadFile(name)
		if err != nil {
			return err
		}
		return write(filepath.Join(dir, filepath.FromSlash(name)), data)
	}); err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	if err := write(filepath.Join(dir, SpecFile), grid); err != nil {
		return err
	}
	w := world.New(WorldSeed)
	to := filepath.Join(dir, WorldDir)
	if err := world.WriteTasks(filepath.Join(to, "tasks")); err != nil {
		return err
	}
	if err := w.WriteData(filepath.Join(to, "data"), seed, items); err != nil {
		return err
	}
	var texts, documents bytes.Buffer
	for _, d := range w.HeldOut(seed+1, measured) { // others than those whose loss is taken
		if err := json.NewEncoder(&texts).Encode(d); err != nil {
			return fmt.Errorf("demo: %w", err)
		}
	}
	for d := range w.Documents(seed+1, world.Stages, healed) { // others than those of the training
		if err := json.NewEncoder(&documents).Encode(d); err != nil {
			return fmt.Errorf("demo: %w", err)
		}
	}
	if err := write(filepath.Join(to, "texts.jsonl"), texts.Bytes()); err != nil {
		return err
	}
	return write(filepath.Join(to, "heal.jsonl"), documents.Bytes())
}

// write writes a file unless it is there with the same content: a model whose files are as they were is not hashed again.
func write(name string, data []byte) error {
	if there, err := os.ReadFile(name); err == nil && bytes.Equal(there, data) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	if err := atomicfile.Write(name, data); err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	return nil
}
