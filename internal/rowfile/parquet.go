package rowfile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

// Parquet opens a Parquet file and reads it. The library panics on some damaged files: what it throws while read runs comes
// back as an error, unless *outside says that code runs which is not the library's. outside may be nil.
func Parquet(file *os.File, outside *bool, read func(*parquet.File) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			if outside != nil && *outside {
				panic(p)
			}
			err = fmt.Errorf("the file is damaged: %v", p)
		}
	}()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if err := checkFooter(file, info.Size()); err != nil {
		return err
	}
	f, err := parquet.OpenFile(file, info.Size(), parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return fmt.Errorf("no Parquet file: %w", err)
	}
	if err := checkCompression(f); err != nil {
		return err
	}
	return read(f)
}

// checkCompression refuses LZ4: of a damaged block the library thinks that it lacks room, and doubles it until the process
// dies.
func checkCompression(f *parquet.File) error {
	for _, group := range f.Metadata().RowGroups {
		for _, c := range group.Columns {
			if c.MetaData.Codec == format.Lz4Raw {
				return errors.New("its columns are compressed by LZ4, which is not read: write the file with zstd or snappy")
			}
		}
	}
	return nil
}

// checkFooter compares the footer's length, for which the library makes room unseen, with the file's. A file ends in that
// length, four bytes little-endian, and "PAR1".
func checkFooter(f io.ReaderAt, size int64) error {
	var end [8]byte
	if size < 12 {
		return errors.New("no Parquet file: too short")
	}
	if _, err := f.ReadAt(end[:], size-8); err != nil {
		return err
	}
	if string(end[4:]) != "PAR1" {
		return errors.New("no Parquet file, or not whole: it does not end in PAR1")
	}
	if n := int64(binary.LittleEndian.Uint32(end[:])); n > size-12 {
		return fmt.Errorf("the file is damaged: its footer of %d bytes is longer than its %d bytes", n, size)
	}
	return nil
}

// Values gives the values of a column of a row group, in order. A text in one is valid until the next comes. An error ends
// them.
func Values(c parquet.ColumnChunk) iter.Seq2[parquet.Value, error] {
	return func(yield func(parquet.Value, error) bool) {
		pages := c.Pages()
		defer pages.Close()
		values := make([]parquet.Value, 256)
		for {
			page, err := pages.ReadPage()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				yield(parquet.Value{}, err)
				return
			}
			in := page.Values()
			for err == nil {
				var n int
				if n, err = in.ReadValues(values); n == 0 && err == nil {
					err = errors.New("the file is damaged: a page gives no values and has no end")
				}
				for _, v := range values[:n] {
					if !yield(v, nil) {
						return
					}
				}
			}
			if !errors.Is(err, io.EOF) {
				yield(parquet.Value{}, err)
				return
			}
			parquet.Release(page)
		}
	}
}
