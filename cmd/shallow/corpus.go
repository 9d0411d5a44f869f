package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"shallow/tokenizer"
)

// corpusFlags say which texts are run.
type corpusFlags struct {
	Corpus []string `help:"Texts: .jsonl with a text or ids in each object. Can be given several times." placeholder:"FILE"`
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

// read gives the token ids of each document.
func (c corpusFlags) read(_ context.Context, model string, limit limitFlags) ([][]int, error) {
	var out [][]int
	for _, f := range c.Corpus {
		r, err := os.Open(f)
		if err != nil {
			return nil, err
		}
		defer r.Close()
		sc := bufio.NewScanner(r)
		sc.Buffer(nil, 1<<26)
		var tok *tokenizer.Tokenizer
		for sc.Scan() {
			var o struct {
				Text string
				IDs  []int
			}
			if err := json.Unmarshal(sc.Bytes(), &o); err != nil {
				return nil, fmt.Errorf("%s: %w", f, err)
			}
			if o.IDs == nil {
				if tok == nil {
					if tok, err = tokenizer.Open(model); err != nil {
						return nil, err
					}
				}
				o.IDs = tok.Encode(o.Text, true)
			}
			if limit.Length > 0 && len(o.IDs) > limit.Length {
				o.IDs = o.IDs[:limit.Length]
			}
			if limit.Samples > 0 && len(out) >= limit.Samples {
				break
			}
			out = append(out, o.IDs)
		}
	}
	return out, nil
}
