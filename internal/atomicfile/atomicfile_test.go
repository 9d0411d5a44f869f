package atomicfile

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "plan.json")
	for _, want := range []string{"first", "second"} {
		if err := Write(name, []byte(want)); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(name)
		if err != nil || string(got) != want {
			t.Errorf("after Write(%q): %q, %v", want, got, err)
		}
	}
	only(t, dir, "plan.json")
}

func TestAbortLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	f, err := Create(filepath.Join(dir, "states.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	f.WriteString("half")
	f.Abort()
	only(t, dir)
}

func TestErrorsNameTheFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "absent", "plan.json")
	if err := Write(name, nil); err == nil || !strings.Contains(err.Error(), name) {
		t.Errorf("in an absent folder: %v, want an error that names %s", err, name)
	}
	name = t.TempDir()
	if err := Write(name, nil); err == nil || !strings.Contains(err.Error(), name) {
		t.Errorf("over a folder: %v, want an error that names %s", err, name)
	}
}

func only(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("the folder holds %q, want %q", got, want)
	}
}
