package chat

import (
	"encoding/json"
	"fmt"
	"strings"

	"shallow/internal/jinja"
)

// Message is one turn of a conversation: a JSON object with a role and mostly content, which is text or a list of parts
// like {"type": "text", "text": …}. Fields the template may know, such as tool_calls, are kept, in their order.
type Message struct{ fields *jinja.Map }

// Text makes a message of a role and a text.
func Text(role, content string) Message {
	m := jinja.NewMap()
	m.Set("role", role)
	m.Set("content", content)
	return Message{m}
}

// UnmarshalJSON reads a message. Its role must be a string.
func (m *Message) UnmarshalJSON(data []byte) error {
	v, err := jinja.FromJSON(data)
	if err != nil {
		return err
	}
	fields, ok := v.(*jinja.Map)
	if !ok {
		return fmt.Errorf("a message must be an object with role and content")
	}
	if role, _ := fields.Get("role"); !isText(role) {
		return fmt.Errorf(`a message needs a "role" that is a string`)
	}
	m.fields = fields
	return nil
}

// MarshalJSON writes the message as it was read.
func (m Message) MarshalJSON() ([]byte, error) { return json.Marshal(m.fields) }

func isText(v any) bool { _, ok := v.(string); return ok }

// Role is who speaks: system, user, assistant, tool …
func (m Message) Role() string {
	role, _ := m.Get("role")
	s, _ := role.(string)
	return s
}

// Get gives a field: string, int64, float64, bool, nil, []any or *jinja.Map.
func (m Message) Get(field string) (any, bool) {
	if m.fields == nil {
		return nil, false
	}
	return m.fields.Get(field)
}

// reasoningFields are the names under which a message carries what the model thought before it spoke.
var reasoningFields = []string{"reasoning_content", "thinking", "reasoning"}

// forTemplate copies the message as transformers shows it to a template: without fields that are null, with reasoning
// under each of the two names that templates read.
func (m Message) forTemplate(joinText bool) *jinja.Map {
	out := jinja.NewMap()
	var reasoning any
	for _, name := range reasoningFields {
		if v, _ := m.fields.Get(name); v != nil && reasoning == nil {
			reasoning = v
		}
	}
	if reasoning != nil {
		out.Set("thinking", reasoning)
	}
	for _, key := range m.fields.Keys() {
		value, _ := m.fields.Get(key)
		if value == nil {
			continue
		}
		if parts, ok := value.([]any); ok && key == "content" {
			value = copyParts(parts)
			if text, ok := joined(parts); ok && joinText {
				value = text
			}
		}
		out.Set(key, value)
	}
	if reasoning != nil {
		out.Set("reasoning_content", reasoning)
	}
	return out
}

// copyParts copies parts as deep as a tag for the final message goes.
func copyParts(parts []any) []any {
	out := make([]any, len(parts))
	for i, part := range parts {
		out[i] = part
		if m, ok := part.(*jinja.Map); ok {
			c := jinja.NewMap()
			for _, key := range m.Keys() {
				v, _ := m.Get(key)
				c.Set(key, v)
			}
			out[i] = c
		}
	}
	return out
}

// joined makes one text of parts that are all text; false if one is not.
func joined(parts []any) (string, bool) {
	texts := make([]string, len(parts))
	for i, part := range parts {
		m, ok := part.(*jinja.Map)
		if !ok {
			return "", false
		}
		text, _ := m.Get("text")
		kind, _ := m.Get("type")
		if !isText(text) || kind != "text" {
			return "", false
		}
		texts[i] = text.(string)
	}
	return strings.Join(texts, "\n"), true
}
