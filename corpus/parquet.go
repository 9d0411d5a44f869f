package corpus

import (
	"fmt"
	"slices"

	"github.com/parquet-go/parquet-go"

	"shallow/internal/rowfile"
)

// parquet reads the ids or the text column of a .parquet file.
func (r *reader) parquet() error {
	return rowfile.Parquet(r.file, &r.outside, func(f *parquet.File) error {
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
	})
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
	for v, err := range rowfile.Values(c) {
		if err != nil {
			return fmt.Errorf("row %d: %w", d.n, err)
		}
		if err := d.value(v); err != nil {
			return err
		}
	}
	return nil
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
