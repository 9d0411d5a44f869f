// Package chat renders a conversation as the text that a model was taught on, by the chat template of its checkpoint. The
// text equals that of transformers' apply_chat_template(tokenize=False), byte for byte.
//
//	t, err := chat.Open(dir)
//	text, err := t.Render([]chat.Message{chat.Text("user", "Why?")}, chat.Options{AddGenerationPrompt: true})
//
// The text holds the special tokens, BOS too where the template writes it: encode it with special tokens recognised and
// none added. A conversation that the template refuses gives an error that is jinja.ErrRaised.
package chat

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"shallow/internal/jinja"
)

// ErrNone says that a checkpoint has no chat template.
var ErrNone = errors.New("the model has no chat template")

// Template is the chat template of one checkpoint, or several of them by name. It may be used by several goroutines.
type Template struct {
	named   map[string]*named
	special map[string]any   // bos_token and the like
	Now     func() time.Time // the clock of strftime_now; nil is time.Now. To be set before the first Render
}

type named struct {
	source string
	parsed *jinja.Template
}

// Options say what else the template sees.
type Options struct {
	AddGenerationPrompt  bool // end with what the assistant's answer begins with
	ContinueFinalMessage bool // end inside the last message, for the model to go on with it
	// JoinText makes one text, by newlines, of content that is a list of texts, if the template knows only strings. Servers
	// want it; transformers does not do it.
	JoinText  bool
	Tools     []json.RawMessage // JSON schemas of functions; nil: none
	Documents []json.RawMessage // nil: none
	Template  string            // a name; "" is tool_use for calls with tools where there is one, or else default
	Extra     map[string]any    // the template's other variables, such as enable_thinking; stronger than special tokens
}

// Parse reads a single template. special are the variables that name special tokens.
func Parse(source string, special map[string]any) (*Template, error) {
	t := &Template{special: special}
	return t, t.add(defaultName, source)
}

const defaultName = "default"

func (t *Template) add(name, source string) error {
	parsed, err := jinja.ParseChat(source, func() time.Time {
		if t.Now != nil {
			return t.Now()
		}
		return time.Now()
	})
	if err != nil {
		return fmt.Errorf("chat template %q: %w", name, err)
	}
	if t.named == nil {
		t.named = map[string]*named{}
	}
	t.named[name] = &named{source, parsed}
	return nil
}

// Names are the templates' names, sorted.
func (t *Template) Names() []string {
	var names []string
	for name := range t.named {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (t *Template) choose(o Options) (*named, error) {
	name := o.Template
	if name == "" {
		name = defaultName
		if _, ok := t.named["tool_use"]; ok && o.Tools != nil {
			name = "tool_use"
		}
	}
	if one, ok := t.named[name]; ok {
		return one, nil
	}
	return nil, fmt.Errorf("chat: the model has no template %q: choose one of %s", name, strings.Join(t.Names(), ", "))
}

// Render gives the text of a conversation.
func (t *Template) Render(messages []Message, o Options) (string, error) {
	template, err := t.choose(o)
	if err != nil {
		return "", err
	}
	if len(messages) == 0 {
		return "", fmt.Errorf("chat: the conversation is empty: give at least one message")
	}
	if o.AddGenerationPrompt && o.ContinueFinalMessage {
		return "", fmt.Errorf("chat: add_generation_prompt begins a new message and continue_final_message goes on with the last: choose one")
	}
	conversation := make([]*jinja.Map, len(messages))
	for i, m := range messages {
		if m.fields == nil {
			return "", fmt.Errorf("chat: message %d is empty: give it a role and content", i)
		}
		conversation[i] = m.forTemplate(o.JoinText && !template.parsed.WalksContent())
	}
	final := ""
	if o.ContinueFinalMessage {
		if final, err = tagFinal(conversation[len(conversation)-1], template.source); err != nil {
			return "", err
		}
	}
	vars := map[string]any{"messages": conversation, "tools": nil, "documents": nil, "add_generation_prompt": o.AddGenerationPrompt}
	if o.Tools != nil {
		vars["tools"] = o.Tools
	}
	if o.Documents != nil {
		vars["documents"] = o.Documents
	}
	for _, more := range []map[string]any{t.special, o.Extra} {
		for name, value := range more {
			vars[name] = value
		}
	}
	text, err := template.parsed.Render(vars)
	if err != nil {
		return "", fmt.Errorf("chat template: %w", err)
	}
	if o.ContinueFinalMessage {
		return cutAtTag(text, final)
	}
	return text, nil
}

// finalTag marks the end of the message to go on with, as transformers does; its blank shows whether the template trims.
const finalTag = "CONTINUE_FINAL_MESSAGE_TAG "

// tagFinal puts the tag at the end of a message and gives its text without it.
func tagFinal(message *jinja.Map, source string) (string, error) {
	content, _ := message.Get("content")
	if content == nil {
		return "", fmt.Errorf(`chat: continue_final_message is set but the final message has no "content" to continue`)
	}
	if !strings.Contains(source, "content") {
		return "", fmt.Errorf(`chat: continue_final_message is set but the template does not write "content"`)
	}
	switch c := content.(type) {
	case string:
		message.Set("content", c+finalTag)
		return c, nil
	case []any:
		for i := len(c) - 1; i >= 0; i-- {
			part, ok := c[i].(*jinja.Map)
			if !ok {
				continue
			}
			if text, ok := part.Get("text"); ok {
				if text, ok := text.(string); ok {
					part.Set("text", text+finalTag)
					return text, nil
				}
			}
		}
	}
	return "", fmt.Errorf("chat: continue_final_message is set but the final message has no text to continue")
}

func cutAtTag(text, final string) (string, error) {
	tag := strings.TrimSpace(finalTag)
	at := strings.LastIndex(text, tag)
	if at < 0 || !strings.Contains(text, strings.TrimFunc(final, isSpace)) {
		return "", fmt.Errorf("chat: continue_final_message is set but the template changes or drops the final message: it cannot be continued")
	}
	if strings.HasPrefix(text[at:], finalTag) {
		return text[:at], nil
	}
	return strings.TrimRightFunc(text[:at], isSpace), nil // the template trimmed the blank, so it would have trimmed the text
}

// isSpace is Python's idea of white space.
func isSpace(c rune) bool { return unicode.IsSpace(c) || c >= 0x1c && c <= 0x1f }
