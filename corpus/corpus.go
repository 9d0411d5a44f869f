package corpus

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Corpus is what Read took.
type Corpus struct {
	Sequences []Sequence
	Documents int  // documents that gave sequences
	Skipped   int  // documents without ids, or with a text of white space alone
	Tokens    int  // in all sequences
	Full      bool // there are as many sequences or tokens as were wanted
}

// Sequence is the tokens of a document, or of a part.
type Sequence struct {
	IDs      []int
	Document int // its number among all documents of all files, from 0
	Prompt   int // of a prompt with its completion: how many tokens are the prompt's
}

// Options say how files are read and what is taken of them.
type Options struct {
	Field      string // the key or column of the text; "" is "text"
	Blank      bool   // a blank line ends a document of a .txt file
	Samples    int    // take so many sequences; 0 is all
	Tokens     int    // take sequences until they have so many tokens; 0 is all
	Length     int    // cut sequences to so many tokens; 0 is not at all
	Vocabulary int    // an id from here on is an error; 0 is no check
	End        []int  // put behind the text of a completion that does not end in it, as the end-of-text token
}

// Encoder turns a text into ids, with the special tokens that belong to it where special says so. Err is the first failure
// of an Encode.
type Encoder interface {
	Encode(text string, special bool) []int
	Err() error
}

// Read takes the first sequences of files in their order and reads no further than they need. Documents that are empty or
// blank are passed over; it is an error if no document is left. encoder is called when the first text is met, so that ids
// need no tokenizer.
//
// Documents are cut to o.Length tokens. A .txt file that is one document is cut into consecutive windows of o.Length tokens
// instead; each begins with what the tokenizer puts in front of a text, such as BOS, and the last may be shorter.
func Read(ctx context.Context, files []string, encoder func() (Encoder, error), o Options) (*Corpus, error) {
	switch {
	case len(files) == 0:
		return nil, errors.New("corpus: no file is given")
	case o.Samples < 0 || o.Length < 0 || o.Tokens < 0:
		return nil, fmt.Errorf("corpus: %d samples of length %d, %d tokens: none can be negative", o.Samples, o.Length, o.Tokens)
	}
	// A name that is wrong should not show after the first files were read.
	for _, file := range files {
		if err := check(file); err != nil {
			return nil, err
		}
	}
	t := &taker{Options: o, open: encoder}
	for _, file := range files {
		read := t.documents
		if ending(file) == ".txt" && !o.Blank && o.Length > 0 {
			read = t.windows
		}
		if err := read(ctx, file); err != nil {
			return nil, err
		}
		if t.Full = t.full(); t.Full {
			break
		}
	}
	if len(t.Sequences) == 0 {
		return nil, fmt.Errorf("corpus: %s: no documents, or only empty ones", strings.Join(files, ", "))
	}
	return &t.Corpus, nil
}

// check refuses a file that cannot be one of documents.
func check(file string) error {
	info, err := os.Stat(file)
	switch {
	case err != nil:
		return fmt.Errorf("corpus: %w", err)
	case info.IsDir():
		return fmt.Errorf("corpus: %s: is a directory; name its files, which are %s", file, accepted)
	}
	switch ending(file) {
	case ".txt", ".jsonl", ".json", ".parquet":
		return nil
	}
	return fmt.Errorf("corpus: %s: is none of %s", file, accepted)
}

const accepted = ".txt, .jsonl, .json and .parquet"

func ending(file string) string { return strings.ToLower(filepath.Ext(file)) }

// taker collects sequences.
type taker struct {
	Options
	Corpus
	open    func() (Encoder, error)
	encoder Encoder // nil before the first text
}

// full reports whether nothing more is wanted.
func (t *taker) full() bool {
	return t.Samples > 0 && len(t.Sequences) == t.Samples || t.Options.Tokens > 0 && t.Corpus.Tokens >= t.Options.Tokens
}

// documents takes a sequence of each document of a file.
func (t *taker) documents(ctx context.Context, file string) error {
	for d, err := range Documents(file, t.Options) {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		ids, prompt := d.IDs, d.Prompt
		if ids == nil && strings.TrimSpace(d.Text) != "" {
			if ids, prompt, err = t.encodeParts(d); err != nil {
				return err
			}
		}
		if len(ids) == 0 {
			t.Skipped++
			continue
		}
		if t.Length > 0 && len(ids) > t.Length {
			ids = ids[:t.Length:t.Length]
		}
		if err := t.take(ids, min(prompt, len(ids)), d.Where, d.IDs == nil); err != nil {
			return err
		}
		t.Documents++
		if t.full() {
			return nil
		}
	}
	return nil
}

// encodeParts gives the ids of a text, and how many of them are those of its prompt. Both parts are encoded as one text, as
// they will be when the model goes on from the prompt; a token that lies in both is the completion's.
func (t *taker) encodeParts(d Document) (ids []int, prompt int, err error) {
	if ids, err = t.encode(d.Text, d.Where); err != nil || !d.Pair {
		return ids, 0, err
	}
	if !slices.Equal(ids[max(0, len(ids)-len(t.End)):], t.End) {
		ids = append(ids, t.End...)
	}
	alone, err := t.encode(d.Text[:d.Prompt], d.Where)
	for prompt < min(len(alone), len(ids)-len(t.End)) && alone[prompt] == ids[prompt] {
		prompt++
	}
	return ids, prompt, err
}

// encode gives the ids of a text, special tokens included.
func (t *taker) encode(text, where string) ([]int, error) {
	if t.encoder == nil {
		var err error
		if t.encoder, err = t.open(); err != nil {
			return nil, err
		}
	}
	ids := t.encoder.Encode(text, true)
	if err := t.encoder.Err(); err != nil {
		return nil, fmt.Errorf("corpus: %s: %w", where, err)
	}
	return ids, nil
}

// take adds a sequence of the document that is met now, with so many tokens of a prompt. text says that its ids are the tokenizer's.
func (t *taker) take(ids []int, prompt int, where string, text bool) error {
	for i, id := range ids {
		if id >= 0 && (id < t.Vocabulary || t.Vocabulary == 0) {
			continue
		}
		whose := ""
		if text {
			whose = "; the tokenizer is another model's"
		}
		return fmt.Errorf("corpus: %s: token %d is %d: the vocabulary has %d%s", where, i, id, t.Vocabulary, whose)
	}
	t.Sequences = append(t.Sequences, Sequence{IDs: ids, Document: t.Documents + t.Skipped, Prompt: prompt})
	t.Corpus.Tokens += len(ids)
	return nil
}
