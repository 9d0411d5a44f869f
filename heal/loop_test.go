package heal

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"shallow/checkpoint"
	"shallow/decoder"
)

// trial is a training of a small random model that tests can repeat.
type trial struct {
	dir     string
	options Options
}

func newTrial(t testing.TB) *trial {
	t.Helper()
	return &trial{randomModel(t, 1), Options{
		Rank: 2, Alpha: 4, Targets: "mlp", Dropout: 0.1, Budget: Budget{Steps: 6}, Batch: 1, Accumulate: 2, Peak: 1e-2, Warmup: 1, Clip: 1, Seed: 3,
		Length: 8, CheckpointEvery: 2, ValidateEvery: 4, Kernels: "these",
	}}
}

// data are rows of a few ids each, three of them held out.
func (tr *trial) data(t testing.TB) *Data {
	t.Helper()
	var documents []Document
	for i := range 12 {
		d := Document{}
		for j := range 4 + i%5 {
			d.IDs = append(d.IDs, int(random(5, 0, uint64(i), uint64(j))%200))
		}
		documents = append(documents, d)
	}
	d, err := NewData([]Source{{Name: "trial", Documents: documents}}, DataOptions{Length: 8, Shuffle: true, Seed: 3, CompletionWeight: 1, Held: 3})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// run trains in a directory, with changes to the options.
func (tr *trial) run(t testing.TB, out string, threads int, change func(*Options)) (*Result, error) {
	t.Helper()
	m := openModel(t, tr.dir, threads, decoder.Options{Precision: decoder.Float32})
	o := tr.options
	o.Output = out
	if change != nil {
		change(&o)
	}
	d := tr.data(t)
	return Run(t.Context(), m, d, d.Held(0), o)
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestResumedIsUninterrupted(t *testing.T) {
	tr := newTrial(t)
	want := t.TempDir()
	whole, err := tr.run(t, want, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	if whole.Validation == nil || whole.Validation.Rows != 3 || whole.Validation.Before == whole.Validation.After || whole.Steps != 6 || whole.Resumed != 0 {
		t.Errorf("a run came to %+v", whole)
	}
	lines := readLog(t, want)
	if len(lines) != 6 || lines[3].Validation == nil || lines[4].Validation != nil || lines[5].Validation == nil || *lines[5].Validation != whole.Validation.After {
		t.Errorf("log %+v", lines)
	}
	for stop := 1; stop < 6; stop++ {
		out := t.TempDir()
		_, err := tr.run(t, out, 2, func(o *Options) { o.stopAt = func(step int) bool { return step == stop } })
		var stopped *StoppedError
		if !errors.As(err, &stopped) || stopped.Step != stop || !errors.Is(err, context.Canceled) {
			t.Fatalf("stopped behind step %d: %v", stop, err)
		}
		// What a run that was killed logged of later steps, the last line not whole.
		log := filepath.Join(out, logFile)
		later := append(read(t, log), `{"step":9,"loss":1}`+"\n"+`{"st`...)
		if err := os.WriteFile(log, later, 0o644); err != nil {
			t.Fatal(err)
		}
		r, err := tr.run(t, out, 1, func(o *Options) { o.Memory, o.CheckpointEvery = 1, 0 })
		if err != nil {
			t.Fatal(err)
		}
		if r.Resumed != stop || r.Tokens != whole.Tokens || *r.Validation != *whole.Validation {
			t.Errorf("went on from %d: %+v, want %+v", stop, r, whole)
		}
		for _, name := range []string{adapterFile, adapterConfigFile, logFile} {
			if !bytes.Equal(read(t, filepath.Join(want, name)), read(t, filepath.Join(out, name))) {
				t.Errorf("stopped behind step %d: %s is another", stop, name)
			}
		}
	}
	// What is finished is not done again.
	again, err := tr.run(t, want, 1, func(o *Options) { o.Begin = func(Forecast) { t.Error("it began again") } })
	if err != nil || again.Loss != whole.Loss {
		t.Errorf("again: %+v, %v", again, err)
	}
	if _, err := tr.run(t, want, 1, func(o *Options) { o.Seed = 4 }); err == nil || !strings.Contains(err.Error(), "seed was 3 and is now 4") {
		t.Errorf("another run in the same directory: %v", err)
	}
}

func TestResumeRefuses(t *testing.T) {
	tr := newTrial(t)
	out := t.TempDir()
	stop := func(step int) bool { return step == 2 }
	if _, err := tr.run(t, out, 1, func(o *Options) { o.stopAt = stop }); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*Options){
		"lr was 0.01 and is now 0.02":                                      func(o *Options) { o.Peak = 0.02 },
		"rank was 2 and is now 3":                                          func(o *Options) { o.Rank = 3 },
		"corpus was not given and is now x":                                func(o *Options) { o.Given = map[string]string{"corpus": "x"} },
		"computed by these and this run by others, whose last bits differ": func(o *Options) { o.Kernels = "others" },
	} {
		if _, err := tr.run(t, out, 1, change); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if _, err := tr.run(t, out, 1, func(o *Options) {
		o.Kernels, o.AnyKernels, o.stopAt = "others", true, func(step int) bool { return step == 3 }
	}); !errors.Is(err, context.Canceled) {
		t.Errorf("other kernels that are allowed: %v", err)
	}

	path := filepath.Join(out, checkpointFile)
	good := read(t, path)
	for _, bad := range [][]byte{good[:len(good)-1], good[:7], {}, bytes.Replace(good, []byte(`\"version\":1`), []byte(`\"version\":9`), 1), bytes.Replace(good, []byte("first."), []byte("third."), 1)} {
		if err := os.WriteFile(path, bad, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := tr.run(t, out, 1, func(o *Options) { o.AnyKernels = true }); err == nil || !strings.Contains(err.Error(), checkpointFile) {
			t.Errorf("a checkpoint of %d bytes: %v", len(bad), err)
		}
	}
	if err := os.WriteFile(path, good, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(out, logFile), []byte(`{"step":1}`+"\n"+`{"step":3}`+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := tr.run(t, out, 1, func(o *Options) { o.AnyKernels = true }); err == nil || !strings.Contains(err.Error(), "line 2 is not that of step 2") {
		t.Errorf("a log with a step missing: %v", err)
	}
}

// TestDiverged goes on from checkpoints with a value that is not finite: what is trained, or a moment from which it will not be.
func TestDiverged(t *testing.T) {
	tr := newTrial(t)
	out := t.TempDir()
	if _, err := tr.run(t, out, 1, func(o *Options) { o.stopAt = func(step int) bool { return step == 3 } }); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	path := filepath.Join(out, checkpointFile)
	good := read(t, path)
	c, err := checkpoint.OpenFile(out, checkpointFile)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, test := range []struct {
		tensor, want string
	}{
		{"value.model.layers.2.mlp.up_proj.lora_B", "step 4: the loss, NaN, is not finite: decoder: the state that leaves layer 2 is not finite"},
		{"second.model.layers.9.mlp.down_proj.lora_A", `step 4: "model.layers.9.mlp.down_proj.lora_A" is not finite`},
	} {
		x, ok := c.Tensor(test.tensor)
		if !ok {
			t.Fatalf("%s is not in %v", test.tensor, c.Names())
		}
		bad := bytes.Clone(good)
		copy(bad[x.Offset:], []byte{0, 0, 0xc0, 0x7f}) // not a number
		if err := os.WriteFile(path, bad, 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := tr.run(t, out, 1, func(o *Options) { o.CheckpointEvery = 1 })
		var d *DivergedError
		if !errors.As(err, &d) || d.Step != 4 || d.Kept != 3 || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "checkpoint of step 3 is kept") {
			t.Errorf("%s: %v, want %q", test.tensor, err, test.want)
		}
		if !bytes.Equal(read(t, path), bad) {
			t.Errorf("%s: the checkpoint is another", test.tensor)
		}
	}
}

// TestBudgetIsKept counts the steps of a budget in hours once.
func TestBudgetIsKept(t *testing.T) {
	tr := newTrial(t)
	out := t.TempDir()
	steps := 0
	hours := func(o *Options) {
		o.Budget, o.Warmup = Budget{Hours: 0.3 / 3600}, -1
		o.Begin = func(f Forecast) { steps = f.Resumed + f.Steps }
	}
	_, err := tr.run(t, out, 1, func(o *Options) { hours(o); o.stopAt = func(step int) bool { return step == 1 } })
	if !errors.Is(err, context.Canceled) || steps < 1 {
		t.Skipf("this machine does %d steps in 0.3 s: %v", steps, err)
	}
	first := steps
	h, c, err := openCheckpoint(out)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	if h.State.Steps != first {
		t.Errorf("%d steps were forecast, %d are kept", first, h.State.Steps)
	}
	if _, err := tr.run(t, out, 1, func(o *Options) { hours(o); o.stopAt = func(step int) bool { return step == 2 } }); err != nil && !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if steps != first {
		t.Errorf("%d steps, and %d when it went on", first, steps)
	}
}

// TestAccumulated: four rows at once, one at a time, or two and two are the same step but for the order of sums.
func TestAccumulated(t *testing.T) {
	tr := newTrial(t)
	var losses, norms []float64
	for _, batch := range []int{1, 2, 4} {
		out := t.TempDir()
		if _, err := tr.run(t, out, 2, func(o *Options) { o.Batch, o.Accumulate, o.Budget.Steps, o.Dropout = batch, 4/batch, 2, 0 }); err != nil {
			t.Fatal(err)
		}
		line := readLog(t, out)[1]
		losses, norms = append(losses, line.Loss), append(norms, line.Norm)
	}
	for i := range losses {
		if d := losses[i] - losses[0]; d > 1e-5 || d < -1e-5 {
			t.Errorf("losses %v", losses)
		}
		if d := norms[i]/norms[0] - 1; d > 1e-4 || d < -1e-4 {
			t.Errorf("norms %v", norms)
		}
	}
}

// TestForecast: less memory keeps fewer layers' activations, and no less is promised than is asked for.
func TestForecast(t *testing.T) {
	tr := newTrial(t)
	kept := map[int64]Forecast{}
	for _, memory := range []int64{0, 1} {
		if _, err := tr.run(t, t.TempDir(), 1, func(o *Options) {
			o.Memory, o.Budget.Steps = memory, 1
			o.Begin = func(f Forecast) { kept[memory] = f }
		}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := tr.run(t, t.TempDir(), 1, func(o *Options) { o.Memory, o.Limit = 1, kept[1].Memory-1 }); err == nil || !strings.Contains(err.Error(), "MB of memory") {
		t.Errorf("more than there is: %v", err)
	}
	all, none := kept[0], kept[1]
	if all.Kept != all.Layers || none.Kept != 0 || none.Memory >= all.Memory || all.Steps != 1 || all.Trained == 0 || all.Tokens == 0 || all.Time <= 0 {
		t.Errorf("%+v and %+v", all, none)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	tr := newTrial(t)
	for want, change := range map[string]func(*Options){
		"batch and accumulate": func(o *Options) { o.Batch = 0 },
		"learning rate":        func(o *Options) { o.Peak = 0 },
		"rank and alpha":       func(o *Options) { o.Rank = 0 },
		"dropout":              func(o *Options) { o.Dropout = 1 },
		"intervals":            func(o *Options) { o.CheckpointEvery = -1 },
		"choose one":           func(o *Options) { o.Budget.Hours = 1 },
		"no matrix that ends":  func(o *Options) { o.Targets = "nothing" },
	} {
		if _, err := tr.run(t, t.TempDir(), 1, change); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func TestOneRunAtATime(t *testing.T) {
	tr := newTrial(t)
	out := t.TempDir()
	unlock, err := lock(out)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	if _, err := tr.run(t, out, 1, nil); err == nil || !strings.Contains(err.Error(), "another run writes to") {
		t.Errorf("two runs in one directory: %v", err)
	}
}
