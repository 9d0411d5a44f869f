package jinja

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// TestEqualToJinja renders what ../reference/jinja_language.py rendered with Jinja itself.
func TestEqualToJinja(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("testdata", "language.json"))
	if err != nil {
		t.Fatal(err)
	}
	type outcome struct {
		Text, Error *string
		Type        string
	}
	var reference struct {
		Vars  json.RawMessage
		Cases []struct {
			Source     string
			Chat, Task *outcome
			Fails      bool // in both
		}
	}
	if err := json.Unmarshal(data, &reference); err != nil {
		t.Fatal(err)
	}
	read, err := FromJSON(reference.Vars)
	if err != nil {
		t.Fatal(err)
	}
	vars := map[string]any{}
	for _, key := range read.(*Map).Keys() {
		vars[key], _ = read.(*Map).Get(key)
	}
	check := func(dialect string, parse func(string) (*Template, error), source string, want *outcome) {
		if want == nil {
			return
		}
		text := ""
		template, err := parse(source)
		if err == nil {
			text, err = template.Render(vars)
		}
		var e *Error
		switch {
		case want.Text != nil && (err != nil || text != *want.Text):
			t.Errorf("%s %q:\n got %q, %v\nwant %q", dialect, source, text, err, *want.Text)
		case want.Error != nil && !errors.As(err, &e):
			t.Errorf("%s %q:\n got %q, %v\nwant the %s %s", dialect, source, text, err, want.Type, *want.Error)
		case want.Error != nil && *want.Error != "" && e.Message != *want.Error:
			t.Errorf("%s %q:\n got the error %s\nwant the %s %s", dialect, source, e.Message, want.Type, *want.Error)
		}
	}
	for _, c := range reference.Cases {
		if c.Fails {
			c.Chat = &outcome{Error: new(string)}
			c.Task = c.Chat
		}
		check("chat", func(s string) (*Template, error) { return ParseChat(s, nil) }, c.Source, c.Chat)
		check("task", ParseTask, c.Source, c.Task)
	}
}
