//go:build unix

package checkpoint

import (
	"os"

	"golang.org/x/sys/unix"
)

func mapFile(f *os.File, size int) ([]byte, error) {
	return unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ, unix.MAP_SHARED)
}

func unmapFile(data []byte) error { return unix.Munmap(data) }

// advise tells the system about the pages that hold data[from:to]. It is a hint: failure changes no result.
func advise(data []byte, from, to int64, need bool) {
	page := int64(os.Getpagesize())
	from -= from % page
	if from >= to {
		return
	}
	advice := unix.MADV_DONTNEED
	if need {
		advice = unix.MADV_WILLNEED
	}
	_ = unix.Madvise(data[from:to], advice)
}
