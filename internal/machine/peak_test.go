package machine

import (
	"runtime"
	"testing"
)

func TestPeak(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("not known there")
	}
	before := Peak()
	data := make([]byte, 64<<20)
	for i := 0; i < len(data); i += 4096 {
		data[i] = 1
	}
	if after := Peak(); before <= 0 || after < 64<<20 || after > 1<<36 {
		t.Errorf("the peak was %d and is %d with %d bytes in use", before, after, len(data))
	}
	runtime.KeepAlive(data)
}
