package gguf

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"shallow/internal/shared"
)

// TestTokenizer encodes llama.cpp's test texts by the vocabularies that llama.cpp keeps as GGUF files.
func TestTokenizer(t *testing.T) {
	dir := shared.Dir(t, "data", "tokenizers", "llama.cpp-vectors")
	inputs, err := os.ReadFile(filepath.Join(dir, "inputs.inp"))
	if err != nil {
		t.Fatal(err)
	}
	texts := strings.Split(string(inputs), "\n__ggml_vocab_test__\n")
	for file, out := range map[string]string{"ggml-vocab-llama-spm.gguf": "llama-spm.out", "ggml-vocab-gpt-2.gguf": "gpt-2.out"} {
		f, err := Open(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		tokenizer, err := f.Tokenizer()
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(filepath.Join(dir, out))
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(strings.TrimSuffix(string(want), "\n"), "\n") {
			got := strings.Trim(fmt.Sprint(tokenizer.Encode(texts[i], false)), "[]")
			if got != strings.TrimSpace(line) {
				t.Errorf("%s: %q is %s, want %s", file, texts[i], got, line)
			}
		}
	}
}

func TestNoTokenizer(t *testing.T) {
	f := newBuilder("llama", 1).tensor("a", F32, 1).open(t)
	if _, err := f.Tokenizer(); err == nil || !strings.Contains(err.Error(), "has no tokenizer") {
		t.Errorf("%v", err)
	}
	f = newBuilder("llama", 1).add(text("tokenizer.ggml.model", "novel"), texts("tokenizer.ggml.tokens", "a")).tensor("a", F32, 1).open(t)
	if _, err := f.Tokenizer(); err == nil || !strings.Contains(err.Error(), `"novel"`) {
		t.Errorf("%v", err)
	}
}
