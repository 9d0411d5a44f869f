package gguf

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"path/filepath"

	"shallow/checkpoint"
	"shallow/internal/atomicfile"
)

// move is a tensor that goes into another file, under a new name.
type move struct {
	from   Tensor
	name   string
	offset int64 // in the new file, from the end of its header
}

// arrange gives the moved tensors their offsets, one behind the other. The sum of their bytes comes back too.
func arrange(moves []move, alignment int64) (size, bytes int64) {
	for i := range moves {
		moves[i].offset = size
		size = align(size+moves[i].from.Length, alignment)
		bytes += moves[i].from.Length
	}
	return size, bytes
}

// encode is everything that comes before the tensors' bytes, padded.
func encode(version uint32, alignment int64, metadata []Entry, moves []move) []byte {
	b := append([]byte(magic), 0, 0, 0, 0)
	binary.LittleEndian.PutUint32(b[4:], version)
	b = binary.LittleEndian.AppendUint64(b, uint64(len(moves)))
	b = binary.LittleEndian.AppendUint64(b, uint64(len(metadata)))
	str := func(s string) { b = append(binary.LittleEndian.AppendUint64(b, uint64(len(s))), s...) }
	number := func(n uint32) { b = binary.LittleEndian.AppendUint32(b, n) }
	for _, e := range metadata {
		str(e.Key)
		number(uint32(e.Kind))
		if e.Kind == Array {
			number(uint32(e.Of))
			b = binary.LittleEndian.AppendUint64(b, uint64(e.Count))
		}
		b = append(b, e.data...)
	}
	for _, m := range moves {
		str(m.name)
		number(uint32(len(m.from.Dims)))
		for _, d := range m.from.Dims {
			b = binary.LittleEndian.AppendUint64(b, uint64(d))
		}
		number(uint32(m.from.Type))
		b = binary.LittleEndian.AppendUint64(b, uint64(m.offset))
	}
	return append(b, make([]byte, align(int64(len(b)), alignment)-int64(len(b)))...)
}

// write fills a new file: the header, then tensors whose bytes follow one another in both files in one go.
func (f *File) write(ctx context.Context, to *atomicfile.File, metadata []Entry, moves []move, report func(int64)) error {
	size, bytes := arrange(moves, f.Alignment)
	head := encode(f.Version, f.Alignment, metadata, moves)
	if err := checkpoint.CheckSpace(filepath.Dir(to.Name()), int64(len(head))+size); err != nil {
		return err
	}
	w := bufio.NewWriter(to)
	if _, err := w.Write(head); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	data := int64(len(head))
	var done int64
	for i := 0; i < len(moves); {
		first := moves[i]
		end := first.from.Offset + first.from.Length
		for i++; i < len(moves) && moves[i].from.Offset-first.from.Offset == moves[i].offset-first.offset; i++ {
			end = moves[i].from.Offset + moves[i].from.Length
		}
		err := checkpoint.CopyRange(ctx, to.File, data+first.offset, f.file, first.from.Offset, end-first.from.Offset, func(n int64) {
			done = min(done+n, bytes)
			report(done)
		})
		if err != nil {
			return err
		}
	}
	// The last tensor is padded too.
	return pad(to, data+size)
}

// pad fills a file with zeros up to a size.
func pad(to *atomicfile.File, size int64) error {
	at, err := to.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	if at > size {
		return fmt.Errorf("%d bytes were to be written, %d were", size, at)
	}
	_, err = to.Write(make([]byte, size-at))
	return err
}
