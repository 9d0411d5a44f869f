package corpus

import (
	"errors"
	"fmt"
	"iter"
	"os"

	"shallow/internal/rowfile"
)

// maxDocument bounds a paragraph, as a line and a JSON object are bounded. maxText bounds a .txt file that is one document.
const (
	maxDocument = rowfile.MaxRow
	maxText     = 1 << 30
)

const defaultField = "text"

// Document is a text, or ids. Where says where it stands, for errors.
type Document struct {
	Text  string
	IDs   []int // if not nil, used as they are
	Where string

	// Pair says that the document is a prompt with its completion behind it. Prompt is how many of the text's bytes, or of the
	// ids, are the prompt.
	Pair   bool
	Prompt int
}

// Documents reads a file by its ending. An error, which names the file and the place, ends the iteration.
func Documents(file string, o Options) iter.Seq2[Document, error] {
	if o.Field == "" {
		o.Field = defaultField
	}
	return func(yield func(Document, error) bool) {
		f, err := open(file)
		if err != nil {
			yield(Document{}, err)
			return
		}
		defer f.Close()
		r := &reader{file: f, name: file, options: o, yield: yield}
		switch ending(file) {
		case ".txt":
			err = r.text()
		case ".parquet":
			err = r.parquet()
		default:
			err = r.json()
		}
		if err != nil && !errors.Is(err, errStop) {
			yield(Document{}, fmt.Errorf("corpus: %s: %w", file, err))
		}
	}
}

func open(file string) (*os.File, error) {
	if err := check(file); err != nil {
		return nil, err
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("corpus: %w", err)
	}
	return f, nil
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
