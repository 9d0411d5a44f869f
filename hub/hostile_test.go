package hub

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"shallow/hub/hubtest"
)

func zipped(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

var badNames = []string{
	"", ".", "..", "../x.py", "a/../../x.py", "/etc/x.py", "a//b.py", "a/", "./x.py", `..\x.py`, `a\b.py`, "C:/x.py", "c:x.py", "a/C:x.py",
	"x\x00.py", "x\n.py", "\x7f.py", "\xff.py", strings.Repeat("x", 256) + ".py", strings.Repeat("x/", 600) + ".py",
}

func TestCheckName(t *testing.T) {
	for _, name := range badNames {
		if checkName(name) == nil {
			t.Errorf("%q is taken", name)
		}
	}
	for _, name := range []string{"config.json", "a/b/c.py", ".gitattributes", "..x", "x..y", "data/2020-01-01T10:00.json", "größe.txt", "a b"} {
		if err := checkName(name); err != nil {
			t.Errorf("%q %v", name, err)
		}
	}
}

// TestHostileListing has names that lead out of the snapshot. Nothing is written at all.
func TestHostileListing(t *testing.T) {
	for _, name := range badNames {
		if !strings.HasSuffix(name, ".py") || strings.Contains(name, "\xff") { // JSON has no such bytes
			continue
		}
		s := hubtest.New(t)
		s.Add("models/acme/evil", "main", map[string]hubtest.File{"config.json": text("{}"), "model.safetensors": large(100, 1), name: text("evil")})
		h := client(t, s)
		err := modelError(t, h, "acme/evil")
		if !strings.Contains(err.Error(), "the listing has a file whose name") {
			t.Errorf("%q: %v", name, err)
		}
		entries, err := os.ReadDir(filepath.Dir(h.Cache))
		if err != nil || len(entries) != 0 {
			t.Errorf("%q: %v was written, %v", name, entries, err)
		}
	}
}

// TestLinkInTheWay has a folder of the snapshot lead elsewhere, as a listing with a file and a folder of one name could try.
func TestLinkInTheWay(t *testing.T) {
	s := hubtest.New(t)
	commit := s.Add("models/acme/evil", "main", map[string]hubtest.File{"config.json": text("{}"), "model.safetensors": large(100, 1), "code/x.py": text("evil")})
	h := client(t, s)
	outside := t.TempDir()
	dir := filepath.Join(h.Cache, "models--acme--evil", "snapshots", commit)
	if err := os.MkdirAll(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(dir, "code")); err != nil {
		t.Skip(err)
	}
	modelError(t, h, "acme/evil")
	if entries, err := os.ReadDir(outside); err != nil || len(entries) > 0 {
		t.Errorf("%v was written outside, %v", entries, err)
	}
}

// TestHostileAnswers has answers that are no listing.
func TestHostileAnswers(t *testing.T) {
	hash := strings.Repeat("a", 40)
	for name, test := range map[string]struct{ revision, tree, says string }{
		"no commit":     {`{"sha":"../../x"}`, `[]`, `gives "../../x" for a commit`},
		"no JSON":       {`<html>`, `[]`, "does not answer as a hub does"},
		"no list":       {"", `{"error":"x"}`, "does not answer as a hub does"},
		"deep JSON":     {"", strings.Repeat("[", 100_000), "does not answer as a hub does"},
		"no hash":       {"", `[{"type":"file","path":"config.json","size":1,"oid":"../../../x"}]`, "which cannot be"},
		"negative size": {"", `[{"type":"file","path":"config.json","size":-1,"oid":"` + hash + `"}]`, "which cannot be"},
		"twice":         {"", `[{"type":"file","path":"a","size":1,"oid":"` + hash + `"},{"type":"file","path":"a","size":2,"oid":"` + hash + `"}]`, `has "a" twice`},
		"too long":      {"", `["` + strings.Repeat("x", maxPage) + `"]`, "more than 32 MB"},
		"too large":     {"", `[{"type":"file","path":"model.safetensors","size":9000000000000000000,"oid":"` + hash + `"}]`, "make room"},
	} {
		t.Run(name, func(t *testing.T) {
			s := hubtest.New(t)
			s.Before = func(w http.ResponseWriter, r *http.Request) bool {
				answer := test.tree
				if strings.Contains(r.URL.Path, "/revision/") {
					if answer = test.revision; answer == "" {
						answer = `{"sha":"` + hash + `"}`
					}
				}
				fmt.Fprint(w, answer)
				return true
			}
			if err := modelError(t, client(t, s), "acme/evil"); !strings.Contains(err.Error(), test.says) {
				t.Errorf("%v, want %q", err, test.says)
			}
		})
	}
}

// TestEndlessListing has a next page after every page.
func TestEndlessListing(t *testing.T) {
	s := hubtest.New(t)
	s.Before = func(w http.ResponseWriter, r *http.Request) bool {
		if strings.Contains(r.URL.Path, "/revision/") {
			fmt.Fprintf(w, `{"sha":%q}`, strings.Repeat("a", 40))
			return true
		}
		w.Header().Set("Link", "<"+r.URL.Path+`>; rel="next"`)
		fmt.Fprint(w, "[]")
		return true
	}
	if err := modelError(t, client(t, s), "acme/evil"); !strings.Contains(err.Error(), "pages") {
		t.Error(err)
	}
	if n := len(s.Requests()); n > maxPages+1 {
		t.Errorf("%d requests", n)
	}
}

// TestNextPage never leads to another host.
func TestNextPage(t *testing.T) {
	h := &Hub{Endpoint: "https://mirror.example/hf"}
	for link, want := range map[string]string{
		"": "",
		`<https://huggingface.co/api/models/a/tree/x?cursor=1>; rel="next"`:                                 "https://mirror.example/hf/api/models/a/tree/x?cursor=1",
		`<https://a.example/api/models/x>; rel="prev", <https://evil.example/api/models/y?c=2>; rel="next"`: "https://mirror.example/hf/api/models/y?c=2",
		`<https://huggingface.co/api/models/a/tree/x?cursor=1>; rel="prev"`:                                 "",
		`<https://evil.example/steal>; rel="next"`:                                                          "error",
		`<//evil.example/proxy/api/models/x>; rel=next`:                                                     "https://mirror.example/hf/api/models/x?",
		`<https://huggingface.co/api/models/a/tree/refs%2Fpr%2F1/b%20c?cursor=%3D>; rel="next"`:             "https://mirror.example/hf/api/models/a/tree/refs%2Fpr%2F1/b%20c?cursor=%3D",
	} {
		got, err := h.nextPage(Repo{Model, "a", "main"}, http.Header{"Link": {link}})
		if err != nil {
			got = "error"
		}
		if got != want {
			t.Errorf("%s: %s, want %s", link, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"gpt2", "Qwen/Qwen3-0.6B@refs/pr/1", "allenai/c4:en/validation", "a/b@main:train", "../x", "a--b/c", "a/b:", "C:\\x", "a/b@../..", "./a/b", "~/x"} {
		f.Add(seed)
	}
	cache := f.TempDir()
	f.Fuzz(func(t *testing.T, text string) {
		var repos []Repo
		if repo, err := ParseModel(text); err == nil {
			repos = append(repos, repo)
		}
		if split, err := ParseDataset(text); err == nil {
			repos = append(repos, split.Repo)
			if checkName("x/"+split.Config) != nil && split.Config != "" || strings.ContainsAny(split.Config+split.Split, "/\\\x00") {
				t.Errorf("%q: config %q, split %q", text, split.Config, split.Split)
			}
		}
		for _, repo := range repos {
			root := filepath.Join(cache, repo.folder())
			if filepath.Dir(root) != cache || strings.Contains(repo.ID, "..") {
				t.Errorf("%q lies at %s", text, root)
			}
			refs := filepath.Join(root, "refs")
			if ref := filepath.Join(refs, filepath.FromSlash(repo.Revision)); !strings.HasPrefix(ref, refs+string(filepath.Separator)) {
				t.Errorf("%q: the ref lies at %s", text, ref)
			}
		}
	})
}

func FuzzListing(f *testing.F) {
	f.Add(`[{"type":"file","path":"../x","size":1,"oid":"aa"}]`)
	f.Add(`[{"type":"file","path":"a/b.parquet","size":1,"oid":"` + strings.Repeat("a", 40) + `"},{"type":"file","path":"en/train-00000-of-00001.parquet","size":2,"oid":"b","lfs":{"oid":"` + strings.Repeat("b", 64) + `","size":3}}]`)
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, listing string) {
		var entries []entry
		if json.Unmarshal([]byte(listing), &entries) != nil {
			return
		}
		var files []File
		for _, e := range entries {
			file, err := e.file()
			if err != nil || e.Type != "file" {
				continue
			}
			if file.Size < 0 || strings.ContainsAny(file.ETag, "/.\\") {
				t.Fatalf("%+v is taken", file)
			}
			files = append(files, file)
			if checkName(file.Name) != nil {
				continue
			}
			if path := filepath.Join(dir, filepath.FromSlash(file.Name)); !strings.HasPrefix(path, dir+string(filepath.Separator)) {
				t.Fatalf("%q lies at %s", file.Name, path)
			}
		}
		besideWeights(files)
		chosen, err := chooseSplit(files, Split{Repo: Repo{Dataset, "a/b", "main"}})
		if err == nil && len(chosen) == 0 {
			t.Fatal("no file and no error")
		}
	})
}

func TestParse(t *testing.T) {
	for text, want := range map[string]Repo{
		"gpt2":                           {Model, "gpt2", "main"},
		"Qwen/Qwen3-0.6B":                {Model, "Qwen/Qwen3-0.6B", "main"},
		"a/b@refs/pr/1":                  {Model, "a/b", "refs/pr/1"},
		"_x/y_@v1.0":                     {Model, "_x/y_", "v1.0"},
		"a/b@" + strings.Repeat("0", 40): {Model, "a/b", strings.Repeat("0", 40)},
	} {
		got, err := ParseModel(text)
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
		if got.String() != text {
			t.Errorf("%s is written as %s", text, got)
		}
	}
	for _, text := range []string{
		"", "/", "a/", "/a", "a/b/c", "./a", "../a", "~/a", "a..b", "a--b", "a/b--c", "-a", "a-", ".a", "a.git", "a b", "a\\b", "a:b", "å/b", "a/b@", "a/b@../x",
		"a/b@x//y", "a/b@/x", "a/b@x\x00", strings.Repeat("a", 97), "a/b@" + strings.Repeat("x", 257),
	} {
		if got, err := ParseModel(text); err == nil {
			t.Errorf("%q is taken for %+v", text, got)
		}
	}
	for text, want := range map[string][2]string{
		"a/b": {}, "a/b:en": {"en", ""}, "a/b:en/validation": {"en", "validation"}, "a/b:validation": {"", "validation"}, "a/b:dev": {"", "dev"},
		"a/b:/holdout": {"", "holdout"}, "a/b@v1:en/x": {"en", "x"},
	} {
		got, err := ParseDataset(text)
		if err != nil || got.Config != want[0] || got.Split != want[1] || got.ID != "a/b" {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"a", "a:en", "a/b:", "a/b:en/", "a/b:/", "a/b:en/x/y", "a/b:../x", "a/b:x:y", "C:/x"} {
		if got, err := ParseDataset(text); err == nil {
			t.Errorf("%q is taken for %+v", text, got)
		}
	}
}

func TestFull(t *testing.T) {
	s := hubtest.New(t)
	hash := strings.Repeat("a", 40)
	s.Before = func(w http.ResponseWriter, r *http.Request) bool {
		if strings.Contains(r.URL.Path, "/revision/") {
			fmt.Fprintf(w, `{"sha":%q}`, hash)
		} else {
			fmt.Fprintf(w, `[{"type":"file","path":"model.safetensors","size":%d,"oid":%q}]`, int64(1)<<60, hash)
		}
		return true
	}
	_, err := client(t, s).Model(context.Background(), Repo{Model, "acme/huge", "main"})
	if err == nil || !strings.Contains(err.Error(), "has room for") || errors.Is(err, ErrChecksum) {
		t.Errorf("%v, want that the disk is too small", err)
	}
}
