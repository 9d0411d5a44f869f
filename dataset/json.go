package dataset

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"

	"shallow/internal/rowfile"
)

// json reads an object a row: of a list, one a line, one after another, or of the list under "data" of the only object.
func (r *reader) json(in *bufio.Reader, lines bool) error {
	var only []byte // an object that may hold the rows, until another follows
	onlyLine, n := 0, 0
	err := rowfile.Objects(in, lines, func(object []byte, line int) error {
		if n++; n == 1 && !lines && wraps(object) {
			only, onlyLine = object, line
			return nil
		}
		if only != nil {
			if err := r.object(only, onlyLine); err != nil {
				return err
			}
			only = nil
		}
		return r.object(object, line)
	})
	if err != nil || only == nil {
		return err
	}
	var wrapper struct{ Data []json.RawMessage }
	if err := json.Unmarshal(only, &wrapper); err != nil {
		return rowfile.SyntaxError(only, onlyLine, err)
	}
	for i, object := range wrapper.Data {
		if err := r.object(object, 0); err != nil {
			return fmt.Errorf("data[%d]: %w", i, err)
		}
	}
	return nil
}

// wraps reports whether an object holds a list of objects under "data".
func wraps(object []byte) bool {
	var wrapper struct{ Data json.RawMessage }
	if err := json.Unmarshal(object, &wrapper); err != nil {
		return false
	}
	rest, list := bytes.CutPrefix(bytes.TrimSpace(wrapper.Data), []byte("["))
	rest = bytes.TrimSpace(rest)
	return list && len(rest) > 0 && rest[0] == '{'
}

// object adds the row of an object that begins on a line; 0 is a line that is not known.
func (r *reader) object(data []byte, line int) error {
	row, err := parseRow(data)
	if err == nil {
		return r.add(row, 2*len(data)+rowOverhead)
	}
	var syntax *json.SyntaxError
	switch {
	case line == 0:
		return err
	case errors.As(err, &syntax):
		return rowfile.SyntaxError(data, line, err)
	}
	return fmt.Errorf("line %d: %w", line, err)
}

// parseRow makes a row of a JSON object.
func parseRow(data []byte) (Row, error) {
	// Also because a list of nothing takes twenty times its text in memory.
	if err := checkText(string(data)); err != nil {
		return nil, err
	}
	var row Row
	in := json.NewDecoder(bytes.NewReader(data))
	in.UseNumber() // float64 has not all int64
	switch err := in.Decode(&row); {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil, errors.New("no JSON object: it has no end")
	case err != nil:
		return nil, err
	}
	if _, err := in.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something stands behind the object")
	}
	if row == nil {
		return nil, errors.New("no JSON object: it is null")
	}
	_, err := numbers(row, 1)
	return row, err
}

// numbers replaces the numbers in a value by int64 where they are whole, else float64.
func numbers(value any, depth int) (any, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("lists and objects are nested deeper than %d", maxDepth)
	}
	switch v := value.(type) {
	case json.Number:
		if n, err := strconv.ParseInt(string(v), 10, 64); err == nil {
			return n, nil
		}
		f, err := v.Float64()
		if err != nil {
			return nil, fmt.Errorf("the number %s is too large", shorten(string(v)))
		}
		return f, nil
	case []any:
		for i := range v {
			var err error
			if v[i], err = numbers(v[i], depth+1); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		for key := range v {
			var err error
			if v[key], err = numbers(v[key], depth+1); err != nil {
				return nil, err
			}
		}
	}
	return value, nil
}
