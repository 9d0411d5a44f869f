package corpus

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// json reads objects: of a list, one a line in .jsonl, or one after another. Whether they are a list is seen by the first
// character, because data sets use both endings for both.
func (r *reader) json() error {
	s := &scanner{in: buffered(r.file), line: 1}
	first, err := s.next()
	switch {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		return err
	case first == '[':
		return r.list(s)
	case ending(r.name) == ".jsonl":
		if err := s.in.UnreadByte(); err != nil {
			return err
		}
		return r.lines(s)
	}
	for ; err == nil; first, err = s.next() {
		if err := r.scanned(s, first); err != nil {
			return err
		}
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// lines reads an object a line. Blank lines are passed over.
func (r *reader) lines(s *scanner) error {
	for ; ; s.line++ {
		line, err := readLine(s.in)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("line %d: %w", s.line, err)
		}
		if strings.TrimSpace(line) == "" {
			continue
		}
		if err := r.object([]byte(line), s.line); err != nil {
			return err
		}
	}
}

// list reads the objects of a list whose bracket was read.
func (r *reader) list(s *scanner) error {
	c, err := s.next()
	for err == nil && c != ']' {
		if err := r.scanned(s, c); err != nil {
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

// scanned gives the document of the object that begins with first.
func (r *reader) scanned(s *scanner, first byte) error {
	line := s.line
	data, err := s.object(first)
	if err != nil {
		return fmt.Errorf("line %d: %w", line, err)
	}
	return r.object(data, line)
}

// scanner finds where objects end, so that one at a time is in memory and its line is known.
type scanner struct {
	in   *bufio.Reader
	line int // of the next byte
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
		if data = append(data, c); len(data) > maxDocument {
			return nil, fmt.Errorf("the object is larger than %d MB, or not closed", maxDocument>>20)
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

// object gives the document of a JSON object that begins on a line: its ids, or else its text.
func (r *reader) object(data []byte, line int) error {
	place := fmt.Sprintf("line %d", line)
	var object map[string]json.RawMessage
	if err := json.Unmarshal(data, &object); err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			within := data[:min(max(syntax.Offset-1, 0), int64(len(data)))]
			place = fmt.Sprintf("line %d", line+bytes.Count(within, []byte("\n")))
		}
		return fmt.Errorf("%s: no JSON object: %w", place, err)
	}
	if raw, ok := object["ids"]; ok {
		ids, err := parseIDs(raw)
		if err != nil {
			return fmt.Errorf("%s: %w", place, err)
		}
		return r.give(Document{IDs: ids}, place)
	}
	raw, ok := object[r.options.Field]
	prompt, completion := object["prompt"], object["completion"]
	if prompt != nil && completion != nil && (!ok || r.options.Field == defaultField) {
		d, err := parsePair(prompt, completion)
		if err != nil {
			return fmt.Errorf("%s: %w", place, err)
		}
		return r.give(d, place)
	}
	if !ok {
		return fmt.Errorf("%s: the object has neither %q nor \"ids\"%s: --field names the key of the text", place, r.options.Field, keys(object))
	}
	var text *string
	if err := json.Unmarshal(raw, &text); err != nil || text == nil {
		return fmt.Errorf("%s: %q is no text", place, r.options.Field)
	}
	return r.give(Document{Text: *text}, place)
}

// parsePair reads a prompt and its completion, which are both texts or both ids. They are joined as they stand.
func parsePair(prompt, completion json.RawMessage) (Document, error) {
	var texts [2]*string
	var ids [2][]int
	for i, raw := range []json.RawMessage{prompt, completion} {
		if err := json.Unmarshal(raw, &texts[i]); err == nil && texts[i] != nil {
			continue
		}
		var err error
		if ids[i], err = parseIDs(raw); err != nil {
			return Document{}, fmt.Errorf("%q is neither a text nor a list of token ids", []string{"prompt", "completion"}[i])
		}
	}
	switch {
	case ids[0] != nil && ids[1] != nil:
		return Document{IDs: append(ids[0], ids[1]...), Pair: true, Prompt: len(ids[0])}, nil
	case ids[0] != nil || ids[1] != nil:
		return Document{}, errors.New(`of "prompt" and "completion" one is a text and one is ids`)
	}
	return Document{Text: *texts[0] + *texts[1], Pair: true, Prompt: len(*texts[0])}, nil
}

// keys says what an object has, for an error.
func keys(object map[string]json.RawMessage) string {
	names := slices.Sorted(maps.Keys(object))
	if len(names) == 0 {
		return ""
	}
	return fmt.Sprintf(", but %.200q", names[:min(len(names), 8)])
}

// parseIDs reads a list of token ids; an empty list is not nil.
func parseIDs(raw json.RawMessage) ([]int, error) {
	ids := []int{}
	// encoding/json would make 0 of a null.
	if err := json.Unmarshal(raw, &ids); err != nil || bytes.Contains(raw, []byte("null")) {
		return nil, errors.New(`"ids" is no list of whole numbers`)
	}
	return ids, checkIDs(ids)
}

func checkIDs(ids []int) error {
	for i, id := range ids {
		if id < 0 {
			return fmt.Errorf("token %d is %d: ids are not negative", i, id)
		}
	}
	return nil
}
