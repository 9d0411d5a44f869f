package sweep_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"shallow/checkpoint"
	"shallow/eval/task"
	"shallow/internal/randommodel"
	"shallow/plan"
	"shallow/prune"
	"shallow/sweep"
)

func TestSweep(t *testing.T) {
	w := newWorld(t)
	r := w.run(grid, "out")
	if len(r.Cells) != 2*(7+2+1) || r.Planned != len(r.Cells) {
		t.Fatalf("%d cells of %d", len(r.Cells), r.Planned)
	}
	read, err := sweep.Read(w.at("out"))
	if err != nil {
		t.Fatal(err)
	}
	if a, b := toJSON(t, read), toJSON(t, r); a != b {
		t.Error("sweep.json is not what the run gave")
	}
	var order []string
	for _, c := range r.Cells {
		order = append(order, fmt.Sprintf("%s/%s/%s/%d", c.Task, c.Healing, c.Strategy, c.N))
		if len(c.Metrics) == 0 || c.Samples == 0 || c.Settings.Kernels == "" || len(c.Settings.Data) == 0 || (c.Healing != "none") != (c.HealLoss != nil) {
			t.Errorf("%s: %+v", order[len(order)-1], c)
		}
		if (c.Task == "capitals") != (c.Chance != nil && *c.Chance == 0.5) {
			t.Errorf("%s: chance is %v", c.Task, c.Chance)
		}
	}
	want := []string{"capitals/none/none/0", "capitals/none/similarity/1", "capitals/none/similarity/2", "capitals/none/similarity/4",
		"capitals/none/deepest/1", "capitals/none/deepest/2", "capitals/none/deepest/4", "capitals/q/similarity/4", "capitals/q/deepest/4", "capitals/tail/deepest/4"}
	if !slices.Equal(order[:10], want) {
		t.Errorf("the cells are %v", order)
	}
	m := r.Models[0]
	if m.Layers != 16 || m.Distances == nil || m.Parameters == 0 || m.LayerBytes[3] == 0 || m.CacheBytes == 0 {
		t.Errorf("the model is %+v", m)
	}
	for _, left := range []string{"work/*", "claims/*", "pruned", "healed/*/model"} {
		if found, _ := filepath.Glob(w.at("out/" + left)); len(found) > 0 {
			t.Errorf("%v are left", found)
		}
	}

	// The same again computes nothing.
	sweep.OnSave(func(id string) { t.Errorf("%s is computed again", id) })
	defer sweep.OnSave(nil)
	again := w.run(grid, "out")
	if !reflect.DeepEqual(bare(again).Cells, bare(r).Cells) {
		t.Error("the second run gives another result")
	}
}

func toJSON(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestScoresAreEvals: a cell has what an evaluation of the variant alone gives, bit for bit.
func TestScoresAreEvals(t *testing.T) {
	w := newWorld(t)
	r := w.run(strings.Replace(grid, "steps: 1,", "steps: 2,", 1), "out")
	set, err := task.Load([]string{w.at("capitals.yaml"), w.at("sums.yaml")}, task.LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range r.Cells {
		if c.Healing == "tail" { // its weights are not kept
			continue
		}
		dir, adapter, drop := w.at("m"), "", c.Drop
		if c.Healing == "q" {
			found, _ := filepath.Glob(w.at("out/healed/m-q-*"))
			if len(found) != 1 {
				t.Fatalf("there are %v", found)
			}
			dir, adapter, drop = w.at("pruned"), found[0], nil
			prunedModel(t, w, c.Drop)
		}
		v := w.evaluate(set, dir, adapter, drop, nil)
		for _, e := range v.Tasks {
			if e.Task.Name != c.Task {
				continue
			}
			for i, m := range e.Total.Metrics {
				if c.Metrics[i].Metric != m.Metric || c.Metrics[i].Value != m.Value {
					t.Errorf("%s without %v, %s: %v, alone %v", c.Task, c.Drop, c.Healing, c.Metrics[i], m)
				}
			}
		}
	}
}

// prunedModel writes the model without some layers.
func prunedModel(t *testing.T, w *world, drop []int) {
	t.Helper()
	c, err := checkpoint.Open(w.at("m"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	p, err := plan.New(plan.ByHand, 16, drop)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := prune.Prune(t.Context(), c, prune.Options{Output: w.at("pruned"), Plan: p, Force: true, Device: w.options("x").Device}); err != nil {
		t.Fatal(err)
	}
}

const one = `
models: m
strategies: deepest
drop: 2
tasks: {task: capitals.yaml, limit: 2}
data: data
`

// TestIDs: what a result depends on changes its id, what it does not depend on does not.
func TestIDs(t *testing.T) {
	w := newWorld(t)
	id := func(text string) string {
		t.Helper()
		r := w.run(text, "out")
		return r.Cells[len(r.Cells)-1].ID
	}
	first := id(one)
	same := map[string]string{
		"the order of keys":     "data: data\ntasks: {limit: 2, task: capitals.yaml}\ndrop: 2\nstrategies: deepest\nmodels: m\n",
		"a model's name":        strings.Replace(one, "models: m", "models: {name: x, model: m}", 1),
		"a task's name":         strings.Replace(one, "limit: 2", "limit: 2, name: y", 1),
		"how the depth is said": strings.Replace(one, "drop: 2", "drop: 13%", 1),
		"more depths":           strings.Replace(one, "drop: 2", "drop: [1, 2]", 1),
		"memory":                one + "memory: 1GB\n",
		"the task's own shots":  strings.Replace(one, "limit: 2", "limit: 2, num_fewshot: 1", 1),
	}
	for what, text := range same {
		if id(text) != first {
			t.Errorf("%s changes the id", what)
		}
	}
	seen := map[string]string{first: "nothing"}
	other := func(what, id string) {
		t.Helper()
		if before, known := seen[id]; known {
			t.Errorf("%s has the id of %s", what, before)
		}
		seen[id] = what
	}
	for what, text := range map[string]string{
		"the drop":      strings.Replace(one, "drop: 2", "drop: 3", 1),
		"the limit":     strings.Replace(one, "limit: 2", "limit: 1", 1),
		"the shots":     strings.Replace(one, "limit: 2", "limit: 2, num_fewshot: 0", 1),
		"the seed":      one + "seed: 2\n",
		"the length":    one + "max_length: 300\n",
		"the precision": one + "precision: bfloat16\n",
		"the draws":     one + "bootstrap_iters: 5\n",
		"another task":  strings.Replace(one, "capitals.yaml", "sums.yaml", 1),
		"a healing":     one + "healing: {name: q, corpus: texts.jsonl, steps: 1, batch: 1, accumulate: 1, length: 12, rank: 2, base: float32}\n",
		"its steps":     one + "healing: {name: q, corpus: texts.jsonl, steps: 2, batch: 1, accumulate: 1, length: 12, rank: 2, base: float32}\n",
		"its rate":      one + "healing: {name: q, corpus: texts.jsonl, steps: 1, batch: 1, accumulate: 1, length: 12, rank: 2, base: float32, lr: 1e-5}\n",
		"its base":      one + "healing: {name: q, corpus: texts.jsonl, steps: 1, batch: 1, accumulate: 1, length: 12, rank: 2, base: bf16}\n",
	} {
		other(what, id(text))
	}
	w.write("texts.jsonl", `{"text": "another corpus to train on"}`+"\n")
	other("the corpus", id(one+"healing: {name: q, corpus: texts.jsonl, steps: 1, batch: 1, accumulate: 1, length: 12, rank: 2, base: float32}\n"))
	w.write("data/capitals/train.jsonl", `{"country": "Norland", "towns": ["Nor", "Sud"], "right": 1}`+"\n")
	other("the examples", id(one))
	w.write("data/capitals/test.jsonl", files["data/capitals/test.jsonl"]+`{"country": "Ys", "towns": ["A", "B"], "right": 1}`+"\n")
	other("the documents", id(one))
	w.write("capitals.yaml", strings.Replace(files["capitals.yaml"], "The capital of", "The main town of", 1))
	other("the prompt", id(one))
	if err := randommodel.Write(w.at("m"), 2); err != nil {
		t.Fatal(err)
	}
	other("the weights", id(one))
	data, err := os.ReadFile(w.at("m/tokenizer.json"))
	if err != nil {
		t.Fatal(err)
	}
	w.write("m/tokenizer.json", string(data)+"\n")
	other("the tokenizer", id(one))
	o := w.options("out")
	o.Kernels = "another"
	r, err := sweep.Run(t.Context(), w.spec(one), o)
	if err != nil {
		t.Fatal(err)
	}
	other("the kernels", r.Cells[len(r.Cells)-1].ID)
}

// TestAtOnce: several sweeps of one folder compute each cell once, and all have the whole result.
func TestAtOnce(t *testing.T) {
	w := newWorld(t)
	var mutex sync.Mutex
	computed := map[string]int{}
	sweep.OnSave(func(id string) {
		mutex.Lock()
		defer mutex.Unlock()
		computed[id]++
	})
	defer sweep.OnSave(nil)
	results := make([]*sweep.Result, 3)
	var all sync.WaitGroup
	for i := range results {
		o, spec := w.options("out"), w.spec(grid)
		all.Go(func() {
			var err error
			if results[i], err = sweep.Run(t.Context(), spec, o); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for id, n := range computed {
		if n > 1 {
			t.Errorf("%s is computed %d times", id, n)
		}
	}
	alone := w.run(grid, "alone")
	for _, r := range results {
		if r == nil || !reflect.DeepEqual(bare(r).Cells, bare(alone).Cells) {
			t.Error("a result is another than that of a sweep alone")
		}
	}
}

// TestStopped: a sweep that is stopped again and again gives the same in the end.
func TestStopped(t *testing.T) {
	w := newWorld(t)
	want := w.run(grid, "want")
	for stop := 1; ; stop++ {
		ctx, cancel := context.WithCancel(t.Context())
		o := w.options("got")
		calls := 0
		o.Report = func(sweep.Progress) {
			if calls++; calls == stop {
				cancel()
			}
		}
		r, err := sweep.Run(ctx, w.spec(grid), o)
		cancel()
		if err == nil {
			if !reflect.DeepEqual(bare(r).Cells, bare(want).Cells) {
				t.Error("the result is another than that of a sweep that was not stopped")
			}
			return
		}
		if !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		stop += stop / 4
	}
}

// TestRecorded: cells that come along are taken as they are, whatever processor computed them.
func TestRecorded(t *testing.T) {
	w := newWorld(t)
	before := w.run(grid, "out")
	var lines bytes.Buffer
	if err := sweep.WriteRecorded(&lines, w.at("out"), before, func(*sweep.Cell) bool { return true }); err != nil {
		t.Fatal(err)
	}
	if _, err := sweep.ReadRecorded(strings.NewReader("{}\n")); err == nil || !strings.Contains(err.Error(), "line 1") {
		t.Errorf("an empty object is taken for a cell: %v", err)
	}
	recorded, err := sweep.ReadRecorded(&lines)
	if err != nil {
		t.Fatal(err)
	}
	sweep.OnSave(func(id string) { t.Errorf("%s is computed", id) })
	defer sweep.OnSave(nil)
	o := w.options("other")
	o.Recorded, o.Kernels = recorded, "another"
	r, err := sweep.Run(t.Context(), w.spec(grid), o)
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range r.Cells {
		if !c.Recorded || !reflect.DeepEqual(c.Metrics, before.Cells[i].Metrics) {
			t.Errorf("cell %d is %+v", i, c)
		}
	}
}

// TestDamagedCell: a cell whose file is damaged is computed again.
func TestDamagedCell(t *testing.T) {
	w := newWorld(t)
	r := w.run(one, "out")
	name := w.at("out/cells/" + r.Cells[1].ID + ".json")
	if err := os.Truncate(name, 100); err != nil {
		t.Fatal(err)
	}
	o := w.options("out")
	var notes []string
	o.Note = func(text string) { notes = append(notes, text) }
	again, err := sweep.Run(t.Context(), w.spec(one), o)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(bare(again).Cells, bare(r).Cells) || len(notes) != 1 || !strings.Contains(notes[0], "is damaged") {
		t.Errorf("notes %q, cells %+v", notes, again.Cells)
	}
}

// TestGroup: a cell of a group has its tasks as parts.
func TestGroup(t *testing.T) {
	w := newWorld(t)
	r := w.run(strings.Replace(one, "{task: capitals.yaml, limit: 2}", "{task: both, include: .}", 1), "out")
	c := r.Cells[0]
	if c.Task != "both" || len(c.Parts) != 2 || c.Parts[0].Task != "capitals" || c.Samples != 6 || len(c.Metrics) != 1 || c.Metrics[0].Metric != "acc" {
		t.Errorf("%+v", c)
	}
}

// TestKept: checkpoints stay where that is asked for.
func TestKept(t *testing.T) {
	w := newWorld(t)
	w.run(grid+"keep_checkpoints: true\n", "out")
	for _, pattern := range []string{"out/pruned/m-without-11-14-*/config.json", "out/healed/m-q-*/adapter_model.safetensors", "out/healed/m-tail-*/model/config.json"} {
		if found, _ := filepath.Glob(w.at(pattern)); len(found) != 1 {
			t.Errorf("%s: there are %v", pattern, found)
		}
	}
}

func TestLook(t *testing.T) {
	w := newWorld(t)
	look := func() *sweep.Forecast {
		t.Helper()
		f, err := sweep.Look(t.Context(), w.spec(grid), w.options("out"))
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	f := look()
	if f.Cells != 20 || f.Known != 0 || f.Models[0].Measured || f.Measure <= 0 || f.Score <= 0 || f.Heal <= 0 || f.Disk <= 0 {
		t.Errorf("%+v", f)
	}
	w.run(grid, "out")
	if f = look(); f.Known != 20 || !f.Models[0].Measured || f.Time() != 0 || f.Disk != 0 {
		t.Errorf("when all is done: %+v", f)
	}
}

// TestErrors: what is wrong is found before anything is computed, and named.
func TestErrors(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct{ from, to, want string }{
		{"models: m", "models: nowhere", "nowhere"},
		{"drop: 2", "drop: 16", "at least one must stay"},
		{"capitals.yaml", "nowhere.yaml", "nowhere.yaml"},
		{"capitals.yaml", "no-such-task", "no-such-task"},
		{"data: data", "data: nodata", "nodata"},
		{"{task: capitals.yaml, limit: 2}", "[capitals.yaml, capitals.yaml]", "two are called capitals"},
		{"drop: 2", "drop: 2\nhealing: {name: q, corpus: absent.jsonl}", "healing q: .*absent.jsonl"},
	} {
		_, err := sweep.Run(t.Context(), w.spec(strings.Replace(one, c.from, c.to, 1)), w.options("out"))
		parts := strings.Split(c.want, ".*")
		if err == nil || !strings.Contains(err.Error(), parts[0]) || !strings.Contains(err.Error(), parts[len(parts)-1]) {
			t.Errorf("%s gives %v", c.to, err)
		}
		if found, _ := filepath.Glob(w.at("out/cells/*")); len(found) > 0 {
			t.Errorf("%s: something was computed first", c.to)
		}
	}
}

// TestBrokenVariant: what cannot be computed is named, and the rest is there.
func TestBrokenVariant(t *testing.T) {
	w := newWorld(t)
	c, err := checkpoint.Open(w.at("m"))
	if err != nil {
		t.Fatal(err)
	}
	x, _ := c.Tensor("model.layers.14.mlp.down_proj.weight")
	c.Close()
	f, err := os.OpenFile(w.at("m/model.safetensors"), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte{0, 0, 0xc0, 0x7f}, x.Offset); err != nil { // not a number
		t.Fatal(err)
	}
	f.Close()
	r, err := sweep.Run(t.Context(), w.spec(one), w.options("out")) // without layers 13 and 14 it computes
	if err == nil || !strings.Contains(err.Error(), "m whole, task capitals") || !strings.Contains(err.Error(), "model.layers.14") {
		t.Errorf("the error is %v", err)
	}
	if r == nil || len(r.Cells) != 1 || r.Cells[0].N != 2 {
		t.Errorf("the result is %+v", r)
	}
}
