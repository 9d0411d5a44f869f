package serve

import (
	"errors"
	"slices"
	"strings"

	"shallow/chat"
	"shallow/checkpoint"
	"shallow/generate"
	"shallow/internal/jinja"
	"shallow/tokenizer"
)

// Model is what is served.
type Model struct {
	Name       string // as GET /v1/models and every reply say it
	Tokenizer  *tokenizer.Tokenizer
	Chat       *chat.Template // nil: the model has none
	Info       map[string]any // what GET /tokenizer_info says
	Vocabulary int            // ids are below it
	Ends       []int          // tokens that end a text
	ChatEnds   []int          // tokens that end an assistant's turn
	Start      int            // the token that an empty text stands for; −1 for none
}

// NewModel is the model of a checkpoint, with its tokenizer and a vocabulary of V ids.
func NewModel(name string, c *checkpoint.Checkpoint, t *tokenizer.Tokenizer, vocabulary int) (Model, error) {
	m := Model{Name: name, Tokenizer: t, Vocabulary: vocabulary, Ends: generate.Ends(c)}
	bos, named := t.BOS()
	if config := c.Config.Decoder(); !named && config.KindOf("bos_token_id") == checkpoint.Number {
		bos = config.Int("bos_token_id", -1)
	}
	eos, named := t.EOS()
	if !named && len(m.Ends) > 0 {
		eos = m.Ends[0]
	}
	if m.Start = bos; m.Start < 0 {
		m.Start = eos // as documents of models without a BOS are parted by it
	}
	if m.Start >= vocabulary {
		m.Start = -1
	}
	template, source, err := openTemplate(c.Dir, t, bos, eos)
	if err != nil {
		return Model{}, err
	}
	m.Chat = template
	if m.Info, err = tokenizerInfo(c.Dir, t, bos, eos); err != nil {
		return Model{}, err
	}
	if source != "" {
		m.Info["chat_template"] = source
	}
	if m.ChatEnds, err = m.turnEnds(); err != nil {
		return Model{}, err
	}
	return m, c.Config.Err()
}

// turnEnds are the tokens that end an assistant's turn: the model's own ends, the tokenizer's, and the special token that the
// chat template puts right behind an answer. (Base models often end texts by another token than their template ends turns by.)
func (m Model) turnEnds() ([]int, error) {
	ends := slices.Clone(m.Ends)
	add := func(id int) {
		if id < m.Vocabulary && !slices.Contains(ends, id) {
			ends = append(ends, id)
		}
	}
	if m.Chat == nil {
		return ends, nil
	}
	if id, ok := m.Tokenizer.EOS(); ok {
		add(id)
	}
	const answer = "0f9c1"
	text, err := m.Chat.Render([]chat.Message{chat.Text("user", "a"), chat.Text("assistant", answer)}, chat.Options{})
	if errors.As(err, new(*jinja.Error)) { // a template that wants another conversation than this one
		return ends, nil
	}
	if err != nil {
		return nil, err
	}
	if at := strings.LastIndex(text, answer); at >= 0 {
		if ids := m.Tokenizer.Encode(text[at+len(answer):], false); len(ids) > 0 && m.Tokenizer.Special(ids[0]) {
			add(ids[0])
		}
	}
	return ends, nil
}
