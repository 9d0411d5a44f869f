package sweep

import (
	"context"
	"fmt"
	"os"

	"shallow/checkpoint"
	"shallow/corpus"
	"shallow/dataset"
	"shallow/eval/task"
	"shallow/gguf"
	"shallow/tokenizer"
)

// Loader finds what a spec names. [Files] knows what lies on the disk; the program's own knows the hub too.
type Loader interface {
	// Model is the directory or GGUF file of a model.
	Model(ctx context.Context, name string) (path string, err error)
	// Texts reads documents of files and data sets, as package corpus does.
	Texts(ctx context.Context, names []string, encoder func() (corpus.Encoder, error), o corpus.Options) (*corpus.Corpus, error)
	// Rows are the data sets of tasks, in some folders or, if there are none, from elsewhere.
	Rows(data []string) (task.Rows, error)
}

// Files is a Loader of what lies on the disk.
type Files struct{}

// Model is the name itself.
func (Files) Model(_ context.Context, name string) (string, error) { return name, nil }

// Texts reads files.
func (Files) Texts(ctx context.Context, names []string, encoder func() (corpus.Encoder, error), o corpus.Options) (*corpus.Corpus, error) {
	return corpus.Read(ctx, names, encoder, o)
}

// Rows are those of the folders.
func (Files) Rows(data []string) (task.Rows, error) {
	for _, dir := range data {
		if _, err := os.Stat(dir); err != nil {
			return nil, fmt.Errorf("sweep: data: %w", err)
		}
	}
	return dataset.Open(data, nil), nil
}

// openCheckpoint opens a model directory or a GGUF file that will be run.
func openCheckpoint(path string) (*checkpoint.Checkpoint, error) {
	if !gguf.Is(path) {
		return checkpoint.Open(path)
	}
	f, err := gguf.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Checkpoint()
}

func openTokenizer(path string) (*tokenizer.Tokenizer, error) {
	if !gguf.Is(path) {
		return tokenizer.Open(path)
	}
	f, err := gguf.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Tokenizer()
}
