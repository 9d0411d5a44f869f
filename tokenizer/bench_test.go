package tokenizer

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"shallow/internal/shared"
)

func book(t testing.TB) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(shared.Dir(t, "data", "text", "war-and-peace"), "war-and-peace.txt"))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// BenchmarkEncode encodes a book in one piece, on one core.
func BenchmarkEncode(b *testing.B) {
	text := book(b)
	for _, name := range []string{"llama2", "mistral-v3", "llama3", "qwen2.5", "gpt2", "tiny-metaspace-first", "tiny-unigram"} {
		b.Run(name, func(b *testing.B) {
			tok := open(b, name)
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				tok.Encode(text, true)
			}
		})
	}
	for _, form := range []string{"bpe", "bpe-unknown", "bpe-suffix", "unigram", "unigram-bytes"} {
		b.Run("sentencepiece-"+form, func(b *testing.B) {
			tok, err := Open(bare(b, filepath.Join("testdata", "sentencepiece", form+".model")))
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				tok.Encode(text, true)
			}
		})
	}
	// No blank, no seam: every merge depends on its neighbours.
	for _, name := range []string{"llama2", "llama3"} {
		b.Run(name+"-one-word", func(b *testing.B) {
			tok := open(b, name)
			letters := strings.Map(func(r rune) rune {
				if 'a' <= r && r <= 'z' {
					return r
				}
				return -1
			}, text)
			b.SetBytes(int64(len(letters)))
			for b.Loop() {
				tok.Encode(letters, true)
			}
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	text := book(b)
	for _, name := range []string{"llama2", "llama3"} {
		b.Run(name, func(b *testing.B) {
			tok := open(b, name)
			ids := tok.Encode(text, false)
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				tok.Decode(ids, false)
			}
		})
	}
}

func BenchmarkOpen(b *testing.B) {
	for _, name := range []string{"llama2", "llama3", "qwen2.5"} {
		b.Run(name, func(b *testing.B) {
			data, err := os.ReadFile(filepath.Join(shared.Dir(b, tokenizers[name]...), "tokenizer.json"))
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				if _, err := Parse(data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
