package tokenizer

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// What lies beside a tokenizer.model decides about the ids around a text and between special tokens.
func TestSentencePieceDirectories(t *testing.T) {
	const bpe, unigram = "testdata/sentencepiece/bpe.model", "testdata/sentencepiece/unigram.model"
	plain, err := Open(bare(t, bpe))
	if err != nil {
		t.Fatal(err)
	}
	hello, world := plain.Encode("Hello", false), plain.Encode("world", false)
	glued := plain.Encode("xworld", false)[len(plain.Encode("x", false)):]
	around := func(before []int, after ...int) []int { return slices.Concat(before, hello, after) }
	for _, c := range []struct {
		model, config, added, text string
		want                       []int
	}{
		{bpe, ``, ``, "Hello", around([]int{1})},
		{bpe, `{"add_bos_token":false}`, ``, "Hello", hello},
		{bpe, `{"add_bos_token":true,"add_eos_token":true}`, ``, "Hello", around([]int{1}, 2)},
		{bpe, `{"tokenizer_class":"T5Tokenizer"}`, ``, "Hello", around(nil, 2)},
		{bpe, `{"bos_token":{"content":"</s>"}}`, ``, "Hello", around([]int{2})},
		{bpe, `{"bos_token":"<|go|>","added_tokens_decoder":{"700":{"content":"<|go|>","special":true}}}`, ``, "Hello", around([]int{700})},
		{bpe, `{"add_bos_token":false}`, `{"<|go|>":701}`, "Hello<|go|>world", slices.Concat(hello, []int{701}, world)},
		{bpe, `{"add_bos_token":false}`, ``, "Hello<s>world", slices.Concat(hello, []int{1}, world)},
		{bpe, `{"add_bos_token":false,"legacy":false}`, ``, "Hello<s>world", slices.Concat(hello, []int{1}, glued)},
		{bpe, `{"add_bos_token":false,"add_prefix_space":false}`, ``, "world", glued},
	} {
		dir := t.TempDir()
		copyFile(t, c.model, filepath.Join(dir, "tokenizer.model"))
		if c.config != "" {
			write(t, filepath.Join(dir, "tokenizer_config.json"), c.config)
		}
		if c.added != "" {
			write(t, filepath.Join(dir, "added_tokens.json"), c.added)
		}
		tok, err := Open(dir)
		if err != nil {
			t.Errorf("%s %s: %v", c.config, c.added, err)
			continue
		}
		if got := tok.Encode(c.text, true); !slices.Equal(got, c.want) {
			t.Errorf("%s %s: %q is %v, want %v", c.config, c.added, c.text, got, c.want)
		}
	}
	for _, c := range []struct{ name, content, config, want string }{
		{"tokenizer.model", "", `{"tokenizer_class":"XLMRobertaTokenizer"}`, "renumbers the pieces"},
		{"tokenizer.model", "", `{"add_bos_token":1}`, "tokenizer_config.json"},
		{"tokenizer.model", "", `{"added_tokens_decoder":{"x":{}}}`, `"x" is not an id`},
		{"tokenizer.model", "", `{"added_tokens_decoder":{"5":{"content":"<other>"}}}`, `which is "<0x02>"`},
		{"tokenizer.model", "\x0a\xff", ``, "not a SentencePiece model"},
		{"tokenizer.model", "\x0a\x03\x0a\x01a", ``, "no unknown piece"},
		{"tokenizer.model", "\x0a\x07\x0a\x01a\x18\x02\x18\x02\x12\x02\x18\x03", ``, "model_type 3"},
		{"tokenizer.model", "\x0a\x05\x0a\x01a\x18\x02\x0a\x05\x0a\x01b\x18\x02", ``, "both the unknown piece"},
		{"tokenizer.model", "\x0a\x05\x0a\x01a\x18\x02\x0a\x05\x0a\x01b\x18\x06", ``, "byte_fallback is false"},
	} {
		dir := t.TempDir()
		if c.content == "" {
			copyFile(t, unigram, filepath.Join(dir, c.name))
			if strings.Contains(c.want, "<0x02>") {
				copyFile(t, bpe, filepath.Join(dir, c.name))
			}
		} else {
			write(t, filepath.Join(dir, c.name), c.content)
		}
		if c.config != "" {
			write(t, filepath.Join(dir, "tokenizer_config.json"), c.config)
		}
		if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q %s: %v; %q expected in it", c.content, c.config, err, c.want)
		}
	}
}

// tokenizer.json goes before tokenizer.model, and that before *.tiktoken; a file can be named itself.
func TestOpenOrder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a[b]*")
	mkdir(t, dir)
	write(t, filepath.Join(dir, "qwen.tiktoken"), ranks("ab"))
	for _, step := range []struct {
		name string
		size int
		add  func(path string)
	}{
		{"qwen.tiktoken", 257 + 208, func(string) {}},
		{"tokenizer.model", 700, func(path string) { copyFile(t, "testdata/sentencepiece/bpe.model", path) }},
		{"tokenizer.json", 7, func(path string) { write(t, path, smallBytes) }},
	} {
		step.add(filepath.Join(dir, step.name))
		for _, path := range []string{dir, filepath.Join(dir, step.name)} {
			tok, err := Open(path)
			if err != nil || tok.Size() != step.size {
				t.Errorf("%s: %d ids, %v; want %d", path, tok.Size(), err, step.size)
			}
		}
	}
}
