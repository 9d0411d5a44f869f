package tokenizer_test

import (
	"testing"

	"shallow/internal/shared"
	"shallow/tokenizer"
)

func TestEnds(t *testing.T) {
	for _, want := range []struct {
		dir      []string
		bos, eos int
	}{
		{[]string{"reference", "eval", "llama2-tok"}, 1, 2},
		{[]string{"reference", "eval", "gpt2-tok"}, -1, 50256},
		{[]string{"data", "tokenizers", "llama2"}, 1, 2},
		{[]string{"data", "tokenizers", "phi-2"}, 50256, 50256},
	} {
		tok, err := tokenizer.Open(shared.Dir(t, want.dir...))
		if err != nil {
			t.Fatal(err)
		}
		if bos, ok := tok.BOS(); bos != want.bos || ok != (bos >= 0) {
			t.Errorf("%v begins with %d, want %d", want.dir, bos, want.bos)
		}
		if eos, ok := tok.EOS(); eos != want.eos || ok != (eos >= 0) {
			t.Errorf("%v ends with %d, want %d", want.dir, eos, want.eos)
		}
	}
}
