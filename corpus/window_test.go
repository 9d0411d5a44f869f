package corpus_test

import (
	"context"
	"encoding/json"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"shallow/corpus"
	"shallow/internal/shared"
	"shallow/tokenizer"
)

// framed puts 0 in front of a text's bytes and 1 behind them, and counts the bytes it was given.
type framed struct{ encoded int }

func (f *framed) Encode(text string, special bool) []int {
	ids := letters{}.Encode(text, special)
	if special {
		f.encoded += len(text)
		ids = append(ids, 1)
	}
	return ids
}

func (*framed) Err() error { return nil }

func (f *framed) open() (corpus.Encoder, error) { return f, nil }

func TestWindows(t *testing.T) {
	for _, c := range []struct {
		text   string
		length int
		want   [][]int
	}{
		{"abcd", 3, [][]int{{0, 'a', 'b'}, {0, 'c', 'd'}, {0, 1}}},
		{"abcd", 5, [][]int{{0, 'a', 'b', 'c', 'd'}, {0, 1}}},
		{"abcd", 6, [][]int{{0, 'a', 'b', 'c', 'd', 1}}},
		{"a", 1 << 62, [][]int{{0, 'a', 1}}},
	} {
		file := write(t, "c.txt", c.text)
		got, err := corpus.Read(context.Background(), []string{file}, new(framed).open, corpus.Options{Length: c.length})
		if err != nil {
			t.Errorf("%q: %v", c.text, err)
			continue
		}
		if ids := idsOf(got); !reflect.DeepEqual(ids, c.want) || got.Documents != 1 {
			t.Errorf("%q in windows of %d: %v of %d documents, want %v of 1", c.text, c.length, ids, got.Documents, c.want)
		}
	}
	file := write(t, "c.txt", "abc")
	if _, err := corpus.Read(context.Background(), []string{file}, new(framed).open, corpus.Options{Length: 1}); err == nil || !strings.Contains(err.Error(), "a length of 1 leaves no room") {
		t.Errorf("windows of one token: %v", err)
	}
}

// TestWindowsSize takes samples at sizes about that of the first part that is read.
func TestWindowsSize(t *testing.T) {
	for _, size := range []int{1, 300, 1595, 1596, 1597, 3192, 3193, 100000} {
		for _, blank := range []int{0, 5000} {
			text := strings.Repeat(" \n", blank/2) + strings.Repeat("w", size)
			file := write(t, "c.txt", text)
			all, err := corpus.Read(context.Background(), []string{file}, new(framed).open, corpus.Options{Length: 5})
			if err != nil {
				t.Fatal(err)
			}
			for _, samples := range []int{1, 2, 400} {
				got, err := corpus.Read(context.Background(), []string{file}, new(framed).open, corpus.Options{Samples: samples, Length: 5})
				if err != nil {
					t.Fatal(err)
				}
				if want := all.Sequences[:min(samples, len(all.Sequences))]; !reflect.DeepEqual(got.Sequences, want) {
					t.Errorf("%d of the windows of %d bytes behind %d blank ones are not the first", samples, size, blank)
				}
			}
		}
	}
}

// TestReadsNoFurther puts what cannot be read behind what is wanted.
func TestReadsNoFurther(t *testing.T) {
	lines := write(t, "a.jsonl", `{"text":"ab"}`+"\n"+`{"text":`)
	book := write(t, "b.txt", strings.Repeat("a word ", 1<<20))
	e := new(framed)
	got, err := corpus.Read(context.Background(), []string{lines, lines}, e.open, corpus.Options{Samples: 1})
	if err != nil || !reflect.DeepEqual(idsOf(got), [][]int{{0, 'a', 'b', 1}}) {
		t.Errorf("%v, %v", got, err)
	}
	*e = framed{}
	got, err = corpus.Read(context.Background(), []string{book, lines}, e.open, corpus.Options{Samples: 10, Length: 100})
	if err != nil || len(got.Sequences) != 10 {
		t.Fatalf("%v, %v", got, err)
	}
	if e.encoded > 1<<14 {
		t.Errorf("%d bytes were encoded for 1000 tokens", e.encoded)
	}
}

func TestVocabulary(t *testing.T) {
	for name, want := range map[string]string{
		"a.txt":   "a.txt: token 1 is 255: the vocabulary has 255; the tokenizer is another model's",
		"a.jsonl": "a.jsonl: line 1: token 1 is 239: the vocabulary has 190; the tokenizer is another model's",
	} {
		content, vocabulary := "\xff", 255
		if name == "a.jsonl" {
			content, vocabulary = "{\"text\":\"\ufeff\"}", 190
		}
		_, err := corpus.Read(context.Background(), []string{write(t, name, content)}, encoder, corpus.Options{Length: 9, Vocabulary: vocabulary})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

func idsOf(c *corpus.Corpus) (ids [][]int) {
	for _, s := range c.Sequences {
		ids = append(ids, s.IDs)
	}
	return ids
}

func stories(t testing.TB) (*tokenizer.Tokenizer, func() (corpus.Encoder, error)) {
	tok, err := tokenizer.Open(shared.Dir(t, "reference", "models", "stories260K"))
	if err != nil {
		t.Fatal(err)
	}
	return tok, func() (corpus.Encoder, error) { return tok, nil }
}

// TestStories compares the lengths of real stories with those of the reference, which took a newline for a blank line.
func TestStories(t *testing.T) {
	_, encoder := stories(t)
	var expected struct {
		Cut    int
		Tokens int
		Each   []int `json:"tokens_of_story"`
		First  []int `json:"ids_of_first_story"`
	}
	data, err := os.ReadFile(shared.Dir(t, "reference", "models", "stories260K", "expected.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &expected); err != nil {
		t.Fatal(err)
	}
	data, err = os.ReadFile(shared.Dir(t, "data", "text", "tinystories", "derived-cased-stories.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	file := write(t, "stories.jsonl", strings.ReplaceAll(string(data), `\n\n`, `\n`))
	got, err := corpus.Read(context.Background(), []string{file}, encoder, corpus.Options{Samples: len(expected.Each), Length: expected.Cut, Vocabulary: 512})
	if err != nil {
		t.Fatal(err)
	}
	var each []int
	for _, s := range got.Sequences {
		each = append(each, len(s.IDs))
	}
	if !slices.Equal(each, expected.Each) || got.Tokens != expected.Tokens || !slices.Equal(got.Sequences[0].IDs, expected.First) {
		t.Errorf("%d tokens, %v; want %d, %v", got.Tokens, each, expected.Tokens, expected.Each)
	}
}

// TestBook holds windows of a part of a book against those of the whole.
func TestBook(t *testing.T) {
	tok, encoder := stories(t)
	file := shared.Dir(t, "data", "text", "shakespeare", "input.txt")
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	whole := tok.Encode(string(data), true)
	for _, c := range [][2]int{{1, 7}, {33, 100}, {100, 512}, {0, 1000}} {
		samples, length := c[0], c[1]
		got, err := corpus.Read(context.Background(), []string{file}, encoder, corpus.Options{Samples: samples, Length: length})
		if err != nil {
			t.Fatal(err)
		}
		if n := (len(whole) + length - 3) / (length - 1); samples == 0 {
			samples = n
		}
		if len(got.Sequences) != samples || got.Documents != 1 {
			t.Errorf("%d windows of %d documents, want %d of 1", len(got.Sequences), got.Documents, samples)
		}
		rest := whole[1:]
		for i, s := range got.Sequences {
			n := min(length-1, len(rest))
			if s.IDs[0] != whole[0] || !slices.Equal(s.IDs[1:], rest[:n]) {
				t.Fatalf("window %d of %d tokens is not the book's", i, length)
			}
			rest = rest[n:]
		}
	}
}

// TestPairsOfStories finds where a prompt ends by a real tokenizer: a token of both parts is the completion's.
func TestPairsOfStories(t *testing.T) {
	tok, encoder := stories(t)
	for _, c := range []struct{ prompt, completion string }{
		{"Once upon", " a time"}, {"Once upon ", "a time"}, {"Once up", "on a time"}, {"", "Once"},
	} {
		data, err := json.Marshal(map[string]string{"prompt": c.prompt, "completion": c.completion})
		if err != nil {
			t.Fatal(err)
		}
		got, err := corpus.Read(context.Background(), []string{write(t, "c.jsonl", string(data))}, encoder, corpus.Options{End: []int{2}})
		if err != nil {
			t.Fatal(err)
		}
		s := got.Sequences[0]
		if want := append(tok.Encode(c.prompt+c.completion, true), 2); !slices.Equal(s.IDs, want) {
			t.Errorf("%q: %v, want %v", c, s.IDs, want)
		}
		if text := tok.Decode(s.IDs[:s.Prompt], true); !strings.HasPrefix(c.prompt, strings.TrimPrefix(text, " ")) || s.Prompt == 0 {
			t.Errorf("%q: %d tokens %q are the prompt's", c, s.Prompt, text)
		}
	}
}
