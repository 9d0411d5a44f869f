package checkpoint

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// copyInKernel copies up to n bytes without passing them through the process. ok is false where the file systems cannot.
func copyInKernel(to *os.File, at int64, from *os.File, offset, n int64) (copied int64, ok bool, err error) {
	for {
		m, err := unix.CopyFileRange(int(from.Fd()), &offset, int(to.Fd()), &at, int(n), 0)
		switch {
		case err == nil:
			return int64(m), true, nil
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EXDEV), errors.Is(err, unix.ENOSYS), errors.Is(err, unix.EINVAL), errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.EPERM):
			return 0, false, nil
		}
		return 0, false, os.NewSyscallError("copy_file_range", err)
	}
}
