package dataset

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
)

// maxFields bounds the columns of a .csv file.
const maxFields = 4096

// csv reads a file whose first record names the columns. A known data set may have another form without such a record.
// Columns of nothing but whole numbers, written as we would write them, become int64; the rest stays text, so that what a
// prompt shows is what the file says. All rows are read, for they say what a column is.
func (r *reader) csv(in *bufio.Reader) error {
	r.limit = 0
	records := &csvReader{in: in, line: 1}
	header, err := records.next()
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err != nil {
		return err
	}
	bare := r.known != nil && len(header) == len(r.known.bare) && !slices.Contains(header, r.known.bare[0])
	first := header
	if bare {
		header = r.known.bare
	} else if first, err = records.next(); errors.Is(err, io.EOF) {
		return nil
	}
	for i, name := range header {
		if slices.Contains(header[:i], name) {
			return fmt.Errorf("line 1: two columns are named %q", shorten(name))
		}
	}
	start := len(r.table.Rows)
	err = r.records(records, header, first, err)
	if !bare && err == nil {
		wholeNumbers(r.table.Rows[start:], header)
	}
	return err
}

// records adds a row for the first record and each that follows.
func (r *reader) records(records *csvReader, header, record []string, err error) error {
	for ; err == nil; record, err = records.next() {
		if len(record) != len(header) {
			return fmt.Errorf("line %d: %d fields, but there are %d columns", records.begin, len(record), len(header))
		}
		row, size := make(Row, len(header)), rowOverhead
		for i, field := range record {
			row[header[i]] = field
			size += len(field) + 2*valueOverhead
		}
		if err := r.add(row, size); err != nil {
			return err
		}
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// wholeNumbers turns columns into int64 where every row's text is the one way to write its number.
func wholeNumbers(rows []Row, columns []string) {
	whole := func(row Row, column string) (int64, bool) {
		text := row[column].(string)
		n, err := strconv.ParseInt(text, 10, 64)
		return n, err == nil && strconv.FormatInt(n, 10) == text
	}
	for _, column := range columns {
		if slices.ContainsFunc(rows, func(row Row) bool { _, ok := whole(row, column); return !ok }) {
			continue
		}
		for _, row := range rows {
			row[column], _ = whole(row, column)
		}
	}
}

// csvReader reads records as RFC 4180 has them, and what is outside of it as Python's csv module does: the text of a quoted
// field is kept to the byte (encoding/csv would change its line ends), a quote within a bare field is a letter.
type csvReader struct {
	in    *bufio.Reader
	line  int // of the next byte
	begin int // of the record's first
}

// next reads a record; io.EOF comes alone. Blank lines are passed over.
func (c *csvReader) next() ([]string, error) {
	for {
		c.begin = c.line
		record, err := c.record()
		if err != nil || len(record) > 1 || record[0] != "" {
			if err != nil && !errors.Is(err, io.EOF) {
				err = fmt.Errorf("line %d: %w", c.begin, err)
			}
			return record, err
		}
	}
}

func (c *csvReader) record() (record []string, err error) {
	var field []byte
	size := 0
	quoted, closed := false, false // within quotes; a quote was read that ends them, unless another follows
	end := func() error {
		record = append(record, string(field))
		field, quoted, closed = field[:0], false, false
		if len(record) > maxFields {
			return fmt.Errorf("more than %d fields", maxFields)
		}
		return checkText(record[len(record)-1])
	}
	for begun := true; ; { // begun: at the begin of a field
		b, err := c.in.ReadByte()
		if errors.Is(err, io.EOF) {
			switch {
			case quoted:
				return nil, errors.New("the file ends within quotes: it is not whole")
			case size == 0:
				return nil, io.EOF
			}
			return record, end()
		}
		if err != nil {
			return nil, err
		}
		if size++; size > maxRow {
			return nil, fmt.Errorf("the row is larger than %d MB, or a quote is not closed", maxRow>>20)
		}
		if b == '\n' {
			c.line++
		}
		switch {
		case quoted && b == '"':
			quoted, closed = false, true
		case quoted:
			field = append(field, b)
		case b == '"' && closed:
			field = append(field, b)
			quoted, closed = true, false
		case b == '"' && begun:
			quoted = true
		case b == ',':
			if err := end(); err != nil {
				return nil, err
			}
			begun = true
			continue
		case b == '\n' || b == '\r':
			c.skipNewline(b)
			return record, end()
		default:
			field = append(field, b)
			closed = false
		}
		begun = false
	}
}

// skipNewline passes the second byte of \r\n. A \r alone ends a record too.
func (c *csvReader) skipNewline(b byte) {
	if b != '\r' {
		return
	}
	if next, err := c.in.Peek(1); err == nil && next[0] == '\n' {
		_, _ = c.in.Discard(1) // it was seen
	}
	c.line++
}
