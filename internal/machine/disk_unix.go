//go:build unix

package machine

import "golang.org/x/sys/unix"

// FreeSpace is the number of bytes that may still be written to the disk that holds a path.
func FreeSpace(path string) (int64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(path, &s); err != nil {
		return 0, err
	}
	return int64(s.Bavail) * int64(s.Bsize), nil
}
