// Package residual writes the residual stream of sequences at every layer to a file, so that two implementations of a
// model can be laid side by side.
//
// The file is safetensors. For sequence s it holds ids.s int64 [T], states.s float32 [L+1, T, D], which is what enters
// layer 0 to L-1 and what leaves the last, before the final norm, and on request logits.s float32 [T, V]. With layers
// left out, states.s has a row for each boundary that is left: what enters the first kept layer, and what leaves each.
package residual

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"

	"shallow/compute"
	"shallow/decoder"
	"shallow/internal/atomicfile"
)

// Options say what to write.
type Options struct {
	Skip   []int // layers that are left out
	Logits bool
	// Size, if given, is told the file's size before the work begins.
	Size func(bytes int64)
	// Progress, if given, is called with how many rows have gone through how many layers, rows times layers.
	Progress func(done, total int64)
}

// groupRows is how many tokens go through a layer before the next is loaded.
const groupRows = 16384

// Write runs the sequences and writes the file. Nothing is left of it after an error.
func Write(ctx context.Context, m *decoder.Model, sequences [][]int, name string, o Options) error {
	if len(sequences) == 0 {
		return errors.New("residual: the corpus has no sequences")
	}
	f, err := create(m, sequences, name, o)
	if err != nil {
		return err
	}
	defer f.out.Abort()
	for len(sequences) > 0 {
		n, rows := 1, len(sequences[0])
		for n < len(sequences) && rows+len(sequences[n]) <= groupRows {
			rows += len(sequences[n])
			n++
		}
		if err := f.group(ctx, sequences[:n]); err != nil {
			return err
		}
		sequences = sequences[n:]
	}
	return f.out.Commit()
}

// file is being written, sequence first at the begin of a group.
type file struct {
	model               *decoder.Model
	options             Options
	out                 *atomicfile.File
	name                string
	ids, states, logits []*tensor // one a sequence
	first               int
	done, total         int64
}

// create lays the file out and writes its head.
func create(m *decoder.Model, sequences [][]int, name string, o Options) (*file, error) {
	f := &file{model: m, options: o, name: name}
	layers := m.Spec.L - len(o.Skip)
	var all []*tensor
	for s, ids := range sequences {
		number := strconv.Itoa(s)
		f.ids = append(f.ids, &tensor{name: "ids." + number, dtype: "I64", shape: []int{len(ids)}})
		f.states = append(f.states, &tensor{name: "states." + number, dtype: "F32", shape: []int{layers + 1, len(ids), m.Spec.D}})
		all = append(all, f.ids[s], f.states[s])
		if o.Logits {
			f.logits = append(f.logits, &tensor{name: "logits." + number, dtype: "F32", shape: []int{len(ids), m.Spec.V}})
			all = append(all, f.logits[s])
		}
		f.total += int64(len(ids)) * int64(layers)
	}
	head, size, err := encode(all)
	if err != nil {
		return nil, err
	}
	if o.Size != nil {
		o.Size(size)
	}
	if f.out, err = atomicfile.Create(name); err != nil {
		return nil, fmt.Errorf("residual: %w", err)
	}
	err = f.write(head, 0)
	for s, t := range f.ids {
		if err == nil {
			err = f.write(encodeIDs(sequences[s]), t.at)
		}
	}
	if err != nil {
		f.out.Abort()
		return nil, err
	}
	return f, nil
}

func encodeIDs(ids []int) []byte {
	var b []byte
	for _, id := range ids {
		b = binary.LittleEndian.AppendUint64(b, uint64(id))
	}
	return b
}

// group takes sequences through all layers and the head.
func (f *file) group(ctx context.Context, sequences [][]int) error {
	pieces, err := f.start(sequences)
	defer func() {
		for _, g := range pieces {
			g.Close()
		}
	}()
	if err != nil {
		return err
	}
	boundary := 0
	if err := f.boundary(pieces, boundary); err != nil {
		return err
	}
	for layer, err := range f.model.Layers(f.options.Skip) {
		if err != nil {
			return err
		}
		boundary++
		for _, g := range pieces {
			if err := ctx.Err(); err != nil {
				return err
			}
			g.Forward(layer)
			f.done += int64(g.Rows())
			if f.options.Progress != nil {
				f.options.Progress(f.done, f.total)
			}
		}
		if err := f.boundary(pieces, boundary); err != nil {
			return err
		}
	}
	if f.options.Logits {
		if err := f.head(ctx, pieces); err != nil {
			return err
		}
	}
	f.first += len(sequences)
	return nil
}

// start embeds sequences, about as many together as a layer takes at a time.
func (f *file) start(sequences [][]int) (pieces []*decoder.Group, err error) {
	for len(sequences) > 0 {
		n, rows := 1, len(sequences[0])
		for n < len(sequences) && rows+len(sequences[n]) <= decoder.DefaultRows {
			rows += len(sequences[n])
			n++
		}
		g, err := f.model.Start(sequences[:n])
		if err != nil {
			return pieces, fmt.Errorf("residual: %w", err)
		}
		pieces, sequences = append(pieces, g), sequences[n:]
	}
	return pieces, nil
}

// boundary writes the states of all pieces at a boundary.
func (f *file) boundary(pieces []*decoder.Group, boundary int) error {
	s := f.first
	for _, g := range pieces {
		data := make([]float32, g.Rows()*f.model.Spec.D)
		if err := f.model.Device.Download(compute.Bytes(data), g.X()); err != nil {
			return fmt.Errorf("residual: %w", err)
		}
		for _, ids := range g.Sequences() {
			size := len(ids) * f.model.Spec.D
			if err := f.write(compute.Bytes(data[:size]), f.states[s].at+compute.Float32.Bytes(boundary*size)); err != nil {
				return err
			}
			data = data[size:]
			s++
		}
	}
	return nil
}

// head writes the logits of all pieces, some rows at a time.
func (f *file) head(ctx context.Context, pieces []*decoder.Group) error {
	const step = 256
	head := f.model.Head()
	defer head.Release()
	s := f.first
	for _, g := range pieces {
		row := 0
		for _, ids := range g.Sequences() {
			for at := 0; at < len(ids); at += step {
				if err := ctx.Err(); err != nil {
					return err
				}
				n := min(step, len(ids)-at)
				logits, err := head.Logits(g.X().RowRange(row, row+n))
				if err != nil {
					return fmt.Errorf("residual: %w", err)
				}
				if err := f.write(compute.Bytes(logits), f.logits[s].at+compute.Float32.Bytes(at*f.model.Spec.V)); err != nil {
					return err
				}
				row += n
			}
			s++
		}
	}
	return nil
}

func (f *file) write(data []byte, at int64) error {
	if _, err := f.out.WriteAt(data, at); err != nil {
		return fmt.Errorf("residual: %s: %w", f.name, errors.Unwrap(err))
	}
	return nil
}
