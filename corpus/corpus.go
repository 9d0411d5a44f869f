package corpus

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"strings"
)

// Sequence is the tokens of a document, perhaps cut.
type Sequence struct {
	IDs      []int
	Document int // its number among all documents of all files, from 0
}

// Document is a text, or ids. Where says where it stands, for errors.
type Document struct {
	Text  string
	IDs   []int // if not nil, used as they are
	Where string
}

// Options say how files are read and what is taken of them.
type Options struct {
	Field   string // the key or column of the text; "" is "text"
	Blank   bool   // a blank line ends a document of a .txt file
	Samples int    // take so many sequences; 0 is all
	Length  int    // cut sequences to so many tokens; 0 is not at all
}

// Encoder turns a text into ids, with the special tokens that belong to it where special says so.
type Encoder interface {
	Encode(text string, special bool) []int
}

// Read takes the sequences of files in their order. Documents that are empty or blank are passed over; it is an error if
// no document is left. encoder is called when the first text is met, so that ids need no tokenizer.
func Read(ctx context.Context, files []string, encoder func() (Encoder, error), o Options) ([]Sequence, error) {
	if len(files) == 0 {
		return nil, errors.New("corpus: no file is given")
	}
	var sequences []Sequence
	var encode Encoder
	number := -1
	for _, file := range files {
		for d, err := range Documents(file, o) {
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				return nil, err
			}
			if o.Samples > 0 && len(sequences) == o.Samples {
				return sequences, nil
			}
			number++
			ids := d.IDs
			if ids == nil && strings.TrimSpace(d.Text) != "" {
				if encode == nil {
					if encode, err = encoder(); err != nil {
						return nil, err
					}
				}
				ids = encode.Encode(d.Text, true)
			}
			if len(ids) == 0 {
				continue
			}
			if o.Length > 0 && len(ids) > o.Length {
				ids = ids[:o.Length:o.Length]
			}
			sequences = append(sequences, Sequence{ids, number})
		}
	}
	if len(sequences) == 0 {
		return nil, fmt.Errorf("corpus: %s: no documents, or only empty ones", strings.Join(files, ", "))
	}
	return sequences, nil
}

// Documents reads a file by its ending. An error, which names the file and the place, ends the iteration.
func Documents(file string, o Options) iter.Seq2[Document, error] {
	if o.Field == "" {
		o.Field = "text"
	}
	return func(yield func(Document, error) bool) {
		f, err := os.Open(file)
		if err != nil {
			yield(Document{}, fmt.Errorf("corpus: %w", err))
			return
		}
		defer f.Close()
		r := &reader{file: f, name: file, options: o, yield: yield}
		switch strings.ToLower(filepath.Ext(file)) {
		case ".txt":
			err = r.text()
		case ".jsonl":
			err = r.lines()
		case ".json":
			err = r.json()
		case ".parquet":
			err = r.parquet()
		default:
			err = errors.New("is none of .txt, .jsonl, .json and .parquet")
		}
		if err != nil && !errors.Is(err, errStop) {
			yield(Document{}, fmt.Errorf("corpus: %s: %w", file, err))
		}
	}
}

// reader reads one file and yields its documents.
type reader struct {
	file    *os.File
	name    string
	options Options
	yield   func(Document, error) bool
	outside bool // while yield runs
}

// errStop means that no further documents are wanted.
var errStop = errors.New("enough documents")

// give yields a document. place is where it stands in the file, as "line 7"; "" for the whole file.
func (r *reader) give(d Document, place string) error {
	d.Where = r.name
	if place != "" {
		d.Where += ": " + place
	}
	r.outside = true
	more := r.yield(d, nil)
	r.outside = false
	if !more {
		return errStop
	}
	return nil
}
