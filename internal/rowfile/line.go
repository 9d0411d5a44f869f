package rowfile

import (
	"bufio"
	"errors"
	"fmt"
	"io"
)

// MaxRow bounds a line and a JSON object in bytes.
const MaxRow = 64 << 20

// Buffered reads r behind a byte order mark, which some editors put in front of UTF-8 and which is no part of the text.
func Buffered(r io.Reader) *bufio.Reader {
	in := bufio.NewReaderSize(r, 1<<16)
	if mark, err := in.Peek(3); err == nil && string(mark) == "\ufeff" {
		_, _ = in.Discard(3) // they are in the buffer
	}
	return in
}

// ReadLine reads a line with its end; the last may have none. io.EOF comes alone.
func ReadLine(r *bufio.Reader) (string, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case len(line) > MaxRow:
			return "", fmt.Errorf("is longer than %d MB", MaxRow>>20)
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF) && len(line) > 0:
			return string(line), nil
		}
		return string(line), err
	}
}
