//go:build windows

package machine

import (
	"math"

	"golang.org/x/sys/windows"
)

// FreeSpace is the number of bytes that may still be written to the disk that holds a path.
func FreeSpace(path string) (int64, error) {
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
