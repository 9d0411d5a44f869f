package dataset

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var (
	mmlu  = Split{Path: "cais/mmlu", Config: "astronomy", Split: "test", Task: "mmlu_astronomy"}
	arc   = Split{Path: "allenai/ai2_arc", Config: "ARC-Easy", Split: "validation", Task: "arc_easy"}
	gsm8k = Split{Path: "openai/gsm8k", Config: "main", Split: "test", Task: "gsm8k"}
	piqa  = Split{Path: "baber/piqa", Split: "validation", Task: "piqa"}
	own   = Split{Path: "me/own", Split: "validation", Task: "my_task@v2"}
	c4    = Split{Path: "allenai/c4", Config: "en", Split: "validation", Task: "c4"}
)

func with(s Split, split string) Split {
	s.Split = split
	return s
}

// TestLayouts finds files where they may be. Their content does not matter to what is found.
func TestLayouts(t *testing.T) {
	for _, c := range []struct {
		split Split
		files string // separated by blanks
		want  string // what is found, or an error; "" for nothing
	}{
		{gsm8k, "openai/gsm8k/main/test-00000-of-00001.parquet", "openai/gsm8k/main/test-00000-of-00001.parquet"},
		{gsm8k, "openai/gsm8k/main/test-00001-of-00002.parquet openai/gsm8k/main/test-00000-of-00002.parquet", "openai/gsm8k/main/test-00000-of-00002.parquet openai/gsm8k/main/test-00001-of-00002.parquet"},
		{gsm8k, "openai/gsm8k/main/test-00001-of-00002.parquet", "files of the split are missing: there are 1 of 2"},
		{gsm8k, "openai___gsm8k/main/test-00000-of-00001-8a7b.parquet", "openai___gsm8k/main/test-00000-of-00001-8a7b.parquet"},
		{gsm8k, "gsm8k/main/test/0001.parquet gsm8k/main/test/0000.parquet", "gsm8k/main/test/0000.parquet gsm8k/main/test/0001.parquet"},
		{gsm8k, "gsm8k/data/main/test.jsonl", "gsm8k/data/main/test.jsonl"},
		{gsm8k, "gsm8k/test.jsonl gsm8k/train.jsonl", "gsm8k/test.jsonl"},
		{gsm8k, "eval/gsm8k/test.jsonl", "eval/gsm8k/test.jsonl"},
		{gsm8k, "data/gsm8k-test.jsonl", "data/gsm8k-test.jsonl"},
		{gsm8k, "gsm8k-test.csv gsm8k-test.json", "gsm8k-test.json"},
		{gsm8k, "main/test.jsonl", "main/test.jsonl"},
		{gsm8k, "gsm8k/Test.jsonl.gz", "gsm8k/Test.jsonl.gz"},
		{gsm8k, "gsm8k/test.jsonl gsm8k/test-00000-of-00001.parquet", "gsm8k/test-00000-of-00001.parquet"},
		{gsm8k, "gsm8k/test.xml gsm8k/testing-notes.txt gsm8k/retest.jsonl test.jsonl", ""},
		{mmlu, "mmlu/test/astronomy_test.csv mmlu/dev/astronomy_dev.csv", "mmlu/test/astronomy_test.csv"},
		{mmlu, "test/astronomy_test.csv", "test/astronomy_test.csv"},
		{mmlu, "cais/mmlu/astronomy/test-00000-of-00001.parquet", "cais/mmlu/astronomy/test-00000-of-00001.parquet"},
		{mmlu, "mmlu_astronomy/test.jsonl", "mmlu_astronomy/test.jsonl"},
		{mmlu, "astronomy/test.jsonl", "astronomy/test.jsonl"},
		{mmlu, "mmlu/all/test-00000-of-00001.parquet", "mmlu/all/test-00000-of-00001.parquet"},
		{mmlu, "mmlu/test.parquet", ""}, // whose?
		{with(mmlu, "dev"), "mmlu/astronomy/validation.jsonl", ""},
		{with(mmlu, "validation"), "mmlu/astronomy/dev.jsonl", ""},
		{with(mmlu, "validation"), "mmlu/val/astronomy_val.csv", "mmlu/val/astronomy_val.csv"},
		{arc, "arc/ARC-Easy-Dev.jsonl arc/ARC-Challenge-Dev.jsonl", "arc/ARC-Easy-Dev.jsonl"},
		{arc, "arc/ARC-Easy/ARC-Easy-Dev.jsonl", ""},
		{arc, "arc/validation.jsonl", ""},
		{arc, "ai2_arc/ARC-Easy/validation-00000-of-00001.parquet", "ai2_arc/ARC-Easy/validation-00000-of-00001.parquet"},
		{piqa, "piqa/test-instruction-form.json", "piqa/test-instruction-form.json"},
		{piqa, "ybisk/piqa/plain_text/validation/0000.parquet", "ybisk/piqa/plain_text/validation/0000.parquet"},
		{with(piqa, "test"), "piqa/test-instruction-form.json", ""},
		{own, "my_task-dev.jsonl", "my_task-dev.jsonl"},
		{own, "my_task-dev.jsonl my_task-validation.jsonl", "my_task-validation.jsonl"},
		{with(own, "dev"), "my_task-dev.jsonl my_task-validation.jsonl", "my_task-dev.jsonl"},
		{own, "my_task/val-20.jsonl", "my_task/val-20.jsonl"},
		{own, "my_task/val-20.jsonl my_task/val-30.jsonl", "val-20.jsonl and val-30.jsonl are both files of the split"},
		{own, "me/own/data/validation-00000-of-00001.parquet", "me/own/data/validation-00000-of-00001.parquet"},
		{with(own, "holdout"), "own/holdout.jsonl", "own/holdout.jsonl"},
		{c4, "c4/en/c4-validation.00000-of-00008.json.gz", "c4/en/c4-validation.00000-of-00008.json.gz"},
		{c4, "allenai/c4/en/c4-validation.00001-of-00002.json.gz allenai/c4/en/c4-validation.00000-of-00002.json.gz", "allenai/c4/en/c4-validation.00000-of-00002.json.gz"},
		{c4, "text/c4/c4-300.json", "text/c4/c4-300.json"},
		{with(c4, "train"), "text/c4/c4-300.json", ""},
		{Split{Path: "aps/super_glue", Config: "boolq", Split: "validation", Task: "boolq"}, "boolq/val.jsonl", "boolq/val.jsonl"},
		{Split{Path: "aps/super_glue", Config: "boolq", Split: "validation", Task: "x"}, "super_glue/boolq/validation.jsonl boolq/val.jsonl", "super_glue/boolq/validation.jsonl"},
	} {
		files := map[string]string{}
		for _, name := range strings.Fields(c.files) {
			files[name] = ""
		}
		dir := write(t, files)
		found, err := Open([]string{t.TempDir(), dir}, nil).find(c.split, knownOf(c.split))
		got := ""
		var missing *MissingError
		switch {
		case err == nil:
			for _, file := range found.files {
				name, _ := filepath.Rel(dir, file)
				got += " " + filepath.ToSlash(name)
			}
		case !errors.As(err, &missing):
			got = err.Error()
		}
		if got = strings.TrimSpace(got); got != c.want && (err == nil || c.want == "" || !strings.Contains(got, c.want)) {
			t.Errorf("%s in %s: found %q, want %q", c.split, c.files, got, c.want)
		}
	}
}

// TestOwnFolder gives the data set's folder itself.
func TestOwnFolder(t *testing.T) {
	dir := write(t, map[string]string{"gsm8k/test.jsonl": `{"question":"q","answer":"a"}`})
	for _, c := range []struct {
		dirs []string
		path string
	}{{[]string{filepath.Join(dir, "gsm8k")}, "openai/gsm8k"}, {nil, filepath.Join(dir, "gsm8k")}} {
		table, err := Open(c.dirs, nil).Rows(context.Background(), Split{Path: c.path, Split: "test", Task: "gsm8k"})
		if err != nil || len(table.Rows) != 1 {
			t.Errorf("%v, %v", table, err)
		}
	}
}

func TestWrongNames(t *testing.T) {
	dir := write(t, map[string]string{"a.jsonl": "{}"})
	for _, c := range []struct {
		dir   string
		split Split
		want  string
	}{
		{filepath.Join(dir, "absent"), gsm8k, "--data"},
		{filepath.Join(dir, "a.jsonl"), gsm8k, "is a file: name the folder"},
		{dir, Split{Path: "x", Config: "../..", Split: "test"}, "is no name"},
		{dir, Split{Path: "x", Split: "/etc/passwd"}, "is no name"},
		{dir, Split{Path: "../x", Split: "test"}, "not in"},
	} {
		if _, err := Open([]string{c.dir}, nil).Rows(context.Background(), c.split); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v", c.split, err)
		}
	}
	if _, err := Open(nil, nil).Rows(context.Background(), Split{Path: "x", Split: "test", Files: []string{filepath.Join(dir, "absent.jsonl")}}); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	var missing *MissingError
	if _, err := Open(nil, nil).Rows(context.Background(), gsm8k); !errors.As(err, &missing) || !strings.Contains(err.Error(), "no folder of data sets is given") {
		t.Error(err)
	}
}
