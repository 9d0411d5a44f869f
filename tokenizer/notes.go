package tokenizer

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Notes says what a user should know about the ids of this tokenizer, a sentence each: where transformers 5 gives other
// ids for the same directory.
func (t *Tokenizer) Notes() []string { return t.notes }

// rebuilt is the classes of tokenizer for which transformers 5 takes only the vocabulary and the merges of a
// tokenizer.json and puts a normalizer and a pre-tokenizer of its own around them.
var rebuilt = map[string]func(normalizers, preTokenizers []component) bool{
	"LlamaTokenizer":     llamaOwn,
	"CodeLlamaTokenizer": llamaOwn,
	"GemmaTokenizer": func(n, p []component) bool {
		return slices.Equal(types(n), []string{"Replace"}) && (len(p) == 0 || slices.Equal(types(p), []string{"Split"}))
	},
	"Qwen2Tokenizer": func(n, p []component) bool {
		if !slices.Equal(types(n), []string{"NFC"}) || !slices.Equal(types(p), []string{"Split", "ByteLevel"}) {
			return false
		}
		var pattern struct{ Regex string }
		return json.Unmarshal(p[0].Pattern, &pattern) == nil && pattern.Regex == splitQwen2
	},
	"GPT2Tokenizer": func(n, p []component) bool {
		return len(n) == 0 && slices.Equal(types(p), []string{"ByteLevel"})
	},
}

func llamaOwn(n, p []component) bool {
	return len(n) == 0 && slices.Equal(types(p), []string{"Metaspace"}) && !unlessFalse(p[0].Split)
}

func types(parts []component) (names []string) {
	for _, c := range parts {
		names = append(names, c.Type)
	}
	return names
}

// notes compares the tokenizer.json with what the directory's tokenizer_class would make of it.
func (c *directoryConfig) notes(data []byte) []string {
	same, ok := rebuilt[strings.TrimSuffix(c.Class, "Fast")]
	if !ok {
		return nil
	}
	var f file
	if json.Unmarshal(data, &f) != nil {
		return nil
	}
	n, err := components(f.Normalizer, func(c component) []json.RawMessage { return c.Normalizers })
	if err != nil {
		return nil
	}
	p, err := components(f.PreTokenizer, func(c component) []json.RawMessage { return c.PreTokenizers })
	if err != nil || same(n, p) {
		return nil
	}
	return []string{fmt.Sprintf("the ids follow tokenizer.json; transformers 5 rebuilds a %s in its own way and gives "+
		"other ids for some texts (class PreTrainedTokenizerFast takes the file as it is)", c.Class)}
}
