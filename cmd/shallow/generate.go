package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"shallow/checkpoint"
	"shallow/decoder"
	"shallow/internal/sampling"
	"shallow/tokenizer"
)

type generateCommand struct {
	Model       string  `arg:"" help:"Model directory."`
	Text        string  `arg:"" optional:"" help:"Text to continue; without one the model starts from its beginning-of-sequence token."`
	MaxTokens   int     `help:"Tokens to generate." default:"128" placeholder:"N"`
	Temperature float64 `help:"Divides the logits before a token is drawn; 0 takes the most likely one." default:"0" placeholder:"T"`
	TopK        int     `help:"Draw from the K most likely tokens; 0 is all." default:"0" placeholder:"K"`
	TopP        float64 `help:"Draw from the most likely tokens that together have probability P." default:"1" placeholder:"P"`
	Seed        uint64  `help:"The same seed draws the same tokens." default:"0"`
	IgnoreEnd   bool    `help:"Go on behind the model's end token."`
	JSON        bool    `help:"Print one JSON object at the end instead of the text as it comes."`
	engineFlags
}

// Help shows examples.
func (generateCommand) Help() string {
	return `Prints the continuation alone, as it is generated.

Examples:

  shallow generate models/llama-2-7b "The capital of France is"
  shallow generate models/llama-2-7b "Once upon a time" --max-tokens 200 --temperature 0.8 --top-p 0.95 --seed 1
`
}

// Validate refuses a number of tokens below one.
func (c *generateCommand) Validate() error {
	if c.MaxTokens < 1 {
		return errors.New("--max-tokens must be at least 1")
	}
	return nil
}

// generation is what --json prints.
type generation struct {
	Prompt []int  `json:"prompt_ids"`
	IDs    []int  `json:"ids"`
	Text   string `json:"text"`
	Ended  bool   `json:"ended"` // by the model's end token
}

// Run generates.
func (c *generateCommand) Run(ctx context.Context) error {
	sampler, err := sampling.New(sampling.Options{Temperature: c.Temperature, TopK: c.TopK, TopP: c.TopP, Seed: c.Seed})
	if err != nil {
		return err
	}
	e, err := c.open(c.Model, false)
	if err != nil {
		return err
	}
	defer e.Close()
	t, err := tokenizer.Open(c.Model)
	if err != nil {
		return err
	}
	prompt, err := startIDs(t, e.Checkpoint.Config, c.Text)
	if err != nil {
		return err
	}
	stack, err := e.Resident(nil, false)
	if err != nil {
		return err
	}
	defer stack.Release()
	session, err := stack.NewSession(decoder.Room{Length: len(prompt) + c.MaxTokens})
	if err != nil {
		return err
	}
	defer session.Release()

	out := generation{Prompt: prompt, IDs: []int{}}
	var ends []int
	if !c.IgnoreEnd {
		ends = endIDs(e.Checkpoint)
	}
	stream := t.Stream()
	for _, id := range prompt {
		if !t.Special(id) {
			stream.Add(id)
		}
	}
	show := func(text string) {
		out.Text += text
		if !c.JSON {
			fmt.Print(text)
		}
	}
	defer func() {
		if !c.JSON && isTerminal(os.Stdout) {
			fmt.Println()
		}
	}()

	seq, err := session.Open()
	if err != nil {
		return err
	}
	next := prompt
	for len(out.IDs) < c.MaxTokens {
		if err := ctx.Err(); err != nil {
			return err
		}
		logits, err := session.Feed(decoder.Step{Sequence: seq, IDs: next})
		if err != nil {
			return err
		}
		id, err := sampler.Next(logits[0])
		if err != nil {
			return err
		}
		out.IDs = append(out.IDs, id)
		if slices.Contains(ends, id) {
			out.Ended = true
			break
		}
		if !t.Special(id) {
			show(stream.Add(id))
		}
		next = []int{id}
	}
	show(stream.Flush())
	if c.JSON {
		return printJSON(out)
	}
	return nil
}

// startIDs are the ids of a text with the tokenizer's special tokens, or the model's beginning token for no text.
func startIDs(t *tokenizer.Tokenizer, config *checkpoint.Config, text string) ([]int, error) {
	ids := t.Encode(text, true)
	if err := t.Err(); err != nil {
		return nil, err
	}
	if len(ids) > 0 {
		return ids, nil
	}
	if config = config.Decoder(); config.KindOf("bos_token_id") != checkpoint.Number {
		return nil, usagef("generate: the text is empty, and the model has no beginning-of-sequence token to start from")
	}
	return []int{config.Int("bos_token_id", 0)}, config.Err()
}

// endIDs are the tokens after which a model has ended: those of generation_config.json, or else of config.json.
func endIDs(c *checkpoint.Checkpoint) []int {
	configs := []*checkpoint.Config{c.Config.Decoder(), c.Config}
	if data, err := os.ReadFile(filepath.Join(c.Dir, "generation_config.json")); err == nil {
		if g, err := checkpoint.ParseConfig(data); err == nil {
			configs = slices.Insert(configs, 0, g)
		}
	}
	for _, config := range configs {
		switch config.KindOf("eos_token_id") {
		case checkpoint.List:
			return config.Ints("eos_token_id")
		case checkpoint.Number:
			return []int{config.Int("eos_token_id", -1)}
		}
	}
	return nil
}
