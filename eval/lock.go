package eval

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// JournalFile is the journal in the directory that an evaluation writes to.
const JournalFile = "eval.journal"

// ErrBusy says that another process evaluates into a directory.
var ErrBusy = errors.New("another evaluation writes there: wait for it, or name another directory")

// Lock takes the directory of an evaluation for this process, as two that write one journal would spoil it. The lock goes when it is
// given back or the process ends.
func Lock(dir string) (unlock func(), err error) {
	// The journal is never replaced, so that all processes lock the same file.
	f, err := os.OpenFile(filepath.Join(dir, JournalFile), os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return nil, fmt.Errorf("eval: %w", err)
	}
	if !lock(f) {
		f.Close()
		return nil, fmt.Errorf("eval: %s: %w", dir, ErrBusy)
	}
	return func() { f.Close() }, nil
}
