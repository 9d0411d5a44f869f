package bpetrain

import (
	"encoding/json"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"shallow/tokenizer"
)

func readJSON(t *testing.T, name string, v any) {
	t.Helper()
	data, err := os.ReadFile(name)
	if err == nil {
		err = json.Unmarshal(data, v)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestTrain learns what Hugging Face's tokenizers learn from the same texts, and encodes as they do.
func TestTrain(t *testing.T) {
	var texts []string
	var learned struct {
		Odd   []string
		Sizes map[string]struct {
			Pieces int
			Merges [][2]string
			IDs    [][]int
		}
	}
	readJSON(t, "testdata/texts.json", &texts)
	readJSON(t, "testdata/learned.json", &learned)
	for name, want := range learned.Sizes {
		size, err := strconv.Atoi(name)
		if err != nil {
			t.Fatal(err)
		}
		v, err := Train(slices.Values(texts), Options{Size: size, Begin: "<s>", End: "</s>"})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(v.Merges, want.Merges) {
			at := 0
			for at < min(len(v.Merges), len(want.Merges)) && v.Merges[at] == want.Merges[at] {
				at++
			}
			t.Errorf("size %d: %d merges, want %d; from number %d on they differ: %q", size, len(v.Merges), len(want.Merges), at, v.Merges[at:min(at+3, len(v.Merges))])
		}
		if len(v.Pieces) != want.Pieces {
			t.Errorf("size %d: %d pieces, want %d", size, len(v.Pieces), want.Pieces)
		}
		tok, err := tokenizer.Parse(v.JSON())
		if err != nil {
			t.Fatal(err)
		}
		for i, text := range slices.Concat(texts, learned.Odd) {
			ids := tok.Encode(text, true)
			if !slices.Equal(ids, want.IDs[i]) {
				t.Errorf("size %d: %q is %v, want %v", size, text, ids, want.IDs[i])
			}
			if back := tok.Decode(ids[1:], false); back != text {
				t.Errorf("size %d: %q comes back as %q", size, text, back)
			}
		}
	}
}

// TestDirectory opens what is written, with its tokens for a text's begin and end.
func TestDirectory(t *testing.T) {
	v, err := Train(slices.Values([]string{"to be or not to be"}), Options{Size: 1000, Begin: "<s>", End: "</s>"})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, data := range map[string][]byte{"tokenizer.json": v.JSON(), "tokenizer_config.json": v.ConfigJSON(64)} {
		if err := os.WriteFile(dir+"/"+name, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	tok, err := tokenizer.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	begin, _ := tok.BOS()
	if end, ok := tok.EOS(); begin != 0 || end != 1 || !ok {
		t.Errorf("texts begin with %d and end with %d, want 0 and 1", begin, end)
	}
	if !strings.Contains(string(v.JSON()), `"content": "<s>"`) {
		t.Error("the file spells its special tokens with escapes")
	}
}

func TestRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		o    Options
		want string
	}{
		"too small":  {Options{Size: 257, Begin: "<s>", End: "</s>"}, "258 is the least"},
		"no end":     {Options{Size: 300, Begin: "<s>"}, "a token each"},
		"same token": {Options{Size: 300, Begin: "<s>", End: "<s>"}, "a token each"},
	} {
		if _, err := Train(slices.Values([]string{"x"}), c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
	}
}
