package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"sort"

	"shallow/internal/machine"
)

// Q8_0 is GGUF's element type of 8 bits: blocks of 32 elements of a row, each a float16 scale and 32 signed bytes. No
// safetensors file has it.
const Q8_0 DType = "Q8_0"

// Assemble makes a checkpoint of one mapped file of another format than safetensors: config is the text of a config.json,
// parts are the tensors under their Hugging Face names, with DType, Shape, Offset and Length. Who calls it has checked
// that types, shapes and lengths belong together; that the bytes lie within the file is checked here. Dir is the file's path.
func Assemble(path string, config []byte, parts []Tensor) (*Checkpoint, error) {
	c := &Checkpoint{Dir: path, tensors: map[string]Tensor{}}
	var err error
	if c.Config, err = ParseConfig(config); err != nil {
		return nil, fmt.Errorf("%w (made from %s)", err, path)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	s := &shard{name: filepath.Base(path), file: file, header: &header{}}
	c.shards = []*shard{s}
	if err := c.addParts(s, parts); err != nil {
		return nil, errors.Join(fmt.Errorf("checkpoint: %s: %w", path, err), c.Close())
	}
	return c, nil
}

func (c *Checkpoint) addParts(s *shard, parts []Tensor) error {
	info, err := s.file.Stat()
	if err != nil {
		return err
	}
	size := info.Size()
	if size < 1 || size > math.MaxInt {
		return fmt.Errorf("has %d bytes, which cannot be mapped", size)
	}
	if s.data, err = mapFile(s.file, int(size)); err != nil {
		return fmt.Errorf("cannot be mapped: %w", err)
	}
	for _, t := range parts {
		if t.Offset < 0 || t.Length < 0 || t.Offset > size || t.Length > size-t.Offset {
			return fmt.Errorf("tensor %q is bytes %d to %d of a file of %d", t.Name, t.Offset, t.Offset+t.Length, size)
		}
		if _, twice := c.tensors[t.Name]; twice {
			return fmt.Errorf("tensor %q is there twice", t.Name)
		}
		t.File, t.shard = s.name, s
		c.tensors[t.Name] = t
		c.names = append(c.names, t.Name)
	}
	sort.Strings(c.names)
	return nil
}

// Stat is what the system says about the tensor's file.
func (t Tensor) Stat() (os.FileInfo, error) { return t.shard.file.Stat() }

// CopyRange copies length bytes between files, within the kernel where the system can, and reports each step's bytes.
func CopyRange(ctx context.Context, to *os.File, at int64, from *os.File, offset, length int64, report func(int64)) error {
	return copyRange(ctx, to, at, from, offset, length, true, report)
}

// CheckSpace fails where the disk that holds a directory has less room than the bytes will need.
func CheckSpace(dir string, bytes int64) error {
	free, err := machine.FreeSpace(dir)
	if err == nil && free < bytes {
		return fmt.Errorf("needs %d bytes, the disk has %d free", bytes, free)
	}
	return nil // a system that cannot tell will say so when it is full
}

// IsFull tells whether a write failed because the disk is full.
func IsFull(err error) bool { return isFull(err) }
