package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"

	"shallow/tokenizer"
)

type tokenizeCommand struct {
	Tokenizer string `arg:"" name:"model" help:"Model directory, GGUF file, hub id, or tokenizer.json."`
	File      string `arg:"" optional:"" help:"Text, a line at a time, or .jsonl with a text in each object; stdin if not given."`
	Decode    bool   `help:"Turn ids back: lines of numbers, JSON lists, or objects with ids."`
	Special   bool   `help:"Print the ids of a line of text with the special tokens that the tokenizer adds."`
	Field     string `help:"Key of the text in .jsonl." default:"text"`
	JSON      bool   `help:"Print an object for each line of text too."`
}

// Help shows examples.
func (tokenizeCommand) Help() string {
	return `For a line of text it prints the ids; for each object of a .jsonl, or with --json, one object:

  {"ids":[…],"ids_special":[…],"decoded":"…"}

ids are without and ids_special with the special tokens that the tokenizer adds; decoded is the text of ids.

Examples:

  shallow tokenize models/llama-2-7b texts.jsonl
  echo "Once upon a time" | shallow tokenize tokenizer.json
  echo "1 9038 2501" | shallow tokenize tokenizer.json --decode
`
}

// Run turns each line.
func (c *tokenizeCommand) Run(ctx context.Context) error {
	path, err := localTokenizer(ctx, c.Tokenizer)
	if err != nil {
		return err
	}
	t, err := openTokenizer(path)
	if err != nil {
		return err
	}
	for _, note := range t.Notes() {
		fmt.Fprintln(os.Stderr, "note:", note)
	}
	in := os.Stdin
	if c.File == "" {
		// Reading from a person cannot be broken off; and there is nothing to put in order.
		signal.Reset(os.Interrupt)
	} else {
		if in, err = os.Open(c.File); err != nil {
			return fmt.Errorf("tokenize: %w", err)
		}
		defer in.Close()
	}
	objects := filepath.Ext(c.File) == ".jsonl"
	out := bufio.NewWriter(os.Stdout)
	r := bufio.NewReader(in)
	for n := 1; ; n++ {
		line, err := r.ReadString('\n')
		if line == "" && errors.Is(err, io.EOF) {
			return errors.Join(out.Flush(), t.Err())
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("tokenize: %s: %w", c.File, err)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if line, err = c.turn(t, strings.TrimSuffix(line, "\n"), objects); err != nil {
			return errors.Join(out.Flush(), fmt.Errorf("tokenize: %s: line %d: %w", c.File, n, err))
		}
		if _, err := out.WriteString(line); err != nil {
			return err
		}
		if c.File == "" && r.Buffered() == 0 {
			if err := out.Flush(); err != nil { // a person may be typing
				return err
			}
		}
	}
}

// turn is what is printed for a line.
func (c *tokenizeCommand) turn(t *tokenizer.Tokenizer, line string, object bool) (string, error) {
	if c.Decode {
		return c.decode(t, line)
	}
	text := line
	if object {
		if strings.TrimSpace(line) == "" {
			return "", nil
		}
		var err error
		if text, err = field(line, c.Field); err != nil {
			return "", err
		}
	}
	if object || c.JSON {
		return marshalLine(t.Tokenize(text))
	}
	var b strings.Builder
	for i, id := range t.Encode(text, c.Special) {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(strconv.Itoa(id))
	}
	b.WriteByte('\n')
	return b.String(), nil
}

func (c *tokenizeCommand) decode(t *tokenizer.Tokenizer, line string) (string, error) {
	ids, err := parseIDs(line)
	if err != nil {
		return "", err
	}
	for _, id := range ids {
		if id < 0 || id >= t.Size() {
			return "", fmt.Errorf("token %d is outside the vocabulary of %d", id, t.Size())
		}
	}
	text := t.Decode(ids, !c.Special)
	if c.JSON {
		return marshalLine(struct {
			Decoded string `json:"decoded"`
		}{text})
	}
	return text + "\n", nil
}

// parseIDs reads numbers between blanks, a JSON list of numbers, or an object with such a list under ids.
func parseIDs(line string) ([]int, error) {
	line = strings.TrimSpace(line)
	var ids []int
	switch {
	case strings.HasPrefix(line, "["):
		return ids, json.Unmarshal([]byte(line), &ids)
	case strings.HasPrefix(line, "{"):
		var object struct{ IDs []int }
		return object.IDs, json.Unmarshal([]byte(line), &object)
	}
	for _, word := range strings.Fields(line) {
		id, err := strconv.Atoi(word)
		if err != nil {
			return nil, fmt.Errorf("%q is no token id", word)
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// field is the text under a key of a JSON object.
func field(line, key string) (string, error) {
	var object map[string]json.RawMessage
	if err := json.Unmarshal([]byte(line), &object); err != nil {
		return "", fmt.Errorf("no JSON object: %w", err)
	}
	raw, ok := object[key]
	if !ok {
		return "", fmt.Errorf("the object has no %q; --field names another key", key)
	}
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return "", fmt.Errorf("%q is no text: %w", key, err)
	}
	return text, nil
}

// marshalLine is a value as a line of JSON, with characters such as < as they are.
func marshalLine(v any) (string, error) {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return b.String(), err
}
