package task

import "fmt"

// Continuation lets a model go on greedily from the beginnings of texts, past any end token, so that what it writes can be
// held against another model's at several lengths.
const Continuation OutputType = "continuation"

// Lengths are the settings of a continuation task.
type Lengths struct {
	Prompt int   // tokens of a document that are given
	Of     []int // tokens of the continuation after which it is looked at, ascending
}

func (t *Task) readLengths(n *node) error {
	m, err := n.Object("continuation: ")
	if err != nil {
		return err
	}
	return table{
		"prompt_tokens": func(n *node) (err error) {
			if t.Lengths.Prompt, err = n.Count("continuation: prompt_tokens", mostTokens); err == nil && t.Lengths.Prompt == 0 {
				err = n.Fail("continuation: prompt_tokens: it is 0, at least 1 is expected")
			}
			return err
		},
		"lengths": func(n *node) error {
			list, ok := n.Value.([]*node)
			if !ok || len(list) == 0 {
				return n.Fail("continuation: lengths: it is %s, a list of numbers is expected", n.Kind())
			}
			before := 0
			for _, e := range list {
				length, err := e.Count("continuation: lengths", mostTokens)
				if err != nil {
					return err
				}
				if length <= before {
					return e.Fail("continuation: lengths: %d follows %d, they must ascend", length, before)
				}
				before = length
				t.Lengths.Of = append(t.Lengths.Of, length)
			}
			return nil
		},
	}.read(m, "continuation: ")
}

// repeatedGram is the length of the runs of tokens that repetition counts.
const repeatedGram = 4

// ScoreContinuation scores a continuation at each length of the task, a filter each. repetition is the share of its runs of four
// tokens that stood in it before. With a baseline's continuation of the same prompt, agreement is the share of the length before
// the first token that differs; with the losses that the baseline gives each stretch between two lengths, in nats, baseline_loss
// is the mean of a token.
// Source of repetition: Welleck et al., 2020 (seq-rep-4).
func (t *Task) ScoreContinuation(ids, baseline []int, losses []float64) ([]Score, error) {
	var scores []Score
	var loss float64
	for i, n := range t.Lengths.Of {
		if len(ids) < n {
			return nil, fmt.Errorf("task: %s: a continuation of %d tokens, %d are expected", t.Name, len(ids), n)
		}
		s := Score{Filter: fmt.Sprint(n), Pred: -1, PredNorm: -1, PredBytes: -1}
		for _, m := range t.Metrics {
			v := Value{Metric: m.Name, Weight: 1}
			switch m.Name {
			case "repetition":
				v.Value = repetition(ids[:n])
			case "agreement":
				if baseline == nil {
					continue
				}
				v.Value = float64(alike(ids[:n], baseline)) / float64(n)
			case "baseline_loss":
				if losses == nil {
					continue
				}
				loss += losses[i]
				v.Value = loss / float64(n)
			}
			s.Values = append(s.Values, v)
		}
		scores = append(scores, s)
	}
	return scores, nil
}

func repetition(ids []int) float64 {
	runs := len(ids) - repeatedGram + 1
	if runs < 1 {
		return 0
	}
	seen := map[[repeatedGram]int]bool{}
	for i := range runs {
		seen[[repeatedGram]int(ids[i:i+repeatedGram])] = true
	}
	return 1 - float64(len(seen))/float64(runs)
}

// alike is how many tokens two continuations have in common before they part.
func alike(a, b []int) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}
