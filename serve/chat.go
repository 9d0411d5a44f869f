package serve

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"shallow/chat"
	"shallow/generate"
	"shallow/internal/jinja"
)

// chatCompletion is the reply of /v1/chat/completions, or one event of it.
type chatCompletion struct {
	ID      string       `json:"id"`
	Object  string       `json:"object"`
	Created int64        `json:"created"`
	Model   string       `json:"model"`
	Choices []chatChoice `json:"choices"`
	Usage   *usage       `json:"usage,omitempty"`
}

type chatChoice struct {
	Index    int           `json:"index"`
	Message  *chatMessage  `json:"message,omitempty"`
	Delta    *chatMessage  `json:"delta,omitempty"`
	Logprobs *chatLogprobs `json:"logprobs"`
	Finish   *string       `json:"finish_reason"`
}

type chatMessage struct {
	Role    string  `json:"role,omitempty"`
	Content *string `json:"content,omitempty"`
}

type chatLogprobs struct {
	Content []chatToken `json:"content"`
	Refusal *string     `json:"refusal"`
}

type chatToken struct {
	candidate
	Top []candidate `json:"top_logprobs"`
}

// candidate is a token as a chat's log-probabilities show it. Bytes are null for a part of a character.
type candidate struct {
	Token   string  `json:"token"`
	Logprob logprob `json:"logprob"`
	Bytes   []int   `json:"bytes"`
}

func (s *Server) chat(w http.ResponseWriter, r *http.Request) error {
	f, p := s.readFields(w, r)
	if p != nil {
		return p
	}
	prompt, c, p := s.readChat(f)
	if p != nil {
		return p
	}
	requests, p := s.requests([][]int{prompt}, c)
	if p != nil {
		return p
	}
	leave, p := s.enter(len(requests))
	if p != nil {
		return p
	}
	defer leave()

	head := chatCompletion{ID: newID("chatcmpl-"), Object: "chat.completion", Created: time.Now().Unix(), Model: s.model.Name}
	if c.stream {
		head.Object = "chat.completion.chunk"
		return s.streamChat(w, r, head, requests, c)
	}
	head.Choices = make([]chatChoice, len(requests))
	texts := make([]strings.Builder, len(requests))
	for i := range head.Choices {
		head.Choices[i].Index = i
		if c.scored {
			head.Choices[i].Logprobs = &chatLogprobs{Content: []chatToken{}}
		}
	}
	u, err := s.complete(r, requests, c, func(deltas []delta) error {
		for _, d := range deltas {
			texts[d.index].WriteString(d.text)
			choice := &head.Choices[d.index]
			choice.Logprobs.add(s, d.scored)
			if d.finish != "" {
				choice.Finish = &d.finish
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for i := range texts {
		content := texts[i].String()
		head.Choices[i].Message = &chatMessage{Role: "assistant", Content: &content}
	}
	head.Usage = &u
	s.reply(w, head)
	return nil
}

// streamChat sends each choice's role, an event for each delta, and its end.
func (s *Server) streamChat(w http.ResponseWriter, r *http.Request, head chatCompletion, requests []generate.Request, c settings) error {
	events := s.newEvents(w)
	greeted := make([]bool, len(requests))
	send := func(choice chatChoice) error {
		head.Choices = []chatChoice{choice}
		return events.send(head)
	}
	u, err := s.complete(r, requests, c, func(deltas []delta) error {
		for _, d := range deltas {
			if !greeted[d.index] {
				greeted[d.index] = true
				if err := send(chatChoice{Index: d.index, Delta: &chatMessage{Role: "assistant", Content: new(string)}}); err != nil {
					return err
				}
			}
			choice := chatChoice{Index: d.index, Delta: &chatMessage{}}
			if d.text != "" {
				choice.Delta.Content = &d.text
			}
			if c.scored {
				choice.Logprobs = &chatLogprobs{Content: []chatToken{}}
				choice.Logprobs.add(s, d.scored)
			}
			if d.finish != "" {
				choice.Finish = &d.finish
			}
			if err := send(choice); err != nil {
				return err
			}
		}
		return events.flush()
	})
	if err != nil {
		return events.fail(err)
	}
	if c.includeUsage {
		head.Choices, head.Usage = []chatChoice{}, &u
		if err := events.send(head); err != nil {
			return err
		}
	}
	return events.end()
}

func (l *chatLogprobs) add(s *Server, tokens []scored) {
	for _, x := range tokens {
		one := chatToken{s.candidate(x.ID, x.LogProb), []candidate{}}
		for _, c := range x.Top {
			one.Top = append(one.Top, s.candidate(c.ID, c.LogProb))
		}
		l.Content = append(l.Content, one)
	}
}

// candidate is a token with the text that it has behind another one: by itself some decoders take its blank away.
func (s *Server) candidate(id int, value float64) candidate {
	t := s.model.Tokenizer
	c := candidate{Token: t.Decode([]int{id}, false), Logprob: logprob(value)}
	if text, ok := strings.CutPrefix(t.Decode(append(slices.Clone(s.anchor), id), false), t.Decode(s.anchor, false)); ok {
		c.Token = text
	}
	if !strings.ContainsRune(c.Token, utf8.RuneError) {
		c.Bytes = make([]int, len(c.Token))
		for i := range c.Bytes {
			c.Bytes[i] = int(c.Token[i])
		}
	}
	return c
}

// readChat takes the fields of a request to /v1/chat/completions.
func (s *Server) readChat(f *fields) ([]int, settings, *problem) {
	special := f.flag("add_special_tokens", false)
	text, p := s.readConversation(f)
	if p != nil {
		return nil, settings{}, p
	}
	prompt, p := s.encodeText("messages", text, special)
	if p == nil && len(prompt) == 0 {
		p = refuse("messages", "the chat template makes nothing of them")
	}
	if p != nil {
		return nil, settings{}, p
	}
	c := s.readSettings(f, s.model.ChatEnds)
	c.maxTokens = f.integer("max_tokens", -1, 1, s.engine.Length()+1)
	c.maxTokens = f.integer("max_completion_tokens", c.maxTokens, 1, s.engine.Length()+1)
	c.scored = f.flag("logprobs", false)
	if c.top = f.integer("top_logprobs", 0, 0, s.limits.Logprobs); c.top > 0 && !c.scored {
		f.refuse("top_logprobs", "only with logprobs")
	}
	f.neutral("false", "echo")
	f.neutral(`["text"]`, "modalities")
	f.neutral(`"auto"`, "function_call")
	return prompt, c, f.done()
}

// readConversation takes the messages and what the chat template is given with them, and gives its text.
func (s *Server) readConversation(f *fields) (string, *problem) {
	var messages []chat.Message
	var o chat.Options
	if v, ok := f.take("messages"); !ok {
		f.refuse("messages", "are missing: a list of objects with role and content")
	} else if err := json.Unmarshal(v, &messages); err != nil {
		f.refuse("messages", "%v", err)
	} else if len(messages) == 0 {
		f.refuse("messages", "there are none")
	}
	for i, m := range messages {
		checkMessage(f, i, m)
	}
	f.into("tools", &o.Tools, "a list of objects")
	f.into("documents", &o.Documents, "a list of objects")
	f.into("chat_template_kwargs", &o.Extra, "an object")
	// The model's answer comes as text, whichever tool it would call.
	choice := f.text("tool_choice")
	switch choice {
	case "", "auto":
	case "none":
		o.Tools = nil
	default:
		f.refuse("tool_choice", "%q is not supported: auto shows the tools to the model, none hides them", choice)
	}
	f.ignore("parallel_tool_calls")
	o.AddGenerationPrompt = f.flag("add_generation_prompt", true)
	o.ContinueFinalMessage = f.flag("continue_final_message", false)
	if o.AddGenerationPrompt && o.ContinueFinalMessage {
		f.refuse("continue_final_message", "needs add_generation_prompt false")
	}
	o.JoinText = true
	if f.problem != nil {
		return "", f.problem
	}
	if s.model.Chat == nil {
		return "", refuse("messages", "the model has no chat template; use /v1/completions")
	}
	text, err := s.model.Chat.Render(messages, o)
	switch {
	case errors.Is(err, jinja.ErrLimit):
		return "", refuse("messages", "the chat template goes past its limits: %v", err)
	case err != nil: // a template's own words, or something that it does not know what to do with
		return "", refuse("messages", "the chat template: %v", err)
	}
	return text, nil
}

// checkMessage refuses a message that is not text.
func checkMessage(f *fields, at int, m chat.Message) {
	if m.Role() == "" {
		f.refuse("messages", "message %d has no role", at)
	}
	content, _ := m.Get("content")
	switch content := content.(type) {
	case nil, string:
	case []any:
		for _, part := range content {
			object, ok := part.(*jinja.Map)
			var kind any
			if ok {
				kind, _ = object.Get("type")
			}
			if kind != "text" {
				f.refuse("messages", "message %d has a part of another type than text", at)
			}
		}
	default:
		f.refuse("messages", "the content of message %d is neither a string nor a list of parts", at)
	}
}

// into takes a field that Go's JSON reads by itself.
func (f *fields) into(name string, to any, expected string) {
	if v, ok := f.take(name); ok {
		if err := json.Unmarshal(v, to); err != nil {
			f.refuse(name, "%s is not %s", brief(v), expected)
		}
	}
}
