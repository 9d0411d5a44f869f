package sweep

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"shallow/checkpoint"
	"shallow/gguf"
	"shallow/internal/atomicfile"
)

// journalVersion is part of every cell's name. It changes when the same inputs come to give another result.
const journalVersion = 1

// inputs are all that a cell's result depends on. Their hash is the cell's name.
type inputs struct {
	Version   int            `json:"version"`
	Model     string         `json:"model"`     // hash of config and tensors
	Tokenizer string         `json:"tokenizer"` // hash of its files
	Kernels   string         `json:"kernels"`
	Precision string         `json:"precision"`
	Drop      []int          `json:"drop"`
	Healing   *healingInputs `json:"healing,omitempty"`
	Task      *taskInputs    `json:"task,omitempty"`
	Beside    string         `json:"beside,omitempty"` // what continuations are compared with; all that it depends on is above
}

// id is the hash of inputs.
func (in inputs) id() string { return hashJSON(in) }

// hashJSON is the SHA-256 of a value's JSON, whose keys are in an order of their own: a struct's, or sorted.
func hashJSON(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		panic("sweep: " + err.Error()) // inputs are plain values
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// content is the hash of a model's config and of every tensor's name, type, shape and bytes. It is kept in a folder under
// the checkpoint's fingerprint, so that it is computed once for a state of the files.
func content(ctx context.Context, c *checkpoint.Checkpoint, cache string, progress func(done, total int64)) (string, error) {
	fingerprint, err := c.Fingerprint()
	if err != nil {
		return "", fmt.Errorf("sweep: %w", err)
	}
	kept := filepath.Join(cache, fingerprint)
	if data, err := os.ReadFile(kept); err == nil && len(data) == 2*sha256.Size {
		return string(data), nil
	}
	h := sha256.New()
	fmt.Fprintln(h, c.Config.Hash())
	var done int64
	total := c.Size()
	for _, name := range c.Names() {
		t, _ := c.Tensor(name)
		fmt.Fprintln(h, name, t.DType, t.Shape, t.Length)
		const piece = 16 << 20
		for data := range slices.Chunk(t.Bytes(), piece) {
			if err := ctx.Err(); err != nil {
				return "", err
			}
			h.Write(data)
			done += int64(len(data))
			progress(done, total)
		}
		c.Forget(name)
	}
	hash := hex.EncodeToString(h.Sum(nil))
	if err := os.MkdirAll(cache, 0o777); err != nil {
		return "", fmt.Errorf("sweep: %w", err)
	}
	if err := atomicfile.Write(kept, []byte(hash)); err != nil {
		return "", fmt.Errorf("sweep: %w", err)
	}
	return hash, nil
}

// vocabularyFiles are those that make ids of texts and say where a text ends.
var vocabularyFiles = []string{"tokenizer*", "*.tiktoken", "*.model", "vocab.*", "merges.txt", "added_tokens.json", "special_tokens_map.json", "generation_config.json"}

// vocabulary is the hash of a model's tokenizer files; of a GGUF file, whose metadata hold it, of all before the tensors.
func vocabulary(path string, c *checkpoint.Checkpoint) (string, error) {
	if gguf.Is(path) {
		return headHash(path, c)
	}
	h := sha256.New()
	entries, err := os.ReadDir(path)
	if err != nil {
		return "", fmt.Errorf("sweep: %w", err)
	}
	for _, e := range entries { // sorted
		name := e.Name()
		fits := func(pattern string) bool {
			ok, _ := filepath.Match(pattern, strings.ToLower(name))
			return ok
		}
		if checkpoint.HoldsWeights(name) || !slices.ContainsFunc(vocabularyFiles, fits) {
			continue
		}
		f, err := os.Open(filepath.Join(path, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue // a link to nothing
		}
		if err != nil {
			return "", fmt.Errorf("sweep: %w", err)
		}
		info, err := f.Stat()
		if err == nil && info.Mode().IsRegular() {
			fmt.Fprintln(h, name, info.Size())
			_, err = io.Copy(h, f)
		}
		f.Close()
		if err != nil {
			return "", fmt.Errorf("sweep: %s: %w", filepath.Join(path, name), err)
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func headHash(path string, c *checkpoint.Checkpoint) (string, error) {
	first := int64(-1)
	for _, name := range c.Names() {
		if t, _ := c.Tensor(name); first < 0 || t.Offset < first {
			first = t.Offset
		}
	}
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("sweep: %w", err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.CopyN(h, f, max(first, 0)); err != nil {
		return "", fmt.Errorf("sweep: %s: %w", path, err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
