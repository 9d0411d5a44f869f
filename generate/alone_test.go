package generate_test

import (
	"cmp"
	"context"
	"reflect"
	"slices"
	"testing"

	"shallow/decoder"
	"shallow/generate"
)

// alone is what a request gets without an engine: tokens from [generate.Run], log-probabilities from the whole sequence at
// once, layer by layer.
func alone(t *testing.T, m *decoder.Model, session *decoder.Session, r generate.Request) collected {
	t.Helper()
	c := collected{result: generate.Result{Finish: generate.FinishLength, Prompt: len(r.Prompt)}}
	whole := slices.Clone(r.Prompt)
	if r.MaxTokens > 0 {
		ids, ended, err := generate.Run(context.Background(), session, r.Prompt, generate.Options{MaxTokens: r.MaxTokens, Options: r.Options}, nil)
		if err != nil || ended {
			t.Fatal(ended, err)
		}
		if end := slices.IndexFunc(ids, func(id int) bool { return slices.Contains(r.Ends, id) }); end >= 0 {
			ids = ids[:end+1]
			c.result.Finish = generate.FinishEnd
		}
		c.result.Tokens = len(ids)
		whole = append(whole, ids...)
	}
	for at, id := range whole {
		prompt := at < len(r.Prompt)
		if prompt && !r.PromptLogProbs {
			continue
		}
		c.tokens = append(c.tokens, generate.Token{
			ID: id, Prompt: prompt, End: !prompt && slices.Contains(r.Ends, id), Known: at > 0 && (prompt || r.LogProbs),
		})
	}
	see := func(row int, p decoder.Prediction) error {
		if at := row + 1 - len(whole) + len(c.tokens); at >= 0 && at < len(c.tokens) && c.tokens[at].Known {
			score(&c.tokens[at], p, r.Top)
		}
		return nil
	}
	predict(t, m, whole, see)
	if !m.Spec.Shares(len(whole)) { // what is true of the whole is not true while it grows
		stepwise(t, session, whole, min(len(r.Prompt), len(whole)-1), see)
	}
	return c
}

// score fills in how likely a token is, and which are most likely.
func score(token *generate.Token, p decoder.Prediction, top int) {
	order := make([]int, len(p.Logits))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(p.Logits[b], p.Logits[a]) })
	token.LogProb, token.Top = p.LogProb(token.ID), nil
	for _, id := range order[:top] {
		token.Top = append(token.Top, generate.Likely{ID: id, LogProb: p.LogProb(id)})
	}
}

// predict takes a whole sequence through the layers at once.
func predict(t *testing.T, m *decoder.Model, whole []int, see func(row int, p decoder.Prediction) error) {
	t.Helper()
	g, err := m.Start([][]int{whole})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	for l, err := range m.Layers(nil) {
		if err != nil {
			t.Fatal(err)
		}
		g.Forward(l)
	}
	h := m.Head()
	defer h.Release()
	if err := h.Predict(g.X(), see); err != nil {
		t.Fatal(err)
	}
}

// stepwise takes a prompt through the layers at once, then one token after another.
func stepwise(t *testing.T, s *decoder.Session, whole []int, prompt int, see func(row int, p decoder.Prediction) error) {
	t.Helper()
	seq, err := s.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Shut(seq)
	for from, to := 0, prompt; to < len(whole); from, to = to, to+1 {
		step := decoder.Step{Sequence: seq, IDs: whole[from:to], Wanted: to - from, LogProbs: true}
		err := s.Predict([]decoder.Step{step}, func(_, token int, p decoder.Prediction) error { return see(from+token, p) })
		if err != nil {
			t.Fatal(err)
		}
	}
}

// same compares two runs of a request, but for what was taken from others.
func same(t *testing.T, what string, got, want collected) {
	t.Helper()
	got.result.Reused = 0
	if got.result != want.result || len(got.tokens) != len(want.tokens) {
		t.Fatalf("%s: %+v with %d tokens, want %+v with %d", what, got.result, len(got.tokens), want.result, len(want.tokens))
	}
	for i, token := range got.tokens {
		if !reflect.DeepEqual(token, want.tokens[i]) {
			t.Fatalf("%s: token %d is %+v, want %+v", what, i, token, want.tokens[i])
		}
	}
}
