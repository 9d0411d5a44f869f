package machine

import (
	"os"
	"strconv"
	"strings"
)

// Peak is the most memory, in bytes, that this process has had at once, mapped pages included; 0 where the system does not say.
// It is not asked of getrusage, which begins with what the process was forked from.
func Peak() int64 {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kilobytes, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return kilobytes << 10
		}
	}
	return 0
}
