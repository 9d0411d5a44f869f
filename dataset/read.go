package dataset

import (
	"bufio"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/klauspost/compress/zstd"

	"shallow/internal/rowfile"
)

// What is read is held in memory, so it is bounded: a row, its nesting, and all rows of a split together.
const (
	maxRow   = 16 << 20
	maxDepth = 32
	maxRows  = 5_000_000
	maxBytes = 2 << 30
)

// endings are what files may end in. The first that a place has is taken.
var endings = []string{".parquet", ".jsonl", ".json", ".csv", ".txt",
	".jsonl.gz", ".json.gz", ".csv.gz", ".txt.gz", ".jsonl.zst", ".json.zst", ".csv.zst", ".txt.zst"}

// reader adds the rows of a split's files to a table.
type reader struct {
	ctx   context.Context
	known *knownSet
	limit int // of rows; 0 is none
	table *Table
	bytes int // of the rows, about
}

// read adds a file's rows.
func (r *reader) read(name string) error {
	before := len(r.table.Rows)
	sum, err := r.sumAndRows(name)
	switch {
	case errors.Is(err, os.ErrNotExist), err != nil && r.ctx.Err() != nil:
		return fmt.Errorf("dataset: %s: %w", name, err)
	case err != nil:
		return &DamagedError{File: name, Err: err}
	}
	r.table.Files = append(r.table.Files, File{Path: name, SHA256: sum, Rows: len(r.table.Rows) - before})
	return nil
}

func (r *reader) sumAndRows(name string) (sum string, err error) {
	file, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer file.Close()
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		return "", errors.Join(err, errors.New("is no file"))
	}
	hash := sha256.New()
	if _, err := io.Copy(hash, file); err != nil {
		return "", err
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	switch err := r.file(file, name); {
	case errors.Is(err, io.ErrUnexpectedEOF): // by nothing but what decompresses
		return "", fmt.Errorf("the compressed file is not whole: %w", err)
	case err != nil && !errors.Is(err, errEnough):
		return "", err
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}

// errEnough ends the reading of a file.
var errEnough = errors.New("enough rows")

// file reads by the ending of the name.
func (r *reader) file(file *os.File, name string) error {
	plain := strings.ToLower(name)
	if strings.HasSuffix(plain, ".parquet") {
		return r.parquet(file)
	}
	in, err := decompress(file, plain)
	if err != nil {
		return err
	}
	defer in.Close()
	text := rowfile.Buffered(in)
	plain = strings.TrimSuffix(strings.TrimSuffix(plain, ".gz"), ".zst")
	switch {
	case strings.HasSuffix(plain, ".jsonl"):
		return r.json(text, true)
	case strings.HasSuffix(plain, ".json"):
		return r.json(text, false)
	case strings.HasSuffix(plain, ".csv"):
		return r.csv(text)
	case strings.HasSuffix(plain, ".txt") && r.known != nil && r.known.pages:
		return r.pages(text)
	case strings.HasSuffix(plain, ".txt"):
		return r.text(text)
	}
	return fmt.Errorf("is none of %s", strings.Join(endings, ", "))
}

// decompress reads a file as its ending says.
func decompress(file *os.File, name string) (io.ReadCloser, error) {
	switch {
	case strings.HasSuffix(name, ".gz"):
		in, err := gzip.NewReader(file)
		if err != nil {
			return nil, fmt.Errorf("no gzip file: %w", err)
		}
		return in, nil
	case strings.HasSuffix(name, ".zst"):
		// The decoder makes room for as large a window as the file asks for.
		in, err := zstd.NewReader(file, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(128<<20))
		if err != nil {
			return nil, fmt.Errorf("no zstd file: %w", err)
		}
		return in.IOReadCloser(), nil
	}
	return io.NopCloser(file), nil
}

// add takes a row of about so many bytes. It is an error, errEnough, if no further one is wanted.
func (r *reader) add(row Row, size int) error {
	r.table.Rows = append(r.table.Rows, row)
	n := len(r.table.Rows)
	if n > maxRows {
		return fmt.Errorf("the split has more than %d rows", maxRows)
	}
	if err := r.grow(size); err != nil {
		return err
	}
	if r.limit > 0 && n >= r.limit {
		return errEnough
	}
	if n%1024 == 0 {
		return r.ctx.Err()
	}
	return nil
}

// grow counts what is held in memory.
func (r *reader) grow(size int) error {
	if r.bytes += size; r.bytes > maxBytes {
		return fmt.Errorf("the rows need more than %d GB of memory: give a part of them", maxBytes>>30)
	}
	return nil
}

// text reads a line a row, without its end.
func (r *reader) text(in *bufio.Reader) error {
	for n := 1; ; n++ {
		line, err := rowfile.ReadLine(in)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = checkText(line)
		}
		if err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
		if err := r.add(Row{"text": strings.TrimSuffix(line, "\n")}, len(line)+rowOverhead); err != nil {
			return err
		}
	}
}

// rowOverhead is about what a row takes beside its texts, and valueOverhead a value.
const (
	rowOverhead   = 128
	valueOverhead = 32
)

// checkText refuses bytes that no tokenizer takes.
func checkText(s string) error {
	switch {
	case len(s) > maxRow:
		return fmt.Errorf("the row is larger than %d MB", maxRow>>20)
	case !utf8.ValidString(s):
		return errors.New("is not UTF-8: save the file in that encoding")
	}
	return nil
}
