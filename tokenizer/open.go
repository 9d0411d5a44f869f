package tokenizer

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// maxFile bounds a tokenizer's file; the largest published ones have 40 MB.
const maxFile = 128 << 20

// Open reads a tokenizer: path is a model directory, or the tokenizer's file itself. In a directory it takes the first
// of tokenizer.json, tokenizer.model (SentencePiece, or tiktoken's text under that name), tiktoken.model and *.tiktoken.
//
// tokenizer.json is followed to the letter. The other two forms hold the pieces only, and the rest is taken from
// tokenizer_config.json beside them:
//
//   - SentencePiece: the ids are SentencePiece's own, by its normalizer and its scores. Control pieces and the tokens of
//     added_tokens_decoder (or added_tokens.json) are found in a text first, as transformers does, and each stretch
//     between them is encoded by itself. BOS goes before a text unless add_bos_token is false, EOS after it if
//     add_eos_token is true. With "legacy": false only the start of the text gets the dummy blank.
//   - tiktoken: how a text is split and which special tokens there are stands in no file but the model's Python code,
//     which is never run; it is known for Qwen 1, Llama 3, GLM-4 and Kimi, and refused for others.
func Open(path string) (*Tokenizer, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %w", err)
	}
	if info.IsDir() {
		if path, err = find(path); err != nil {
			return nil, err
		}
	}
	t, err := openFile(path)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %s: %s", path, strings.TrimPrefix(err.Error(), "tokenizer: "))
	}
	return t, nil
}

// find is the tokenizer's file in a model directory.
func find(dir string) (string, error) {
	names := []string{"tokenizer.json", "tokenizer.model", "tiktoken.model"}
	found, err := filepath.Glob(filepath.Join(escapeGlob(dir), "*.tiktoken"))
	if err != nil {
		return "", fmt.Errorf("tokenizer: %s: %w", dir, err)
	}
	for _, path := range found {
		names = append(names, filepath.Base(path))
	}
	for _, name := range names {
		path := filepath.Join(dir, name)
		if _, err := os.Stat(path); err == nil {
			return path, nil
		} else if !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("tokenizer: %w", err)
		}
	}
	return "", missing(dir)
}

// escapeGlob is a directory's name as a pattern that matches it alone.
func escapeGlob(dir string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(dir)
}

// missing is the error for a directory without a tokenizer; it names the files that are there instead.
func missing(dir string) error {
	var found []string
	for _, name := range []string{"vocab.json", "merges.txt", "tokenizer_config.json", "tekken.json", "vocab.txt"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			found = append(found, name)
		}
	}
	here := "no other tokenizer file is there"
	if len(found) > 0 {
		here = "it has " + strings.Join(found, ", ") + ", which is not enough"
	}
	return fmt.Errorf("tokenizer: %s: no tokenizer.json, no tokenizer.model and no *.tiktoken (%s); "+
		"save the model's tokenizer once in the fast format and put tokenizer.json beside config.json", dir, here)
}

// openFile reads a tokenizer's file by what it holds.
func openFile(path string) (*Tokenizer, error) {
	data, err := readBounded(path)
	if err != nil {
		return nil, err
	}
	config, err := readConfig(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	var t *Tokenizer
	switch {
	case startsWithBrace(data):
		if t, err = Parse(data); err == nil {
			t.notes = config.notes(data)
		}
	case isTiktoken(data):
		t, err = openTiktoken(data, filepath.Base(path), config)
	default:
		t, err = openSentencePiece(data, config)
	}
	if err == nil {
		t.nameEnds(string(config.BOS), string(config.EOS))
	}
	return t, err
}

func startsWithBrace(data []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(data[:min(len(data), 1024)], " \t\r\n"), []byte("{"))
}

// offsetClasses are classes of tokenizer whose ids are not those of their tokenizer.model.
var offsetClasses = map[string]bool{
	"XLMRobertaTokenizer": true, "XGLMTokenizer": true, "CamembertTokenizer": true, "BarthezTokenizer": true, "MBartTokenizer": true,
	"MBart50Tokenizer": true, "NllbTokenizer": true, "PegasusTokenizer": true, "M2M100Tokenizer": true, "SeamlessM4TTokenizer": true,
}

// openSentencePiece reads a tokenizer.model. See Open for the rules.
func openSentencePiece(data []byte, c directoryConfig) (*Tokenizer, error) {
	class := strings.TrimSuffix(c.Class, "Fast")
	if offsetClasses[class] {
		return nil, fmt.Errorf("tokenizer_class %s renumbers the pieces of tokenizer.model; save its tokenizer.json", c.Class)
	}
	m, err := parseSentencePiece(data)
	if err != nil {
		return nil, err
	}
	if c.Prefix != nil {
		m.spec.dummyPrefix = *c.Prefix
	}
	o := sentenceOptions{firstOnly: c.Legacy != nil && !*c.Legacy}
	if o.added, err = c.added(); err != nil {
		return nil, err
	}
	id := func(text tokenText, model string) int {
		for _, token := range o.added {
			if token.Content == string(text) {
				return token.ID
			}
		}
		if text == "" {
			text = tokenText(model)
		}
		return m.control(string(text))
	}
	// Classes of the T5 kind end a text and do not begin it.
	t5 := class == "T5Tokenizer"
	if bos := id(c.BOS, m.bos); bos >= 0 && (c.AddBOS != nil && *c.AddBOS || c.AddBOS == nil && !t5) {
		o.before = append(o.before, bos)
	}
	if eos := id(c.EOS, m.eos); eos >= 0 && (c.AddEOS != nil && *c.AddEOS || c.AddEOS == nil && t5) {
		o.after = append(o.after, eos)
	}
	t, err := m.tokenizer(o)
	if err == nil && c.unwritten {
		t.nameEnds(m.bos, m.eos)
	}
	return t, err
}
