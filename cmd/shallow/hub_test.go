package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"shallow/hub/hubtest"
)

// setUpHub gives a script a cache of its own and no network.
func setUpHub(e *testscript.Env) error {
	e.Setenv("HF_HOME", filepath.Join(e.WorkDir, "hf"))
	e.Setenv("HF_HUB_OFFLINE", "1")
	e.Values[hubKey{}] = new(*hubtest.Server)
	return nil
}

type hubKey struct{}

// serveHub adds a folder to the script's hub and lets the program use it.
func serveHub(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: hub REPO DIR")
	}
	server := ts.Value(hubKey{}).(**hubtest.Server)
	if *server == nil {
		s, stop := hubtest.Start()
		ts.Defer(stop)
		*server = s
		ts.Setenv("HF_ENDPOINT", s.URL)
		ts.Setenv("HF_HUB_OFFLINE", "")
	}
	files := map[string]hubtest.File{}
	dir := ts.MkAbs(args[1])
	ts.Check(filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		files[filepath.ToSlash(name)] = hubtest.File{Data: data, Large: strings.HasSuffix(path, ".safetensors")}
		return err
	}))
	repo, revision, found := strings.Cut(args[0], "@")
	if !found {
		revision = "main"
	}
	(*server).Add(repo, revision, files)
}
