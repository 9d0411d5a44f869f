package dataset

import (
	"errors"
	"fmt"
	"math"
	"os"
	"unicode/utf8"

	"github.com/parquet-go/parquet-go"

	"shallow/internal/rowfile"
)

// parquet reads a row group at a time: its columns, then the rows that they make together.
func (r *reader) parquet(file *os.File) error {
	return rowfile.Parquet(file, nil, func(f *parquet.File) error {
		root := f.Root()
		leaves, err := leavesOf(root, nil, 0)
		if err != nil {
			return err
		}
		row := 0
		for _, group := range f.RowGroups() {
			chunks := group.ColumnChunks()
			if len(chunks) != len(leaves) {
				return fmt.Errorf("the file is damaged: a row group of %d columns, of %d", len(chunks), len(leaves))
			}
			a := &assembler{columns: make([]values, len(leaves))}
			for i, leaf := range leaves {
				if a.columns[i], err = r.column(chunks[i], leaf); err != nil {
					return err
				}
			}
			for range group.NumRows() {
				made, err := a.row(root)
				if err != nil {
					return fmt.Errorf("row %d: %w", row, err)
				}
				if err := r.add(made, rowOverhead); err != nil {
					return err
				}
				row++
			}
			if err := a.end(); err != nil {
				return fmt.Errorf("row %d: %w", row, err)
			}
		}
		return nil
	})
}

// leavesOf are the columns that hold values, in the order of a row group's.
func leavesOf(c *parquet.Column, leaves []*parquet.Column, depth int) ([]*parquet.Column, error) {
	var err error
	switch {
	case depth > 2*maxDepth: // a list is two levels
		return nil, fmt.Errorf("the columns are nested deeper than %d", maxDepth)
	case len(leaves) > maxFields:
		return nil, fmt.Errorf("more than %d columns", maxFields)
	case c.Leaf():
		return append(leaves, c), nil
	case len(c.Columns()) == 0:
		return nil, fmt.Errorf("the file is damaged: %q has neither a type nor columns", c.Name())
	}
	for _, child := range c.Columns() {
		if leaves, err = leavesOf(child, leaves, depth+1); err != nil {
			return nil, err
		}
	}
	return leaves, nil
}

// values are those of a column of a row group with their levels, as Dremel has them: the repetition level says which list
// goes on with the value, the definition level how much of the path to it is there.
type values struct {
	all  []value
	next int
}

type value struct {
	value      any
	repetition uint8
	definition uint8
}

// column reads the values of a column.
func (r *reader) column(c parquet.ColumnChunk, leaf *parquet.Column) (values, error) {
	var all []value
	for v, err := range rowfile.Values(c) {
		if err != nil {
			return values{}, fmt.Errorf("column %q: value %d: %w", leaf.Name(), len(all), err)
		}
		goValue, size, err := convertValue(v, leaf)
		if err == nil {
			err = r.grow(size + valueOverhead)
		}
		if err != nil {
			return values{}, fmt.Errorf("column %q: value %d: %w", leaf.Name(), len(all), err)
		}
		all = append(all, value{goValue, uint8(v.RepetitionLevel()), uint8(v.DefinitionLevel())})
		if len(all)%4096 == 0 && r.ctx.Err() != nil {
			return values{}, r.ctx.Err()
		}
	}
	return values{all: all}, nil
}

// convertValue copies a value out of a page.
func convertValue(v parquet.Value, leaf *parquet.Column) (converted any, size int, err error) {
	if v.IsNull() {
		return nil, 0, nil
	}
	logical := leaf.Type().LogicalType()
	switch v.Kind() {
	case parquet.Boolean:
		return v.Boolean(), 0, nil
	case parquet.Int32:
		if logical != nil && isUnsigned(logical.Value) {
			return int64(v.Uint32()), 0, nil
		}
		return int64(v.Int32()), 0, nil
	case parquet.Int64:
		if n := v.Uint64(); n > math.MaxInt64 && logical != nil && isUnsigned(logical.Value) {
			return float64(n), 0, nil
		}
		return v.Int64(), 0, nil
	case parquet.Float:
		return float64(v.Float()), 0, nil
	case parquet.Double:
		return v.Double(), 0, nil
	case parquet.ByteArray, parquet.FixedLenByteArray:
		text := string(v.ByteArray())
		if logical != nil && isText(logical.Value) && !utf8.ValidString(text) {
			return nil, 0, errors.New("is not UTF-8")
		}
		if len(text) > maxRow {
			return nil, 0, fmt.Errorf("is larger than %d MB", maxRow>>20)
		}
		return text, len(text), nil
	}
	return v.String(), 2 * valueOverhead, nil // a time of 96 bits
}

// assembler puts values together to rows.
type assembler struct{ columns []values }

var errLevels = errors.New("the file is damaged: its columns do not fit together")

// row makes the next row.
func (a *assembler) row(root *parquet.Column) (Row, error) {
	for i := range a.columns {
		if v, ok := a.peek(i); !ok || v.repetition != 0 {
			return nil, errLevels
		}
	}
	return a.object(root)
}

// end checks that no values are left.
func (a *assembler) end() error {
	for i := range a.columns {
		if _, ok := a.peek(i); ok {
			return errLevels
		}
	}
	return nil
}

func (a *assembler) peek(leaf int) (value, bool) {
	c := &a.columns[leaf]
	if c.next == len(c.all) {
		return value{}, false
	}
	return c.all[c.next], true
}

// object makes an object of a group's columns.
func (a *assembler) object(c *parquet.Column) (Row, error) {
	row := make(Row, len(c.Columns()))
	for _, child := range c.Columns() {
		v, err := a.field(child)
		if err != nil {
			return nil, err
		}
		row[child.Name()] = v
	}
	return row, nil
}

// field makes the value of a column: a list if it is repeated.
func (a *assembler) field(c *parquet.Column) (any, error) {
	if c.Repeated() {
		return a.list(c, func() (any, error) { return a.single(c) })
	}
	return a.single(c)
}

// list makes a list of a repeated column.
func (a *assembler) list(c *parquet.Column, element func() (any, error)) (any, error) {
	leaf := firstLeaf(c).Index()
	v, ok := a.peek(leaf)
	if !ok {
		return nil, errLevels
	}
	list := []any{}
	if int(v.definition) < c.MaxDefinitionLevel() {
		return list, a.skip(c)
	}
	for {
		e, err := element()
		if err != nil {
			return nil, err
		}
		list = append(list, e)
		v, ok := a.peek(leaf)
		switch {
		case !ok || int(v.repetition) < c.MaxRepetitionLevel():
			return list, nil
		case int(v.repetition) > c.MaxRepetitionLevel():
			return nil, errLevels
		}
	}
}

// single makes a value of a column, or of one repetition.
func (a *assembler) single(c *parquet.Column) (any, error) {
	leaf := firstLeaf(c).Index()
	v, ok := a.peek(leaf)
	switch {
	case !ok:
		return nil, errLevels
	case int(v.definition) < c.MaxDefinitionLevel():
		return nil, a.skip(c)
	case c.Leaf():
		a.columns[leaf].next++
		return v.value, nil
	}
	if c.Type().LogicalType() != nil && len(c.Columns()) == 1 && c.Columns()[0].Repeated() {
		switch {
		case isList(c):
			return a.elements(c)
		case isMap(c):
			return a.keyed(c.Columns()[0])
		}
	}
	return a.object(c)
}

// skip takes the one value of each column below that says that nothing is there.
func (a *assembler) skip(c *parquet.Column) error {
	if c.Leaf() {
		if _, ok := a.peek(c.Index()); !ok {
			return errLevels
		}
		a.columns[c.Index()].next++
		return nil
	}
	for _, child := range c.Columns() {
		if err := a.skip(child); err != nil {
			return err
		}
	}
	return nil
}

// elements makes the list of a column of that type: a group of a repeated group of the element. Old writers leave out the
// inner group, which shows in its columns and its name.
func (a *assembler) elements(c *parquet.Column) (any, error) {
	middle := c.Columns()[0]
	if middle.Leaf() || len(middle.Columns()) != 1 || middle.Name() == "array" || middle.Name() == c.Name()+"_tuple" {
		return a.list(middle, func() (any, error) { return a.single(middle) })
	}
	return a.list(middle, func() (any, error) { return a.field(middle.Columns()[0]) })
}

// keyed makes an object of a map's keys and values.
func (a *assembler) keyed(pairs *parquet.Column) (any, error) {
	list, err := a.list(pairs, func() (any, error) { return a.single(pairs) })
	if err != nil || len(pairs.Columns()) != 2 {
		return list, err
	}
	object := Row{}
	for _, pair := range list.([]any) {
		p, ok := pair.(Row)
		if !ok {
			return nil, errLevels
		}
		object[fmt.Sprint(p[pairs.Columns()[0].Name()])] = p[pairs.Columns()[1].Name()]
	}
	return object, nil
}

func firstLeaf(c *parquet.Column) *parquet.Column {
	for !c.Leaf() {
		c = c.Columns()[0]
	}
	return c
}
