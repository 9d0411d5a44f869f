package hub

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"shallow/hub/hubtest"
)

// TestPython has huggingface_hub read our cache and us read its own. It needs SHALLOW_PYTHON, a Python that has the package.
func TestPython(t *testing.T) {
	python := os.Getenv("SHALLOW_PYTHON")
	if python == "" {
		t.Skip("SHALLOW_PYTHON names no Python with huggingface_hub")
	}
	s := hubtest.New(t)
	files := tiny()
	commit := s.Add("models/acme/tiny", "main", files)
	whole := s.Add("models/acme/whole", "main", files)
	h := client(t, s)
	mustModel(t, h, "acme/tiny")
	theirs := filepath.Join(t.TempDir(), "hub")
	before := len(s.Requests())
	out, err := exec.Command(python, filepath.Join("testdata", "interop.py"), s.URL, commit, h.Cache, theirs).CombinedOutput()
	if err != nil || !strings.HasSuffix(string(out), "ok\n") {
		t.Fatalf("%v\n%s", err, out)
	}
	if len(s.Requests()) == before {
		t.Error("Python asked for nothing")
	}
	h.Cache, h.Offline = theirs, true
	before = len(s.Requests())
	for _, id := range []string{"acme/whole", "acme/whole@" + whole} {
		checkSome(t, mustModel(t, h, id), tinyNames, files)
	}
	checkSome(t, mustModel(t, h, "acme/tiny"), []string{"config.json", "model-00002-of-00002.safetensors"}, files)
	if len(s.Requests()) > before {
		t.Errorf("%v was asked for", s.Requests()[before:])
	}
	// Online only what the single files lack comes.
	h.Offline = false
	checkSome(t, mustModel(t, h, "acme/tiny"), tinyNames, files)
	for _, r := range s.Requests()[before:] {
		if strings.HasSuffix(r.Path, ".safetensors") {
			t.Errorf("%s was downloaded again", r.Path)
		}
	}
}

// checkSome compares files of a folder that may have more.
func checkSome(t *testing.T, dir string, names []string, files map[string]hubtest.File) {
	t.Helper()
	for _, name := range names {
		data, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
		if err != nil || string(data) != string(files[name].Data) {
			t.Errorf("%s: %d bytes, %v", name, len(data), err)
		}
	}
}
