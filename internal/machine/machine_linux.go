package machine

import (
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

func installed() int64 {
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) != nil {
		return 0
	}
	return clamp(uint64(info.Totalram) * uint64(info.Unit)) //nolint:unconvert // it has 32 bits on some processors
}

// limited is the limit of the container's control group, version 2 or 1; 0 for none.
func limited() int64 {
	for _, name := range []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		data, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		if n, err := strconv.ParseInt(strings.TrimSpace(string(data)), 10, 64); err == nil {
			return n
		}
	}
	return 0
}
