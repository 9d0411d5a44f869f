package task

import (
	"fmt"
	"math"
	"slices"
	"unicode/utf8"
)

// Response is what a model answered.
type Response struct {
	LogLikelihood float64 // the sum over the ids; of an answer token its logit, or its log-probability
	Greedy        bool    // every id is the likeliest one
	Tokens        int     // of a text that is scored whole: how many ids were scored
	Text          string  // of generation: the decoded ids, special tokens left out
}

// Score is what one item scored through one filter.
type Score struct {
	Filter    string
	Values    []Value // of the task's metrics, in their order
	Pred      int     // the best choice by the sum; -1 where there are no choices
	PredNorm  int     // … by the sum per character
	PredBytes int     // … per byte
	Extracted string  // of generation: what the filter took from the text
}

// Score scores the responses to an item: one a continuation, one a repeat for generation, one for a text that is scored whole.
// vocabulary is the number of ids that the model chooses from.
func (r *Run) Score(it *Item, responses []Response, vocabulary int) ([]Score, error) {
	scores, err := r.score(it, responses, vocabulary)
	if err != nil {
		err = fmt.Errorf("task: %s: doc_id %d: %w", r.Task.Name, it.DocID, err)
	}
	return scores, err
}

func (r *Run) score(it *Item, responses []Response, vocabulary int) ([]Score, error) {
	t := r.Task
	wanted := 1
	if t.choices() {
		wanted = len(it.Continuations)
	} else if t.OutputType == Generate {
		wanted = max(1, t.repeats)
	}
	if t.OutputType == Generate && len(responses) == 1 {
		responses = slices.Repeat(responses, wanted) // greedy repeats are equal
	}
	if len(responses) != wanted {
		return nil, fmt.Errorf("%d responses, %d are expected", len(responses), wanted)
	}
	if t.OutputType == Generate {
		return r.generated(it, responses)
	}
	for i, a := range responses {
		if math.IsNaN(a.LogLikelihood) || math.IsInf(a.LogLikelihood, 1) || t.rolling() && math.IsInf(a.LogLikelihood, -1) {
			return nil, fmt.Errorf("log-likelihood %d is %v: the model's logits are not finite", i, a.LogLikelihood)
		}
	}
	s := Score{Filter: first.Name, Pred: -1, PredNorm: -1, PredBytes: -1}
	switch {
	case t.choices():
		s.choose(it, responses)
	case t.rolling() && responses[0].Tokens < 1 && r.countsTokens():
		return nil, fmt.Errorf("no id was scored")
	}
	for _, m := range t.Metrics {
		s.Values = append(s.Values, value(m.Name, it, responses, s, vocabulary))
	}
	return []Score{s}, nil
}

// countsTokens tells whether a metric divides by the number of ids.
func (r *Run) countsTokens() bool {
	return slices.ContainsFunc(r.Task.Metrics, func(m Metric) bool { return aggregations[m.aggregation].stderr == ratio })
}

// choose finds the best choices. Of several equal ones the first is taken.
func (s *Score) choose(it *Item, responses []Response) {
	sums := make([]float64, len(responses))
	perCharacter, perByte := slices.Clone(sums), slices.Clone(sums)
	for i, a := range responses {
		sums[i] = a.LogLikelihood
		perCharacter[i] = a.LogLikelihood / float64(utf8.RuneCountInString(it.Choices[i]))
		perByte[i] = a.LogLikelihood / float64(len(it.Choices[i]))
	}
	s.Pred, s.PredNorm, s.PredBytes = argmax(sums), argmax(perCharacter), argmax(perByte)
}

// argmax is numpy's: what is no number, as of an empty choice, counts as the largest.
func argmax(x []float64) int {
	best := 0
	for i, v := range x {
		if math.IsNaN(v) {
			return i
		}
		if v > x[best] {
			best = i
		}
	}
	return best
}

// value is what an item adds to a metric.
func value(metric string, it *Item, responses []Response, s Score, vocabulary int) Value {
	ll := responses[0].LogLikelihood
	v := Value{Metric: metric, Weight: 1}
	switch metric {
	case "acc":
		v.Value = truth(it.right(s.Pred))
		if s.Pred < 0 { // of a log-likelihood alone
			v.Value = truth(responses[0].Greedy)
		}
	case "acc_norm":
		v.Value = truth(it.right(s.PredNorm))
	case "acc_bytes":
		v.Value = truth(it.right(s.PredBytes))
	case "exact_match":
		for i, a := range responses {
			if it.right(i) && a.Greedy {
				v.Value = 1
			}
		}
	case "perplexity":
		v.Value = ll
	case "word_perplexity":
		v.Value, v.Weight = ll, float64(it.Words)
	case "byte_perplexity", "bits_per_byte":
		v.Value, v.Weight = ll, float64(it.Bytes)
	case "token_perplexity":
		v.Value, v.Weight = ll, float64(responses[0].Tokens)
	case "loss_per_token":
		v.Value, v.Weight = -ll, float64(responses[0].Tokens)
	case "loss_norm":
		v.Value, v.Weight = -ll/math.Log(float64(vocabulary)), float64(responses[0].Tokens)
	}
	return v
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// right tells whether a choice is a right one.
func (it *Item) right(choice int) bool {
	return choice == it.Gold || slices.Contains(it.Golds, choice)
}

// generated scores texts: each filter takes an answer from them, which is compared with the targets.
func (r *Run) generated(it *Item, responses []Response) ([]Score, error) {
	texts := make([]string, len(responses))
	for i, a := range responses {
		texts[i] = Cut(a.Text, it.Generation.Until)
	}
	var scores []Score
	for _, f := range r.Task.Filters {
		answer, err := f.apply(texts)
		if err != nil {
			return nil, err
		}
		s := Score{Filter: f.Name, Pred: -1, PredNorm: -1, PredBytes: -1, Extracted: answer}
		for _, m := range r.Task.Metrics {
			v := Value{Metric: m.Name, Weight: 1}
			for _, target := range it.targets {
				equal, err := m.match.equal(answer, target)
				if err != nil {
					return nil, fmt.Errorf("metric %s: %w", m.Name, err)
				}
				v.Value = max(v.Value, truth(equal))
			}
			s.Values = append(s.Values, v)
		}
		scores = append(scores, s)
	}
	return scores, nil
}
