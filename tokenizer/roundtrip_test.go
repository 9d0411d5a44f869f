package tokenizer

import (
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"shallow/internal/shared"
)

// FuzzRoundTrip: forms that know every byte give a text back, up to what their normalizer does to it.
func FuzzRoundTrip(f *testing.F) {
	for _, text := range []string{"", " ", "  a", "é e\u0301 漢字 \U0001f469\u200d\U0001f467", "<0x41>▁▁ x\n\n\t\r\n", "\xff\xc3", "<s> <|im_end|>"} {
		f.Add(text)
	}
	blanks := func(s string) string { return strings.ReplaceAll(s, metaspaceRune, " ") }
	forms := map[string]func(string) string{
		"llama3": func(s string) string { return s }, "gpt2": func(s string) string { return s }, "qwen2.5": norm.NFC.String,
		"phi-2": func(s string) string { return s }, "mistral-v1": blanks, "tiny-gemma-form": blanks,
	}
	bare := func(path ...string) *Tokenizer {
		tok, err := openFile(filepath.Join(path...))
		if err != nil {
			f.Fatal(err)
		}
		return tok
	}
	files := map[string]*Tokenizer{
		"Llama 3's tokenizer.model": bare(shared.Dir(f, "data", "tokenizers", "llama3"), "tokenizer.model"),
		"Mistral's tokenizer.model": bare(shared.Dir(f, "data", "tokenizers", "mistral"), "tokenizer.model.v1"),
		"unigram with bytes":        bare("testdata", "sentencepiece", "unigram-bytes.model"),
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "<") || strings.Count(norm.NFC.String(text), joiner) != strings.Count(text, joiner) {
			return // special tokens take blanks away or add them; NFC proper has no joiner
		}
		valid := validUTF8(text)
		check := func(name string, tok *Tokenizer, want string) {
			ids := tok.Encode(text, false)
			if got := tok.Decode(ids, false); got != want {
				t.Errorf("%s: %q came back as %q, %v", name, want, got, ids)
			}
			var streamed strings.Builder
			s := tok.Stream()
			for _, id := range ids {
				streamed.WriteString(s.Add(id))
			}
			streamed.WriteString(s.Flush())
			if got := streamed.String(); got != want && utf8.ValidString(text) && !strings.Contains(text, "\ufffd") {
				t.Errorf("%s: %q streamed as %q", name, want, got)
			}
		}
		for name, form := range forms {
			check(name, open(t, name), form(valid))
		}
		for name, tok := range files {
			want := valid
			if tok.decodeIDs != nil {
				want = blanks(valid)
			}
			check(name, tok, want)
		}
	})
}
