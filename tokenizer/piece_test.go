package tokenizer_test

import (
	"testing"

	"shallow/internal/shared"
	"shallow/tokenizer"
)

// TestPiece: every id that has a piece is found again by it, in vocabularies of all kinds.
func TestPiece(t *testing.T) {
	for _, dir := range [][]string{{"data", "tokenizers", "llama2"}, {"data", "tokenizers", "phi-2"}, {"reference", "tokenizers", "qwen2.5"}, {"reference", "eval", "gpt2-tok"}} {
		tok, err := tokenizer.Open(shared.Dir(t, dir...))
		if err != nil {
			t.Fatal(err)
		}
		none := 0
		for id := range tok.Size() {
			piece := tok.Piece(id)
			if piece == "" {
				none++
				continue
			}
			if back, ok := tok.TokenID(piece); !ok || back != id {
				t.Errorf("%v: id %d is %q, which is %d (%v)", dir, id, piece, back, ok)
			}
		}
		if none > tok.Size()/100 || tok.Piece(-1) != "" || tok.Piece(tok.Size()) != "" {
			t.Errorf("%v: %d of %d ids have no piece", dir, none, tok.Size())
		}
	}
}
