package checkpoint

import (
	"encoding/binary"
	"fmt"
	"math"
	"sort"
)

const (
	maxHeader = 100_000_000 // safetensors' own limit, in bytes
	maxRank   = 32
)

// header is what a safetensors file says about itself. Offsets count from the start of the file.
type header struct {
	tensors  []Tensor // by offset, without shard
	metadata map[string]string
}

// headerLength checks the eight bytes that a safetensors file starts with against the file's size and returns the end of the header.
func headerLength(start []byte, size int64) (int64, error) {
	if len(start) < 8 || size < 8 {
		return 0, fmt.Errorf("has %d bytes, too few for a safetensors file: the download is incomplete", size)
	}
	if string(start[:8]) == "version " {
		return 0, fmt.Errorf("is a Git LFS pointer, not the weights: run git lfs pull")
	}
	n := binary.LittleEndian.Uint64(start)
	if n > maxHeader {
		return 0, fmt.Errorf("claims a header of %d bytes, more than the %d that safetensors allows: it is damaged or no safetensors file", n, maxHeader)
	}
	if int64(n) > size-8 {
		return 0, fmt.Errorf("claims a header of %d bytes but has only %d: the download is incomplete", n, size)
	}
	return 8 + int64(n), nil
}

// parseHeader reads the JSON of a header that starts at byte 8 of a file of the given size, and checks every claim in it.
func parseHeader(text []byte, size int64) (*header, error) {
	h := &header{}
	data := 8 + int64(len(text))
	seen := map[string]bool{}
	s := &scanner{src: text}
	err := s.object(func(name string) error {
		if seen[name] {
			return fmt.Errorf("has the tensor %q twice", name)
		}
		seen[name] = true
		if name == "__metadata__" {
			var err error
			h.metadata, err = parseMetadata(s)
			return err
		}
		t, err := parseTensor(s, name, data, size)
		if err != nil {
			return err
		}
		h.tensors = append(h.tensors, t)
		return nil
	})
	if err == nil {
		err = s.end()
	}
	if err != nil {
		return nil, fmt.Errorf("header %w", err)
	}
	return h, h.checkContiguous(data, size)
}

func parseMetadata(s *scanner) (map[string]string, error) {
	m := map[string]string{}
	return m, s.object(func(key string) error {
		text, err := s.string()
		m[key] = text
		return err
	})
}

func parseTensor(s *scanner, name string, data, size int64) (Tensor, error) {
	t := Tensor{Name: name}
	var offsets []int64
	fields := 0
	err := s.object(func(key string) error {
		var err error
		switch key {
		case "dtype":
			fields |= 1
			var text string
			text, err = s.string()
			t.DType = DType(text)
		case "shape":
			fields |= 2
			t.Shape, err = parseShape(s)
		case "data_offsets":
			fields |= 4
			offsets = nil
			err = s.list(func() error {
				if len(offsets) == 2 {
					return fmt.Errorf("data_offsets has more than two numbers")
				}
				n, err := s.integer()
				offsets = append(offsets, n)
				return err
			})
		default:
			return fmt.Errorf("key %q is not known", key)
		}
		return err
	})
	if err != nil {
		return t, fmt.Errorf("tensor %q: %w", name, err)
	}
	if fields != 7 || len(offsets) != 2 {
		return t, fmt.Errorf("tensor %q lacks dtype, shape or two data_offsets", name)
	}
	length, err := byteLength(t.DType, t.Shape)
	if err != nil {
		return t, fmt.Errorf("tensor %q: %w", name, err)
	}
	begin, end := offsets[0], offsets[1]
	if begin > end || end > math.MaxInt64-data {
		return t, fmt.Errorf("tensor %q has data_offsets [%d, %d], which are no range", name, begin, end)
	}
	if end-begin != length {
		return t, fmt.Errorf("tensor %q is %s %v, %d bytes, but its data_offsets hold %d", name, t.DType, t.Shape, length, end-begin)
	}
	if data+end > size {
		return t, fmt.Errorf("tensor %q ends at byte %d, past the file's %d: the download is incomplete", name, data+end, size)
	}
	t.Offset, t.Length = data+begin, length
	return t, nil
}

func parseShape(s *scanner) ([]int, error) {
	shape := []int{}
	err := s.list(func() error {
		if len(shape) == maxRank {
			return fmt.Errorf("shape has more than %d dimensions", maxRank)
		}
		n, err := s.integer()
		if err == nil && n > math.MaxInt {
			err = fmt.Errorf("shape has the dimension %d, too large for this system", n)
		}
		shape = append(shape, int(n))
		return err
	})
	return shape, err
}

// byteLength is the size of a tensor in bytes, an error where it is not a whole number of bytes or not below 2^63.
func byteLength(d DType, shape []int) (int64, error) {
	bits, ok := dtypeBits[d]
	if !ok {
		return 0, fmt.Errorf("dtype %q is not known", d)
	}
	elements, empty := int64(1), false
	for _, n := range shape {
		if n == 0 {
			empty = true
			continue
		}
		if elements > math.MaxInt64/64/int64(n) {
			return 0, fmt.Errorf("shape %v is too large", shape)
		}
		elements *= int64(n)
	}
	if empty {
		return 0, nil
	}
	if elements*bits%8 != 0 {
		return 0, fmt.Errorf("%s %v is not a whole number of bytes", d, shape)
	}
	return elements * bits / 8, nil
}

// checkContiguous demands what safetensors does: tensors follow one another without hole or overlap and fill the file.
func (h *header) checkContiguous(data, size int64) error {
	sort.Slice(h.tensors, func(i, j int) bool {
		a, b := h.tensors[i], h.tensors[j]
		if a.Offset != b.Offset {
			return a.Offset < b.Offset
		}
		if a.Length != b.Length {
			return a.Length < b.Length
		}
		return a.Name < b.Name
	})
	at := data
	for i, t := range h.tensors {
		if t.Offset < at {
			return fmt.Errorf("tensor %q starts at byte %d, within tensor %q, which ends at %d: the file is damaged", t.Name, t.Offset, h.tensors[i-1].Name, at)
		}
		if t.Offset > at {
			return fmt.Errorf("tensor %q starts at byte %d, but the bytes from %d belong to no tensor: the file is damaged", t.Name, t.Offset, at)
		}
		at = t.Offset + t.Length
	}
	if at != size {
		return fmt.Errorf("has %d bytes after the last tensor's end at %d: the file is damaged", size-at, at)
	}
	return nil
}
