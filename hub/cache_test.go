package hub

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"shallow/hub/hubtest"
)

// environment sets the variables that FromEnvironment reads, and no others.
func environment(t *testing.T, set map[string]string) {
	t.Helper()
	for _, name := range []string{
		"HF_ENDPOINT", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH", "HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "XDG_CACHE_HOME",
		"HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_HUB_DISABLE_SYMLINKS", "HF_HUB_DISABLE_IMPLICIT_TOKEN", "HF_HUB_DOWNLOAD_TIMEOUT",
	} {
		t.Setenv(name, set[name])
	}
	for name, value := range set {
		t.Setenv(name, value)
	}
}

func TestFromEnvironment(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the paths below are those of other systems")
	}
	home := t.TempDir()
	stored := filepath.Join(home, ".cache", "huggingface", "token")
	if err := os.MkdirAll(filepath.Dir(stored), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(stored, []byte("hf_stored\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	standard := filepath.Join(home, ".cache", "huggingface", "hub")
	for name, test := range map[string]struct {
		set                    map[string]string
		endpoint, token, cache string
		offline                bool
	}{
		"nothing":        {nil, "https://huggingface.co", "hf_stored", standard, false},
		"endpoint":       {map[string]string{"HF_ENDPOINT": "https://hf-mirror.example/"}, "https://hf-mirror.example", "hf_stored", standard, false},
		"token":          {map[string]string{"HF_TOKEN": " hf_me\r\n"}, "https://huggingface.co", "hf_me", standard, false},
		"old token":      {map[string]string{"HUGGING_FACE_HUB_TOKEN": "hf_old"}, "https://huggingface.co", "hf_old", standard, false},
		"no token":       {map[string]string{"HF_HUB_DISABLE_IMPLICIT_TOKEN": "1"}, "https://huggingface.co", "", standard, false},
		"token path":     {map[string]string{"HF_TOKEN_PATH": "~/absent"}, "https://huggingface.co", "", standard, false},
		"home":           {map[string]string{"HF_HOME": "$HOME/hf"}, "https://huggingface.co", "", filepath.Join(home, "hf", "hub"), false},
		"home, unknown":  {map[string]string{"HF_HOME": "/x/$ABSENT_VARIABLE"}, "https://huggingface.co", "", "/x/$ABSENT_VARIABLE/hub", false},
		"xdg":            {map[string]string{"XDG_CACHE_HOME": "/c"}, "https://huggingface.co", "", "/c/huggingface/hub", false},
		"cache":          {map[string]string{"HF_HUB_CACHE": "~/h", "HF_HOME": "/x"}, "https://huggingface.co", "", filepath.Join(home, "h"), false},
		"old cache":      {map[string]string{"HUGGINGFACE_HUB_CACHE": "/old"}, "https://huggingface.co", "hf_stored", "/old", false},
		"offline":        {map[string]string{"HF_HUB_OFFLINE": "yes"}, "https://huggingface.co", "hf_stored", standard, true},
		"offline 0":      {map[string]string{"HF_HUB_OFFLINE": "0", "TRANSFORMERS_OFFLINE": "1"}, "https://huggingface.co", "hf_stored", standard, false},
		"transformers'":  {map[string]string{"TRANSFORMERS_OFFLINE": "TRUE"}, "https://huggingface.co", "hf_stored", standard, true},
		"with the token": {map[string]string{"HF_HOME": filepath.Dir(stored)}, "https://huggingface.co", "hf_stored", standard, false},
	} {
		t.Run(name, func(t *testing.T) {
			environment(t, test.set)
			t.Setenv("HOME", home)
			h, err := FromEnvironment()
			if err != nil {
				t.Fatal(err)
			}
			if h.Endpoint != test.endpoint || h.Token != test.token || h.Cache != test.cache || h.Offline != test.offline {
				t.Errorf("%s, %q, %s, %v", h.Endpoint, h.Token, h.Cache, h.Offline)
			}
		})
	}
	for name, value := range map[string]string{"HF_ENDPOINT": "ftp://x", "HF_TOKEN": "a\nb", "HF_HUB_DOWNLOAD_TIMEOUT": "soon"} {
		environment(t, map[string]string{name: value})
		if _, err := FromEnvironment(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s=%q: %v", name, value, err)
		}
	}
}

func TestOffline(t *testing.T) {
	s := hubtest.New(t)
	files := tiny()
	commit := s.Add("models/acme/tiny", "main", files)
	s.Add("models/acme/tiny", "refs/pr/1", files)
	h := client(t, s)
	h.Offline = true
	for _, id := range []string{"acme/tiny", "acme/tiny@" + commit} {
		if err := modelError(t, h, id); !errors.Is(err, ErrOffline) || !strings.Contains(err.Error(), "HF_HUB_OFFLINE forbids") {
			t.Error(err)
		}
	}
	if len(s.Requests()) > 0 {
		t.Fatalf("%v was asked for", s.Requests())
	}
	h.Offline = false
	dir := mustModel(t, h, "acme/tiny")
	pull := mustModel(t, h, "acme/tiny@refs/pr/1")
	before := len(s.Requests())
	h.Offline = true
	for id, want := range map[string]string{"acme/tiny": dir, "acme/tiny@" + commit: dir, "acme/tiny@refs/pr/1": pull} {
		if got := mustModel(t, h, id); got != want {
			t.Errorf("%s is at %s, want %s", id, got, want)
		}
	}
	if len(s.Requests()) > before {
		t.Errorf("%v was asked for", s.Requests()[before:])
	}
	shard := filepath.Join(dir, "model-00002-of-00002.safetensors")
	blob, err := filepath.EvalSymlinks(shard)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(blob); err != nil {
		t.Fatal(err)
	}
	if err := modelError(t, h, "acme/tiny"); !strings.Contains(err.Error(), "but not its model-00002-of-00002.safetensors") {
		t.Error(err)
	}
	h.Offline = false
	checkFiles(t, mustModel(t, h, "acme/tiny"), tinyNames, files)
}

// TestNoNetwork has the server gone after the model came: the cache stands in, and says so.
func TestNoNetwork(t *testing.T) {
	s := hubtest.New(t)
	s.Add("models/acme/tiny", "main", tiny())
	h := client(t, s)
	dir := mustModel(t, h, "acme/tiny")
	for name, endpoint := range map[string]string{"no host": "http://hub.invalid", "no port": "http://127.0.0.1:1"} {
		var notes []string
		h.Endpoint, h.Note = endpoint, func(text string) { notes = append(notes, text) }
		h.Backoff = time.Minute // nobody waits where there is no network
		if got := mustModel(t, h, "acme/tiny"); got != dir {
			t.Errorf("%s: the model is at %s, want %s", name, got, dir)
		}
		if len(notes) != 1 || !strings.Contains(notes[0], "taking the copy in the cache") {
			t.Errorf("%s: notes %q", name, notes)
		}
		if err := modelError(t, h, "acme/other"); !errors.Is(err, ErrUnreachable) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestTruncated has a blob that lost its end: it is noticed by its size and comes anew.
func TestTruncated(t *testing.T) {
	s, h, _ := onlyWeights(t)
	dir := mustModel(t, h, "acme/tiny")
	if err := os.Truncate(filepath.Join(dir, "model.safetensors"), 1000); err != nil {
		t.Fatal(err)
	}
	mustModel(t, h, "acme/tiny")
	if info, err := os.Stat(filepath.Join(dir, "model.safetensors")); err != nil || info.Size() != 1_000_000 {
		t.Errorf("%v, %v", info, err)
	}
	if n := len(s.Requests()); n < 7 {
		t.Errorf("%d requests", n)
	}
}

// TestSharedBlob has two revisions with the same weights: they come once.
func TestSharedBlob(t *testing.T) {
	s, h, f := onlyWeights(t)
	mustModel(t, h, "acme/tiny")
	s.Add("models/acme/tiny", "v2", map[string]hubtest.File{"config.json": text("{ }"), "model.safetensors": f})
	before := len(s.Requests())
	dir := mustModel(t, h, "acme/tiny@v2")
	for _, r := range s.Requests()[before:] {
		if strings.HasSuffix(r.Path, ".safetensors") {
			t.Errorf("%s was asked for", r.Path)
		}
	}
	if info, err := os.Stat(filepath.Join(dir, "model.safetensors")); err != nil || info.Size() != 1_000_000 {
		t.Errorf("%v, %v", info, err)
	}
}

func TestWithoutLinks(t *testing.T) {
	s := hubtest.New(t)
	files := tiny()
	s.Add("models/acme/tiny", "main", files)
	h := client(t, s)
	h.NoLinks = true
	dir := mustModel(t, h, "acme/tiny")
	checkFiles(t, dir, tinyNames, files)
	if info, err := os.Lstat(filepath.Join(dir, "config.json")); err != nil || !info.Mode().IsRegular() {
		t.Errorf("%v, %v; want a file and no link", info, err)
	}
	// The copy, where the file system has no second names either.
	snap := h.snapshot(Repo{Model, "acme/tiny", "main"}, filepath.Base(dir))
	f := File{"copy/config.json", int64(len(files["config.json"].Data)), files["config.json"].ETag()}
	if err := os.MkdirAll(filepath.Join(dir, "copy"), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := snap.copy(f); err != nil || !snap.has(f.Name, f.Size) {
		t.Errorf("the copy: %v", err)
	}
}

// TestPinned reads what Python stores of a commit's listing instead of asking for it.
func TestPinned(t *testing.T) {
	s := hubtest.New(t)
	f := large(1000, 1)
	files := map[string]hubtest.File{"config.json": text("{}"), "model.safetensors": f}
	commit := s.Add("models/acme/tiny", "main", files)
	h := client(t, s)
	dir := mustModel(t, h, "acme/tiny")
	before := len(s.Requests())
	trees := filepath.Join(h.Cache, "models--acme--tiny", "trees")
	if err := os.MkdirAll(trees, 0o777); err != nil {
		t.Fatal(err)
	}
	listing := `{"format_version":1,"files":{"config.json":{"size":2,"blob_id":"` + files["config.json"].ETag() +
		`"},"model.safetensors":{"size":1000,"blob_id":"` + strings.Repeat("0", 40) + `","lfs_sha256":"` + f.ETag() + `","lfs_size":1000}}}`
	if err := os.WriteFile(filepath.Join(trees, commit+".json"), []byte(listing), 0o666); err != nil {
		t.Fatal(err)
	}
	if mustModel(t, h, "acme/tiny@"+commit) != dir {
		t.Error("the commit is elsewhere")
	}
	if len(s.Requests()) != before {
		t.Errorf("%v was asked for", s.Requests()[before:])
	}
}

// TestProcesses downloads one model from several processes at once, each of which checks what it got.
func TestProcesses(t *testing.T) {
	if cache := os.Getenv("HUB_TEST_CACHE"); cache != "" {
		h := &Hub{Endpoint: os.Getenv("HUB_TEST_ENDPOINT"), Cache: cache, Parallel: 4, Attempts: 2, Backoff: time.Millisecond, Timeout: 10 * time.Second}
		checkFiles(t, mustModel(t, h, "acme/tiny"), tinyNames, tiny())
		return
	}
	s := hubtest.New(t)
	s.Add("models/acme/tiny", "main", tiny())
	cache := filepath.Join(t.TempDir(), "hub")
	var commands []*exec.Cmd
	for range 4 {
		c := exec.Command(os.Args[0], "-test.run=^TestProcesses$")
		c.Env = append(os.Environ(), "HUB_TEST_CACHE="+cache, "HUB_TEST_ENDPOINT="+s.URL)
		c.Stderr = os.Stderr
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		commands = append(commands, c)
	}
	for _, c := range commands {
		if err := c.Wait(); err != nil {
			t.Error(err)
		}
	}
	contents := map[string]int{}
	for _, r := range s.Requests() {
		if "http://"+r.Host == s.CDN {
			contents[r.Path]++
		}
	}
	for path, n := range contents {
		if n != 1 {
			t.Errorf("%s was downloaded %d times", path, n)
		}
	}
	if len(contents) != 3 {
		t.Errorf("%d contents, want 3", len(contents))
	}
}

// TestBrokenLock has the lock not hold, as on some network file systems: the file is right all the same.
func TestBrokenLock(t *testing.T) {
	_, h, f := onlyWeights(t)
	commit, err := h.commit(context.Background(), Repo{Model, "acme/tiny", "main"})
	if err != nil {
		t.Fatal(err)
	}
	snap := h.snapshot(Repo{Model, "acme/tiny", "main"}, commit)
	errs := make(chan error)
	for range 4 {
		go func() {
			d := &download{hub: h, snapshot: snap, file: File{"model.safetensors", int64(len(f.Data)), f.ETag()}, count: func(int64) {}}
			errs <- d.run(context.Background())
		}()
	}
	for range 4 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if data, err := os.ReadFile(snap.blob(f.ETag())); err != nil || string(data) != string(f.Data) {
		t.Errorf("%d bytes, %v", len(data), err)
	}
}

// TestLockWaits holds a lock and stops the one who waits.
func TestLockWaits(t *testing.T) {
	_, h, f := onlyWeights(t)
	snap := h.snapshot(Repo{Model, "acme/tiny", "main"}, strings.Repeat("0", 40))
	file := File{"model.safetensors", int64(len(f.Data)), f.ETag()}
	release, err := h.lock(context.Background(), snap, file)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	if _, err := h.lock(ctx, snap, file); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v, want that the lock is held", err)
	}
	release()
	release, err = h.lock(context.Background(), snap, file)
	if err != nil {
		t.Fatal(err)
	}
	release()
}
