package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"shallow/internal/machine"
)

// PartialSuffix ends the name of the directory that a Writer fills before it is renamed.
const PartialSuffix = ".shallow-partial"

// replacedSuffix ends the name that a directory has for the moment in which it is replaced.
const replacedSuffix = ".shallow-replaced"

// Writer makes a new model directory. All files go to a temporary sibling of it; Commit renames that into place when it is
// whole, Abort removes it. A killed run leaves the sibling, which the next Writer for the same directory removes.
type Writer struct {
	dir      string // where the files shall be
	partial  string // where they are written
	lock     *os.File
	replace  bool
	unsynced []*os.File
	progress func(bytes int64)
}

// WriterOptions say how a directory is written.
type WriterOptions struct {
	Replace  bool              // let Commit replace a directory that is not empty
	Progress func(bytes int64) // called with the number of bytes just written
}

// NewWriter makes the temporary sibling of dir. It is an error if dir exists and is not empty, unless it may be replaced.
func NewWriter(dir string, o WriterOptions) (*Writer, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	if err := checkTarget(dir, o.Replace); err != nil {
		return nil, err
	}
	w := &Writer{dir: dir, partial: dir + PartialSuffix, replace: o.Replace, progress: o.Progress}
	if err := os.MkdirAll(w.partial, 0o777); err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	if w.lock, err = lockDir(w.partial); err != nil {
		return nil, fmt.Errorf("checkpoint: %s is being written by another run: %w", dir, err)
	}
	if err := removeContents(w.partial); err != nil {
		w.unlock()
		return nil, fmt.Errorf("checkpoint: what a killed run left cannot be removed: %w", err)
	}
	return w, nil
}

func checkTarget(dir string, replace bool) error {
	info, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	if !info.IsDir() {
		return fmt.Errorf("checkpoint: %s is a file, not a directory", dir)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	if len(entries) > 0 && !replace {
		return fmt.Errorf("checkpoint: %s is not empty: choose another directory, or --force to replace it", dir)
	}
	return nil
}

func removeContents(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// Dir is the temporary directory, in which the files can be read before Commit.
func (w *Writer) Dir() string { return w.partial }

// create makes a file that Sync will put on the disk.
func (w *Writer) create(name string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(w.partial, name), os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o666)
	if err == nil {
		w.unsynced = append(w.unsynced, f)
	}
	return f, err
}

// WriteFile writes a small file.
func (w *Writer) WriteFile(name string, data []byte) error {
	f, err := w.create(name)
	if err == nil {
		_, err = f.Write(data)
	}
	return w.explain(name, int64(len(data)), err)
}

// CopyFile copies a regular file, or what a link points to, byte for byte.
func (w *Writer) CopyFile(ctx context.Context, name, from string) error {
	source, err := os.Open(from)
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	defer source.Close()
	info, err := source.Stat()
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("checkpoint: %s is not a regular file", from)
	}
	f, err := w.create(name)
	if err == nil {
		err = copyRange(ctx, f, 0, source, 0, info.Size(), true, w.report)
	}
	return w.explain(name, info.Size(), err)
}

func (w *Writer) report(n int64) {
	if w.progress != nil {
		w.progress(n)
	}
}

// explain adds to an error which file it was, and on a full disk how much room it needed.
func (w *Writer) explain(name string, size int64, err error) error {
	if err == nil {
		return nil
	}
	path := filepath.Join(w.dir, name)
	if isFull(err) {
		free, _ := machine.FreeSpace(w.partial)
		return fmt.Errorf("checkpoint: %s needs %d bytes and the disk is full, %d are left: %w", path, size, free, err)
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("checkpoint: stopped while writing %s: %w", path, err)
	}
	return fmt.Errorf("checkpoint: %s: %w", path, err)
}

// CheckSpace fails where the disk has less room than the files will need.
func (w *Writer) CheckSpace(bytes int64) error {
	free, err := machine.FreeSpace(w.partial)
	if err != nil {
		return nil // a system that cannot tell will say so when it is full
	}
	if free < bytes {
		return fmt.Errorf("checkpoint: %s needs %d bytes, the disk has %d free", w.dir, bytes, free)
	}
	return nil
}

// Sync puts every file written so far on the disk and closes it.
func (w *Writer) Sync() error {
	var first error
	for _, f := range w.unsynced {
		err := f.Sync()
		if e := f.Close(); err == nil {
			err = e
		}
		if err != nil && first == nil {
			first = w.explain(filepath.Base(f.Name()), 0, err)
		}
	}
	w.unsynced = nil
	return first
}

// Commit puts the files on the disk and renames the directory into place. After an error, Abort cleans up.
func (w *Writer) Commit() error {
	if err := w.Sync(); err != nil {
		return err
	}
	if err := syncDir(w.partial); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	if err := w.rename(); err != nil {
		return fmt.Errorf("checkpoint: %s cannot be put into place: %w", w.dir, err)
	}
	w.unlock()
	return syncDir(filepath.Dir(w.dir))
}

func (w *Writer) rename() error {
	if runtime.GOOS == "windows" {
		w.unlock() // an open directory cannot be renamed there
	}
	entries, err := os.ReadDir(w.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return os.Rename(w.partial, w.dir)
	}
	if err != nil {
		return err
	}
	if len(entries) > 0 && !w.replace {
		return fmt.Errorf("it is no longer empty")
	}
	old := w.dir + replacedSuffix
	if err := os.RemoveAll(old); err != nil {
		return err
	}
	if err := os.Rename(w.dir, old); err != nil {
		return err
	}
	if err := os.Rename(w.partial, w.dir); err != nil {
		return errors.Join(err, os.Rename(old, w.dir))
	}
	return os.RemoveAll(old)
}

// Abort removes everything that was written. After Commit it does nothing.
func (w *Writer) Abort() error {
	if w.lock == nil {
		return nil
	}
	for _, f := range w.unsynced {
		f.Close()
	}
	w.unsynced = nil
	if runtime.GOOS == "windows" {
		w.unlock() // an open directory cannot be removed there
	}
	err := os.RemoveAll(w.partial)
	w.unlock()
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	return nil
}

func (w *Writer) unlock() {
	if w.lock != nil {
		w.lock.Close()
		w.lock = nil
	}
}

func syncDir(path string) error {
	if runtime.GOOS == "windows" {
		return nil // directories cannot be synced there
	}
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
