package sweep

import (
	"os"
	"strings"
)

// bootID names this machine since it was started: file locks are seen by all processes of it.
func bootID() string {
	data, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(data))
}
