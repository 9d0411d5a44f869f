package gguf

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"
)

// equal compares two pieces of metadata byte by byte.
func equal(a, b Entry) bool {
	return a.Key == b.Key && a.Kind == b.Kind && a.Of == b.Of && a.Count == b.Count && bytes.Equal(a.data, b.data)
}

// compare hashes every moved tensor where it came from and where it was written. The result is the SHA-256 over the lines
// "name sha256" of all tensors, sorted by name, as for checkpoints of safetensors.
func compare(ctx context.Context, source, written *File, moves []move, report func(int64)) (string, error) {
	found := map[string]Tensor{}
	for _, t := range written.Tensors {
		found[t.Name] = t
	}
	if len(found) != len(moves) {
		return "", fmt.Errorf("gguf: %d tensors were to be written, %d were", len(moves), len(found))
	}
	var lines []string
	var done int64
	buffer := make([]byte, 1<<20)
	for _, m := range moves {
		t, ok := found[m.name]
		if !ok || t.Type != m.from.Type || !slices.Equal(t.Dims, m.from.Dims) || t.Type.known() && t.Length != m.from.Length {
			return "", fmt.Errorf("gguf: tensor %q was not written as %v %v", m.name, m.from.Type, m.from.Dims)
		}
		t.Length = m.from.Length // of a type that is not known the last tensor has padding of its own
		want, err := hash(ctx, source, m.from, buffer)
		if err != nil {
			return "", err
		}
		got, err := hash(ctx, written, t, buffer)
		if err != nil {
			return "", err
		}
		if want != got {
			return "", fmt.Errorf("gguf: tensor %q differs from %s of %s: the disk or its cache is faulty", m.name, m.from.Name, source.Path)
		}
		lines = append(lines, fmt.Sprintf("%s %x\n", m.name, got))
		done += 2 * t.Length
		report(done)
	}
	slices.Sort(lines)
	sum := sha256.Sum256([]byte(strings.Join(lines, "")))
	return hex.EncodeToString(sum[:]), nil
}

// hash is the SHA-256 of a tensor's bytes. It looks at the context between pieces.
func hash(ctx context.Context, f *File, t Tensor, buffer []byte) (sum [sha256.Size]byte, err error) {
	h := sha256.New()
	for at := int64(0); at < t.Length; {
		if err := ctx.Err(); err != nil {
			return sum, fmt.Errorf("gguf: stopped while hashing: %w", err)
		}
		piece := buffer[:min(int64(len(buffer)), t.Length-at)]
		if _, err := f.file.ReadAt(piece, t.Offset+at); err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return sum, fmt.Errorf("gguf: %s: tensor %q: %w", f.Path, t.Name, err)
		}
		h.Write(piece)
		at += int64(len(piece))
	}
	h.Sum(sum[:0])
	return sum, nil
}
