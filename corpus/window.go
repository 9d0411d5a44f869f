package corpus

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"

	"shallow/internal/rowfile"
)

// margin is how many tokens before the end of a part of a text may differ from those of the whole text. Tokenizers look a
// word or two ahead.
const margin = 256

// windows takes the consecutive windows of a .txt file.
func (t *taker) windows(ctx context.Context, file string) error {
	f, err := open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	in := rowfile.Buffered(f)
	fail := func(err error) error { return fmt.Errorf("corpus: %s: %w", file, err) }

	// The file is read and encoded as a whole only if all of it is wanted; a part is doubled until it has tokens enough.
	var text []byte
	var ids []int
	size, wanted := t.first()
	for whole := false; !whole && (ids == nil || len(ids) < wanted); size *= 2 {
		if err := ctx.Err(); err != nil {
			return err
		}
		text, err = fill(text, in, min(size, maxText+1))
		switch {
		case err != nil:
			return fail(err)
		case len(text) > maxText:
			return fail(errTextSize)
		}
		whole = len(text) < size
		part := text
		if !whole {
			// A cut within a word or a character would show in its tokens.
			if i := bytes.LastIndexAny(text, " \n"); i > 0 {
				part = text[:i]
			}
		}
		if len(bytes.TrimSpace(part)) == 0 {
			continue
		}
		if ids, err = t.encode(string(part), file); err != nil {
			return err
		}
	}
	switch {
	case len(ids) == 0:
		t.Skipped++
		return nil
	case len(ids) <= t.Length:
		err = t.take(ids, 0, file, true)
	default:
		err = t.cut(ids, file)
	}
	t.Documents++
	return err
}

// first is how many bytes to begin with, and how many tokens they must have for the samples that are missing.
func (t *taker) first() (size, wanted int) {
	missing := t.Samples - len(t.Sequences)
	// A token of prose has four bytes or so. What is as large as the largest text is all of it.
	if t.Samples == 0 || missing > maxText/t.Length {
		return maxText + 1, 0
	}
	wanted = missing*t.Length + margin
	return min(6*wanted, maxText+1), wanted
}

// fill reads on until text has size bytes or there are no more.
func fill(text []byte, in io.Reader, size int) ([]byte, error) {
	more, err := io.ReadAll(io.LimitReader(in, int64(size-len(text))))
	if text == nil {
		return more, err
	}
	return append(text, more...), err
}

// cut takes the windows of a document's ids.
func (t *taker) cut(ids []int, file string) error {
	front := t.front()
	if front >= t.Length {
		return fmt.Errorf("corpus: %s: a length of %d leaves no room for text: the tokenizer puts %d tokens in front", file, t.Length, front)
	}
	for window := range slices.Chunk(ids[front:], t.Length-front) {
		window = slices.Concat(ids[:front], window)
		if err := t.take(window, 0, file, true); err != nil {
			return err
		}
		if t.full() {
			break
		}
	}
	return nil
}

// front is how many tokens the tokenizer puts in front of a text.
func (t *taker) front() int {
	plain, special := t.encoder.Encode("a", false), t.encoder.Encode("a", true)
	for i := range len(special) - len(plain) + 1 {
		if slices.Equal(special[i:i+len(plain)], plain) {
			return i
		}
	}
	return 0
}
