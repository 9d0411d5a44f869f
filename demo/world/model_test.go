package world

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"shallow/tokenizer"
)

func openTokenizer(t *testing.T, w *World) (*tokenizer.Tokenizer, []byte) {
	t.Helper()
	dir := t.TempDir()
	if err := w.WriteModel(dir); err != nil {
		t.Fatal(err)
	}
	tok, err := tokenizer.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(dir, "tokenizer.json"))
	if err != nil {
		t.Fatal(err)
	}
	return tok, data
}

// TestTokenizer encodes as Hugging Face's tokenizers do with the same file, and gets every text back. internal/reference/train_bpe.py
// made the ids.
func TestTokenizer(t *testing.T) {
	tok, data := openTokenizer(t, New(1))
	var want struct {
		SHA256 string
		Texts  []string
		IDs    [][]int
	}
	file, err := os.ReadFile("testdata/ids.json")
	if err == nil {
		err = json.Unmarshal(file, &want)
	}
	if err != nil {
		t.Fatal(err)
	}
	if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != want.SHA256 {
		t.Fatal("tokenizer.json is not the one that testdata/ids.json is of: run internal/reference/train_bpe.py with the folder of shallow demo --write-world")
	}
	for i, text := range want.Texts {
		ids := tok.Encode(text, true)
		if !slices.Equal(ids, want.IDs[i]) {
			t.Errorf("%q is %v, want %v", text, ids, want.IDs[i])
		}
		if back := tok.Decode(ids[1:], false); back != text {
			t.Errorf("%q comes back as %q", text, back)
		}
	}
}

// TestSizes holds what the package says of tokens: most words are one, and documents are short.
func TestSizes(t *testing.T) {
	w := New(1)
	tok, _ := openTokenizer(t, w)
	if tok.Size() != Vocabulary {
		t.Errorf("%d tokens, want %d", tok.Size(), Vocabulary)
	}
	for _, kind := range []string{"town", "month", "weekday", "animal", "food", "colour"} {
		for _, word := range words.Kinds[kind] {
			if ids := tok.Encode(" "+word, false); len(ids) > 1 {
				t.Errorf("%s %q is %d tokens", kind, word, len(ids))
			}
		}
	}
	for stage := 1; stage <= Stages; stage++ {
		tokens, pieces, longest := 0, 0, 0
		for d := range w.Documents(1, stage, 3000) {
			text := d.Text + d.Prompt + d.Completion
			n := len(tok.Encode(text, false))
			tokens += n
			longest = max(longest, n)
			for range tokenizer.Pieces(text) {
				pieces++
			}
		}
		if share := float64(tokens) / float64(pieces); share > 1.07 || longest > 120 {
			t.Errorf("stage %d: %.3f tokens a word, the longest document has %d", stage, share, longest)
		}
		t.Logf("stage %d: %.1f tokens a document, %.3f a word, %d at most", stage, float64(tokens)/3000, float64(tokens)/float64(pieces), longest)
	}
	all := 0
	for _, f := range w.facts {
		r := f.Entity.Relations[f.Relation]
		for _, say := range r.Say {
			all += len(tok.Encode(" "+fill(say, f.Entity.about(f.Value(), false)), false))
		}
	}
	if all < 150_000 || all > 200_000 {
		t.Errorf("all facts in all wordings are %d tokens", all)
	}
	t.Logf("all facts in all wordings are %d tokens", all)
}

// TestConfig counts the parameters that config.json asks for.
func TestConfig(t *testing.T) {
	var c map[string]any
	if err := json.Unmarshal(Config(), &c); err != nil {
		t.Fatal(err)
	}
	n := Vocabulary*hidden + hidden
	n += layers * (2*hidden*hidden + 2*hidden*hidden/heads*keyHeads + 3*hidden*feed + 2*hidden)
	if n < 3_200_000 || n > 3_400_000 || c["vocab_size"] != float64(Vocabulary) || c["tie_word_embeddings"] != true {
		t.Errorf("%d parameters", n)
	}
	t.Logf("%d parameters", n)
}
