package checkpoint

import (
	"os"
	"path/filepath"
	"testing"

	"shallow/internal/shared"
)

func TestOpenEveryFamily(t *testing.T) {
	root := shared.Dir(t, "reference", "families")
	dirs, err := filepath.Glob(filepath.Join(root, "*", "config.json"))
	if err != nil || len(dirs) == 0 {
		t.Fatal("no families", err)
	}
	for _, path := range dirs {
		dir := filepath.Dir(path)
		t.Run(filepath.Base(dir), func(t *testing.T) {
			c, err := Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			names := c.Names()
			if len(names) == 0 {
				t.Fatal("no tensors")
			}
			c.Prefetch(names...)
			var size int64
			for _, name := range names {
				tensor, ok := c.Tensor(name)
				if !ok {
					t.Fatalf("%s is listed but not found", name)
				}
				if got, want := len(tensor.Bytes()), tensor.Elements()*tensor.DType.Size(); got != want {
					t.Errorf("%v has %d bytes, want %d", tensor, got, want)
				}
				file, err := os.ReadFile(filepath.Join(dir, tensor.File))
				if err != nil {
					t.Fatal(err)
				}
				if string(file[tensor.Offset:tensor.Offset+tensor.Length]) != string(tensor.Bytes()) {
					t.Errorf("%v: the mapped bytes differ from the file's", tensor)
				}
				size += tensor.Length
			}
			c.Forget(names...)
			if size != c.Size() {
				t.Errorf("Size is %d, want %d", c.Size(), size)
			}
			if len(c.Ignored) > 0 {
				t.Errorf("ignored: %v", c.Ignored)
			}
			if c.Config.Layers() == 0 || c.Config.ModelType() == "" {
				t.Errorf("config: %d layers, model type %q", c.Config.Layers(), c.Config.ModelType())
			}
		})
	}
}
