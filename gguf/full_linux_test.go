package gguf

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestFullDisk(t *testing.T) {
	disk := t.TempDir()
	if err := unix.Mount("none", disk, "tmpfs", 0, "size=32k"); err != nil {
		t.Skipf("no small disk can be mounted here: %v", err)
	}
	defer func() {
		if err := unix.Unmount(disk, 0); err != nil {
			t.Error(err)
		}
	}()
	f, err := Open("testdata/llama-f16.gguf")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := pruneFile(t, f, "1", PruneOptions{Output: filepath.Join(disk, "out.gguf")}); err == nil || !strings.Contains(err.Error(), "free") {
		t.Errorf("%v", err)
	}
	if left, err := os.ReadDir(disk); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
