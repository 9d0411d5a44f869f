package serve

import (
	"errors"

	"shallow/chat"
	"shallow/gguf"
	"shallow/tokenizer"
)

// openTemplate is the chat template of a model directory or GGUF file, nil if it has none. source is its text where that is
// not in a file of its own.
func openTemplate(path string, t *tokenizer.Tokenizer, bos, eos int) (template *chat.Template, source string, err error) {
	if !gguf.Is(path) {
		template, err = chat.Open(path)
		if errors.Is(err, chat.ErrNone) {
			err = nil
		}
		return template, "", err
	}
	f, err := gguf.Open(path)
	if err != nil {
		return nil, "", err
	}
	defer f.Close()
	entry, _ := f.Find("tokenizer.chat_template")
	if source, _ = entry.Text(); source == "" {
		return nil, "", nil
	}
	special := map[string]any{}
	for name, id := range map[string]int{"bos_token": bos, "eos_token": eos} {
		if id >= 0 {
			special[name] = t.Piece(id)
		}
	}
	template, err = chat.Parse(source, special)
	return template, source, err
}
