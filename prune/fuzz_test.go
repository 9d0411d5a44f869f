package prune

import (
	"os"
	"path/filepath"
	"testing"

	"shallow/checkpoint"
)

// FuzzRewrite holds that no config.json breaks the surgery, that what it writes can be read, and that it says how many layers stay.
func FuzzRewrite(f *testing.F) {
	paths, err := filepath.Glob("testdata/configs/*.json")
	if err != nil || len(paths) == 0 {
		f.Fatal("no configs", err)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text, uint8(3), uint8(2))
	}
	f.Add([]byte(`{"model_type":"nemotron_h","num_hidden_layers":4,"hybrid_override_pattern":"éé"}`), uint8(1), uint8(1))
	f.Fuzz(func(t *testing.T, text []byte, start, n uint8) {
		c, err := checkpoint.ParseConfig(text)
		if err != nil || c.Layers() < 2 || c.Layers() > 200 || len(text) > 10_000 {
			return
		}
		from := int(start) % (c.Layers() - 1)
		drop := []int{from}
		for l := from + 1; l < min(from+int(n%8), c.Layers()-1); l++ {
			drop = append(drop, l)
		}
		got, _, err := cut(c, llama(c), drop)
		if err != nil {
			return
		}
		again, err := checkpoint.ParseConfig(got)
		if err != nil {
			t.Fatalf("%s became %s: %v", text, got, err)
		}
		if again.Layers() != c.Layers()-len(drop) {
			t.Errorf("%s became %s, with %d layers", text, got, again.Layers())
		}
	})
}
