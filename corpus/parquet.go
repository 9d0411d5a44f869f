package corpus

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/parquet-go/parquet-go"
)

// parquet reads the ids or the text column of a .parquet file.
func (r *reader) parquet() (err error) {
	// The library panics on some damaged files.
	defer func() {
		if p := recover(); p != nil {
			if r.outside {
				panic(p) // not the library's
			}
			err = fmt.Errorf("the file is damaged: %v", p)
		}
	}()
	info, err := r.file.Stat()
	if err != nil {
		return err
	}
	if err := checkFooter(r.file, info.Size()); err != nil {
		return err
	}
	f, err := parquet.OpenFile(r.file, info.Size(), parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return fmt.Errorf("no Parquet file: %w", err)
	}
	column, isIDs, err := chooseColumn(f.Schema(), r.options.Field)
	if err != nil {
		return err
	}
	d := &rows{reader: r, isIDs: isIDs}
	for _, group := range f.RowGroups() {
		if err := d.chunk(group.ColumnChunks()[column]); err != nil {
			return err
		}
	}
	return d.end()
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

// chooseColumn finds the column of ids, a list of integers, or else that of the text.
func chooseColumn(s *parquet.Schema, field string) (column int, isIDs bool, err error) {
	for _, path := range s.Columns() {
		leaf, ok := s.Lookup(path...)
		kind := parquet.ByteArray
		if ok {
			kind = leaf.Node.Type().Kind()
		}
		if ok && path[0] == "ids" && leaf.MaxRepetitionLevel == 1 && (kind == parquet.Int32 || kind == parquet.Int64) {
			return leaf.ColumnIndex, true, nil
		}
	}
	leaf, ok := s.Lookup(field)
	if !ok {
		return 0, false, fmt.Errorf("it has no column %q: --field names the column of the text", field)
	}
	if leaf.MaxRepetitionLevel > 0 || leaf.Node.Type().Kind() != parquet.ByteArray {
		return 0, false, fmt.Errorf("column %q is no text", field)
	}
	return leaf.ColumnIndex, false, nil
}

// rows puts the values of a column together to documents.
type rows struct {
	*reader
	isIDs bool
	n     int // rows so far
	ids   []int
}

func (d *rows) chunk(c parquet.ColumnChunk) error {
	pages := c.Pages()
	defer pages.Close()
	values := make([]parquet.Value, 256)
	for {
		page, err := pages.ReadPage()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("row %d: %w", d.n, err)
		}
		in := page.Values()
		for err == nil {
			var n int
			if n, err = in.ReadValues(values); n == 0 && err == nil {
				return fmt.Errorf("row %d: the file is damaged: a page gives no values and has no end", d.n)
			}
			for _, v := range values[:n] {
				if err := d.value(v); err != nil {
					return err
				}
			}
		}
		if !errors.Is(err, io.EOF) {
			return fmt.Errorf("row %d: %w", d.n, err)
		}
		parquet.Release(page)
	}
}

// value takes the next value of the column.
func (d *rows) value(v parquet.Value) error {
	if !d.isIDs {
		if v.IsNull() {
			return fmt.Errorf("row %d has no %s", d.n, d.options.Field)
		}
		d.n++
		return d.give(Document{Text: string(v.ByteArray())}, fmt.Sprintf("row %d", d.n-1))
	}
	if v.RepetitionLevel() == 0 {
		if err := d.end(); err != nil {
			return err
		}
		d.ids = []int{}
	}
	switch {
	case v.IsNull():
	case v.Kind() == parquet.Int32:
		d.ids = append(d.ids, int(v.Int32()))
	default:
		d.ids = append(d.ids, int(v.Int64()))
	}
	return nil
}

// end gives the row of ids that is complete now.
func (d *rows) end() error {
	if d.ids == nil {
		return nil
	}
	place := fmt.Sprintf("row %d", d.n)
	if err := checkIDs(d.ids); err != nil {
		return fmt.Errorf("%s: %w", place, err)
	}
	ids := slices.Clone(d.ids)
	d.ids = nil
	d.n++
	return d.give(Document{IDs: ids}, place)
}
