package checkpoint

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

func TestFullDisk(t *testing.T) {
	disk := t.TempDir()
	if err := unix.Mount("none", disk, "tmpfs", 0, "size=256k"); err != nil {
		t.Skipf("no small disk can be mounted here: %v", err)
	}
	defer unix.Unmount(disk, 0)
	from := filepath.Join(t.TempDir(), "large")
	if err := os.WriteFile(from, make([]byte, 1<<20), 0o666); err != nil {
		t.Fatal(err)
	}
	w, err := NewWriter(filepath.Join(disk, "m"), WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	checkError(t, w.CheckSpace(1<<20), "needs 1048576 bytes", "free")
	checkError(t, w.CopyFile(context.Background(), "model.bin", from), "model.bin needs 1048576 bytes and the disk is full")
	if err := w.Abort(); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(disk); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
