package checkpoint

import (
	"errors"
	"math"
	"os"

	"golang.org/x/sys/windows"
)

// freeSpace is the number of bytes that may still be written to the disk that holds a path.
func freeSpace(path string) (int64, error) {
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return 0, err
	}
	var free uint64
	if err := windows.GetDiskFreeSpaceEx(name, &free, nil, nil); err != nil {
		return 0, err
	}
	return int64(min(free, math.MaxInt64)), nil
}

func isFull(err error) bool {
	return errors.Is(err, windows.ERROR_DISK_FULL) || errors.Is(err, windows.ERROR_HANDLE_DISK_FULL)
}

// lockDir only opens the directory: Windows has no lock on one.
func lockDir(path string) (*os.File, error) { return os.Open(path) }
