package checkpoint

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
)

// shard is one safetensors file: open, checked and mapped.
type shard struct {
	name   string
	file   *os.File
	data   []byte // the whole file
	header *header
}

func openShard(dir, name string) (*shard, error) {
	path := filepath.Join(dir, name)
	// A pipe or device must be refused before open, which would wait for its other end.
	if info, err := os.Stat(path); err != nil {
		return nil, err
	} else if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("is not a regular file")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	s := &shard{name: name, file: f}
	if err := s.open(); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func (s *shard) open() error {
	info, err := s.file.Stat()
	if err != nil {
		return err
	}
	size := info.Size()
	if size > math.MaxInt {
		return fmt.Errorf("has %d bytes, too many for this system", size)
	}
	start := make([]byte, min(8, size))
	if _, err := io.ReadFull(io.NewSectionReader(s.file, 0, size), start); err != nil {
		return err
	}
	end, err := headerLength(start, size)
	if err != nil {
		return err
	}
	text := make([]byte, end-8)
	if _, err := s.file.ReadAt(text, 8); err != nil {
		return err
	}
	if s.header, err = parseHeader(text, size); err != nil {
		return err
	}
	if s.data, err = mapFile(s.file, int(size)); err != nil {
		return fmt.Errorf("cannot be mapped: %w", err)
	}
	for i := range s.header.tensors {
		t := &s.header.tensors[i]
		t.File, t.shard = s.name, s
	}
	return nil
}

func (s *shard) close() error {
	if s.file == nil { // those of Blank
		s.data = nil
		return nil
	}
	var err error
	if s.data != nil {
		err = unmapFile(s.data)
		s.data = nil
	}
	if e := s.file.Close(); err == nil {
		err = e
	}
	return err
}
