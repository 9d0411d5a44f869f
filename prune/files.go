package prune

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"shallow/checkpoint"
)

// The files that are written here and not copied.
const (
	planFile = "plan.json"
	cardFile = "README.md"
)

// weightFiles are the endings of files that hold weights, of whatever framework: those of the unpruned model must not
// come along.
var weightFiles = []string{
	".safetensors", ".safetensors.index.json", ".bin", ".bin.index.json", ".pt", ".pth", ".ckpt", ".gguf", ".ggml", ".h5",
	".msgpack", ".onnx", ".onnx_data", ".ot", ".tflite", ".npz", ".npy", ".pkl", ".pickle",
}

// copyFiles brings along every file that is not a weight: tokenizer, generation config, chat template, code, licence. Links
// are followed, since the hub's cache is made of them. Folders stay behind and are named.
func (r *run) copyFiles(ctx context.Context) error {
	entries, err := os.ReadDir(r.source.Dir)
	if err != nil {
		return fmt.Errorf("prune: %w", err)
	}
	r.result.LeftOut = append(r.result.LeftOut, r.source.Ignored...)
	used := r.shardFiles()
	for _, entry := range entries {
		name := entry.Name()
		from := filepath.Join(r.source.Dir, name)
		info, err := os.Stat(from)
		switch {
		case err != nil:
			return fmt.Errorf("prune: %w", err)
		case name == checkpoint.ConfigFile || name == planFile || name == cardFile || slices.Contains(used, name):
		case !info.Mode().IsRegular():
			r.result.LeftOut = append(r.result.LeftOut, name+string(filepath.Separator))
		case slices.ContainsFunc(weightFiles, func(ending string) bool { return strings.HasSuffix(strings.ToLower(name), ending) }):
			r.result.LeftOut = append(r.result.LeftOut, name)
		default:
			if err := r.writer.CopyFile(ctx, name, from); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkOutput refuses to put the result where the source is: replacing that directory, or one above it, would remove the
// source.
func (r *run) checkOutput() error {
	out, err := os.Stat(r.Output)
	if err != nil {
		return nil // not there: nothing is replaced
	}
	dir, err := filepath.Abs(r.source.Dir)
	if err != nil {
		return fmt.Errorf("prune: %w", err)
	}
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		dir = real
	}
	for {
		if info, err := os.Stat(dir); err == nil && os.SameFile(info, out) {
			return fmt.Errorf("prune: %s holds the model that is pruned: choose another directory", r.Output)
		}
		up := filepath.Dir(dir)
		if up == dir {
			return nil
		}
		dir = up
	}
}

// shardFiles are the files that the kept and the dropped tensors lie in, and their index.
func (r *run) shardFiles() []string {
	files := []string{checkpoint.SingleFile, checkpoint.IndexFile}
	for _, name := range r.source.Names() {
		if t, _ := r.source.Tensor(name); !slices.Contains(files, t.File) {
			files = append(files, t.File)
		}
	}
	return files
}

// lastPart is the list's own name in a prefix of tensor names: "layers" of "model.layers.".
func lastPart(prefix string) string {
	prefix = strings.TrimSuffix(prefix, ".")
	return prefix[strings.LastIndexByte(prefix, '.')+1:]
}
