package chat_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"shallow/chat"
	"shallow/internal/jinja"
	"shallow/internal/shared"
	"shallow/tokenizer"
)

// reference is what transformers made of conversations: ../internal/reference/chat_templates.py.
type reference struct {
	Conversations map[string][]chat.Message
	Tools         []json.RawMessage
	Now           time.Time
	IDs           map[string][]int
	Cases         []struct {
		Template, Conversation string
		Prompt                 bool `json:"add_generation_prompt"`
		Continue               bool `json:"continue_final_message"`
		Tools                  bool
		Extra                  map[string]any
		Text, Error            *string
		Type                   string
	}
}

func readReference(t *testing.T) (r reference) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "chats.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

func parse(t *testing.T, name string) *chat.Template {
	t.Helper()
	source, err := os.ReadFile(filepath.Join("testdata", "templates", name+".jinja"))
	if err != nil {
		t.Fatal(err)
	}
	template, err := chat.Parse(string(source), map[string]any{"bos_token": "<s>", "eos_token": "</s>"})
	if err != nil {
		t.Fatal(err)
	}
	return template
}

func TestEqualToTransformers(t *testing.T) {
	r := readReference(t)
	templates := map[string]*chat.Template{}
	for _, c := range r.Cases {
		if templates[c.Template] == nil {
			templates[c.Template] = parse(t, c.Template)
			templates[c.Template].Now = func() time.Time { return r.Now }
		}
		o := chat.Options{AddGenerationPrompt: c.Prompt, ContinueFinalMessage: c.Continue, Extra: c.Extra}
		if c.Tools {
			o.Tools = r.Tools
		}
		text, err := templates[c.Template].Render(r.Conversations[c.Conversation], o)
		name := c.Template + ", " + c.Conversation
		switch {
		case c.Text != nil && err != nil:
			t.Errorf("%s: %v, want %q", name, err, *c.Text)
		case c.Text != nil && text != *c.Text:
			t.Errorf("%s: got  %q\nwant %q", name, text, *c.Text)
		case c.Error != nil && err == nil:
			t.Errorf("%s: got %q, want the error %s", name, text, *c.Error)
		case c.Error != nil && !strings.HasPrefix(*c.Error, "continue_final_message"):
			var e *jinja.Error
			if !errors.As(err, &e) || e.Message != *c.Error {
				t.Errorf("%s: got the error %v, want %s", name, err, *c.Error)
			}
			if raised := errors.Is(err, jinja.ErrRaised); raised != (c.Type == "TemplateError") {
				t.Errorf("%s: %v is ErrRaised: %v, but Python raised a %s", name, err, raised, c.Type)
			}
		}
	}
}

func TestTokensOfAChat(t *testing.T) {
	r := readReference(t)
	dir := shared.Dir(t, "data", "tokenizers", "phi-3-mini")
	template, err := chat.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	tok, err := tokenizer.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range r.IDs {
		text, err := template.Render(r.Conversations[name], chat.Options{AddGenerationPrompt: true})
		if err != nil {
			t.Fatal(err)
		}
		if got := tok.Encode(text, false); !slices.Equal(got, want) {
			t.Errorf("%s: got  %d\nwant %d", name, got, want)
		}
	}
}
