package eval_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"shallow/checkpoint"
	"shallow/decoder"
	"shallow/eval"
	"shallow/internal/shared"
	"shallow/plan"
	"shallow/prune"
)

// few is a little of every kind of request.
var few = []string{"boolq", "winogrande", "mmlu_astronomy", "gsm8k", "wikitext", "boolq@paper", "c4@paper"}

func fewOptions(o eval.Options) eval.Options {
	o.Task.Limit, o.Task.MaxTokens, o.MaxLength = 3, 12, 600
	return o
}

// samples are the lines that an evaluation writes, and its results without what the time of day changes.
func samples(t *testing.T, v *eval.Evaluation, o eval.Options) string {
	t.Helper()
	dir := t.TempDir()
	r := eval.Results{}
	v.Fill(&r, o, time.Second)
	r.Date = 0
	if err := v.Write(dir, &r); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) < len(v.Tasks)+1 {
		t.Fatalf("%d files for %d tasks, %v", len(files), len(v.Tasks), err)
	}
	var all bytes.Buffer
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(data)
	}
	return all.String()
}

// TestSameBits evaluates with other threads, other groups and other numbers of texts at a time.
func TestSameBits(t *testing.T) {
	var want string
	for _, with := range []struct {
		threads int
		memory  int64
	}{{1, 0}, {2, 0}, {3, 12 << 20}} {
		m, o := model(t, shared.Dir(t, "reference", "eval", "llama2-tok"), with.threads)
		o = fewOptions(o)
		o.Memory = with.memory
		groups := 0
		o.Begin = func(f eval.Forecast) { groups = max(groups, f.Groups) }
		v, err := eval.Run(context.Background(), m, load(t, few...), o)
		if err != nil {
			t.Fatal(err)
		}
		got := samples(t, v, o)
		if want == "" {
			want = got
		}
		if got != want {
			t.Errorf("%d threads with %d bytes in %d groups: other results", with.threads, with.memory, groups)
		}
		if with.memory > 0 && groups < 2 {
			t.Errorf("%d bytes of memory still make %d group", with.memory, groups)
		}
	}
}

// TestStoppedGoesOn stops an evaluation in each of its phases, and a little later again and again: nothing that was computed
// is computed once more, and the results are those of a run without a break.
func TestStoppedGoesOn(t *testing.T) {
	m, o := model(t, shared.Dir(t, "reference", "eval", "llama2-tok"), 2)
	o = fewOptions(o)
	o.Memory = 12 << 20 // several groups
	set := load(t, few...)
	whole, err := eval.Run(context.Background(), m, set, o)
	if err != nil {
		t.Fatal(err)
	}
	o.Journal = filepath.Join(t.TempDir(), "eval.journal")
	computed := map[eval.Phase]int{}
	all := map[eval.Phase]int{}
	for run := 0; ; run++ {
		if run > 50 {
			t.Fatal("it does not come to an end")
		}
		ctx, stop := context.WithCancel(context.Background())
		known := map[eval.Phase]int{}
		o.Begin = func(f eval.Forecast) {
			known[f.Phase] = f.Known
			all[f.Phase] = f.Known + f.Requests
			if f.Known < computed[f.Phase] {
				t.Errorf("%d requests of phase %s are known, %d were before", f.Known, f.Phase, computed[f.Phase])
			}
			computed[f.Phase] = f.Known
		}
		steps := 0
		o.Progress = func(p eval.Phase, done, total int64) {
			if steps++; steps > 2+5*run || p == eval.Generating && done > 0 {
				stop()
			}
		}
		v, err := eval.Run(ctx, m, set, o)
		stop()
		if err == nil {
			if got := samples(t, v, o); got != samples(t, whole, o) {
				t.Error("other results than without a break")
			}
			break
		}
		if !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		// A crash may leave half a line.
		if run == 1 {
			f, err := os.OpenFile(o.Journal, os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.WriteString(`{"key":"01234567`); err != nil {
				t.Fatal(err)
			}
			f.Close()
		}
	}
	if computed[eval.Scoring] == 0 || all[eval.Generating] == 0 {
		t.Errorf("nothing was known from the runs before: %v of %v", computed, all)
	}
	// All is known now, and with another setting nothing is.
	begun := false
	o.Begin, o.Progress = func(eval.Forecast) { begun = true }, nil
	if _, err := eval.Run(context.Background(), m, set, o); err != nil || begun {
		t.Errorf("a finished evaluation computes again (%v)", err)
	}
	o.Drop = []int{1}
	if _, err := eval.Run(context.Background(), m, set, o); err != nil || !begun {
		t.Errorf("without layer 1 the journal of the whole model is used (%v)", err)
	}
}

// TestPlanEqualsPruned leaves layers out in memory, and cuts them out of the checkpoint.
func TestPlanEqualsPruned(t *testing.T) {
	dir := shared.Dir(t, "reference", "eval", "gpt2-tok")
	m, o := model(t, dir, 2)
	o = fewOptions(o)
	o.Drop = []int{1, 2}
	p, err := plan.Explicit(m.Spec.L, "1:3")
	if err != nil {
		t.Fatal(err)
	}
	c, err := checkpoint.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	out := filepath.Join(t.TempDir(), "pruned")
	if _, err := prune.Prune(context.Background(), c, prune.Options{Output: out, Plan: p, Device: m.Device}); err != nil {
		t.Fatal(err)
	}
	set := load(t, few...)
	dropped, err := eval.Run(context.Background(), m, set, o)
	if err != nil {
		t.Fatal(err)
	}
	pm, po := model(t, out, 1)
	po = fewOptions(po)
	pruned, err := eval.Run(context.Background(), pm, set, po)
	if err != nil {
		t.Fatal(err)
	}
	if samples(t, dropped, o) != samples(t, pruned, po) {
		t.Error("the pruned checkpoint has other results than the plan")
	}
	// Compared with itself nothing differs; with the whole model something does.
	ds, err := eval.Paired(dropped, pruned)
	if err != nil || len(ds) == 0 {
		t.Fatalf("%d differences, %v", len(ds), err)
	}
	for _, d := range ds {
		if d.Difference != 0 || d.Stderr != 0 {
			t.Errorf("%+v", d)
		}
	}
	o.Drop = nil
	whole, err := eval.Run(context.Background(), m, set, o)
	if err != nil {
		t.Fatal(err)
	}
	if ds, err = eval.Paired(dropped, whole); err != nil || !slices.ContainsFunc(ds, func(d eval.Difference) bool { return d.Difference != 0 && d.Stderr > 0 }) {
		t.Errorf("%+v, %v", ds, err)
	}
	if table := dropped.Table(ds, true); !strings.Contains(table, "| boolq |") || !strings.Contains(table, "Baseline") {
		t.Error(table)
	}
}

// TestVariants evaluates cuts of a model together, stops that, goes on, and compares with each by itself.
func TestVariants(t *testing.T) {
	m, o := model(t, shared.Dir(t, "reference", "eval", "gpt2-tok"), 2)
	o = fewOptions(o)
	set := load(t, few...)
	drops := [][]int{nil, {2}, {1, 2}}
	o.Journal = filepath.Join(t.TempDir(), "v.journal")
	ctx, stop := context.WithCancel(context.Background())
	o.Progress = func(p eval.Phase, done, total int64) {
		if p == eval.Scoring && done > total/2 {
			stop()
		}
	}
	if _, err := eval.Variants(ctx, m, set, drops, o); !errors.Is(err, context.Canceled) {
		t.Fatalf("stopped: %v", err)
	}
	o.Progress = nil
	got, err := eval.Variants(context.Background(), m, set, drops, o)
	if err != nil {
		t.Fatal(err)
	}
	if files, err := filepath.Glob(filepath.Join(filepath.Dir(o.Journal), "v.without-1..2.journal")); err != nil || len(files) != 1 {
		t.Errorf("%v, %v", files, err)
	}
	o.Journal = ""
	for i, drop := range drops {
		o.Drop = drop
		want, err := eval.Run(context.Background(), m, set, o)
		if err != nil {
			t.Fatal(err)
		}
		if samples(t, got[i], o) != samples(t, want, o) {
			t.Errorf("without %v: other results than by itself", drop)
		}
	}
}

// TestBrokenWeights names the item and the weight.
func TestBrokenWeights(t *testing.T) {
	m, o := model(t, brokenModel(t), 1)
	o = fewOptions(o)
	_, err := eval.Run(context.Background(), m, load(t, "boolq"), o)
	var broken *decoder.NonFiniteError
	if err == nil || !strings.Contains(err.Error(), "boolq, document ") || !errors.As(err, &broken) || broken.Tensor != "model.layers.2.mlp.down_proj.weight" {
		t.Errorf("%v", err)
	}
}

// TestUniformModel reads 1 as the normalised loss of a model that knows nothing: the head of this one is zero.
func TestUniformModel(t *testing.T) {
	m, o := model(t, changed(t, "llama2-tok", "lm_head.weight", func(weight []byte) { clear(weight) }), 2)
	o.Task.Limit, o.MaxLength = 4, 300
	v, err := eval.Run(context.Background(), m, load(t, "c4@paper", "wikitext"), o)
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range v.Tasks {
		if loss, ok := one.Total.Find("loss_norm", ""); !ok || math.Abs(loss.Value-1) > 1e-6 {
			t.Errorf("%s: loss / ln V is %v, want 1", one.Task.Name, loss.Value)
		}
	}
}

// brokenModel is a copy of a checkpoint with a NaN in a weight.
func brokenModel(t *testing.T) string {
	t.Helper()
	return changed(t, "gpt2-tok", "model.layers.2.mlp.down_proj.weight", func(weight []byte) {
		weight[0], weight[1] = 0xc0, 0x7f // in bfloat16
	})
}

// changed is a copy of a reference checkpoint with other bytes in one of its tensors.
func changed(t *testing.T, name, tensor string, change func([]byte)) string {
	t.Helper()
	from, to := shared.Dir(t, "reference", "eval", name), t.TempDir()
	files, err := os.ReadDir(from)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		data, err := os.ReadFile(filepath.Join(from, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if f.Name() == "model.safetensors" {
			size := int(binary.LittleEndian.Uint64(data))
			var header map[string]struct {
				Offsets [2]int `json:"data_offsets"`
			}
			if err := json.Unmarshal(bytes.TrimSpace(data[8:8+size]), &header); err != nil {
				t.Fatal(err)
			}
			at := header[tensor].Offsets
			if at[1] == 0 {
				t.Fatalf("%s has no tensor %s", name, tensor)
			}
			change(data[8+size+at[0] : 8+size+at[1]])
		}
		if err := os.WriteFile(filepath.Join(to, f.Name()), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return to
}
