package hub

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"shallow/hub/hubtest"
)

// client is a hub that asks the server and keeps files in a folder of the test.
func client(t *testing.T, s *hubtest.Server) *Hub {
	t.Helper()
	return &Hub{
		Endpoint: s.URL, Cache: filepath.Join(t.TempDir(), "hub"),
		Parallel: 4, Attempts: 4, Backoff: time.Millisecond, Timeout: 10 * time.Second,
	}
}

// noise is n bytes that do not repeat.
func noise(n int, seed uint64) []byte {
	data := make([]byte, n)
	r := rand.NewPCG(seed, 1)
	for i := range data {
		data[i] = byte(r.Uint64())
	}
	return data
}

func text(s string) hubtest.File { return hubtest.File{Data: []byte(s)} }

func large(n int, seed uint64) hubtest.File { return hubtest.File{Data: noise(n, seed), Large: true} }

// tiny is a repository with what the hub's repositories have beside the weights.
func tiny() map[string]hubtest.File {
	return map[string]hubtest.File{
		"config.json": text(`{"model_type":"llama"}`), "generation_config.json": text("{}"), "tokenizer.json": text(`{"a":1}`),
		"tokenizer_config.json": text("{ }"), "tokenizer.model": large(5000, 1), "README.md": text("# card"), "LICENSE": text("free"),
		"modeling_tiny.py": text("pass"), "code/more.py": text("pass  "), "additional_chat_templates/tool.jinja": text("{{ x }}"),
		"model.safetensors.index.json":      text(`{"weight_map":{"a":"model-00001-of-00002.safetensors","b":"model-00002-of-00002.safetensors"}}`),
		"model-00001-of-00002.safetensors":  large(300_000, 2),
		"model-00002-of-00002.safetensors":  large(200_000, 3),
		"consolidated.safetensors":          large(10, 4),
		"pytorch_model-00001-of-00001.bin":  large(20, 5),
		"pytorch_model.bin.index.json":      text("{}  "),
		"original/consolidated.00.pth":      large(30, 6),
		"original/params.json":              text("{   }"),
		"onnx/model.onnx":                   large(40, 7),
		"tiny.Q8_0.gguf":                    large(50, 8),
		"flax_model.msgpack":                large(60, 9),
		".gitattributes":                    text("*"),
		"runs/events.out.tfevents.16777.sh": text("x"),
	}
}

// tinyNames is what of it belongs to the model.
var tinyNames = []string{
	"LICENSE", "README.md", "additional_chat_templates/tool.jinja", "code/more.py", "config.json", "generation_config.json",
	"model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "model.safetensors.index.json", "modeling_tiny.py",
	"tokenizer.json", "tokenizer.model", "tokenizer_config.json",
}

func mustModel(t *testing.T, h *Hub, id string) string {
	t.Helper()
	repo, err := ParseModel(id)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := h.Model(context.Background(), repo)
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// modelError is why a model cannot be had.
func modelError(t *testing.T, h *Hub, id string) error {
	t.Helper()
	repo, err := ParseModel(id)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := h.Model(context.Background(), repo)
	if err == nil {
		t.Fatalf("%s is at %s, want an error", id, dir)
	}
	return err
}

// checkFiles compares a folder's files with those of a repository, by name and content.
func checkFiles(t *testing.T, dir string, names []string, files map[string]hubtest.File) {
	t.Helper()
	var found []string
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err == nil && !info.IsDir() {
			name, _ := filepath.Rel(dir, path)
			found = append(found, filepath.ToSlash(name))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(found) != fmt.Sprint(names) {
		t.Fatalf("%s has\n%v, want\n%v", dir, found, names)
	}
	for _, name := range names {
		data, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(data, files[name].Data) {
			t.Errorf("%s has %d bytes, which are not the %d of the server", name, len(data), len(files[name].Data))
		}
	}
}

func TestModel(t *testing.T) {
	s := hubtest.New(t)
	s.Page = 4
	s.Token = "hf_secret"
	s.Repo("models/acme/tiny").Private = true
	files := tiny()
	commit := s.Add("models/acme/tiny", "main", files)
	h := client(t, s)
	h.Token = "hf_secret"
	var first, last, total int64 = -1, 0, 0
	h.Progress = func(done, all int64) {
		if first < 0 {
			first = done
		}
		last, total = done, all
	}
	dir := mustModel(t, h, "acme/tiny")
	root := filepath.Join(h.Cache, "models--acme--tiny")
	if want := filepath.Join(root, "snapshots", commit); dir != want {
		t.Errorf("the model is at %s, want %s", dir, want)
	}
	checkFiles(t, dir, tinyNames, files)
	if first > 5000 || last != total || total < 505_000 {
		t.Errorf("progress went from %d to %d of %d", first, last, total)
	}

	// The layout, link by link.
	if ref, err := os.ReadFile(filepath.Join(root, "refs", "main")); err != nil || string(ref) != commit {
		t.Errorf("refs/main is %q, %v; want %s", ref, err, commit)
	}
	for _, name := range tinyNames {
		up := strings.Repeat("../", 2+strings.Count(name, "/"))
		target, err := os.Readlink(filepath.Join(dir, name))
		if want := up + "blobs/" + files[name].ETag(); err != nil || target != want {
			t.Errorf("%s leads to %q, %v; want %s", name, target, err, want)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(root, "blobs", "*.incomplete")); len(left) > 0 {
		t.Errorf("%v were left", left)
	}
	for name, want := range map[string]bool{"chat_template.jinja": true, "model.safetensors": true, "tokenizer.json": false} {
		if _, err := os.Stat(filepath.Join(root, ".no_exist", commit, name)); (err == nil) != want {
			t.Errorf(".no_exist has %s: %v, want %v", name, err == nil, want)
		}
	}

	if tag, err := os.ReadFile(filepath.Join(h.Cache, "CACHEDIR.TAG")); err != nil || !strings.HasPrefix(string(tag), "Signature: 8a477f597d28d172789f06886806bc55\n") {
		t.Errorf("CACHEDIR.TAG is %q, %v", tag, err)
	}

	// The token is the endpoint's alone.
	hosts := map[string]int{}
	for _, r := range s.Requests() {
		switch own := "http://"+r.Host == s.URL; {
		case own && r.Authorization != "Bearer hf_secret":
			t.Errorf("%s was asked without the token", r.Path)
		case !own && r.Authorization != "":
			t.Errorf("%s%s was given the token", r.Host, r.Path)
		}
		hosts[r.Host]++
	}
	if len(hosts) != 2 {
		t.Errorf("asked %v, want two hosts", hosts)
	}

	// A second time only the listing is read.
	before := len(s.Requests())
	if mustModel(t, h, "acme/tiny") != dir {
		t.Error("the second time it is elsewhere")
	}
	for _, r := range s.Requests()[before:] {
		if !strings.HasPrefix(r.Path, "/api/") {
			t.Errorf("%s was asked for again", r.Path)
		}
	}
}

func TestTokenizerLeavesWeights(t *testing.T) {
	s := hubtest.New(t)
	files := tiny()
	s.Add("models/acme/tiny", "main", files)
	h := client(t, s)
	dir, err := h.Tokenizer(context.Background(), Repo{Model, "acme/tiny", "main"})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, name := range tinyNames {
		if !strings.HasSuffix(name, ".safetensors") {
			names = append(names, name)
		}
	}
	checkFiles(t, dir, names, files)
	h.Offline = true
	if err := modelError(t, h, "acme/tiny"); !strings.Contains(err.Error(), "not its model-00001-of-00002.safetensors") {
		t.Error(err)
	}
}

func TestWeights(t *testing.T) {
	config, weights := text("{}"), large(100, 1)
	for name, test := range map[string]struct {
		files map[string]hubtest.File
		want  string // the weights, or an error
	}{
		"single":     {map[string]hubtest.File{"model.safetensors": weights, "model.safetensors.index.json": text("{}"), "model.fp16.safetensors": weights}, "model.safetensors"},
		"other name": {map[string]hubtest.File{"adapter_model.safetensors": weights, "consolidated.safetensors": weights}, "adapter_model.safetensors"},
		"only bin":   {map[string]hubtest.File{"pytorch_model.bin": weights}, "no safetensors, only .bin, which are never read"},
		"only gguf":  {map[string]hubtest.File{"a.gguf": weights}, "download the .gguf file"},
		"nothing":    {nil, "no weights"},
		"a shard is missing": {map[string]hubtest.File{"model.safetensors.index.json": text(`{"weight_map":{"a":"model-1.safetensors"}}`)},
			`the index names "model-1.safetensors", which the repository lacks`},
		"an evil index":  {map[string]hubtest.File{"model.safetensors.index.json": text(`{"weight_map":{"a":"../x.safetensors"}}`)}, "which the repository lacks"},
		"no index":       {map[string]hubtest.File{"model.safetensors.index.json": text(`[1]`)}, "model.safetensors.index.json"},
		"an empty index": {map[string]hubtest.File{"model.safetensors.index.json": text(`{}`)}, "names no file"},
	} {
		t.Run(name, func(t *testing.T) {
			s := hubtest.New(t)
			files := map[string]hubtest.File{"config.json": config}
			for name, f := range test.files {
				files[name] = f
			}
			s.Add("models/m", "main", files)
			h := client(t, s)
			dir, err := h.Model(context.Background(), Repo{Model, "m", "main"})
			if err != nil {
				if !strings.Contains(err.Error(), test.want) {
					t.Errorf("%v, want %q", err, test.want)
				}
				return
			}
			h.Offline = true
			if again := mustModel(t, h, "m"); again != dir {
				t.Errorf("without network it is at %s, want %s", again, dir)
			}
			found, _ := filepath.Glob(filepath.Join(dir, "*.safetensors"))
			if len(found) != 1 || filepath.Base(found[0]) != test.want {
				t.Errorf("%v was downloaded, want %s", found, test.want)
			}
		})
	}
}
