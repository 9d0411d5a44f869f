package main

import (
	"context"

	"shallow/corpus"
	"shallow/heal"
)

// take reads the documents of some files by the flags for texts.
func (c *healCommand) take(ctx context.Context, e *engine, names []string, o corpus.Options) (*corpus.Corpus, error) {
	o.Field, o.Blank, o.Vocabulary = c.Field, c.Split == "blank", e.Spec.V
	encoder := func() (corpus.Encoder, error) { return openTokenizer(e.Checkpoint.Dir) }
	return corpusFlags{names, c.Field, c.Split}.take(ctx, encoder, c.Quiet, o)
}

// enough bounds what is read of a corpus on the hub, which may be larger than any disk: what the training can use of it.
// Local files are read whole, so that a short training draws from all of them.
func (c *healCommand) enough(names []string, o *heal.Options) (samples, tokens int) {
	local := true
	for _, name := range names {
		local = local && isPath(name, ".txt", ".jsonl", ".json", ".parquet")
	}
	if local {
		return 0, 0
	}
	steps := o.Budget.Steps
	if steps == 0 {
		steps = o.Usual
	}
	rows := steps*o.Batch*o.Accumulate + c.Held
	switch {
	case o.Budget.Tokens > 0:
		return 0, int(o.Budget.Tokens) + c.Held*o.Length
	case c.Pack:
		return 0, rows * o.Length
	}
	return rows, 0
}

// worstShown is how many overlapping documents are named.
const worstShown = 3

// pointOutOverlaps warns of training documents that have text of what the model is validated or will be evaluated on.
func (c *healCommand) pointOutOverlaps(ctx context.Context, e *engine, data *heal.Data) error {
	warn(data.HeldOverlap(worstShown), "held out")
	if len(c.Evaluation) == 0 {
		return nil
	}
	encoder := func() (corpus.Encoder, error) {
		t, err := openTokenizer(e.Checkpoint.Dir)
		return bare{t}, err
	}
	flags := corpusFlags{c.Evaluation, c.Field, c.Split}
	found, err := flags.take(ctx, encoder, c.Quiet, corpus.Options{Field: c.Field, Blank: c.Split == "blank", Vocabulary: e.Spec.V})
	if err != nil {
		return err
	}
	// An overlap names its document as it stands in the files.
	documents := make([]heal.Document, found.Sequences[len(found.Sequences)-1].Document+1)
	for _, s := range found.Sequences {
		documents[s.Document].IDs = s.IDs
	}
	warn(data.Overlap(documents, worstShown), "for evaluation")
	return nil
}

// bare encodes without special tokens, which what is looked for does not have in the middle of a text.
type bare struct{ corpus.Encoder }

func (b bare) Encode(text string, _ bool) []int { return b.Encoder.Encode(text, false) }

// warn names documents that overlap others of a purpose.
func warn(o heal.Overlaps, purpose string) {
	if o.Documents == 0 {
		return
	}
	note("warning: 13 tokens in a row or more are the same in %s and %s %s:", plural(o.Documents, "training document"), plural(o.Others, "document"), purpose)
	for _, x := range o.Worst {
		note("  %s, document %d: %s of document %d", x.Source, x.Document, plural(x.Shared, "run"), x.Of)
	}
}
