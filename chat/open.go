package chat

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// maxFile bounds the files that are read; tokenizer_config.json of multilingual models has 10 MB.
const maxFile = 64 << 20

// Open reads the chat template of a model directory, where transformers looks for it: chat_template.jinja and
// additional_chat_templates/*.jinja, or else chat_template of tokenizer_config.json, which is a text or a list of named
// ones; chat_template.json of older multimodal models is the last resort.
func Open(dir string) (*Template, error) {
	config, err := readObject(filepath.Join(dir, "tokenizer_config.json"))
	if err != nil {
		return nil, fmt.Errorf("chat: %w", err)
	}
	sources, err := templateFiles(dir)
	if err != nil {
		return nil, fmt.Errorf("chat: %w", err)
	}
	if len(sources) == 0 {
		if sources, err = templatesOf(config); err != nil {
			return nil, fmt.Errorf("chat: %s: %w", filepath.Join(dir, "tokenizer_config.json"), err)
		}
	}
	if len(sources) == 0 {
		older, err := readObject(filepath.Join(dir, "chat_template.json"))
		if err != nil {
			return nil, fmt.Errorf("chat: %w", err)
		}
		if sources, err = templatesOf(older); err != nil {
			return nil, fmt.Errorf("chat: %s: %w", filepath.Join(dir, "chat_template.json"), err)
		}
	}
	if len(sources) == 0 {
		return nil, fmt.Errorf("chat: %s: %w: it is a base model, so use completions; or put the template its chats are written in into chat_template.jinja there", dir, ErrNone)
	}
	t := &Template{}
	if t.special, err = specialTokens(dir, config); err != nil {
		return nil, fmt.Errorf("chat: %w", err)
	}
	for _, name := range slices.Sorted(maps.Keys(sources)) {
		if err := t.add(name, sources[name]); err != nil {
			return nil, fmt.Errorf("chat: %s: %w", dir, err)
		}
	}
	return t, nil
}

// templateFiles reads the templates that have files of their own.
func templateFiles(dir string) (map[string]string, error) {
	sources := map[string]string{}
	add := func(name, path string) error {
		data, err := readBounded(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		// Python reads text files with newlines made one kind.
		sources[name] = strings.ReplaceAll(strings.ReplaceAll(string(data), "\r\n", "\n"), "\r", "\n")
		return err
	}
	if err := add(defaultName, filepath.Join(dir, "chat_template.jinja")); err != nil {
		return nil, err
	}
	more := filepath.Join(dir, "additional_chat_templates")
	entries, err := os.ReadDir(more)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), ".jinja"); ok {
			if err := add(name, filepath.Join(more, e.Name())); err != nil {
				return nil, err
			}
		}
	}
	return sources, nil
}

// templatesOf reads chat_template of a configuration.
func templatesOf(config map[string]json.RawMessage) (map[string]string, error) {
	raw, ok := config["chat_template"]
	if !ok || string(raw) == "null" {
		return nil, nil
	}
	var one string
	if json.Unmarshal(raw, &one) == nil {
		return map[string]string{defaultName: one}, nil
	}
	var several []struct{ Name, Template string }
	if err := json.Unmarshal(raw, &several); err != nil {
		return nil, fmt.Errorf("chat_template is neither a text nor a list of named ones: %w", err)
	}
	sources := map[string]string{}
	for _, s := range several {
		sources[s.Name] = s.Template
	}
	return sources, nil
}

// specialTokens are the variables that transformers passes to every template: the tokens with a name of their own.
func specialTokens(dir string, config map[string]json.RawMessage) (map[string]any, error) {
	special := map[string]any{}
	collect := func(from map[string]json.RawMessage) {
		for name, raw := range from {
			if text, ok := tokenText(raw); ok && strings.HasSuffix(name, "_token") {
				special[name] = text
			}
		}
		var extra map[string]json.RawMessage
		if json.Unmarshal(from["extra_special_tokens"], &extra) == nil {
			for name, raw := range extra {
				if text, ok := tokenText(raw); ok {
					special[name] = text
				}
			}
		}
	}
	collect(config)
	if _, ok := config["added_tokens_decoder"]; !ok { // written by an older transformers
		older, err := readObject(filepath.Join(dir, "special_tokens_map.json"))
		if err != nil {
			return nil, err
		}
		collect(older)
	}
	return special, nil
}

// tokenText reads a token written as a text or as an object with its flags.
func tokenText(raw json.RawMessage) (string, bool) {
	var text *string
	if err := json.Unmarshal(raw, &text); err == nil {
		if text == nil {
			return "", false
		}
		return *text, true
	}
	var object struct{ Content *string }
	if err := json.Unmarshal(raw, &object); err != nil || object.Content == nil {
		return "", false
	}
	return *object.Content, true
}

// readObject reads a JSON object; nil if there is no such file.
func readObject(path string) (map[string]json.RawMessage, error) {
	data, err := readBounded(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(data, &object); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return object, nil
}

func readBounded(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("%s: %d bytes: at most %d are read", path, info.Size(), maxFile)
	}
	return os.ReadFile(path)
}
