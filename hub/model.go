package hub

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

// The names of a model's weights.
const (
	singleFile = "model.safetensors"
	indexFile  = "model.safetensors.index.json"
	maxIndex   = 100 << 20
	maxBeside  = 512 << 20 // of a file that is no weight; the largest tokenizers have some 40 MB
)

// Model is the local directory of a model: config, tokenizer, code, licence, and weights as safetensors. What is missing
// is downloaded. Weights of other kinds are left out.
func (h *Hub) Model(ctx context.Context, repo Repo) (string, error) {
	return h.model(ctx, repo, true)
}

// Tokenizer is the local directory of a model without the weights, where they are not there already.
func (h *Hub) Tokenizer(ctx context.Context, repo Repo) (string, error) {
	return h.model(ctx, repo, false)
}

func (h *Hub) model(ctx context.Context, repo Repo, weights bool) (string, error) {
	s, files, err := h.open(ctx, repo, "")
	if err != nil {
		return "", err
	}
	if files == nil {
		if weights {
			err = s.wholeModel()
		}
		return s.dir, err
	}
	chosen := besideWeights(files)
	if weights {
		shards, err := h.weights(ctx, s, files)
		if err != nil {
			return "", err
		}
		chosen = append(chosen, shards...)
	}
	if err := h.fetch(ctx, s, chosen); err != nil {
		return "", err
	}
	for _, name := range optional {
		if !slices.ContainsFunc(files, func(f File) bool { return f.Name == name }) {
			s.markAbsent(name)
		}
	}
	if !weights && h.cached(repo) != nil {
		return s.dir, nil // the ref stays with a commit that may be whole
	}
	return s.dir, s.writeRef()
}

// open finds a repository's commit and lists it, below a folder or all of it. The list is nil where the cache has the
// repository and no server is asked or none answers.
func (h *Hub) open(ctx context.Context, repo Repo, folder string) (*snapshot, []File, error) {
	s := h.cached(repo)
	if s != nil && h.Offline {
		return s, nil, nil
	}
	if s != nil && s.commit == repo.Revision {
		if files, ok := s.listing(); ok {
			return s, files, nil // of a commit it never changes
		}
	}
	if h.Offline {
		return nil, nil, failuref(ErrOffline, "hub: %s: is not in the cache, %s, and HF_HUB_OFFLINE forbids to download it", repo, h.Cache)
	}
	asker := *h
	if s != nil {
		asker.Attempts = min(h.Attempts, 2) // there is something to fall back on
	}
	found, files, err := asker.ask(ctx, repo, folder)
	if err == nil || s == nil || !away(err) {
		return found, files, err
	}
	h.note("%v; taking the copy in the cache, commit %s", err, s.commit)
	return s, nil, nil
}

// ask has the server tell commit and files. The list is not nil.
func (h *Hub) ask(ctx context.Context, repo Repo, folder string) (*snapshot, []File, error) {
	commit, err := h.commit(ctx, repo)
	if err != nil {
		return nil, nil, err
	}
	files, err := h.tree(ctx, repo, commit, folder)
	if err != nil {
		return nil, nil, err
	}
	if files == nil {
		files = []File{}
	}
	return h.snapshot(repo, commit), files, nil
}

// optional are names that Python's libraries ask for in every model and do without.
var optional = []string{
	"adapter_config.json", "added_tokens.json", "chat_template.jinja", "chat_template.json", "generation_config.json",
	"processor_config.json", "special_tokens_map.json", "tokenizer.json", "tokenizer.model", "tokenizer_config.json",
	singleFile, indexFile,
}

// besideWeights are the files that belong to a model and are no weights: those of its first folder, code of all folders.
func besideWeights(files []File) []File {
	var chosen []File
	for _, f := range files {
		name := strings.ToLower(f.Name)
		switch ending := path.Ext(name); {
		case f.Size > maxBeside:
			continue
		case ending == ".py" || ending == ".jinja":
		case strings.Contains(f.Name, "/"):
			continue
		case slices.Contains([]string{".json", ".txt", ".md", ".model", ".tiktoken", ".vocab"}, ending):
			if strings.HasSuffix(name, ".index.json") && f.Name != indexFile {
				continue // of weights that are left out
			}
		case strings.HasPrefix(name, "tokenizer.model."), strings.HasPrefix(name, "license"), strings.HasPrefix(name, "licence"), strings.HasPrefix(name, "notice"):
		default:
			continue
		}
		chosen = append(chosen, f)
	}
	return chosen
}

// weights are the files with the weights: the one of the usual name, those that the index names, else all of the first
// folder. Mistral's consolidated.safetensors holds the same tensors once more.
func (h *Hub) weights(ctx context.Context, s *snapshot, files []File) ([]File, error) {
	named := map[string]File{}
	for _, f := range files {
		named[f.Name] = f
	}
	if f, ok := named[singleFile]; ok {
		return []File{f}, nil
	}
	if index, ok := named[indexFile]; ok {
		quiet := *h
		quiet.Progress = nil
		if err := quiet.fetch(ctx, s, []File{index}); err != nil {
			return nil, err
		}
		shards, err := s.shards()
		if err != nil {
			return nil, err
		}
		var chosen []File
		for _, name := range shards {
			f, ok := named[name]
			if !ok {
				return nil, failuref(ErrEntryNotFound, "hub: %s: the index names %.200q, which the repository lacks: it is incomplete", s.repo, name)
			}
			chosen = append(chosen, f)
		}
		return chosen, nil
	}
	var chosen []File
	for _, f := range files {
		if isWeight(f.Name) {
			chosen = append(chosen, f)
		}
	}
	if len(chosen) == 0 {
		return nil, noWeights(s.repo, files)
	}
	return chosen, nil
}

func isWeight(name string) bool {
	return strings.HasSuffix(name, ".safetensors") && !strings.Contains(name, "/") && !strings.HasPrefix(name, "consolidated")
}

// shards are the files that the snapshot's index names.
func (s *snapshot) shards() ([]string, error) {
	data, err := readBounded(s.path(indexFile), maxIndex)
	if err != nil {
		return nil, fmt.Errorf("hub: %s: %w", s.repo, err)
	}
	var index struct {
		Weights map[string]string `json:"weight_map"`
	}
	if err := json.Unmarshal(data, &index); err != nil {
		return nil, fmt.Errorf("hub: %s: %s: %w", s.repo, indexFile, err)
	}
	names := map[string]bool{}
	for _, name := range index.Weights {
		names[name] = true
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("hub: %s: %s names no file", s.repo, indexFile)
	}
	return slices.Sorted(maps.Keys(names)), nil
}

// otherWeights are the endings of weights that are not read.
func otherWeights(files []File) []string {
	kinds := map[string]bool{}
	for _, f := range files {
		switch ending := strings.ToLower(path.Ext(f.Name)); ending {
		case ".bin", ".pt", ".pth", ".ckpt", ".gguf", ".h5", ".msgpack", ".onnx":
			kinds[ending] = true
		}
	}
	return slices.Sorted(maps.Keys(kinds))
}

// noWeights says what a repository has instead of safetensors.
func noWeights(repo Repo, files []File) error {
	others := otherWeights(files)
	switch list := strings.Join(others, ", "); {
	case len(others) == 0:
		return failuref(ErrNoWeights, "hub: %s: the repository has no weights: no *.safetensors", repo)
	case slices.Contains(others, ".gguf"):
		return failuref(ErrNoWeights, "hub: %s: the repository has no safetensors, only %s: download the .gguf file that you want and give its path", repo, list)
	default:
		return failuref(ErrNoWeights, "hub: %s: the repository has no safetensors, only %s, which are never read (a pickle can run code): look for a converted revision among its pull requests, such as %s@refs/pr/1, or convert it with save_pretrained of transformers", repo, list, repo.ID)
	}
}

// wholeModel checks a snapshot whose listing is not known.
func (s *snapshot) wholeModel() error {
	if s.has(singleFile, -1) {
		return nil
	}
	if s.has(indexFile, -1) {
		shards, err := s.shards()
		if err != nil {
			return err
		}
		for _, name := range shards {
			if checkName(name) != nil || !s.has(name, -1) {
				return s.incomplete(name)
			}
		}
		return nil
	}
	files, err := s.files()
	switch {
	case err != nil:
		return err
	case slices.ContainsFunc(files, func(f File) bool { return isWeight(f.Name) }):
		return nil
	case len(otherWeights(files)) > 0:
		return noWeights(s.repo, files)
	}
	return s.incomplete(singleFile)
}

// incomplete is the error of a cache that lacks a file of a commit.
func (s *snapshot) incomplete(name string) error {
	return failuref(ErrOffline, "hub: %s: the cache has commit %s but not its %s: run once with the network, without HF_HUB_OFFLINE", s.repo, s.commit, name)
}
