package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"shallow/checkpoint"
	"shallow/decoder"
	"shallow/generate"
	"shallow/internal/sampling"
	"shallow/tokenizer"
)

type generateCommand struct {
	Model       string  `arg:"" help:"Model directory, GGUF file or hub id."`
	Text        string  `arg:"" optional:"" help:"Text to continue; without one the model starts from its beginning-of-sequence token."`
	MaxTokens   int     `help:"Tokens to generate." default:"128"`
	Temperature float64 `help:"Divides the logits before a token is drawn; 0 takes the most likely one." default:"0"`
	TopK        int     `help:"Draw from the K most likely tokens; 0 is all." default:"0"`
	TopP        float64 `help:"Draw from the most likely tokens that together have probability P." default:"1"`
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
	e, err := c.open(ctx, c.Model, false, false)
	if err != nil {
		return err
	}
	defer e.Close()
	t, err := openTokenizer(e.Checkpoint.Dir)
	if err != nil {
		return err
	}
	prompt, err := startIDs(t, e.Checkpoint.Config, c.Text)
	if err != nil {
		return err
	}
	o := generate.Options{
		MaxTokens: c.MaxTokens,
		Options:   sampling.Options{Temperature: c.Temperature, TopK: c.TopK, TopP: c.TopP, Seed: c.Seed},
	}
	if !c.IgnoreEnd {
		o.Ends = generate.Ends(e.Checkpoint)
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

	var text strings.Builder
	show := func(piece string) error {
		text.WriteString(piece)
		if c.JSON {
			return nil
		}
		_, err := os.Stdout.WriteString(piece)
		return err
	}
	stream := t.Stream()
	for _, id := range prompt {
		if !t.Special(id) {
			stream.Add(id) // the prompt decides whether the continuation begins with a blank
		}
	}
	ids, ended, err := generate.Run(ctx, session, prompt, o, func(id int) error {
		if t.Special(id) {
			return nil
		}
		return show(stream.Add(id))
	})
	if err == nil {
		err = show(stream.Flush())
	}
	if c.JSON && err == nil {
		return printJSON(generation{prompt, append([]int{}, ids...), text.String(), ended})
	}
	if !c.JSON && isTerminal(os.Stdout) {
		fmt.Println()
	}
	return err
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
