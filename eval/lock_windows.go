package eval

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// lock locks a file until it is closed or the process ends. It is false where another process has it locked. A file system without
// locks grants all of them.
func lock(f *os.File) bool {
	// What is locked there cannot be read or written by others: a byte far behind the end is.
	far := &windows.Overlapped{OffsetHigh: 1 << 30}
	err := windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, far)
	return !errors.Is(err, windows.ERROR_LOCK_VIOLATION)
}
