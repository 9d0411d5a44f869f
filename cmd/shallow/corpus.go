package main

import (
	"context"
	"errors"
	"math"

	"shallow/corpus"
)

// corpusFlags say which texts are run.
type corpusFlags struct {
	Corpus []string `help:"Texts: .txt, .jsonl or .json with a text or ids in each object, .parquet; or a data set of the hub, as owner/name:config/split. Can be given several times." placeholder:"FILE" sep:"none"`
	Field  string   `help:"Key or column of the text." default:"text"`
	Split  string   `help:"What ends a document in a .txt file: blank for a blank line; none makes the file one document, which gives a sequence for every --length tokens." enum:"none,blank" default:"none"`
}

// limitFlags bound what is taken of a corpus.
type limitFlags struct {
	Samples int `help:"Take so many sequences; 0 is all." default:"0"`
	Length  int `help:"Cut sequences to so many tokens; 0 is not at all." default:"0"`
}

// need is the mistake of giving no corpus.
func (c corpusFlags) need() error {
	if len(c.Corpus) == 0 {
		return errors.New("--corpus is missing: the texts to run")
	}
	return nil
}

// read gives the token ids of each sequence, by the model's tokenizer where documents are texts.
func (c corpusFlags) read(ctx context.Context, e *engine, limit limitFlags, quiet bool) ([][]int, error) {
	if limit.Samples < 0 || limit.Length < 0 {
		return nil, usagef("--samples and --length must not be negative")
	}
	encoder := func() (corpus.Encoder, error) { return openTokenizer(e.Checkpoint.Dir) }
	found, err := c.take(ctx, encoder, quiet, corpus.Options{
		Field: c.Field, Blank: c.Split == "blank", Samples: limit.Samples, Length: limit.Length, Vocabulary: e.Spec.V,
	})
	if err != nil {
		return nil, err
	}
	if found.Skipped > 0 && !quiet {
		note("%s skipped", plural(found.Skipped, "empty document"))
	}
	sequences := make([][]int, len(found.Sequences))
	for i, s := range found.Sequences {
		sequences[i] = s.IDs
	}
	return sequences, nil
}

// take reads the texts. Of a data set in many files no more are downloaded than the samples or tokens need.
func (c corpusFlags) take(ctx context.Context, encoder func() (corpus.Encoder, error), quiet bool, o corpus.Options) (*corpus.Corpus, error) {
	found, done, err := findTexts(ctx, c.Corpus, quiet)
	defer done()
	if err != nil {
		return nil, err
	}
	shards := 1
	if o.Samples == 0 && o.Tokens == 0 {
		shards = math.MaxInt
	}
	for ; ; shards *= 2 {
		files, all, err := found.files(ctx, shards)
		if err != nil {
			return nil, err
		}
		taken, err := corpus.Read(ctx, files, encoder, o)
		if err != nil || all || taken.Full {
			return taken, err
		}
	}
}
