// Package generate continues prompts token by token: one with [Run], many at once with an [Engine].
package generate

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"shallow/checkpoint"
	"shallow/decoder"
	"shallow/internal/sampling"
)

// Options say how long to go on and how tokens are drawn.
type Options struct {
	MaxTokens int   // at least 1
	Ends      []int // tokens after which the text has ended; see Ends
	sampling.Options
}

// Run continues the prompt as a new sequence of the session. emit, if given, sees every token as it is drawn, an end
// token excepted; its error ends the run. ids are the tokens that emit saw, ended tells whether an end token followed.
func Run(ctx context.Context, s *decoder.Session, prompt []int, o Options, emit func(id int) error) (ids []int, ended bool, err error) {
	if o.MaxTokens < 1 {
		return nil, false, fmt.Errorf("generate: %d tokens to generate, expected at least 1", o.MaxTokens)
	}
	sampler, err := sampling.New(o.Options)
	if err != nil {
		return nil, false, err
	}
	seq, err := s.Open()
	if err != nil {
		return nil, false, err
	}
	defer s.Shut(seq)
	step := decoder.Step{Sequence: seq, IDs: prompt}
	for len(ids) < o.MaxTokens {
		if err := ctx.Err(); err != nil {
			return ids, false, err
		}
		logits, err := s.Feed(step)
		if err != nil {
			return ids, false, err
		}
		id, err := sampler.Next(logits[0])
		if err != nil {
			return ids, false, err
		}
		if slices.Contains(o.Ends, id) {
			return ids, true, nil
		}
		ids = append(ids, id)
		if emit != nil {
			if err := emit(id); err != nil {
				return ids, false, err
			}
		}
		step.IDs = ids[len(ids)-1:]
	}
	return ids, false, nil
}

// Ends are the tokens after which a model's text has ended: eos_token_id of generation_config.json, or else of
// config.json; one token, a list of them, or none.
func Ends(c *checkpoint.Checkpoint) []int {
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
