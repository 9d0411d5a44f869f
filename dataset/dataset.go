package dataset

import (
	"context"
	"fmt"
	"os"
	"sync"
)

// Row is an item: a string, int64, float64, bool, nil, []any or map[string]any by column.
type Row = map[string]any

// Split names rows of a data set.
type Split struct {
	Path   string   // as on the hub: "cais/mmlu"; or a folder, if it begins with / or a dot
	Config string   // "abstract_algebra"; "" for the only one
	Split  string   // "test"
	Task   string   // the task that asks, "mmlu_abstract_algebra"; files may be named after it
	Files  []string // if not empty, these are read and nothing is looked for
	Limit  int      // take no more than so many rows, from the first; 0 is all
}

// String is the split as errors name it.
func (s Split) String() string {
	name := s.Path
	if name == "" {
		name = s.Task
	}
	if s.Config != "" {
		name += ":" + s.Config
	}
	return fmt.Sprintf("%s, split %q", name, s.Split)
}

// Remote is where data sets come from that are not here. It is *hub.Hub.
type Remote interface {
	// SplitFiles downloads the first n files of a split, or all if n is 0, and gives their paths in order.
	SplitFiles(ctx context.Context, path, config, split string, n int) ([]string, error)
}

// Source finds and reads splits. It may be used by several goroutines.
type Source struct {
	dirs   []string
	remote Remote

	mutex    sync.Mutex
	listings map[string][]string // names of the files in a folder
}

// Open makes a source of folders, which come first to last. Remote is asked only if there are none; it may be nil.
func Open(dirs []string, remote Remote) *Source {
	return &Source{dirs: dirs, remote: remote, listings: map[string][]string{}}
}

// Table is the rows of a split and where they come from.
type Table struct {
	Rows    []Row
	Files   []File // in order
	Skipped int    // rows that are no items: of an instruction form, such as have not its wording
}

// File is a file that was read.
type File struct {
	Path   string `json:"path"`
	SHA256 string `json:"sha256"` // of the file as it lies there, in hexadecimal digits
	Rows   int    `json:"rows"`   // of the table's rows, how many are this file's
}

// Where is the file of a row and the row's number there, from 0.
func (t *Table) Where(i int) (file string, row int) {
	for _, f := range t.Files {
		if i < f.Rows {
			return f.Path, i
		}
		i -= f.Rows
	}
	return "", i
}

// Rows reads a split. The error is a *MissingError where there is none, a *DamagedError where a file cannot be read, a
// *ColumnError where a known data set lacks a column, or the remote's.
func (s *Source) Rows(ctx context.Context, split Split) (*Table, error) {
	known := knownOf(split)
	found, err := s.locate(ctx, split, known)
	if err != nil {
		return nil, err
	}
	t := &Table{}
	r := &reader{ctx: ctx, known: known, table: t}
	if known == nil || !known.pages && known.instruction == "" && found.subject == "" {
		r.limit = split.Limit // else rows of the file are not the table's one by one
	}
	for _, file := range found.files {
		if err := r.read(file); err != nil {
			return nil, err
		}
		if r.limit > 0 && len(t.Rows) >= r.limit {
			break
		}
	}
	if known != nil {
		if err := t.convert(split, known, found.subject); err != nil {
			return nil, err
		}
		if err := t.Require(known.columns...); err != nil {
			return nil, err
		}
	}
	t.cut(split.Limit)
	return t, nil
}

// cut leaves the first rows, if n is not 0.
func (t *Table) cut(n int) {
	if n <= 0 || n >= len(t.Rows) {
		return
	}
	t.Rows = t.Rows[:n]
	for i := range t.Files {
		t.Files[i].Rows = min(t.Files[i].Rows, n)
		n -= t.Files[i].Rows
	}
}

// locate finds the files of a split.
func (s *Source) locate(ctx context.Context, split Split, known *knownSet) (*location, error) {
	switch {
	case len(split.Files) > 0:
		return &location{files: split.Files}, nil
	case len(s.dirs) > 0 || isFolder(split.Path):
		return s.find(split, known)
	case s.remote == nil:
		return nil, &MissingError{Split: split}
	}
	n := 0
	if known != nil && known.first {
		n = 1
	}
	files, err := s.remote.SplitFiles(ctx, split.Path, split.Config, split.Split, n)
	if err != nil {
		return nil, fmt.Errorf("dataset: %s: %w; --data DIR reads a copy of your own", split, err)
	}
	return &location{files: files}, nil
}

// checkDirs refuses what cannot be looked into, for a wrong name should not read as a data set that is absent.
func (s *Source) checkDirs() error {
	for _, dir := range s.dirs {
		info, err := os.Stat(dir)
		if err != nil {
			return fmt.Errorf("dataset: --data: %w", err)
		}
		if !info.IsDir() {
			return fmt.Errorf("dataset: --data %s: is a file: name the folder in which it lies", dir)
		}
	}
	return nil
}
