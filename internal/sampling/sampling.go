// Package sampling chooses the next token from logits.
package sampling

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// Options say how a token is drawn. The zero value takes the most likely one.
type Options struct {
	Temperature float64 // divides the logits; 0 takes the most likely token
	TopK        int     // draws from so many of the most likely tokens; 0 from all
	TopP        float64 // draws from the fewest most likely tokens that together have this probability; 0 and 1 from all
	Seed        uint64  // the same seed draws the same tokens
}

// Sampler draws tokens. It is for one goroutine at a time.
type Sampler struct {
	options Options
	random  *rand.Rand
	tokens  []token
}

type token struct {
	id     int
	weight float64
}

// New checks the options.
func New(o Options) (*Sampler, error) {
	switch {
	case !(o.Temperature >= 0) || math.IsInf(o.Temperature, 0):
		return nil, fmt.Errorf("sampling: temperature %v is not a number from 0 up", o.Temperature)
	case o.TopK < 0:
		return nil, fmt.Errorf("sampling: top-k %d is negative", o.TopK)
	case !(o.TopP >= 0 && o.TopP <= 1):
		return nil, fmt.Errorf("sampling: top-p %v is not between 0 and 1", o.TopP)
	}
	return &Sampler{options: o, random: rand.New(rand.NewPCG(o.Seed, 0))}, nil
}

// Next chooses a token by logits [V]. Of equally likely tokens the first comes first.
func (s *Sampler) Next(logits []float32) (int, error) {
	best := 0
	for i, v := range logits {
		if v != v || v > math.MaxFloat32 {
			return 0, fmt.Errorf("sampling: the logit of token %d is %v", i, v)
		}
		if v > logits[best] {
			best = i
		}
	}
	if s.options.Temperature == 0 {
		return best, nil
	}
	s.tokens = s.tokens[:0]
	for i, v := range logits {
		weight := math.Exp((float64(v) - float64(logits[best])) / s.options.Temperature)
		s.tokens = append(s.tokens, token{i, weight})
	}
	return s.draw(s.likely()), nil
}

// likely cuts the tokens down to those that may be drawn.
func (s *Sampler) likely() []token {
	o := s.options
	if o.TopK == 0 && (o.TopP == 0 || o.TopP == 1) {
		return s.tokens
	}
	slices.SortStableFunc(s.tokens, func(a, b token) int { return cmp.Compare(b.weight, a.weight) })
	tokens := s.tokens
	if o.TopK > 0 {
		tokens = tokens[:min(o.TopK, len(tokens))]
	}
	if o.TopP == 0 || o.TopP == 1 {
		return tokens
	}
	enough := o.TopP * sum(tokens)
	var have float64
	for i, t := range tokens {
		if have += t.weight; have >= enough {
			return tokens[:i+1]
		}
	}
	return tokens
}

// draw takes one of the tokens by weight.
func (s *Sampler) draw(tokens []token) int {
	at, last := s.random.Float64()*sum(tokens), 0
	for _, t := range tokens {
		if t.weight > 0 {
			last = t.id
		}
		if at -= t.weight; at < 0 {
			return t.id
		}
	}
	return last // rounding left a little of the sum over
}

func sum(tokens []token) float64 {
	var s float64
	for _, t := range tokens {
		s += t.weight
	}
	return s
}
