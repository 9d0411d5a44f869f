package heal

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"path/filepath"

	"shallow/internal/atomicfile"
)

// stored is a float32 tensor of a file to be: its name, its shape, and its bytes, which are asked for when it is its turn.
type stored struct {
	name  string
	shape []int
	bytes func() ([]byte, error)
}

// writeTensors writes a safetensors file that appears under its name when it is whole.
func writeTensors(path string, tensors []stored, metadata map[string]string) error {
	type entry struct {
		DType   string   `json:"dtype"`
		Shape   []int    `json:"shape"`
		Offsets [2]int64 `json:"data_offsets"`
	}
	header := map[string]any{"__metadata__": metadata}
	var at int64
	for _, t := range tensors {
		n := int64(4)
		for _, d := range t.shape {
			n *= int64(d)
		}
		header[t.name] = entry{"F32", t.shape, [2]int64{at, at + n}}
		at += n
	}
	text, err := json.Marshal(header)
	if err != nil {
		return fmt.Errorf("heal: %s: %w", filepath.Base(path), err)
	}
	for len(text)%8 != 0 {
		text = append(text, ' ')
	}
	f, err := atomicfile.Create(path)
	if err != nil {
		return fmt.Errorf("heal: %w", err)
	}
	defer f.Abort()
	write := func(data []byte) error {
		if _, err := f.Write(data); err != nil {
			return fmt.Errorf("heal: %s cannot be written, the old one stays: %w", path, err)
		}
		return nil
	}
	if err := write(append(binary.LittleEndian.AppendUint64(nil, uint64(len(text))), text...)); err != nil {
		return err
	}
	for _, t := range tensors {
		data, err := t.bytes()
		if err != nil {
			return err
		}
		if err := write(data); err != nil {
			return err
		}
	}
	if err := f.Commit(); err != nil {
		return fmt.Errorf("heal: %w", err)
	}
	return nil
}
