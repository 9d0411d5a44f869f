//go:build unix

package sweep

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// keepOpen says that a lock goes with the process that has it, and a file that is open can be renamed and removed.
const keepOpen = true

// lockFile locks a file until it is closed or the process ends, unless another process has it locked.
func lockFile(f *os.File) lock {
	switch err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); {
	case err == nil:
		return locked
	case errors.Is(err, unix.EWOULDBLOCK):
		return lockedByOther
	}
	return unsupported
}
