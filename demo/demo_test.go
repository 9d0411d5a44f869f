package demo_test

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"shallow/compute/cpu"
	"shallow/demo"
	"shallow/demo/world"
	"shallow/sweep"
)

// largestModel is what the weights may take in the program.
const largestModel = 8 << 20

// write writes the demo's files.
func write(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := demo.Write(dir, 1); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestWrite: the model is one of the world's shape and tokenizer, no larger than it may be, and is not written again where it is there.
func TestWrite(t *testing.T) {
	dir := write(t)
	var size int64
	times := map[string]time.Time{}
	walk := func(visit func(string, fs.FileInfo)) {
		err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			info, err := d.Info()
			if err == nil {
				visit(name, info)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	walk(func(name string, info fs.FileInfo) {
		if filepath.Base(filepath.Dir(name)) == demo.ModelDir {
			times[name] = info.ModTime()
			size += info.Size()
		}
	})
	if size > largestModel {
		t.Errorf("the model takes %d bytes, more than %d", size, largestModel)
	}
	if err := demo.Write(dir, 1); err != nil {
		t.Fatal(err)
	}
	walk(func(name string, info fs.FileInfo) {
		if was, ok := times[name]; ok && was != info.ModTime() {
			t.Errorf("%s is written again", name)
		}
	})
	v, err := world.New(demo.WorldSeed).Tokenizer()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Join(dir, demo.ModelDir, "tokenizer.json")); err != nil || string(got) != string(v.JSON()) {
		t.Errorf("the model's tokenizer is not the world's: texts have changed since it was trained (%v)", err)
	}
	config, err := os.ReadFile(filepath.Join(dir, demo.ModelDir, "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := shape(t, config), shape(t, world.Config()); !reflect.DeepEqual(got, want) {
		t.Errorf("the model is %v, the world's is %v", got, want)
	}
}

// shape is a config without the type of its weights.
func shape(t *testing.T, config []byte) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(config, &m); err != nil {
		t.Fatal(err)
	}
	delete(m, "torch_dtype")
	return m
}

func readSpec(t *testing.T, dir string) *sweep.Spec {
	t.Helper()
	spec, err := sweep.ReadSpec(filepath.Join(dir, demo.SpecFile))
	if err != nil {
		t.Fatal(err)
	}
	return spec
}

func options(t *testing.T, dir string) sweep.Options {
	t.Helper()
	device, err := cpu.New(cpu.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { device.Close() })
	return sweep.Options{Output: filepath.Join(dir, demo.SweepDir), Tool: "test", Device: device, Kernels: device.Level().String()}
}

// TestKnowledge asks the model what its card claims, in wordings that it was not trained on.
func TestKnowledge(t *testing.T) {
	dir := write(t)
	spec := readSpec(t, dir)
	spec.Drop, spec.Strategies, spec.Healings = sweep.Depths{"1"}, []string{sweep.Deepest}, nil
	r, err := sweep.Run(t.Context(), spec, options(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	for task, least := range map[string]float64{"world_facts": 0.9, "world_endings": 0.7, "world_written": 0.6} {
		i := slices.IndexFunc(r.Cells, func(c sweep.Cell) bool { return c.Task == task && c.N == 0 })
		if i < 0 {
			t.Errorf("there is no %s", task)
			continue
		}
		if got := r.Cells[i].Metrics[0].Value; got < least {
			t.Errorf("%s: %v, expected %v at least", task, got, least)
		}
	}
}

// TestRecorded: what comes with the program belongs to its model, its texts and its grid.
func TestRecorded(t *testing.T) {
	dir := write(t)
	spec := readSpec(t, dir)
	spec.Unhealed, spec.Strategies = false, []string{sweep.Deepest} // whose blocks are known without a measurement
	o := options(t, dir)
	var err error
	if o.Recorded, err = demo.Recorded(); err != nil {
		t.Fatal(err)
	}
	f, err := sweep.Look(t.Context(), spec, o)
	if err != nil {
		t.Fatal(err)
	}
	if want := 12 * len(spec.Tasks); f.Known != want {
		t.Errorf("%d of %d healed cells of the deepest layers are recorded, expected %d; shallow demo --record demo/recorded.jsonl makes them", f.Known, f.Cells, want)
	}
}
