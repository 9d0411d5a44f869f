package tokenizer

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"shallow/internal/shared"
)

// Where transformers rebuilds a tokenizer and gives other ids, the file is followed and a note says so.
func TestClassDifferences(t *testing.T) {
	for _, name := range []string{"llama2", "phi-3-mini"} {
		tok := open(t, name)
		if notes := tok.Notes(); len(notes) != 1 || !strings.Contains(notes[0], "LlamaTokenizer") {
			t.Errorf("%s: notes %q", name, notes)
		}
		for _, v := range lines[struct {
			Text string
			File []int `json:"tokenizer_json"`
			Auto []int `json:"auto_tokenizer"`
		}](t, filepath.Join(shared.Dir(t, "reference", "tokenizers", "class-differences"), name+".jsonl")) {
			got := tok.Encode(v.Text, true)
			if !slices.Equal(got, v.File) || slices.Equal(got, v.Auto) {
				t.Errorf("%s: %q: %v; the file says %v, transformers %v", name, v.Text, got, v.File, v.Auto)
			}
		}
	}
}

// Version 0.19.1 of the library decodes normalized special tokens otherwise than today's, which is followed.
func TestVersionDifferences(t *testing.T) {
	for _, v := range lines[struct{ Tokenizer, Text, Version, Decoded string }](t, filepath.Join(shared.Dir(t, "reference", "tokenizers"), "version-differences.jsonl")) {
		tok := open(t, v.Tokenizer)
		got := tok.Decode(tok.Encode(v.Text, false), false)
		if got == v.Decoded || !strings.Contains(strings.ReplaceAll(got, " ", ""), strings.ReplaceAll(v.Text, " ", "")) {
			t.Errorf("%q decodes to %q, version %s gives %q", v.Text, got, v.Version, v.Decoded)
		}
	}
}

func TestNoNotes(t *testing.T) {
	for _, name := range []string{"llama3", "qwen2.5", "gpt2", "mistral-v1", "phi-2"} {
		if notes := open(t, name).Notes(); notes != nil {
			t.Errorf("%s: %q", name, notes)
		}
	}
}

func TestNotes(t *testing.T) {
	const replace = `"normalizer":{"type":"Replace","pattern":{"String":" "},"content":"▁"}`
	const meta = `"pre_tokenizer":{"type":"Metaspace","replacement":"▁","prepend_scheme":"first","split":false}`
	const model = `"model":{"type":"BPE","vocab":{"a":0},"merges":[]}`
	for _, c := range []struct {
		class, file string
		note        bool
	}{
		{"LlamaTokenizer", `{` + meta + `,` + model + `}`, false},
		{"LlamaTokenizerFast", `{` + replace + `,` + model + `}`, true},
		{"LlamaTokenizerFast", `{"pre_tokenizer":{"type":"ByteLevel"},` + model + `}`, true},
		{"GemmaTokenizerFast", `{` + replace + `,` + model + `}`, false},
		{"GemmaTokenizer", `{` + meta + `,` + model + `}`, true},
		{"GPT2Tokenizer", `{"pre_tokenizer":{"type":"ByteLevel"},` + model + `}`, false},
		{"GPT2Tokenizer", `{"normalizer":{"type":"NFC"},"pre_tokenizer":{"type":"ByteLevel"},` + model + `}`, true},
		{"Qwen2Tokenizer", `{"pre_tokenizer":{"type":"ByteLevel"},` + model + `}`, true},
		{"PreTrainedTokenizerFast", `{` + replace + `,` + model + `}`, false},
	} {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "tokenizer.json"), c.file)
		write(t, filepath.Join(dir, "tokenizer_config.json"), `{"tokenizer_class":"`+c.class+`"}`)
		tok, err := Open(dir)
		if err != nil || (len(tok.Notes()) == 1) != c.note {
			t.Errorf("%s %s: %v, %v", c.class, c.file, tok.Notes(), err)
		}
	}
}
