package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"shallow/hub"
)

// aboutModels and aboutTexts are parts of the help.
const (
	aboutModels = `
MODEL is a directory, or an id of the Hugging Face hub: owner/name, or owner/name@revision for a branch, a tag or a
commit. What lies here under that name wins. A model is downloaded once, into the cache of Hugging Face's own libraries:
HF_HOME, HF_HUB_CACHE, HF_TOKEN, HF_ENDPOINT and HF_HUB_OFFLINE mean what they mean there.
`
	aboutTexts = `
A --corpus that is no file is a data set of the hub: owner/name, owner/name:split, owner/name:config or
owner/name:config/split, each with @revision behind the name if need be. One word is a split if it is train, validation,
test or a synonym, else a config; :/word is a split of any name. Without a split it is train, or the only one. No more of
its files are downloaded than --samples needs. Where it has none that can be read, the Parquet files that the hub makes of
data sets (refs/convert/parquet) are taken.
`
)

// localModel is the path of a model: the name itself where it is one, else the directory of a hub id, which is downloaded
// where it is not in the cache.
func localModel(ctx context.Context, name string, quiet bool) (string, error) {
	return local(name, quiet, func(h *hub.Hub, repo hub.Repo) (string, error) { return h.Model(ctx, repo) })
}

// localTokenizer is localModel without the weights.
func localTokenizer(ctx context.Context, name string) (string, error) {
	return local(name, false, func(h *hub.Hub, repo hub.Repo) (string, error) { return h.Tokenizer(ctx, repo) })
}

func local(name string, quiet bool, get func(*hub.Hub, hub.Repo) (string, error)) (string, error) {
	if isPath(name, ".gguf", ".safetensors", ".json", ".model", ".tiktoken") {
		return name, nil
	}
	repo, err := hub.ParseModel(name)
	if err != nil {
		return name, nil // whoever opens it says what is wrong
	}
	h, done, err := openHub(quiet)
	if err != nil {
		return "", err
	}
	defer done()
	dir, err := get(h, repo)
	return dir, notLocal(err, name)
}

// isPath reports whether a name is that of something that is there, or has an ending that only files have.
func isPath(name string, endings ...string) bool {
	if _, err := os.Stat(name); err == nil {
		return true
	}
	return slices.Contains(endings, strings.ToLower(filepath.Ext(name)))
}

// notLocal adds what a user who meant a path wants to know.
func notLocal(err error, name string) error {
	for _, absent := range []error{hub.ErrOffline, hub.ErrUnreachable, hub.ErrRepoNotFound} {
		if errors.Is(err, absent) {
			return fmt.Errorf("%w; nor is there a file or directory %s", err, name)
		}
	}
	return err
}

// openHub is the hub of the environment, with its progress on stderr until done is called.
func openHub(quiet bool) (h *hub.Hub, done func(), err error) {
	if h, err = hub.FromEnvironment(); err != nil || quiet {
		return h, func() {}, err
	}
	var bar *progress
	end := func() {
		bar.close()
		bar = nil
	}
	h.Note = func(text string) { note("%s", text) }
	h.Progress = func(done, total int64) {
		if bar == nil {
			note("downloading %v of %v to %s", byteSize(total-done), byteSize(total), h.Cache)
			bar = newByteProgress("download", false)
		}
		bar.report(done, total)
		if done == total {
			end()
		}
	}
	return h, end, nil
}

// texts are the files behind --corpus, in order. Those of a data set are downloaded when they are asked for.
type texts []textSource

type textSource struct {
	path   string      // a file, or
	shards *hub.Shards // a split of a data set
}

// findTexts finds files and data sets. Nothing of the data sets but their listings is downloaded. done ends what shows the
// progress of downloads.
func findTexts(ctx context.Context, names []string, quiet bool) (found texts, done func(), err error) {
	done = func() {}
	var h *hub.Hub // not needed for files
	for _, name := range names {
		if isPath(name, ".txt", ".jsonl", ".json", ".parquet") {
			if _, err := os.Stat(name); err != nil {
				return nil, done, fmt.Errorf("corpus: %w", err)
			}
			found = append(found, textSource{path: name})
			continue
		}
		split, err := hub.ParseDataset(name)
		if err != nil {
			return nil, done, fmt.Errorf("%w; nor is there a file %s", err, name)
		}
		if h == nil {
			if h, done, err = openHub(quiet); err != nil {
				return nil, done, err
			}
		}
		shards, err := h.Dataset(ctx, split)
		if err != nil {
			return nil, done, notLocal(err, name)
		}
		found = append(found, textSource{shards: shards})
	}
	return found, done, nil
}

// files are the first files: all up to a data set of more than n, and n of that one. all is true if none is left out.
func (t texts) files(ctx context.Context, n int) (files []string, all bool, err error) {
	for _, source := range t {
		if source.shards == nil {
			files = append(files, source.path)
			continue
		}
		paths, err := source.shards.Fetch(ctx, n)
		if err != nil {
			return nil, false, err
		}
		files = append(files, paths...)
		if source.shards.Len() > n {
			return files, false, nil
		}
	}
	return files, true, nil
}
