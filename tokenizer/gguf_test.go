package tokenizer

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"shallow/internal/shared"
)

// ggufKeys reads the metadata of a vocabulary-only GGUF file, little-endian, version 3.
func ggufKeys(t *testing.T, name string) map[string]any {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(shared.Dir(t, "data", "tokenizers", "llama.cpp-vectors"), name))
	if err != nil {
		t.Fatal(err)
	}
	take := func(n uint64) []byte { part := data[:n]; data = data[n:]; return part }
	u32 := func() uint32 { return binary.LittleEndian.Uint32(take(4)) }
	u64 := func() uint64 { return binary.LittleEndian.Uint64(take(8)) }
	var value func(kind uint32) any
	value = func(kind uint32) any {
		switch kind {
		case 4, 5:
			return int(int32(u32()))
		case 6:
			return math.Float32frombits(u32())
		case 7:
			return take(1)[0] != 0
		case 8:
			return string(take(u64()))
		case 9:
			of, n := u32(), u64()
			list := make([]any, n)
			for i := range list {
				list[i] = value(of)
			}
			return list
		}
		t.Fatalf("value of kind %d", kind)
		return nil
	}
	take(16)
	keys := map[string]any{}
	for range u64() {
		key := string(take(u64()))
		keys[strings.TrimPrefix(key, "tokenizer.ggml.")] = value(u32())
	}
	return keys
}

func listOf[T any](v any) (list []T) {
	all, _ := v.([]any)
	for _, x := range all {
		list = append(list, x.(T))
	}
	return list
}

func fromGGUFFile(t *testing.T, name string) *Tokenizer {
	t.Helper()
	keys := ggufKeys(t, name)
	id := func(key string) int {
		if n, ok := keys[key].(int); ok {
			return n
		}
		return -1
	}
	flag := func(key string) *bool {
		if b, ok := keys[key].(bool); ok {
			return &b
		}
		return nil
	}
	var types []int32
	for _, n := range listOf[int](keys["token_type"]) {
		types = append(types, int32(n))
	}
	pre, _ := keys["pre"].(string)
	tok, err := FromGGUF(GGUF{
		Model: keys["model"].(string), Pre: pre, Tokens: listOf[string](keys["tokens"]), Types: types,
		Scores: listOf[float32](keys["scores"]), Merges: listOf[string](keys["merges"]),
		BOS: id("bos_token_id"), EOS: id("eos_token_id"), Unknown: id("unknown_token_id"),
		AddBOS: flag("add_bos_token"), AddEOS: flag("add_eos_token"), AddSpacePrefix: flag("add_space_prefix"),
	})
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// The two vocabulary files of llama.cpp, on its own vectors and against the tokenizer.json of the same models.
func TestFromGGUFFiles(t *testing.T) {
	dir := shared.Dir(t, "data", "tokenizers", "llama.cpp-vectors")
	inputs, err := os.ReadFile(filepath.Join(dir, "inputs.inp"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		file, vectors, same string
		bos                 []int
	}{
		{"ggml-vocab-llama-spm.gguf", "llama-spm.out", "llama2", []int{1}},
		{"ggml-vocab-gpt-2.gguf", "gpt-2.out", "gpt2", nil},
	} {
		tok := fromGGUFFile(t, c.file)
		out, err := os.ReadFile(filepath.Join(dir, c.vectors))
		if err != nil {
			t.Fatal(err)
		}
		want := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
		for i, text := range strings.Split(string(inputs), "\n__ggml_vocab_test__\n") {
			if i >= len(want) {
				break
			}
			got := strings.Trim(fmt.Sprint(tok.Encode(text, false)), "[]")
			if got != strings.TrimSpace(want[i]) {
				t.Errorf("%s: %q: %s, want %s", c.file, text, got, want[i])
			}
		}
		if got := tok.Encode("", true); !slices.Equal(got, c.bos) {
			t.Errorf("%s: an empty text is %v, want %v", c.file, got, c.bos)
		}
		r := rand.New(rand.NewPCG(7, 8))
		other := open(t, c.same)
		for range 2000 {
			text := randomText(r, 60)
			if got, want := tok.Encode(text, false), other.Encode(text, false); !slices.Equal(got, want) {
				t.Errorf("%s: %q: %v, tokenizer.json says %v", c.file, text, got, want)
			}
			if got, want := tok.Decode(tok.Encode(text, false), false), validUTF8(text); got != want {
				t.Errorf("%s: %q decodes to %q", c.file, want, got)
			}
		}
	}
}

// What a converter makes of a tokenizer.json reads back as the same tokenizer.
func TestFromGGUFPre(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	for name, pre := range map[string]string{"llama3": "llama-bpe", "qwen2.5": "qwen2", "phi-2": "phi-2"} {
		want := open(t, name)
		m := want.model.(*bpe)
		g := GGUF{Model: "gpt2", Pre: pre, BOS: -1, EOS: -1, Unknown: -1, Tokens: make([]string, want.Size()), Types: make([]int32, want.Size())}
		copy(g.Tokens, want.vocab.pieces)
		for id := range g.Types {
			g.Types[id] = 1
			if token, ok := want.added[id]; ok {
				g.Tokens[id], g.Types[id] = token.Content, 3
			}
		}
		type merge struct {
			rank        uint32
			left, right string
		}
		var merges []merge
		for _, e := range m.merges.entries {
			if e.key != 0 {
				merges = append(merges, merge{e.value, want.vocab.pieces[(e.key-1)>>32], want.vocab.pieces[uint32(e.key-1)]})
			}
		}
		slices.SortFunc(merges, func(a, b merge) int { return int(a.rank) - int(b.rank) })
		for _, m := range merges {
			g.Merges = append(g.Merges, m.left+" "+m.right)
		}
		if pre == "llama-bpe" {
			g.BOS = 128000
		}
		got, err := FromGGUF(g)
		if err != nil {
			t.Fatal(err)
		}
		for range 1000 {
			text := randomText(r, 60)
			if name == "qwen2.5" {
				text = want.Decode(want.Encode(text, false), false) // GGUF knows no NFC
			}
			if got, want := got.Encode(text, true), want.Encode(text, true); !slices.Equal(got, want) {
				t.Fatalf("%s: %q: %v, want %v", name, text, got, want)
			}
		}
	}
}

// Every expression in the table compiles, and splits without losing text.
func TestGGUFPreTable(t *testing.T) {
	var tokens, merges []string
	for b := range 256 {
		tokens = append(tokens, string(alphabet[b]))
	}
	for pre := range ggufPre {
		tok, err := FromGGUF(GGUF{Model: "gpt2", Pre: pre, Tokens: tokens, Merges: merges, BOS: -1, EOS: -1, Unknown: -1})
		if err != nil {
			t.Errorf("%s: %v", pre, err)
			continue
		}
		const text = "It's 12345 ÉTÉ été\r\n\t漢字かな, (x|y)…  don'T ✓ "
		if got := tok.Decode(tok.Encode(text, true), false); got != text {
			t.Errorf("%s: %q", pre, got)
		}
	}
}

func TestFromGGUFRefused(t *testing.T) {
	yes := true
	for _, c := range []struct {
		g    GGUF
		want string
	}{
		{GGUF{Model: "bert", Tokens: []string{"a"}}, `model "bert"`},
		{GGUF{Model: "gpt2", Pre: "default", Tokens: []string{"a"}}, `pre "default"`},
		{GGUF{Model: "gpt2", Pre: "gpt-2", Tokens: []string{"a"}, Types: []int32{1, 1}}, "token_type has 2"},
		{GGUF{Model: "gpt2", Pre: "gpt-2", Tokens: []string{"a"}, Merges: []string{"a b"}}, `"b" is not in the vocabulary`},
		{GGUF{Model: "gpt2", Pre: "gpt-2", Tokens: []string{"a"}, BOS: 7, AddBOS: &yes}, "bos_token_id is 7"},
		{GGUF{Model: "llama", Tokens: []string{"a"}}, "scores has 0"},
		{GGUF{Model: "llama", Tokens: []string{"a", "a"}, Scores: []float32{0, 0}}, "comes twice"},
		{GGUF{Model: "llama", Tokens: []string{"a"}, Scores: []float32{float32(math.NaN())}}, "not finite"},
		{GGUF{Model: "t5", Tokens: []string{"a"}, Scores: []float32{0}, Unknown: -1}, "no unknown piece"},
		{GGUF{Model: "llama", Scores: []float32{}}, "empty"},
	} {
		if _, err := FromGGUF(c.g); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v; %q expected in it", c.g, err, c.want)
		}
	}
}
