package sweep

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Recorded are cells that were computed elsewhere, by their inputs but for the kind of processor and precision.
type Recorded map[string]Cell

// ReadRecorded reads what [WriteRecorded] wrote.
func ReadRecorded(from io.Reader) (Recorded, error) {
	r := Recorded{}
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, maxCell)
	for n := 1; lines.Scan(); n++ {
		x, err := parseCell(lines.Bytes())
		if err != nil {
			return nil, fmt.Errorf("sweep: recorded cells: line %d: %w", n, err)
		}
		x.Cell.Recorded = true
		r[anywhere(x.Inputs)] = x.Cell
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("sweep: recorded cells: %w", err)
	}
	return r, nil
}

// WriteRecorded writes the cells of a result that keep wants, one JSON object a line. dir is the sweep's directory.
func WriteRecorded(to io.Writer, dir string, r *Result, keep func(*Cell) bool) error {
	written := map[string]bool{}
	for i := range r.Cells {
		c := &r.Cells[i]
		if c.Recorded || written[c.ID] || !keep(c) {
			continue
		}
		x, err := readCell(cellFile(dir, c.ID), c.ID)
		if err != nil {
			return err
		}
		if err := json.NewEncoder(to).Encode(x); err != nil {
			return fmt.Errorf("sweep: recorded cells: %w", err)
		}
		written[c.ID] = true
	}
	if len(written) == 0 {
		return errors.New("sweep: recorded cells: there is none to write")
	}
	return nil
}

// anywhere names inputs without what differs between machines.
func anywhere(in inputs) string {
	in.Kernels, in.Precision = "", ""
	return in.id()
}
