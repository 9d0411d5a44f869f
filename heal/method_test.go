package heal

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"shallow/checkpoint"
	"shallow/compute"
	"shallow/compute/cpu"
	"shallow/decoder"
)

// lesson is a model whose layers were altered, and the model it was: the teacher.
type lesson struct {
	model, teacher string
	data           func(t testing.TB) *Data
}

func newLesson(t testing.TB) *lesson {
	t.Helper()
	l := &lesson{model: randomModel(t, 1), teacher: randomModel(t, 2)}
	tr := trial{}
	l.data = tr.data
	return l
}

// run trains with both models on one device of so many threads.
func (l *lesson) run(t testing.TB, out string, threads int, change func(*Options)) (*Result, error) {
	t.Helper()
	dev, err := cpu.New(cpu.Options{Threads: threads})
	if err != nil {
		t.Fatal(err)
	}
	var models []*decoder.Model
	for _, dir := range []string{l.model, l.teacher} {
		c, err := checkpoint.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		m, err := decoder.Open(dev, c, decoder.Options{Precision: decoder.Float32})
		if err != nil {
			t.Fatal(err)
		}
		models = append(models, m)
	}
	defer func() {
		for _, m := range models {
			m.Close()
			m.Checkpoint.Close()
		}
		dev.Close()
	}()
	o := Options{
		Output: out, Rank: 4, Alpha: 8, Targets: "all", Budget: Budget{Steps: 12}, Batch: 2, Accumulate: 2, Peak: 3e-3, Warmup: 1, Clip: 1, Seed: 3,
		Length: 8, Kernels: "these", TailLayers: 2, Cut: &Cut{4, 6},
	}
	change(&o)
	if o.Objective != "" {
		o.Teacher = &Teacher{Model: models[1], Temperature: 2}
	}
	d := l.data(t)
	return Run(t.Context(), models[0], d, d.Held(0), o)
}

// Every method with every loss learns, and a run that was stopped ends with the bytes of one that was not.
func TestMethods(t *testing.T) {
	l := newLesson(t)
	for _, method := range []Method{LoRA, Full, Tail, Join} {
		for _, objective := range []Loss{"", Matching, Distilled} {
			if method == Tail && objective == Matching {
				continue // the tail lies behind the cut
			}
			t.Run(fmt.Sprintf("%s %s", method, objective), func(t *testing.T) {
				set := func(o *Options) { o.Method, o.Objective = method, objective }
				whole, parts := t.TempDir(), t.TempDir()
				if _, err := l.run(t, whole, 1, set); err != nil {
					t.Fatal(err)
				}
				lines := readLog(t, whole)
				first, last := lines[0].Loss+lines[1].Loss, lines[10].Loss+lines[11].Loss
				if !(last < first) {
					t.Errorf("two steps' losses %.4f at first, %.4f in the end", first, last)
				}
				var stopped *StoppedError
				if _, err := l.run(t, parts, 2, func(o *Options) { set(o); o.stopAt = func(step int) bool { return step == 5 } }); !errors.As(err, &stopped) {
					t.Fatal(err)
				}
				if _, err := l.run(t, parts, 3, func(o *Options) { set(o); o.Memory = 1 }); err != nil {
					t.Fatal(err)
				}
				file := adapterFile
				if method != LoRA {
					file = filepath.Join(modelFolder, checkpoint.SingleFile)
				}
				for _, name := range []string{file, logFile} {
					if !bytes.Equal(read(t, filepath.Join(whole, name)), read(t, filepath.Join(parts, name))) {
						t.Errorf("%s is another where the run was stopped", name)
					}
				}
			})
		}
	}
}

// Only what a method trains is another in the checkpoint that it writes.
func TestTrainedTensors(t *testing.T) {
	l := newLesson(t)
	for method, want := range map[Method]func(name string) bool{
		Tail: func(name string) bool {
			return strings.HasPrefix(name, "model.layers.14.") || strings.HasPrefix(name, "model.layers.15.") || name == "model.norm.weight" || name == "lm_head.weight"
		},
		Join: func(name string) bool {
			return strings.HasPrefix(name, "model.layers.3.") || strings.HasPrefix(name, "model.layers.4.")
		},
		Full: func(string) bool { return true },
	} {
		out := t.TempDir()
		if _, err := l.run(t, out, 2, func(o *Options) { o.Method = method }); err != nil {
			t.Fatal(method, err)
		}
		old, err := checkpoint.Open(l.model)
		if err != nil {
			t.Fatal(err)
		}
		trained, err := checkpoint.Open(filepath.Join(out, modelFolder))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range old.Names() {
			a, _ := old.Tensor(name)
			b, ok := trained.Tensor(name)
			if !ok || a.DType != b.DType || bytes.Equal(a.Bytes(), b.Bytes()) == want(name) {
				t.Errorf("%s: %s is there %v, as %s, changed %v", method, name, ok, b.DType, !bytes.Equal(a.Bytes(), b.Bytes()))
			}
		}
		if _, err := os.Stat(filepath.Join(out, modelFolder, checkpoint.ConfigFile)); err != nil {
			t.Error(err)
		}
		old.Close()
		trained.Close()
	}
}

// Where nothing was learned yet, a model predicts every token alike.
func TestFromScratch(t *testing.T) {
	l := newLesson(t)
	out := t.TempDir()
	if _, err := l.run(t, out, 2, func(o *Options) { o.Method, o.FromScratch = Full, true }); err != nil {
		t.Fatal(err)
	}
	c, err := checkpoint.Open(l.model)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got, want := readLog(t, out)[0].Loss, math.Log(float64(c.Config.Int("vocab_size", 0))); math.Abs(got-want) > 0.3 {
		t.Errorf("the first loss is %.3f, want about %.3f", got, want)
	}
}

// The loss of matching is the mean square of the difference between two residual streams, told here by running both.
func TestMatchedLoss(t *testing.T) {
	l := newLesson(t)
	out := t.TempDir()
	if _, err := l.run(t, out, 2, func(o *Options) { o.Objective, o.Batch, o.Accumulate = Matching, 1, 1 }); err != nil {
		t.Fatal(err)
	}
	ids := l.data(t).Next(1)[0].IDs
	state := func(dir string, layers int) []float32 {
		m := openModel(t, dir, 1, decoder.Options{Precision: decoder.Float32})
		g, err := m.Start([][]int{ids})
		if err != nil {
			t.Fatal(err)
		}
		defer g.Close()
		for layer, err := range m.Layers(nil) {
			if err != nil {
				t.Fatal(err)
			}
			if layer.Index == layers {
				break
			}
			g.Forward(layer)
		}
		x := make([]float32, g.X().Rows*g.X().Cols)
		if err := m.Device.Download(compute.Bytes(x), g.X()); err != nil {
			t.Fatal(err)
		}
		return x
	}
	a, b := state(l.model, 4), state(l.teacher, 6)
	var sum float64
	for i, v := range a {
		sum += (float64(v) - float64(b[i])) * (float64(v) - float64(b[i]))
	}
	if got, want := readLog(t, out)[0].Loss, sum/float64(len(a)); math.Abs(got-want) > 1e-5*want {
		t.Errorf("the first loss is %g, want %g", got, want)
	}
}
