package tokenizer

import (
	"encoding/base64"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"shallow/internal/shared"
)

// The published ranks give what the tokenizer.json converted from them gives.
func TestPublishedTiktoken(t *testing.T) {
	for _, c := range []struct {
		file           []string
		name, vectors  string
		config         string
		first, special string
		id             int
	}{
		{[]string{"data", "tokenizers", "llama3"}, "tokenizer.model", "llama3", "", "", "<|reserved_special_token_250|>", 128255},
		{[]string{"data", "tokenizers", "qwen"}, "qwen.tiktoken", "qwen2.5", `{"tokenizer_class":"QWenTokenizer"}`, "", "<|extra_204|>", 151850},
	} {
		dir := t.TempDir()
		copyFile(t, filepath.Join(shared.Dir(t, c.file...), c.name), filepath.Join(dir, c.name))
		if c.config != "" {
			write(t, filepath.Join(dir, "tokenizer_config.json"), c.config)
		}
		tok, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		if id, ok := tok.TokenID(c.special); !ok || id != c.id || tok.Size() != c.id+1 {
			t.Errorf("%s: %s is %d, %v of %d; want %d", c.name, c.special, id, ok, tok.Size(), c.id)
		}
		for i, v := range lines[struct {
			Kind, Text, Decoded string
			IDs                 []int
			IDsSpecial          []int `json:"ids_special"`
		}](t, filepath.Join(shared.Dir(t, "reference", "tokenizers", "vectors"), c.vectors+".jsonl")) {
			if c.vectors == "qwen2.5" && strings.Contains(v.Text, "<|") || strings.Contains(v.Text, "<tool_call>") || strings.Contains(v.Text, "</tool_call>") {
				continue // Qwen 2.5 has other special tokens
			}
			if got := tok.Encode(v.Text, false); !slices.Equal(got, v.IDs) {
				t.Errorf("%s: line %d (%s): %.60q\n got %.200v\nwant %.200v", c.name, i+1, v.Kind, v.Text, got, v.IDs)
			}
			if got := tok.Encode(v.Text, true); !slices.Equal(got, v.IDsSpecial) {
				t.Errorf("%s: line %d (%s): with special tokens\n got %.200v\nwant %.200v", c.name, i+1, v.Kind, got, v.IDsSpecial)
			}
			if got := tok.Decode(v.IDs, false); got != v.Decoded {
				t.Errorf("%s: line %d (%s): decoded\n got %.100q\nwant %.100q", c.name, i+1, v.Kind, got, v.Decoded)
			}
		}
	}
}

// ranks is a small *.tiktoken: the bytes, and some joins.
func ranks(joins ...string) string {
	var b strings.Builder
	for i := range 256 {
		fmt.Fprintf(&b, "%s %d\n", base64.StdEncoding.EncodeToString([]byte{byte(i)}), i)
	}
	for i, join := range joins {
		fmt.Fprintf(&b, "%s %d\n", base64.StdEncoding.EncodeToString([]byte(join)), 256+i)
	}
	return b.String()
}

func TestTiktokenDirectories(t *testing.T) {
	const glm = `{"tokenizer_class":"ChatGLM4Tokenizer","added_tokens_decoder":{"258":{"content":"<|endoftext|>","special":true},
"259":{"content":"[gMASK]","special":true},"260":{"content":"<sop>","special":true}}}`
	for _, c := range []struct {
		name, config string
		ids          []int
		err          string
	}{
		{"tokenizer.model", glm, []int{259, 260, 257, 258, 32, 257}, ""},
		{"tokenizer.model", `{"tokenizer_class":"ChatGLM4Tokenizer"}`, nil, `"[gMASK]"`},
		{"qwen.tiktoken", "", []int{257, 258, 32, 257}, ""},
		{"tiktoken.model", `{"tokenizer_class":"TikTokenTokenizer","added_tokens_decoder":{"258":{"content":"<|endoftext|>","special":true}}}`, []int{257, 258, 32, 257}, ""},
		{"other.tiktoken", "", nil, "put tokenizer.json beside config.json"},
		{"tokenizer.model", "", nil, "256 and 2 ranks"},
	} {
		dir := t.TempDir()
		write(t, filepath.Join(dir, c.name), ranks("ab", "abc"))
		if c.config != "" {
			write(t, filepath.Join(dir, "tokenizer_config.json"), c.config)
		}
		tok, err := Open(dir)
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), strings.Replace(c.err, "256 and 2", "258", 1)) {
				t.Errorf("%s %s: %v; %q expected in it", c.name, c.config, err, c.err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s %s: %v", c.name, c.config, err)
			continue
		}
		const text = "abc<|endoftext|> abc"
		if got := tok.Encode(text, true); !slices.Equal(got, c.ids) {
			t.Errorf("%s %s: %v, want %v", c.name, c.config, got, c.ids)
		}
		if got := tok.Decode(tok.Encode(text, false), false); got != text {
			t.Errorf("%s %s: decoded %q", c.name, c.config, got)
		}
	}
}

func TestTiktokenRefused(t *testing.T) {
	whole := ranks("ab")
	for _, c := range []struct{ file, want string }{
		{strings.Replace(whole, "AA== 0\n", "", 1), "the byte 0x00 has no rank"},
		{strings.Replace(whole, "AA== 0\n", "AA== 1\n", 1), "same id"},
		{strings.Replace(whole, "AA== 0\n", "AA== 99999999999\n", 1), "out of range"},
		{whole + "!!!! 300\n", "line 258"},
		{whole + "YWI= x\n", "not a number"},
		{whole + base64.StdEncoding.EncodeToString(make([]byte, 2000)) + " 300\n", "2000 bytes"},
	} {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "qwen.tiktoken"), c.file)
		if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v; %q expected in it", err, c.want)
		}
	}
}
