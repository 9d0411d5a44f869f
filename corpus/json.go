package corpus

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"shallow/internal/rowfile"
)

// json reads objects: of a list, one a line in .jsonl, or one after another.
func (r *reader) json() error {
	return rowfile.Objects(rowfile.Buffered(r.file), ending(r.name) == ".jsonl", r.object)
}

// object gives the document of a JSON object that begins on a line: its ids, or else its text.
func (r *reader) object(data []byte, line int) error {
	place := fmt.Sprintf("line %d", line)
	var object map[string]json.RawMessage
	if err := json.Unmarshal(data, &object); err != nil {
		return rowfile.SyntaxError(data, line, err)
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
