package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"shallow/eval"
	"shallow/internal/randommodel"
)

// TestEvalLock: an evaluation into a directory where another is at work is refused; one that is compared with that is not.
func TestEvalLock(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	if err := randommodel.Write(at("m"), 1); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"sums.yaml":            "task: sums\ndataset_path: sums\ntest_split: test\noutput_type: multiple_choice\ndoc_to_text: q\ndoc_to_choice: ['2', '3']\ndoc_to_target: right\n",
		"data/sums/test.jsonl": `{"q": "1 + 1 =", "right": 0}` + "\n",
	} {
		if err := os.MkdirAll(filepath.Dir(at(name)), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at(name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	run := func(flags ...string) error {
		t.Helper()
		var c evalCommand
		parser, err := kong.New(&c)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parser.Parse(append([]string{at("m"), "--tasks", at("sums.yaml"), "--data", at("data"), "-q"}, flags...)); err != nil {
			t.Fatal(err)
		}
		return c.Run(t.Context())
	}
	if err := run("-o", at("scores")); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(at("scores/eval.journal"))
	if err != nil {
		t.Fatal(err)
	}
	unlock, err := eval.Lock(at("scores"))
	if err != nil {
		t.Fatal(err)
	}
	if err := run("-o", at("scores")); !errors.Is(err, eval.ErrBusy) || !strings.Contains(err.Error(), at("scores")) {
		t.Errorf("two into one directory: %v", err)
	}
	if err := run("--layers", "3:5", "--baseline", at("scores"), "-o", at("cut")); err != nil {
		t.Errorf("beside one that is under way: %v", err)
	}
	if after, err := os.ReadFile(at("scores/eval.journal")); err != nil || string(after) != string(before) {
		t.Errorf("its journal was changed (%v)", err)
	}
	unlock()
	if err := run("-o", at("scores")); err != nil {
		t.Errorf("when it is through: %v", err)
	}
	// Beside the results that the same directory has.
	if err := run("--layers", "3:5", "--baseline", at("scores"), "-o", at("scores")); err != nil {
		t.Errorf("beside what will be replaced: %v", err)
	}
}
