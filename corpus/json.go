package corpus

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// lines reads a .jsonl file. Blank lines are passed over.
func (r *reader) lines() error {
	lines := bufio.NewReader(r.file)
	for n := 1; ; n++ {
		place := fmt.Sprintf("line %d", n)
		line, err := readLine(lines)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", place, err)
		}
		if strings.TrimSpace(line) == "" {
			continue
		}
		if err := r.object([]byte(line), place); err != nil {
			return err
		}
	}
}

// json reads a .json file: a list of objects, or objects one after another, which some data sets call .json too.
func (r *reader) json() error {
	in := bufio.NewReader(r.file)
	list, err := startsList(in)
	if err != nil {
		return err
	}
	dec := json.NewDecoder(in)
	if list {
		if _, err := dec.Token(); err != nil {
			return err
		}
	}
	for n := 1; ; n++ {
		if list && !dec.More() {
			_, err := dec.Token()
			return explain(err)
		}
		var object json.RawMessage
		err := dec.Decode(&object)
		if errors.Is(err, io.EOF) && !list {
			return nil
		}
		place := fmt.Sprintf("object %d", n)
		if err != nil {
			return fmt.Errorf("%s: %w", place, explain(err))
		}
		if err := r.object(object, place); err != nil {
			return err
		}
	}
}

// startsList reports whether the first character that is not blank is a bracket.
func startsList(in *bufio.Reader) (bool, error) {
	for {
		b, err := in.ReadByte()
		if errors.Is(err, io.EOF) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		if !bytes.ContainsRune([]byte(" \t\r\n"), rune(b)) {
			return b == '[', in.UnreadByte()
		}
	}
}

// explain makes an end in the middle of things say so.
func explain(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the file ends in the middle: it is not whole")
	}
	return err
}

// object gives the document of a JSON object: its ids, or else its text.
func (r *reader) object(data []byte, place string) error {
	var object map[string]json.RawMessage
	if err := json.Unmarshal(data, &object); err != nil {
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
	if !ok {
		return fmt.Errorf("%s: the object has neither %q nor \"ids\": --field names the key of the text", place, r.options.Field)
	}
	var text *string
	if err := json.Unmarshal(raw, &text); err != nil || text == nil {
		return fmt.Errorf("%s: %q is no text", place, r.options.Field)
	}
	return r.give(Document{Text: *text}, place)
}

// parseIDs reads a list of token ids; an empty list is not nil.
func parseIDs(raw json.RawMessage) ([]int, error) {
	ids := []int{}
	if err := json.Unmarshal(raw, &ids); err != nil || ids == nil {
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
