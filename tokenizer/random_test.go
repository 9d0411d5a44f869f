package tokenizer

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"testing"
)

// Random tokenizer.json files, against the tokenizers library (internal/reference/random_tokenizers.py).
func TestRandomTokenizers(t *testing.T) {
	path := os.Getenv("RANDOM_TOKENIZERS")
	if path == "" {
		path = "testdata/random.jsonl.gz"
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	r := bufio.NewScanner(z)
	r.Buffer(nil, 16<<20)
	files := 0
	for ; r.Scan(); files++ {
		var v struct {
			File  json.RawMessage
			Cases []struct {
				Text, Decoded string
				IDs           []int
				IDsSpecial    []int `json:"ids_special"`
			}
		}
		if err := json.Unmarshal(r.Bytes(), &v); err != nil {
			t.Fatal(err)
		}
		tok, err := Parse(v.File)
		if err != nil {
			t.Errorf("file %d: %v", files, err)
			continue
		}
		var parts map[string]json.RawMessage
		if err := json.Unmarshal(v.File, &parts); err != nil {
			t.Fatal(err)
		}
		about := fmt.Sprintf("normalizer %s, pre_tokenizer %s, decoder %s", parts["normalizer"], parts["pre_tokenizer"], parts["decoder"])
		for _, c := range v.Cases {
			if got := tok.Encode(c.Text, false); !slices.Equal(got, c.IDs) {
				t.Errorf("file %d, %s: %q\n got %v\nwant %v", files, about, c.Text, got, c.IDs)
				break
			}
			if got := tok.Encode(c.Text, true); !slices.Equal(got, c.IDsSpecial) {
				t.Errorf("file %d, %s: %q with special tokens\n got %v\nwant %v", files, about, c.Text, got, c.IDsSpecial)
				break
			}
			if got := tok.Decode(c.IDs, false); got != c.Decoded {
				t.Errorf("file %d, %s: %v decoded\n got %q\nwant %q", files, about, c.IDs, got, c.Decoded)
				break
			}
		}
		if tok.Err() != nil {
			t.Errorf("file %d: %v", files, tok.Err())
		}
	}
	if r.Err() != nil || files < 100 {
		t.Errorf("%d files, %v", files, r.Err())
	}
}
