package checkpoint

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sort"
	"strings"
)

// DefaultShardSize is how many bytes of tensors go into one file, as in the usual libraries.
const DefaultShardSize = 5_000_000_000

// Output is a tensor to be written: its bytes are those of From, or, with DType and Shape, Data or what Make gives when it is
// the tensor's turn.
type Output struct {
	Name  string
	From  Tensor
	Data  []byte
	Make  func() ([]byte, error)
	DType DType
	Shape []int
}

// Copy is an Output with a tensor's bytes under another name.
func Copy(t Tensor, name string) Output {
	return Output{Name: name, From: t, DType: t.DType, Shape: t.Shape}
}

func (o Output) length() int64 {
	if o.From.shard != nil {
		return o.From.Length
	}
	if o.Make != nil {
		n, err := byteLength(o.DType, o.Shape)
		if err != nil {
			return -1 // divide says what is wrong
		}
		return n
	}
	return int64(len(o.Data))
}

// bytes are those of a tensor that is not copied.
func (o Output) bytes() ([]byte, error) {
	if o.Make == nil {
		return o.Data, nil
	}
	data, err := o.Make()
	if err == nil && int64(len(data)) != o.length() {
		err = fmt.Errorf("tensor %q is made of %d bytes, %d are due", o.Name, len(data), o.length())
	}
	return data, err
}

// Metadata is what the shards' headers say beside their tensors, usually {"format": "pt"}.
func (c *Checkpoint) Metadata() map[string]string {
	m := map[string]string{}
	for _, s := range c.shards {
		for key, text := range s.header.metadata {
			m[key] = text
		}
	}
	return m
}

// SourceOrder sorts outputs by where their bytes lie, so that they are copied in long runs.
func SourceOrder(outputs []Output) {
	sort.SliceStable(outputs, func(i, j int) bool {
		a, b := outputs[i].From, outputs[j].From
		if a.File != b.File {
			return a.File < b.File
		}
		return a.Offset < b.Offset
	})
}

// WriteTensors writes the tensors in the order given, into one model.safetensors or, where they are more than shardSize
// bytes, into numbered shards and their index. A tensor larger than shardSize has a shard of its own. metadata may be nil.
func (w *Writer) WriteTensors(ctx context.Context, outputs []Output, shardSize int64, metadata map[string]string) error {
	if shardSize <= 0 {
		shardSize = DefaultShardSize
	}
	shards, total, err := divide(outputs, shardSize)
	if err != nil {
		return err
	}
	if err := w.CheckSpace(total); err != nil {
		return err
	}
	weights := map[string]string{}
	for i, shard := range shards {
		name := SingleFile
		if len(shards) > 1 {
			name = fmt.Sprintf("model-%05d-of-%05d.safetensors", i+1, len(shards))
		}
		if err := w.writeShard(ctx, name, shard, metadata); err != nil {
			return err
		}
		for _, o := range shard {
			weights[o.Name] = name
		}
	}
	if len(shards) == 1 {
		return nil
	}
	index, err := json.MarshalIndent(map[string]any{
		"metadata":   map[string]int64{"total_size": total},
		"weight_map": weights,
	}, "", "  ")
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	return w.WriteFile(IndexFile, append(index, '\n'))
}

// divide checks the outputs and puts them into shards. Within a shard wider elements come first, so that all are aligned.
func divide(outputs []Output, shardSize int64) (shards [][]Output, total int64, err error) {
	seen := map[string]bool{}
	var shard []Output
	var size int64
	for _, o := range outputs {
		length, err := byteLength(o.DType, o.Shape)
		if err != nil {
			return nil, 0, fmt.Errorf("checkpoint: tensor %q: %w", o.Name, err)
		}
		if length != o.length() {
			return nil, 0, fmt.Errorf("checkpoint: tensor %q is %s %v, %d bytes, but has %d", o.Name, o.DType, o.Shape, length, o.length())
		}
		if seen[o.Name] || o.Name == "__metadata__" {
			return nil, 0, fmt.Errorf("checkpoint: tensor %q is written twice or has a name that safetensors keeps for itself", o.Name)
		}
		seen[o.Name] = true
		if len(shard) > 0 && size+length > shardSize {
			shards, shard, size = append(shards, shard), nil, 0
		}
		shard = append(shard, o)
		size += length
		total += length
	}
	shards = append(shards, shard)
	for _, s := range shards {
		sort.SliceStable(s, func(i, j int) bool { return s[i].DType.Bits() > s[j].DType.Bits() })
	}
	return shards, total, nil
}

// encodeHeader is a safetensors header: its length, its JSON, and spaces up to a multiple of 8 bytes.
func encodeHeader(outputs []Output, metadata map[string]string) ([]byte, error) {
	var b strings.Builder
	// Some readers refuse a file whose metadata do not name a format.
	m := map[string]string{"format": "pt"}
	for key, text := range metadata {
		m[key] = text
	}
	text, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(&b, `{"__metadata__":%s`, text)
	var at int64
	for _, o := range outputs {
		name, err := json.Marshal(o.Name)
		if err != nil {
			return nil, err
		}
		shape, err := json.Marshal(append([]int{}, o.Shape...))
		if err != nil {
			return nil, err
		}
		end := at + o.length()
		fmt.Fprintf(&b, `,%s:{"dtype":"%s","shape":%s,"data_offsets":[%d,%d]}`, name, o.DType, shape, at, end)
		at = end
	}
	b.WriteByte('}')
	for b.Len()%8 != 0 {
		b.WriteByte(' ')
	}
	if b.Len() > maxHeader {
		return nil, fmt.Errorf("header of %d bytes is more than safetensors allows: choose a smaller shard size", b.Len())
	}
	return append(binary.LittleEndian.AppendUint64(nil, uint64(b.Len())), b.String()...), nil
}

func (w *Writer) writeShard(ctx context.Context, name string, outputs []Output, metadata map[string]string) error {
	header, err := encodeHeader(outputs, metadata)
	if err != nil {
		return fmt.Errorf("checkpoint: %s: %w", name, err)
	}
	size := int64(len(header))
	for _, o := range outputs {
		size += o.length()
	}
	f, err := w.create(name)
	if err != nil {
		return w.explain(name, size, err)
	}
	if _, err := f.Write(header); err != nil {
		return w.explain(name, size, err)
	}
	return w.explain(name, size, w.writeRuns(ctx, f, int64(len(header)), outputs))
}

// writeRuns copies tensors that follow one another in their source in one go.
func (w *Writer) writeRuns(ctx context.Context, f *os.File, at int64, outputs []Output) error {
	for i := 0; i < len(outputs); {
		first := outputs[i].From
		if first.shard == nil {
			data, err := outputs[i].bytes()
			if err != nil {
				return err
			}
			if _, err := f.WriteAt(data, at); err != nil {
				return err
			}
			w.report(outputs[i].length())
			at += outputs[i].length()
			i++
			continue
		}
		length := first.Length
		for i++; i < len(outputs) && outputs[i].From.shard == first.shard && outputs[i].From.Offset == first.Offset+length; i++ {
			length += outputs[i].From.Length
		}
		if err := copyRange(ctx, f, at, first.shard.file, first.Offset, length, true, w.report); err != nil {
			return err
		}
		at += length
	}
	return ctx.Err()
}

// chunk is how many bytes are copied between looks at the context.
const chunk = 32 << 20

// copyRange copies length bytes between files, within the kernel if that is wanted and the system can.
func copyRange(ctx context.Context, to *os.File, at int64, from *os.File, offset, length int64, inKernel bool, report func(int64)) error {
	var buffer []byte
	for length > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := min(length, chunk)
		if inKernel {
			copied, ok, err := copyInKernel(to, at, from, offset, n)
			if err != nil {
				return err
			}
			inKernel = ok
			if ok && copied == 0 {
				return io.ErrUnexpectedEOF
			}
			n = copied
		}
		if !inKernel {
			if buffer == nil {
				buffer = make([]byte, 1<<20)
			}
			n = min(length, chunk)
			copied, err := io.CopyBuffer(writerOnly{io.NewOffsetWriter(to, at)}, readerOnly{io.NewSectionReader(from, offset, n)}, buffer)
			if err != nil {
				return err
			}
			if copied < n {
				return io.ErrUnexpectedEOF
			}
		}
		at, offset, length = at+n, offset+n, length-n
		report(n)
	}
	return nil
}

// writerOnly and readerOnly hide methods by which io.CopyBuffer would pass the buffer by.
type writerOnly struct{ io.Writer }
type readerOnly struct{ io.Reader }
