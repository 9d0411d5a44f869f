package heal

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// Row is one training sequence of T tokens.
type Row struct {
	IDs     []int     // [T]
	Targets []int32   // [T]: the token to predict behind each of IDs, -1 for none
	Weights []float32 // [T]: what the loss of each target counts; nil is 1 everywhere
}

// Predicted is the sum of the weights of what is predicted: the number of targets where Weights is nil.
func (r Row) Predicted() float64 {
	sum := 0.0
	for i, target := range r.Targets {
		switch {
		case target < 0:
		case r.Weights == nil:
			sum++
		default:
			sum += float64(r.Weights[i])
		}
	}
	return sum
}

// Source is documents that are drawn together, in one stage of the training.
type Source struct {
	Name      string  // for errors
	Weight    float64 // how often rows come from it, relative to the other sources of its stage; a lone one needs none
	Stage     int     // from 0
	Documents []Document
}

// Document is the tokens of a document. The first Prompt ones are the prompt to which the others are the completion.
type Document struct {
	IDs    []int
	Prompt int
}

// DataOptions say how rows are made of documents.
type DataOptions struct {
	// Length is the longest row in tokens. Without Pack a row is one document; of a longer one it is the first Length
	// tokens, as in the paper.
	Length int
	// Pack joins documents and cuts what comes out into rows of Length tokens, so that no row is short. As is usual,
	// attention crosses from a document into the next, and a row's last token predicts nothing.
	Pack bool
	// End is put between packed documents, where a document does not end in it: the tokenizer's end-of-text token, or nothing.
	End []int

	// Shuffle takes each source's documents in a new order every epoch. Without it they come as they stand, again and again.
	Shuffle bool
	Seed    uint64

	// PromptWeight and CompletionWeight are what the targets in both parts of documents that have a prompt count, 0 for
	// not at all. Those of other documents count 1.
	PromptWeight, CompletionWeight float64

	// Held is how many documents are held out for validation: those of all sources whose hash is smallest, so that the same
	// are chosen whatever their order, and with them all that are equal to them.
	Held int
	// Validation is documents to validate on instead.
	Validation []Document

	// Stages are the shares of the rows that the stages take, in any unit. None is one stage.
	Stages []float64
}

// Data gives the rows of a training, without end and always in the same order.
type Data struct {
	options DataOptions
	sources []*source
	stages  []stage
	held    []document
	dropped int
	print   string // of documents and options, to know them again
	row     int64  // rows given so far
}

// document is a Document in half the memory.
type document struct {
	ids    []int32
	prompt int32
	number int32 // in its source
}

// ErrNothingToPredict is returned where no document of a source has a token to predict.
var ErrNothingToPredict = errors.New("no document has a token to predict")

// NewData makes rows of sources. The documents are copied. It is an error if a source has nothing to train on.
func NewData(sources []Source, o DataOptions) (*Data, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	d := &Data{options: o}
	for i, s := range sources {
		if !(s.Weight >= 0) || math.IsInf(s.Weight, 1) {
			return nil, fmt.Errorf("heal: %s: weight %v, want a number above 0", s.Name, s.Weight)
		}
		kept, dropped, err := o.compact(s.Name, s.Documents)
		if err != nil {
			return nil, err
		}
		d.dropped += dropped
		d.sources = append(d.sources, &source{options: &d.options, name: s.Name, number: uint64(i), documents: kept})
	}
	if err := d.arrange(sources); err != nil {
		return nil, err
	}
	if err := d.holdOut(); err != nil {
		return nil, err
	}
	for _, s := range d.sources {
		if !slices.ContainsFunc(s.documents, o.predicts) {
			return nil, fmt.Errorf("heal: %s: %w", s.name, ErrNothingToPredict)
		}
	}
	d.print = d.fingerprint()
	return d, nil
}

func (o *DataOptions) check() error {
	switch {
	case o.Length < 2:
		return fmt.Errorf("heal: rows of %d tokens: a row needs 2, one to predict the other", o.Length)
	case len(o.End) > 1 || len(o.End) == 1 && (o.End[0] < 0 || o.End[0] > math.MaxInt32):
		return fmt.Errorf("heal: documents joined by %v, want one token at most", o.End)
	case o.Held < 0:
		return fmt.Errorf("heal: %d documents held out", o.Held)
	case o.Held > 0 && len(o.Validation) > 0:
		return errors.New("heal: documents are held out and others given to validate on; choose one")
	}
	for _, w := range []float64{o.PromptWeight, o.CompletionWeight} {
		if !(w >= 0) || w > math.MaxFloat32 {
			return fmt.Errorf("heal: a weight of %v for prompts or completions, want a number that is not negative", w)
		}
	}
	return nil
}

// compact copies documents, no more of each than is used, without those that can never give a target.
func (o *DataOptions) compact(name string, documents []Document) (kept []document, dropped int, err error) {
	for i, x := range documents {
		if x.Prompt < 0 || x.Prompt > len(x.IDs) {
			return nil, 0, fmt.Errorf("heal: %s: document %d has a prompt of %d of its %d tokens", name, i, x.Prompt, len(x.IDs))
		}
		n := len(x.IDs)
		if !o.Pack {
			n = min(n, o.Length)
		}
		c := document{make([]int32, n), int32(min(x.Prompt, n)), int32(i)}
		for j, id := range x.IDs[:n] {
			if id < 0 || id > math.MaxInt32 {
				return nil, 0, fmt.Errorf("heal: %s: document %d: token %d is %d", name, i, j, id)
			}
			c.ids[j] = int32(id)
		}
		if n == 0 || !o.Pack && !o.predicts(c) {
			dropped++
			continue
		}
		kept = append(kept, c)
	}
	return kept, dropped, nil
}

// Next gives the next n rows. Where a source ends it begins again.
func (d *Data) Next(n int) []Row {
	rows := make([]Row, n)
	for i := range rows {
		rows[i] = d.choose().next()
		d.row++
	}
	return rows
}

// Dropped is how many documents were left out because they have no token to predict: they are empty, have only one
// token, or their prompt fills the row.
func (d *Data) Dropped() int { return d.dropped }

// Documents is how many documents there are to train on.
func (d *Data) Documents() int {
	n := 0
	for _, s := range d.sources {
		n += len(s.documents)
	}
	return n
}
