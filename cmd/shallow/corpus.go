package main

import (
	"context"
	"errors"

	"shallow/corpus"
)

// corpusFlags say which texts are run.
type corpusFlags struct {
	Corpus []string `help:"Texts: .txt, .jsonl or .json with a text or ids in each object, .parquet. Can be given several times." placeholder:"FILE" sep:"none"`
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
	found, err := corpus.Read(ctx, c.Corpus, encoder, corpus.Options{
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
