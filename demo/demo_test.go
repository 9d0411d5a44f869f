package demo_test

import (
	"os"
	"path/filepath"
	"testing"

	"shallow/compute/cpu"
	"shallow/demo"
)

// TestRun goes the whole way twice and holds what the demo claims: deep layers change little, the least distance is a better
// guide than taking layers behind the first, and the same seed gives the same files.
func TestRun(t *testing.T) {
	dev, err := cpu.New(cpu.Options{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer dev.Close()
	var dirs []string
	for range 2 {
		dir := t.TempDir()
		dirs = append(dirs, dir)
		r, err := demo.Run(t.Context(), demo.Options{Dir: dir, Seed: 3, Tool: "shallow test", Device: dev})
		if err != nil {
			t.Fatal(err)
		}
		for i, best := range r.Best {
			shallow := r.Shallow[i]
			if !(best.Distance < shallow.Distance && best.Divergence < shallow.Divergence && best.Agreement > shallow.Agreement) {
				t.Errorf("n %d: %+v is not better than %+v", best.N, best, shallow)
			}
			if best.Range[1] == 16 {
				t.Errorf("n %d: the last layer goes: %v", best.N, best.Range)
			}
		}
		if r.Pruned.Proof == nil || r.Pruned.Kept != 12 {
			t.Errorf("pruned: %+v", r.Pruned)
		}
	}
	for _, name := range []string{"model/model.safetensors", "model/tokenizer.json", "texts.jsonl", "distances.json", "heatmap.png", "heatmap.svg", "plan.json", "pruned/model.safetensors"} {
		a, err := os.ReadFile(filepath.Join(dirs[0], name))
		if err != nil {
			t.Error(err)
		}
		b, err := os.ReadFile(filepath.Join(dirs[1], name))
		if err != nil || string(a) != string(b) {
			t.Errorf("%s differs from run to run: %v", name, err)
		}
	}
}
