package checkpoint

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

func isFull(err error) bool {
	return errors.Is(err, windows.ERROR_DISK_FULL) || errors.Is(err, windows.ERROR_HANDLE_DISK_FULL)
}

// lockDir only opens the directory: Windows has no lock on one.
func lockDir(path string) (*os.File, error) { return os.Open(path) }
