package serve

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"shallow/generate"
	"shallow/tokenizer"
)

// completion is the reply of /v1/completions, or one event of it.
type completion struct {
	ID      string             `json:"id"`
	Object  string             `json:"object"`
	Created int64              `json:"created"`
	Model   string             `json:"model"`
	Choices []completionChoice `json:"choices"`
	Usage   *usage             `json:"usage,omitempty"`
}

type completionChoice struct {
	Index    int                 `json:"index"`
	Text     string              `json:"text"`
	Finish   *string             `json:"finish_reason"`
	Logprobs *completionLogprobs `json:"logprobs"`
}

// completionLogprobs has one entry a token: all positions that the reply shows, an end token too. Position 0 of an echoed
// prompt has nothing before it and reads null.
type completionLogprobs struct {
	Tokens     []string   `json:"tokens"`
	Logprobs   []*logprob `json:"token_logprobs"`
	Top        []ranked   `json:"top_logprobs"`
	TextOffset []int      `json:"text_offset"`
}

func (s *Server) completions(w http.ResponseWriter, r *http.Request) error {
	f, p := s.readFields(w, r)
	if p != nil {
		return p
	}
	prompts, c, p := s.readCompletion(f)
	if p != nil {
		return p
	}
	requests, p := s.requests(prompts, c)
	if p != nil {
		return p
	}
	leave, p := s.enter(len(requests))
	if p != nil {
		return p
	}
	defer leave()

	head := completion{ID: newID("cmpl-"), Object: "text_completion", Created: time.Now().Unix(), Model: s.model.Name}
	if c.stream {
		return s.streamCompletion(w, r, head, requests, c)
	}
	head.Choices = make([]completionChoice, len(requests))
	for i := range head.Choices {
		head.Choices[i].Index = i
		if c.scored {
			head.Choices[i].Logprobs = newCompletionLogprobs()
		}
	}
	u, err := s.complete(r, requests, c, func(deltas []delta) error {
		for _, d := range deltas {
			choice := &head.Choices[d.index]
			choice.Text += d.text
			choice.Logprobs.add(s.model.Tokenizer, d.scored)
			if d.finish != "" {
				choice.Finish = &d.finish
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	head.Usage = &u
	s.reply(w, head)
	return nil
}

// streamCompletion sends an event for each delta.
func (s *Server) streamCompletion(w http.ResponseWriter, r *http.Request, head completion, requests []generate.Request, c settings) error {
	events := s.newEvents(w)
	u, err := s.complete(r, requests, c, func(deltas []delta) error {
		for _, d := range deltas {
			choice := completionChoice{Index: d.index, Text: d.text}
			if c.scored {
				choice.Logprobs = newCompletionLogprobs()
				choice.Logprobs.add(s.model.Tokenizer, d.scored)
			}
			if d.finish != "" {
				choice.Finish = &d.finish
			}
			head.Choices = []completionChoice{choice}
			if err := events.send(head); err != nil {
				return err
			}
		}
		return events.flush()
	})
	if err != nil {
		return events.fail(err)
	}
	if c.includeUsage {
		head.Choices, head.Usage = []completionChoice{}, &u
		if err := events.send(head); err != nil {
			return err
		}
	}
	return events.end()
}

func newCompletionLogprobs() *completionLogprobs {
	return &completionLogprobs{Tokens: []string{}, Logprobs: []*logprob{}, Top: []ranked{}, TextOffset: []int{}}
}

func (l *completionLogprobs) add(t *tokenizer.Tokenizer, tokens []scored) {
	for _, x := range tokens {
		l.Tokens = append(l.Tokens, tokenName(t, x.ID))
		l.TextOffset = append(l.TextOffset, x.offset)
		if !x.Known {
			l.Logprobs, l.Top = append(l.Logprobs, nil), append(l.Top, nil)
			continue
		}
		value, top := logprob(x.LogProb), ranked{}
		for _, c := range x.Top {
			top = append(top, namedLogprob{tokenName(t, c.ID), logprob(c.LogProb)})
		}
		l.Logprobs, l.Top = append(l.Logprobs, &value), append(l.Top, top)
	}
}

// readCompletion takes the fields of a request to /v1/completions.
func (s *Server) readCompletion(f *fields) ([][]int, settings, *problem) {
	special := f.flag("add_special_tokens", s.special)
	prompts, p := s.readPrompts(f, special)
	if p != nil {
		return nil, settings{}, p
	}
	c := s.readSettings(f, s.model.Ends)
	c.echo = f.flag("echo", false)
	lowest := 1
	if c.echo {
		lowest = 0
	}
	c.maxTokens = f.integer("max_tokens", 16, lowest, s.engine.Length()+1)
	c.top = f.integer("logprobs", -1, 0, s.limits.Logprobs)
	c.scored = c.top >= 0
	if best := f.integer("best_of", c.n, 1, s.limits.Sequences); best != c.n {
		f.refuse("best_of", "%d is not supported: it must be n, which is %d", best, c.n)
	}
	f.neutral(`""`, "suffix")
	return prompts, c, f.done()
}

// readPrompts takes the prompt in its four forms: a text, texts, ids, or lists of ids.
func (s *Server) readPrompts(f *fields, special bool) ([][]int, *problem) {
	v, ok := f.take("prompt")
	if f.problem != nil {
		return nil, f.problem
	}
	if !ok {
		return nil, refuse("prompt", "is missing: a text, a list of texts, a list of token ids, or a list of such lists")
	}
	if v[0] == '"' {
		v = append(append(json.RawMessage{'['}, v...), ']')
	}
	var items []json.RawMessage
	if err := json.Unmarshal(v, &items); err != nil || len(items) == 0 {
		return nil, refuse("prompt", "%s is neither a text nor a list with something in it", brief(v))
	}
	if items[0][0] != '"' && items[0][0] != '[' { // one list of ids
		items = []json.RawMessage{v}
	}
	if len(items) > s.limits.Sequences {
		return nil, refuse("prompt", "%d prompts, at most %d are allowed at once", len(items), s.limits.Sequences)
	}
	prompts := make([][]int, len(items))
	for i, item := range items {
		var p *problem
		if item[0] == '"' {
			prompts[i], p = s.encode("prompt", item, special)
		} else {
			prompts[i], p = s.ids("prompt", item)
		}
		if p == nil && len(prompts[i]) == 0 {
			if item[0] != '"' || s.model.Start < 0 {
				p = refuse("prompt", "prompt %d is empty, and nothing follows from nothing: give at least one token", i)
			} else {
				prompts[i] = []int{s.model.Start}
			}
		}
		if p != nil {
			return nil, p
		}
	}
	return prompts, nil
}

// encode is the ids of a JSON string.
func (s *Server) encode(name string, v json.RawMessage, special bool) ([]int, *problem) {
	var text string
	if err := json.Unmarshal(v, &text); err != nil {
		return nil, refuse(name, "%s is no string", brief(v))
	}
	return s.encodeText(name, text, special)
}

func (s *Server) encodeText(name, text string, special bool) ([]int, *problem) {
	ids := s.model.Tokenizer.Encode(text, special)
	if err := s.model.Tokenizer.Err(); err != nil {
		return nil, failed(fmt.Errorf("the tokenizer gave up: %w", err))
	}
	for _, id := range ids {
		if id >= s.model.Vocabulary {
			return nil, refuse(name, "the text has token %d, and the model's vocabulary ends at %d", id, s.model.Vocabulary)
		}
	}
	return ids, nil
}
