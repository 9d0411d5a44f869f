package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// TestReleaseTwice makes a release for this machine twice: the bytes are the same, and the archive has all that people need.
func TestReleaseTwice(t *testing.T) {
	t.Chdir("../..")
	platform := runtime.GOOS + "/" + runtime.GOARCH
	var first map[string][]byte
	for range 2 {
		dir := t.TempDir()
		if err := release([]string{platform}, dir, false); err != nil {
			t.Fatal(err)
		}
		files := map[string][]byte{}
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if files[e.Name()], err = os.ReadFile(filepath.Join(dir, e.Name())); err != nil {
				t.Fatal(err)
			}
		}
		if first == nil {
			first = files
			continue
		}
		for name, data := range files {
			if !bytes.Equal(data, first[name]) {
				t.Errorf("%s has other bytes the second time", name)
			}
		}
	}
	if len(first) != 2 {
		t.Fatalf("%d files, want an archive and SHA256SUMS", len(first))
	}
	for name, data := range first {
		if name == "SHA256SUMS" {
			continue
		}
		if want := fmt.Sprintf("%x  %s\n", sha256.Sum256(data), name); string(first["SHA256SUMS"]) != want {
			t.Errorf("SHA256SUMS is %q, want %q", first["SHA256SUMS"], want)
		}
		if strings.HasSuffix(name, ".zip") {
			continue
		}
		got := untar(t, data)
		root := strings.TrimSuffix(name, ".tar.gz") + "/"
		for _, want := range []string{"shallow", "LICENSE", "LICENSES-OF-PARTS.txt", "README.md", "man/man1/shallow.1", "man/man1/shallow-eval.1",
			"completions/shallow.bash", "completions/_shallow", "completions/shallow.fish"} {
			if len(got[root+want]) == 0 {
				t.Errorf("%s has no %s", name, want)
			}
		}
		for _, want := range []string{"\nGo: LICENSE\n", "github.com/alecthomas/kong v"} {
			if !bytes.Contains(got[root+"LICENSES-OF-PARTS.txt"], []byte(want)) {
				t.Errorf("LICENSES-OF-PARTS.txt has no %q", want)
			}
		}
		here, err := os.Getwd()
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(got[root+"shallow"], []byte(here+"/cmd")) {
			t.Errorf("the program has the path %s in it", here)
		}
	}
}

func untar(t *testing.T, data []byte) map[string][]byte {
	t.Helper()
	plain, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for r := tar.NewReader(plain); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if files[header.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
}

func TestZip(t *testing.T) {
	data, err := zipped("root", []file{{name: "shallow.exe", data: []byte("program"), program: true}, {name: "man/man1/a.1", data: []byte("page")}})
	if err != nil {
		t.Fatal(err)
	}
	r, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	if len(r.File) != 2 || r.File[0].Name != "root/shallow.exe" || r.File[1].Name != "root/man/man1/a.1" {
		t.Errorf("the zip has %v", r.File)
	}
}

// TestDockerfile holds the image's build to the release's.
func TestDockerfile(t *testing.T) {
	data, err := os.ReadFile("../../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(data), "\n")
	command := buildCommand("/image/usr/local/bin/shallow")
	for i, word := range command {
		if strings.Contains(word, " ") {
			command[i] = `"` + word + `"`
		}
	}
	for _, want := range []string{
		"RUN GOOS=$TARGETOS GOARCH=$TARGETARCH " + strings.Join(command, " "),
		"ENV " + strings.Join(settings, " "),
		"USER 65532:65532",
	} {
		if !slices.Contains(lines, want) {
			t.Errorf("the Dockerfile has no line %q", want)
		}
	}
	module, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	_, language, _ := strings.Cut(string(module), "\ngo ")
	language = strings.Join(strings.Split(strings.Fields(language)[0], ".")[:2], ".")
	if want := "FROM --platform=$BUILDPLATFORM golang:" + language + " AS build"; !slices.Contains(lines, want) {
		t.Errorf("the Dockerfile has no line %q: go.mod says go %s", want, language)
	}
}
