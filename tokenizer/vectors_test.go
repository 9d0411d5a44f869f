package tokenizer

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"shallow/internal/shared"
)

// tokenizers are the names of the vectors and where the tokenizer of each lies.
var tokenizers = map[string][]string{
	"llama2":     {"data", "tokenizers", "llama2"},
	"phi-2":      {"data", "tokenizers", "phi-2"},
	"phi-3-mini": {"data", "tokenizers", "phi-3-mini"},
	"llama3":     {"reference", "tokenizers", "llama3"},
	"qwen2.5":    {"reference", "tokenizers", "qwen2.5"},
	"gpt2":       {"reference", "tokenizers", "gpt2"},
	"mistral-v1": {"reference", "tokenizers", "mistral-v1"},
	"mistral-v3": {"reference", "tokenizers", "mistral-v3"},
}

// open is the tokenizer of that name, read once for all tests.
func open(t testing.TB, name string) *Tokenizer {
	t.Helper()
	elem := tokenizers[name]
	if form, ok := strings.CutPrefix(name, "tiny-"); ok {
		elem = []string{"reference", "tokenizers", "tiny", form}
	}
	path := shared.Dir(t, elem...)
	openMutex.Lock()
	defer openMutex.Unlock()
	if tok, ok := opened[name]; ok {
		return tok
	}
	tok, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	opened[name] = tok
	return tok
}

var (
	openMutex sync.Mutex
	opened    = map[string]*Tokenizer{}
)

// lines decodes each line of a JSONL file.
func lines[T any](t testing.TB, path string) (all []T) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := bufio.NewScanner(f)
	r.Buffer(nil, 16<<20)
	for r.Scan() {
		var v T
		if err := json.Unmarshal(r.Bytes(), &v); err != nil {
			t.Fatal(err)
		}
		all = append(all, v)
	}
	if r.Err() != nil || len(all) == 0 {
		t.Fatalf("%s: %d lines, %v", path, len(all), r.Err())
	}
	return all
}

func TestVectors(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(shared.Dir(t, "reference", "tokenizers", "vectors"), "*.jsonl"))
	if err != nil || len(files) < 23 {
		t.Fatalf("%d files of vectors, %v", len(files), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".jsonl")
		t.Run(name, func(t *testing.T) {
			tok := open(t, name)
			for i, v := range lines[struct {
				Kind, Text, Decoded string
				IDs                 []int
				IDsSpecial          []int `json:"ids_special"`
			}](t, file) {
				if got := tok.Encode(v.Text, false); !slices.Equal(got, v.IDs) {
					t.Errorf("line %d (%s): ids of %.60q\n got %.200v\nwant %.200v", i+1, v.Kind, v.Text, got, v.IDs)
				}
				if got := tok.Encode(v.Text, true); !slices.Equal(got, v.IDsSpecial) {
					t.Errorf("line %d (%s): ids with special tokens of %.60q\n got %.200v\nwant %.200v", i+1, v.Kind, v.Text, got, v.IDsSpecial)
				}
				if got := tok.Decode(v.IDs, false); got != v.Decoded {
					t.Errorf("line %d (%s): decoded\n got %.100q\nwant %.100q", i+1, v.Kind, got, v.Decoded)
				}
			}
			if err := tok.Err(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestStreamVectors(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(shared.Dir(t, "reference", "tokenizers", "stream"), "*.jsonl"))
	if err != nil || len(files) < 12 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".jsonl")
		t.Run(name, func(t *testing.T) {
			s := open(t, name).Stream()
			for i, v := range lines[struct {
				Text, Flush string
				IDs         []int
				Pieces      []string
			}](t, file) {
				for j, id := range v.IDs {
					if got := s.Add(id); got != v.Pieces[j] {
						t.Fatalf("line %d (%.40q), id %d (%d): %q, want %q", i+1, v.Text, j, id, got, v.Pieces[j])
					}
				}
				if got := s.Flush(); got != v.Flush {
					t.Errorf("line %d (%.40q): flush %q, want %q", i+1, v.Text, got, v.Flush)
				}
			}
		})
	}
}

func TestStories(t *testing.T) {
	dir := shared.Dir(t, "reference", "models", "stories260K")
	tok, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(dir, "expected.json"))
	if err != nil {
		t.Fatal(err)
	}
	var want struct {
		Cases []struct {
			Text string
			IDs  []int
		} `json:"tokenizer_cases"`
		Greedy []int `json:"greedy_ids"`
	}
	if err := json.Unmarshal(data, &want); err != nil || len(want.Cases) == 0 {
		t.Fatalf("%d cases, %v", len(want.Cases), err)
	}
	for _, c := range want.Cases {
		if got := tok.Encode(c.Text, true); !slices.Equal(got, c.IDs) {
			t.Errorf("%q: %v, want %v", c.Text, got, c.IDs)
		}
	}
	greedy, err := os.ReadFile(filepath.Join(shared.Dir(t, "data", "models", "stories260K"), "greedy-200.txt"))
	if err != nil {
		t.Fatal(err)
	}
	if got := tok.Decode(want.Greedy, true); strings.TrimSpace(got) != strings.TrimSpace(string(greedy)) {
		t.Errorf("greedy ids decode to %q, want %q", got, greedy)
	}
}
