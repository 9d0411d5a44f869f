package main

import (
	"errors"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"shallow/hub/hubtest"
	"shallow/internal/randommodel"
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
	server, ok := ts.Value(hubKey{}).(**hubtest.Server)
	if !ok {
		ts.Fatalf("the script has no hub")
	}
	if *server == nil {
		s, stop := hubtest.Start()
		ts.Defer(stop)
		*server = s
		ts.Setenv("HF_ENDPOINT", s.URL)
		ts.Setenv("HF_HUB_OFFLINE", "")
	}
	files, err := folderFiles(ts.MkAbs(args[1]))
	ts.Check(err)
	repo, revision, found := strings.Cut(args[0], "@")
	if !found {
		revision = "main"
	}
	(*server).Add(repo, revision, files)
}

// folderFiles are the files of a folder as the hub keeps them.
func folderFiles(dir string) (map[string]hubtest.File, error) {
	files := map[string]hubtest.File{}
	return files, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
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
	})
}

// TestInterruptDownload stops a download as Ctrl-C does; the same command goes on with it.
func TestInterruptDownload(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a process cannot be sent Ctrl-C there")
	}
	model := filepath.Join(t.TempDir(), "m")
	if err := randommodel.Write(model, 1); err != nil {
		t.Fatal(err)
	}
	files, err := folderFiles(model)
	if err != nil {
		t.Fatal(err)
	}
	weights := files["model.safetensors"].Data
	half := len(weights) / 2
	s := hubtest.New(t)
	s.Add("models/acme/tiny", "main", files)
	sent := make(chan bool)
	var once sync.Once
	s.Before = func(w http.ResponseWriter, r *http.Request) bool {
		if "http://"+r.Host != s.CDN || r.Header.Get("Range") != "" {
			return false
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(weights)))
		_, _ = w.Write(weights[:half])
		w.(http.Flusher).Flush()
		once.Do(func() { close(sent) })
		<-r.Context().Done()
		return true
	}
	home := t.TempDir()
	inspect := func() *exec.Cmd {
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		c := exec.Command(self, "inspect", "acme/tiny")
		c.Args[0] = "shallow" // by this name the test's binary is the program
		c.Env = append(os.Environ(), "HF_ENDPOINT="+s.URL, "HF_HOME="+home, "HF_HUB_CACHE=", "HF_HUB_OFFLINE=", "HF_TOKEN=")
		return c
	}
	c := inspect()
	var stderr strings.Builder
	c.Stderr = &stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	<-sent
	partial := filepath.Join(home, "hub", "models--acme--tiny", "blobs", files["model.safetensors"].ETag()+".incomplete")
	waitFor(t, func() bool { info, err := os.Stat(partial); return err == nil && info.Size() == int64(half) })
	if err := c.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	err = c.Wait()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != exitInterrupted || !strings.HasSuffix(stderr.String(), "shallow: stopped\n") {
		t.Errorf("ended with %v, want exit code %d: %s", err, exitInterrupted, stderr.String())
	}
	if out, err := inspect().CombinedOutput(); err != nil || !strings.Contains(string(out), "llama") {
		t.Errorf("%v: %s", err, out)
	}
	requests := s.Requests()
	if last := requests[len(requests)-1]; last.Range != "bytes="+strconv.Itoa(half)+"-" {
		t.Errorf("the second run asked for %+v, want the second half", last)
	}
}

// waitFor waits until something holds, for ten seconds.
func waitFor(t *testing.T, holds func() bool) {
	t.Helper()
	for began := time.Now(); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Since(began) > 10*time.Second {
			t.Fatal("it does not come")
		}
	}
}
