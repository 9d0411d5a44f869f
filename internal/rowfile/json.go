package rowfile

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Objects gives the JSON objects of a file, each as it stands and with the line on which it begins: those of a list, one a
// line where lines is true, or one after another. Whether they are a list is seen by the first character, because data sets
// use the endings .json and .jsonl for both. An error of give ends the reading and comes back as it is.
func Objects(in *bufio.Reader, lines bool, give func(object []byte, line int) error) error {
	s := &scanner{in: in, line: 1, give: give}
	first, err := s.next()
	switch {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		return err
	case first == '[':
		return s.list()
	case lines:
		if err := s.in.UnreadByte(); err != nil {
			return err
		}
		return s.lines()
	}
	for ; err == nil; first, err = s.next() {
		if err := s.scanned(first); err != nil {
			return err
		}
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// SyntaxError explains what encoding/json says about an object that begins on a line.
func SyntaxError(object []byte, line int, err error) error {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		line += bytes.Count(object[:min(max(syntax.Offset-1, 0), int64(len(object)))], []byte("\n"))
	}
	return fmt.Errorf("line %d: no JSON object: %w", line, err)
}

// scanner finds where objects end, so that one at a time is in memory and its line is known.
type scanner struct {
	in   *bufio.Reader
	line int // of the next byte
	give func(object []byte, line int) error
}

// lines reads an object a line. Blank lines are passed over.
func (s *scanner) lines() error {
	for ; ; s.line++ {
		line, err := ReadLine(s.in)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("line %d: %w", s.line, err)
		}
		if strings.TrimSpace(line) == "" {
			continue
		}
		if err := s.give([]byte(line), s.line); err != nil {
			return err
		}
	}
}

// list reads the objects of a list whose bracket was read.
func (s *scanner) list() error {
	c, err := s.next()
	for err == nil && c != ']' {
		if err := s.scanned(c); err != nil {
			return err
		}
		if c, err = s.next(); err == nil && c == ',' {
			c, err = s.next()
			if err == nil && c == ']' {
				return fmt.Errorf("line %d: no object between the comma and the end of the list", s.line)
			}
		} else if err == nil && c != ']' {
			return fmt.Errorf("line %d: %q stands where a comma or the end of the list should", s.line, c)
		}
	}
	if err == nil {
		if c, err = s.next(); err == nil {
			return fmt.Errorf("line %d: %q stands behind the end of the list", s.line, c)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
	}
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("line %d: the file ends in the middle of the list: it is not whole", s.line)
	}
	return err
}

// scanned gives the object that begins with first.
func (s *scanner) scanned(first byte) error {
	line := s.line
	data, err := s.object(first)
	if err != nil {
		return fmt.Errorf("line %d: %w", line, err)
	}
	return s.give(data, line)
}

// next reads on behind white space.
func (s *scanner) next() (byte, error) {
	for {
		c, err := s.in.ReadByte()
		if err != nil {
			return 0, err
		}
		switch c {
		case '\n':
			s.line++
		case ' ', '\t', '\r':
		default:
			return c, nil
		}
	}
}

// object reads the object that begins with first, to its last brace or the end of the file. It knows strings and brackets
// alone: encoding/json judges the rest.
func (s *scanner) object(first byte) ([]byte, error) {
	if first != '{' {
		return nil, fmt.Errorf("no JSON object: it begins with %q", first)
	}
	data := []byte{first}
	inString, escaped := false, false
	for depth := 1; depth > 0; {
		c, err := s.in.ReadByte()
		if errors.Is(err, io.EOF) {
			return nil, errors.New("the file ends in the middle of this object: it is not whole")
		}
		if err != nil {
			return nil, err
		}
		if data = append(data, c); len(data) > MaxRow {
			return nil, fmt.Errorf("the object is larger than %d MB, or not closed", MaxRow>>20)
		}
		if c == '\n' {
			s.line++
			if inString {
				return nil, errors.New("no JSON object: a string has no end on its line")
			}
		}
		switch {
		case escaped:
			escaped = false
		case inString && c == '\\':
			escaped = true
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			depth--
		}
	}
	return data, nil
}
