package checkpoint

import (
	"fmt"
	"path/filepath"
	"testing"

	"shallow/internal/shared"
)

func TestFindLayout(t *testing.T) {
	list := func(prefix string, n int, rests ...string) (names []string) {
		for i := range n {
			for _, rest := range rests {
				names = append(names, fmt.Sprintf("%s%d.%s", prefix, i, rest))
			}
		}
		return names
	}
	experts := append(list("model.layers.", 3, "norm.weight"), list("model.layers.0.mlp.experts.", 8, "w1", "w2", "w3")...)
	vision := append(list("visual.blocks.", 27, "q", "k", "v", "o"), list("model.layers.", 12, "q")...)
	cases := []struct {
		name          string
		names         []string
		layers, nextn int
		prefix        string // empty: an error
		want, extra   int
	}{
		{"llama", append(list("model.layers.", 32, "q", "rotary_emb.inv_freq"), "lm_head.weight"), 32, 0, "model.layers.", 32, 0},
		{"without prefix", list("h.", 5, "ln_1.weight"), 5, 0, "h.", 5, 0},
		{"number alone", []string{"0", "1"}, 2, 0, "", 2, 0},
		{"experts", experts, 3, 0, "model.layers.", 3, 0},
		{"vision tower", vision, 12, 0, "model.layers.", 12, 0},
		{"config silent", vision, 0, 0, "visual.blocks.", 27, 0},
		{"next-token layer", list("model.layers.", 62, "q"), 61, 1, "model.layers.", 61, 1},
		{"next-token layer not named", list("model.layers.", 62, "q"), 61, 0, "", 0, 0},
		{"layer lost", append(list("model.layers.", 3, "q"), "model.layers.4.q"), 5, 0, "", 0, 0},
		{"too few", list("model.layers.", 3, "q"), 5, 0, "", 0, 0},
		{"two lists", append(list("encoder.layers.", 6, "q"), list("decoder.layers.", 6, "q")...), 6, 0, "", 0, 0},
		{"tower as deep as the decoder", append(list("vision_tower.encoder.layers.", 6, "q", "k"), list("language_model.layers.", 6, "q")...), 6, 0, "language_model.layers.", 6, 0},
		{"leading zero", list("model.layers.0", 3, "q"), 3, 0, "", 0, 0},
		{"no numbers", []string{"lm_head.weight"}, 0, 0, "", 0, 0},
		{"huge number", []string{"a.99999999999999999999.q", "a.4294967296.q"}, 0, 0, "", 0, 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			l, err := FindLayout(c.names, c.layers, c.nextn)
			if c.want == 0 {
				if err == nil {
					t.Fatalf("no error, prefix %q", l.Prefix)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if l.Prefix != c.prefix || l.Layers != c.want || len(l.Extra) != c.extra {
				t.Fatalf("%q with %d layers and %d extra, want %q, %d, %d", l.Prefix, l.Layers, len(l.Extra), c.prefix, c.want, c.extra)
			}
			total := len(l.Outside)
			for _, group := range append(l.Tensors, l.Extra...) {
				total += len(group)
			}
			if total != len(c.names) {
				t.Errorf("%d tensors placed, want %d", total, len(c.names))
			}
		})
	}
}

func TestRenameParsesWholeNumbers(t *testing.T) {
	l := Layout{Prefix: "model.layers."}
	for _, c := range []struct{ name, want string }{
		{"model.layers.2.mlp.experts.2.w1", "model.layers.7.mlp.experts.2.w1"},
		{"model.layers.21.q", "model.layers.7.q"},
		{"model.layers.20", "model.layers.7"},
	} {
		if got := l.Rename(c.name, 7); got != c.want {
			t.Errorf("%s became %s, want %s", c.name, got, c.want)
		}
	}
	for _, name := range []string{"model.layers.02.q", "model.layers.x.q", "visual.layers.2.q", "model.layers.-1.q", "lm_head"} {
		if _, _, ok := l.Split(name); ok {
			t.Errorf("%s counts as a layer's tensor", name)
		}
	}
}

func TestLayoutOfEveryFamily(t *testing.T) {
	dirs, err := filepath.Glob(filepath.Join(shared.Dir(t, "reference", "families"), "*", ConfigFile))
	if err != nil || len(dirs) == 0 {
		t.Fatal("no families", err)
	}
	for _, path := range dirs {
		c, err := Open(filepath.Dir(path))
		if err != nil {
			t.Fatal(err)
		}
		l, err := c.Layout()
		if err != nil {
			t.Error(err)
		}
		if l.Layers != c.Config.Layers() || len(l.Outside) == 0 || len(l.Outside) > 5 {
			t.Errorf("%s: %d layers under %q, outside %v", c.Dir, l.Layers, l.Prefix, l.Outside)
		}
		c.Close()
	}
}
