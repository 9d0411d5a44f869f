package machine

import (
	"runtime"
	"testing"
)

func TestMemory(t *testing.T) {
	switch runtime.GOOS {
	case "linux", "darwin", "windows":
	default:
		t.Skip("this system does not say how much memory it has")
	}
	if n := Memory(); n < 16<<20 || n > 1<<50 {
		t.Errorf("the machine has %d bytes of memory", n)
	}
}
