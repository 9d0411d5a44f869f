package machine

import "golang.org/x/sys/unix"

func installed() int64 {
	n, err := unix.SysctlUint64("hw.memsize")
	if err != nil {
		return 0
	}
	return clamp(n)
}

func limited() int64 { return 0 }
