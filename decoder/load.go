package decoder

import "shallow/compute"

// load puts a weight on the device, where it stays until it is released. A vector becomes one row. What lies in the file
// as the weight's rows, one after another, is used where it is; the rest is laid out anew.
func (m *Model) load(w Weight) compute.Tensor {
	t, _ := m.Checkpoint.Tensor(w.Name)
	return m.Device.Load(kinds[t.DType], max(w.Rows, 1), w.Cols, m.bytes(w))
}

// bytes are the weight's elements, row after row.
func (m *Model) bytes(w Weight) []byte {
	t, _ := m.Checkpoint.Tensor(w.Name)
	kind, data := kinds[t.DType], t.Bytes()
	switch {
	case w.Transposed:
		data = w.transpose(data, int(kind.Bytes(1)))
	case w.Of > 0 && w.Rows > 0:
		data = w.gather(data, int(kind.Bytes(w.Cols)))
	case w.Of > 0:
		data = w.gather(data, int(kind.Bytes(1)))
	}
	return data
}

// scattered reports whether the weight's bytes are not one stretch of the file.
func (w Weight) scattered() bool { return w.Transposed || w.Of > 0 && w.Run < w.length() }

// gather is the bytes of the weight's rows, of so many bytes each: a stretch of data where they are one.
func (w Weight) gather(data []byte, row int) []byte {
	if !w.scattered() {
		return data[w.First*row : (w.First+w.length())*row]
	}
	out := make([]byte, 0, w.length()*row)
	for at := w.First; len(out) < cap(out); at += w.Every {
		out = append(out, data[at*row:(at+w.Run)*row]...)
	}
	return out
}

// transposeBlock is a square that fits the first-level cache in both orders.
const transposeBlock = 32

// transpose turns the columns of a stored [Cols, rows] that are the weight's rows into [Rows, Cols].
func (w Weight) transpose(data []byte, size int) []byte {
	stride := w.Rows
	if w.Of > 0 {
		stride = w.Of
	}
	out := make([]byte, w.Rows*w.Cols*size)
	for i := 0; i < w.Rows; i += transposeBlock {
		for j := 0; j < w.Cols; j += transposeBlock {
			for r := i; r < min(i+transposeBlock, w.Rows); r++ {
				for c := j; c < min(j+transposeBlock, w.Cols); c++ {
					from := (c*stride + w.First + r) * size
					copy(out[(r*w.Cols+c)*size:][:size], data[from:from+size])
				}
			}
		}
	}
	return out
}
