package gguf

import (
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"testing"
)

// builder makes files for tests, whole or with a mistake.
type builder struct {
	version   uint32
	alignment int64
	metadata  []Entry
	tensors   []Tensor // Offset counts from the data's start here; -1 places the tensor behind the one before
	data      []byte
}

// newBuilder begins a model of an architecture.
func newBuilder(arch string, layers int) *builder {
	b := &builder{version: 3, alignment: alignment}
	b.add(text("general.architecture", arch))
	b.add(u32(arch+".block_count", int64(layers)))
	return b
}

func (b *builder) add(entries ...Entry) *builder {
	b.metadata = append(b.metadata, entries...)
	return b
}

// tensor adds a tensor, whose bytes tell where they came from.
func (b *builder) tensor(name string, kind Type, dims ...int64) *builder {
	n, err := kind.bytes(dims)
	if err != nil {
		n = 5 // of a type that is not known
	}
	b.tensors = append(b.tensors, Tensor{Name: name, Type: kind, Dims: dims, Offset: int64(len(b.data)), Length: n})
	for i := range n {
		b.data = append(b.data, byte(int64(len(b.tensors))*31+i))
	}
	b.data = append(b.data, make([]byte, align(int64(len(b.data)), b.alignment)-int64(len(b.data)))...)
	return b
}

// layers adds two tensors for each layer, and two for none.
func (b *builder) layers(n int) *builder {
	b.tensor("token_embd.weight", F32, 4, 3)
	for i := range n {
		b.tensor("blk."+string(rune('0' + i/10))[:min(i/10, 1)]+string(rune('0'+i%10))+".attn_q.weight", 12, 256, 2)
		b.tensor("blk."+string(rune('0' + i/10))[:min(i/10, 1)]+string(rune('0'+i%10))+".ffn_norm.weight", F32, 4)
	}
	return b.tensor("output_norm.weight", F32, 5)
}

func (b *builder) bytes() []byte {
	moves := make([]move, len(b.tensors))
	for i, t := range b.tensors {
		moves[i] = move{from: t, name: t.Name, offset: t.Offset}
	}
	return append(encode(b.version, b.alignment, b.metadata, moves), b.data...)
}

// open writes the file and opens it.
func (b *builder) open(t *testing.T) *File {
	t.Helper()
	name := filepath.Join(t.TempDir(), "model.gguf")
	if err := os.WriteFile(name, b.bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := Open(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func u32(key string, n int64) Entry {
	return Entry{Key: key, Kind: Uint32, data: putInt(nil, Uint32, n)}
}

func f32(key string, v float32) Entry {
	return Entry{Key: key, Kind: Float32, data: binary.LittleEndian.AppendUint32(nil, math.Float32bits(v))}
}

func u32s(key string, values ...int64) Entry {
	e := Entry{Key: key, Kind: Array, Of: Uint32, Count: len(values)}
	for _, v := range values {
		e.data = putInt(e.data, Uint32, v)
	}
	return e
}

func texts(key string, values ...string) Entry {
	e := Entry{Key: key, Kind: Array, Of: String, Count: len(values)}
	for _, v := range values {
		e.data = append(e.data, text("", v).data...)
	}
	return e
}

// parse reads bytes as Open reads a file.
func parse(data []byte) (*File, error) { return read(bytes.NewReader(data), int64(len(data))) }
