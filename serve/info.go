package serve

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"shallow/tokenizer"
)

// tokenizerInfo is what GET /tokenizer_info says of a model directory: tokenizer_config.json as it is, but with the names of
// special tokens as plain texts or null, and with one chat template. A negative id is no token.
func tokenizerInfo(dir string, t *tokenizer.Tokenizer, bos, eos int) (map[string]any, error) {
	info := map[string]any{}
	data, err := readFile(filepath.Join(dir, "tokenizer_config.json"))
	if err != nil {
		return nil, err
	}
	if data != nil {
		if err := json.Unmarshal(data, &info); err != nil || info == nil {
			return nil, fmt.Errorf("serve: %s: tokenizer_config.json is no JSON object (%w)", dir, err)
		}
	}
	delete(info, "added_tokens_decoder") // long, and /tokenize knows them
	info["bos_token"], info["eos_token"] = nil, nil
	if bos >= 0 {
		info["bos_token"] = t.Piece(bos)
	}
	if eos >= 0 {
		info["eos_token"] = t.Piece(eos)
	}
	for name, value := range info {
		if object, ok := value.(map[string]any); ok && strings.HasSuffix(name, "_token") {
			info[name] = object["content"]
		}
	}
	template, err := readFile(filepath.Join(dir, "chat_template.jinja"))
	if err != nil {
		return nil, err
	}
	if template != nil {
		info["chat_template"] = string(template)
	}
	info["chat_template"] = oneTemplate(info["chat_template"])
	if _, ok := info["tokenizer_class"]; !ok {
		info["tokenizer_class"] = "PreTrainedTokenizerFast"
	}
	return info, nil
}

// oneTemplate is a chat template that is written as a text, or as a list of named ones, of which it takes the default.
func oneTemplate(v any) any {
	list, ok := v.([]any)
	if !ok {
		return v
	}
	for _, entry := range list {
		if object, ok := entry.(map[string]any); ok && object["name"] == "default" {
			return object["template"]
		}
	}
	return nil
}

// readFile reads a small file whole; nil if there is none, as beside a model that is one file.
func readFile(path string) ([]byte, error) {
	const most = 16 << 20
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("serve: %w", err)
	case info.Size() > most:
		return nil, fmt.Errorf("serve: %s has %d bytes, expected at most %d", path, info.Size(), most)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("serve: %w", err)
	}
	return data, nil
}
