package eval_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"shallow/eval"
	"shallow/internal/shared"
)

func TestLock(t *testing.T) {
	dir := t.TempDir()
	unlock, err := eval.Lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := eval.Lock(dir); !errors.Is(err, eval.ErrBusy) || !strings.HasPrefix(err.Error(), "eval: "+dir+": ") {
		t.Errorf("a directory that is taken: %v", err)
	}
	if other, err := eval.Lock(t.TempDir()); err != nil {
		t.Errorf("another directory: %v", err)
	} else {
		other()
	}
	unlock()
	if unlock, err = eval.Lock(dir); err != nil {
		t.Fatalf("a directory that was given back: %v", err)
	}
	unlock()
	if _, err := eval.Lock(filepath.Join(dir, "nowhere")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a directory that is not there: %v", err)
	}
}

// TestReadOnly uses what another evaluation has kept and leaves it as it is.
func TestReadOnly(t *testing.T) {
	m, o := model(t, shared.Dir(t, "reference", "eval", "gpt2-tok"), 1)
	o = fewOptions(o)
	o.Journal = filepath.Join(t.TempDir(), eval.JournalFile)
	o.ReadOnly = true
	known, fresh := 0, 0
	o.Begin = func(f eval.Forecast) { known, fresh = known+f.Known, fresh+f.Requests }
	run := func(tasks ...string) string {
		t.Helper()
		known, fresh = 0, 0
		v, err := eval.Run(context.Background(), m, load(t, tasks...), o)
		if err != nil {
			t.Fatal(err)
		}
		return samples(t, v, o)
	}
	want := run("boolq", "gsm8k")
	if _, err := os.Stat(o.Journal); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a journal is begun: %v", err)
	}
	o.ReadOnly = false
	run("boolq")
	before, err := os.ReadFile(o.Journal)
	if err != nil {
		t.Fatal(err)
	}
	// The other one is just writing.
	before = append(before, `{"key":"01234567`...)
	if err := os.WriteFile(o.Journal, before, 0o666); err != nil {
		t.Fatal(err)
	}
	o.ReadOnly = true
	if run("boolq", "gsm8k") != want {
		t.Error("other results than without a journal")
	}
	if fresh == 0 {
		t.Error("nothing was left to compute")
	}
	if run("boolq"); fresh > 0 {
		t.Errorf("%d requests are computed that are known", fresh)
	}
	if after, err := os.ReadFile(o.Journal); err != nil || !slices.Equal(after, before) {
		t.Errorf("the journal was changed (%v)", err)
	}
}
