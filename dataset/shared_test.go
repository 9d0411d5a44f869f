package dataset

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"shallow/internal/shared"
)

// reference is what the script that made the evaluation fixtures makes of a file: testdata/rows.py wrote it.
type reference struct {
	Path, Config, Split, Task string
	Rows                      int
	SHA256                    string // of the rows as JSON, a line each, keys sorted, ASCII
	First                     Row    // of some
}

// TestReference reads the data sets beside the repository, from each folder that may be given, and compares all rows with
// the script's.
func TestReference(t *testing.T) {
	data, err := os.ReadFile("testdata/rows.json")
	if err != nil {
		t.Fatal(err)
	}
	var references []reference
	if err := json.Unmarshal(data, &references); err != nil {
		t.Fatal(err)
	}
	for _, dirs := range [][]string{{shared.Dir(t, "data")}, {shared.Dir(t, "data", "eval"), shared.Dir(t, "data", "text")}} {
		s := Open(dirs, nil)
		for _, want := range references {
			table, err := s.Rows(context.Background(), Split{Path: want.Path, Config: want.Config, Split: want.Split, Task: want.Task})
			if err != nil {
				t.Errorf("%s %s: %v", want.Task, want.Split, err)
				continue
			}
			sum, lines := sha256.New(), 0
			for i, row := range table.Rows {
				line := asPython(t, row, want.Path)
				if first := asPython(t, want.First, ""); i == 0 && want.First != nil && line != first {
					t.Errorf("%s %s: the first row is %s, want %s", want.Task, want.Split, line, first)
				}
				sum.Write([]byte(line + "\n"))
				lines++
			}
			if got := hex.EncodeToString(sum.Sum(nil)); lines != want.Rows || got != want.SHA256 {
				t.Errorf("%s %s: %d rows, %s; want %d, %s", want.Task, want.Split, lines, got, want.Rows, want.SHA256)
			}
			if len(table.Files) != 1 || table.Files[0].Rows != lines || len(table.Files[0].SHA256) != 64 || table.Skipped != 0 {
				t.Errorf("%s %s: %+v, %d skipped", want.Task, want.Split, table.Files, table.Skipped)
			}
		}
	}
}

// asPython is a row as Python's json.dumps writes it with sorted keys. The script makes no subject.
func asPython(t *testing.T, row Row, path string) string {
	t.Helper()
	if path == "cais/mmlu" {
		delete(row, "subject")
	}
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(row); err != nil {
		t.Fatal(err)
	}
	// Go writes letters as they are but these two, and \u007f as it is, as Python does where it is not told to keep to ASCII.
	return strings.NewReplacer(`\u2028`, "\u2028", `\u2029`, "\u2029").Replace(strings.TrimSuffix(b.String(), "\n"))
}

func TestSharedMissing(t *testing.T) {
	s := Open([]string{shared.Dir(t, "data")}, nil)
	for _, c := range []struct {
		split Split
		want  []string
	}{
		{Split{Path: "cais/mmlu", Config: "alchemy", Split: "test", Task: "mmlu_alchemy"}, []string{"alchemy", "mmlu_alchemy-test.jsonl", "cais/mmlu/alchemy/test", "abstract_algebra_test.csv", "without --data the hub is asked"}},
		{Split{Path: "cais/mmlu", Config: "astronomy", Split: "validation", Task: "mmlu_astronomy"}, []string{"validation"}},
		{Split{Path: "Rowan/hellaswag", Split: "train", Task: "hellaswag"}, []string{"there is", filepath.Join("hellaswag", "val-1000.jsonl")}},
		{Split{Path: "baber/piqa", Split: "test", Task: "piqa"}, []string{"test-instruction-form.json"}},
		{Split{Path: "openai/gsm8k", Config: "main", Split: "validation", Task: "gsm8k"}, []string{"gsm8k"}},
	} {
		_, err := s.Rows(context.Background(), c.split)
		var missing *MissingError
		if !errors.As(err, &missing) || len(missing.Looked) == 0 {
			t.Errorf("%v: %v", c.split, err)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%v: %v has no %q", c.split, err, want)
			}
		}
	}
}
