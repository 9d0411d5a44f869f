// Package atomicfile writes files that appear under their name only when they are whole.
//
// A file is written beside its name, flushed to the disk and renamed. Whoever opens the name sees the old file or the
// new one, also after a crash.
package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// File is being written; nothing is at its name yet.
type File struct {
	*os.File
	name string
	done bool
}

// Create begins a file. The folder must exist.
func Create(name string) (*File, error) {
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*.tmp")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, cause(err))
	}
	return &File{File: f, name: name}, nil
}

// Commit flushes the file and gives it its name.
func (f *File) Commit() error {
	defer f.Abort()
	if err := f.Chmod(0o644); err != nil {
		return fmt.Errorf("%s: %w", f.name, cause(err))
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("%s: %w", f.name, cause(err))
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("%s: %w", f.name, cause(err))
	}
	if err := os.Rename(f.Name(), f.name); err != nil {
		return fmt.Errorf("%s: %w", f.name, cause(err))
	}
	f.done = true
	return nil
}

// Abort removes what was written, unless Commit gave it its name. It may be deferred.
func (f *File) Abort() {
	if f.done {
		return
	}
	f.done = true
	_ = f.Close()
	_ = os.Remove(f.Name()) // who aborts has a worse error to tell
}

// Write puts data under a name.
func Write(name string, data []byte) error {
	f, err := Create(name)
	if err != nil {
		return err
	}
	defer f.Abort()
	if _, err := f.Write(data); err != nil {
		return fmt.Errorf("%s: %w", name, cause(err))
	}
	return f.Commit()
}

// cause is err without the temporary file's name, which would tell the reader nothing.
func cause(err error) error {
	var path *fs.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &path):
		return path.Err
	case errors.As(err, &link):
		return link.Err
	}
	return err
}
