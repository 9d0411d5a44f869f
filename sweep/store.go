package sweep

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"shallow/internal/atomicfile"
)

// stored is the content of cells/<id>.json. What the cell is called in the grid is not part of it: several spots may share it.
type stored struct {
	Version int    `json:"version"` // 1
	Tool    string `json:"tool"`
	Inputs  inputs `json:"inputs"`
	Cell    Cell   `json:"cell"`
}

// maxCell bounds the size of a cell's file.
const maxCell = 64 << 20

func parseCell(data []byte) (*stored, error) {
	x := new(stored)
	switch err := json.Unmarshal(data, x); {
	case len(data) > maxCell:
		return nil, errors.New("it is too large")
	case err != nil:
		return nil, err
	case x.Version != 1 || x.Inputs.Version != journalVersion:
		return nil, fmt.Errorf("versions %d and %d are not known here", x.Version, x.Inputs.Version)
	}
	return x, nil
}

// readCell reads the file of a cell, whose name must be the hash of its inputs.
func readCell(file, id string) (*stored, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("sweep: %w", err)
	}
	x, err := parseCell(data)
	if err == nil && x.Inputs.id() != id {
		err = errors.New("its name is not the hash of its inputs")
	}
	if err != nil {
		return nil, fmt.Errorf("sweep: %s: %w", file, err)
	}
	return x, nil
}

func cellFile(dir, id string) string {
	return filepath.Join(dir, "cells", id+".json")
}

func (s *sweep) cellFile(id string) string { return cellFile(s.Output, id) }

// cell is the result of a spot, nil where there is none. A file that is damaged counts as none.
func (s *sweep) cell(x *spot) *Cell {
	if c, ok := s.cells[x.id]; ok {
		return c
	}
	found, err := readCell(s.cellFile(x.id), x.id)
	if err == nil {
		s.cells[x.id] = &found.Cell
		return &found.Cell
	}
	if notThere := new(fs.PathError); !errors.As(err, &notThere) {
		s.note("%s is damaged and will be computed again", s.cellFile(x.id))
		_ = os.Remove(s.cellFile(x.id)) // so that it is said once
	}
	if c, ok := s.Recorded[anywhere(x.inputs)]; ok {
		s.cells[x.id] = &c
		return &c
	}
	return nil
}

// save writes the result of a spot.
func (s *sweep) save(x *spot, c Cell) error {
	dir := filepath.Dir(s.cellFile(x.id))
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return fmt.Errorf("sweep: %w", err)
	}
	data, err := json.MarshalIndent(stored{1, s.Tool, x.inputs, c}, "", " ")
	if err == nil {
		err = atomicfile.Write(s.cellFile(x.id), append(data, '\n'))
	}
	if err != nil {
		return fmt.Errorf("sweep: the cell: %w", err)
	}
	s.cells[x.id] = &c
	s.saved++
	if onSave != nil {
		onSave(x.id)
	}
	return nil
}

// onSave, of tests, is told of each cell that is computed.
var onSave func(id string)

// write writes sweep.json with all cells that there are.
func (s *sweep) write() error {
	s.result.Cells = []Cell{}
	for _, x := range s.spots {
		found := s.cell(x)
		if found == nil {
			continue
		}
		c := *found
		c.ID, c.Model, c.Strategy, c.N, c.Drop, c.Task, c.Healing = x.id, x.subject.spec.Name, x.strategy, x.n, x.drop, x.task.name, Unhealed
		if x.healing != nil {
			c.Healing = x.healing.Name
		}
		if x.n > 0 {
			c.Start, c.Distance = x.drop[0], x.subject.distance(x.drop)
		}
		s.result.Cells = append(s.result.Cells, c)
	}
	return s.result.Write(s.Output)
}
