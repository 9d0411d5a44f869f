package gguf

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"sort"
)

const (
	magic     = "GGUF"
	maxHeader = 1 << 30 // bytes of metadata and tensor list; the largest vocabularies take some 20 MB
	maxName   = 1 << 16 // bytes of a key, the format's own limit
	maxRank   = 4       // ggml's
	alignment = 32      // of the tensors' offsets, where general.alignment does not say
)

// Tensor is one tensor of a file.
type Tensor struct {
	Name   string
	Type   Type
	Dims   []int64 // the contiguous dimension first, the other way round than a checkpoint's shape
	Offset int64   // of its first byte, from the file's start
	Length int64   // bytes; with padding where the type is not known
}

// File is an open GGUF file whose claims about itself were checked.
type File struct {
	Path      string
	Version   uint32
	Alignment int64
	Metadata  []Entry  // in the file's order
	Tensors   []Tensor // in the file's order
	keys      map[string]int
	file      *os.File
}

// Is tells whether a file begins like a GGUF file. Directories and what cannot be read are none.
func Is(path string) bool {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		return false
	}
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	start := make([]byte, len(magic))
	_, err = io.ReadFull(f, start)
	return err == nil && string(start) == magic
}

// Open reads metadata and tensor list of a file of version 2 or 3 and checks them against the file's size.
func Open(path string) (*File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("gguf: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("gguf: %s is not a regular file", path)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("gguf: %w", err)
	}
	f, err := read(file, info.Size())
	if err != nil {
		return nil, errors.Join(fmt.Errorf("gguf: %s: %w", path, err), file.Close())
	}
	f.Path, f.file = path, file
	return f, nil
}

// Close closes the file.
func (f *File) Close() error { return f.file.Close() }

// Find is the piece of metadata under a key.
func (f *File) Find(key string) (Entry, bool) {
	i, ok := f.keys[key]
	if !ok {
		return Entry{}, false
	}
	return f.Metadata[i], true
}

// header reads what comes before the tensors' bytes and counts where it is.
type header struct {
	r    *bufio.Reader
	at   int64
	size int64 // of the file
}

// read parses a file of the given size.
func read(r io.ReaderAt, size int64) (*File, error) {
	h := &header{r: bufio.NewReaderSize(io.NewSectionReader(r, 0, size), 1<<16), size: size}
	f := &File{Alignment: alignment, keys: map[string]int{}}
	tensors, err := h.start(f)
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for range tensors {
		t, err := h.tensor()
		if err != nil {
			return nil, fmt.Errorf("tensor %d: %w", len(f.Tensors), err)
		}
		if seen[t.Name] {
			return nil, fmt.Errorf("tensor %q is there twice", t.Name)
		}
		seen[t.Name] = true
		f.Tensors = append(f.Tensors, t)
	}
	return f, f.place(h.at, size)
}

// start reads magic, version, counts and metadata, and returns how many tensors follow.
func (h *header) start(f *File) (tensors uint64, err error) {
	start, err := h.bytes(8)
	if err != nil {
		return 0, err
	}
	if string(start[:4]) != magic {
		return 0, fmt.Errorf("begins with %q: it is no GGUF file", start[:4])
	}
	f.Version = binary.LittleEndian.Uint32(start[4:])
	switch {
	case f.Version&0xffff == 0:
		return 0, errors.New("is big-endian, which is not read: convert it on a little-endian machine")
	case f.Version == 1:
		return 0, errors.New("is GGUF version 1, which llama.cpp no longer reads either: convert the model again")
	case f.Version > 3:
		return 0, fmt.Errorf("is GGUF version %d; versions 2 and 3 are read", f.Version)
	}
	if tensors, err = h.count(24); err != nil { // name's length, rank, type, offset
		return 0, fmt.Errorf("number of tensors: %w", err)
	}
	entries, err := h.count(13) // key's length, kind, value
	if err != nil {
		return 0, fmt.Errorf("number of metadata: %w", err)
	}
	for i := range entries {
		e, err := h.entry()
		if err != nil {
			return 0, fmt.Errorf("metadata %d (%.64q): %w", i, e.Key, err)
		}
		if _, twice := f.keys[e.Key]; twice {
			return 0, fmt.Errorf("metadata: key %q is there twice", e.Key)
		}
		f.keys[e.Key] = len(f.Metadata)
		f.Metadata = append(f.Metadata, e)
	}
	return tensors, f.readAlignment()
}

func (f *File) readAlignment() error {
	e, ok := f.Find("general.alignment")
	if !ok {
		return nil
	}
	n, ok := e.Int()
	if !ok || e.Kind != Uint32 || n < 1 || n > 1<<20 || n&(n-1) != 0 {
		return errors.New("general.alignment is not a power of two up to 1048576")
	}
	f.Alignment = n
	return nil
}

// bytes reads n bytes. Memory grows with what is really there, not with what is claimed.
func (h *header) bytes(n uint64) ([]byte, error) {
	if n > uint64(h.size-h.at) {
		return nil, fmt.Errorf("%d bytes are to follow byte %d, the file has %d: it is damaged or its download incomplete", n, h.at, h.size)
	}
	if h.at+int64(n) > maxHeader {
		return nil, fmt.Errorf("metadata and tensor list have more than %d bytes", maxHeader)
	}
	data := make([]byte, n)
	if _, err := io.ReadFull(h.r, data); err != nil {
		return nil, err
	}
	h.at += int64(n)
	return data, nil
}

func (h *header) uint32() (uint32, error) {
	data, err := h.bytes(4)
	if err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint32(data), nil
}

func (h *header) uint64() (uint64, error) {
	data, err := h.bytes(8)
	if err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint64(data), nil
}

// count reads how many things follow that have at least so many bytes each.
func (h *header) count(least uint64) (uint64, error) {
	n, err := h.uint64()
	if err == nil && n > uint64(h.size-h.at)/least {
		err = fmt.Errorf("%d do not fit in the file: it is damaged", n)
	}
	return n, err
}

// string reads a length and so many bytes, of a key or a name.
func (h *header) string() (string, error) {
	n, err := h.uint64()
	if err != nil {
		return "", err
	}
	if n > maxName {
		return "", fmt.Errorf("a name of %d bytes: the file is damaged", n)
	}
	data, err := h.bytes(n)
	return string(data), err
}

func (h *header) entry() (e Entry, err error) {
	if e.Key, err = h.string(); err != nil {
		return e, err
	}
	if e.Key == "" {
		return e, errors.New("the key is empty")
	}
	kind, err := h.uint32()
	if err != nil {
		return e, err
	}
	e.Kind = Kind(kind)
	if e.Kind == Array {
		return e, h.array(&e)
	}
	e.data, err = h.value(e.Kind)
	return e, err
}

// value reads one value that is no array.
func (h *header) value(k Kind) ([]byte, error) {
	switch {
	case int(k) >= len(kindSizes) || k == Array:
		return nil, fmt.Errorf("a value of %v, which GGUF does not have", k)
	case k != String:
		return h.bytes(uint64(kindSizes[k]))
	}
	length, err := h.bytes(8)
	if err != nil {
		return nil, err
	}
	data, err := h.bytes(binary.LittleEndian.Uint64(length))
	return append(length, data...), err
}

func (h *header) array(e *Entry) error {
	of, err := h.uint32()
	if err != nil {
		return err
	}
	if e.Of = Kind(of); int(e.Of) >= len(kindSizes) || e.Of == Array {
		return fmt.Errorf("an array of %v, which llama.cpp does not read either", e.Of)
	}
	least := uint64(kindSizes[e.Of])
	if e.Of == String {
		least = 8
	}
	n, err := h.count(least)
	if err != nil {
		return err
	}
	if n > math.MaxInt32 {
		return fmt.Errorf("an array of %d elements: the file is damaged", n)
	}
	e.Count = int(n)
	if e.Of != String {
		e.data, err = h.bytes(n * least)
		return err
	}
	for range n {
		data, err := h.value(String)
		if err != nil {
			return err
		}
		e.data = append(e.data, data...)
	}
	return nil
}

func (h *header) tensor() (t Tensor, err error) {
	if t.Name, err = h.string(); err != nil {
		return t, err
	}
	if t.Name == "" {
		return t, errors.New("the name is empty")
	}
	rank, err := h.uint32()
	if err != nil {
		return t, fmt.Errorf("%q: %w", t.Name, err)
	}
	if rank > maxRank {
		return t, fmt.Errorf("%q has %d dimensions, ggml has at most %d", t.Name, rank, maxRank)
	}
	t.Dims = make([]int64, rank)
	for i := range t.Dims {
		n, err := h.uint64()
		if err != nil {
			return t, fmt.Errorf("%q: %w", t.Name, err)
		}
		t.Dims[i] = int64(n) // count refuses what becomes negative
	}
	if _, err := count(t.Dims); err != nil {
		return t, fmt.Errorf("%q: %w", t.Name, err)
	}
	kind, err := h.uint32()
	if err != nil {
		return t, fmt.Errorf("%q: %w", t.Name, err)
	}
	offset, err := h.uint64()
	if err != nil {
		return t, fmt.Errorf("%q: %w", t.Name, err)
	}
	if offset > math.MaxInt64 {
		return t, fmt.Errorf("%q has the offset %d, past any file's end", t.Name, offset)
	}
	t.Type, t.Offset = Type(kind), int64(offset)
	if t.Type.known() {
		if t.Length, err = t.Type.bytes(t.Dims); err != nil {
			return t, fmt.Errorf("%q: %w", t.Name, err)
		}
	}
	return t, nil
}

// place turns offsets into places in the file, gives tensors of unknown types the bytes up to the next tensor, and demands
// that tensors lie aligned, within the file and beside one another.
func (f *File) place(headerEnd, size int64) error {
	data := align(headerEnd, f.Alignment)
	order := make([]*Tensor, len(f.Tensors))
	for i := range f.Tensors {
		order[i] = &f.Tensors[i]
	}
	sort.SliceStable(order, func(i, j int) bool { return order[i].Offset < order[j].Offset })
	end := data
	for i, t := range order {
		if t.Offset%f.Alignment != 0 {
			return fmt.Errorf("tensor %q has the offset %d, no multiple of %d: the file is damaged", t.Name, t.Offset, f.Alignment)
		}
		if t.Offset > size-data {
			return fmt.Errorf("tensor %q starts past the file's end at byte %d: the download is incomplete", t.Name, size)
		}
		t.Offset += data
		if !t.Type.known() {
			t.Length = size - t.Offset
			if i+1 < len(order) {
				t.Length = min(t.Length, order[i+1].Offset+data-t.Offset)
			}
		}
		if t.Length > size-t.Offset {
			return fmt.Errorf("tensor %q ends %d bytes past the file's end at byte %d: the download is incomplete", t.Name, t.Length-(size-t.Offset), size)
		}
		if t.Offset < end {
			return fmt.Errorf("tensor %q starts at byte %d, within tensor %q: the file is damaged", t.Name, t.Offset, order[i-1].Name)
		}
		end = t.Offset + t.Length
	}
	return nil
}

// align is the next multiple of a power of two.
func align(n, to int64) int64 { return (n + to - 1) &^ (to - 1) }
