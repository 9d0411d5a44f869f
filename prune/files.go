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

// copyFiles brings along every file that is not a weight: tokenizer, generation config, chat template, code, licence. Links
// are followed, since the hub's cache is made of them. Folders stay behind and are named, but for that of chat templates.
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
		case name == templateFolder && info.IsDir():
			if err := r.copyTemplates(ctx); err != nil {
				return err
			}
		case !info.Mode().IsRegular():
			r.result.LeftOut = append(r.result.LeftOut, name+string(filepath.Separator))
		case checkpoint.HoldsWeights(name), name == adapterConfig: // readers would look for the adapter's weights
			r.result.LeftOut = append(r.result.LeftOut, name)
		case r.companions[name] != nil:
			if err := r.writer.WriteFile(name, r.companions[name]); err != nil {
				return err
			}
		default:
			if r.namesLayers(name, from) {
				r.result.Config = append(r.result.Config, name+" is carried over as it is, and names layers by their old numbers")
			}
			if err := r.writer.CopyFile(ctx, name, from); err != nil {
				return err
			}
		}
	}
	return nil
}

// templateFolder holds chat templates beside the model's own; of the files in it, maxTemplates of at most maxTemplate bytes come along.
const (
	templateFolder = "additional_chat_templates"
	maxTemplates   = 100
	maxTemplate    = 4 << 20
)

func (r *run) copyTemplates(ctx context.Context) error {
	folder := filepath.Join(r.source.Dir, templateFolder)
	entries, err := os.ReadDir(folder)
	if err != nil {
		return fmt.Errorf("prune: %w", err)
	}
	if err := os.Mkdir(filepath.Join(r.writer.Dir(), templateFolder), 0o777); err != nil {
		return fmt.Errorf("prune: %w", err)
	}
	for i, entry := range entries {
		name := filepath.Join(templateFolder, entry.Name())
		info, err := os.Stat(filepath.Join(folder, entry.Name()))
		if err != nil {
			return fmt.Errorf("prune: %w", err)
		}
		if i >= maxTemplates || !info.Mode().IsRegular() || info.Size() > maxTemplate {
			r.result.LeftOut = append(r.result.LeftOut, name)
			continue
		}
		if err := r.writer.CopyFile(ctx, name, filepath.Join(folder, entry.Name())); err != nil {
			return err
		}
	}
	return nil
}

// notWithin refuses to put a result where what it is made of is: replacing that directory, or one above it, would remove the source.
func notWithin(source, output string) error {
	out, err := os.Stat(output)
	if err != nil {
		return nil // not there: nothing is replaced
	}
	dir, err := filepath.Abs(source)
	if err != nil {
		return fmt.Errorf("prune: %w", err)
	}
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		dir = real
	}
	for {
		if info, err := os.Stat(dir); err == nil && os.SameFile(info, out) {
			return fmt.Errorf("prune: %s holds what is pruned: choose another directory", output)
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
