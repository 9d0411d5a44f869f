package sweep_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"

	"shallow/eval/task"
	"shallow/heal"
	"shallow/sweep"
)

// continuing is a grid whose tasks ask for continuations, one of them beside something else in a group.
const continuing = `
models: m
strategies: deepest
drop: [2, 4]
healing:
 - none
 - {name: q, corpus: texts.jsonl, steps: 2, batch: 1, accumulate: 1, length: 12, rank: 2, base: float32, drop: [0, 4]}
 - {name: tail, corpus: texts.jsonl, method: tail, steps: 1, batch: 1, accumulate: 1, length: 12, base: float32, drop: 4}
tasks: [story.yaml, {task: mixed, include: .}]
data: data
keep_checkpoints: true
`

func continuingWorld(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	for name, text := range map[string]string{
		"story.yaml": "task: story\ndataset_path: stories\ntest_split: test\noutput_type: continuation\ndoc_to_target: text\n" +
			"continuation: {prompt_tokens: 12, lengths: [2, 8]}\n",
		"mixed.yaml": "group: mixed\ntask: [capitals, story]\naggregate_metric_list: [{metric: agreement}, {metric: acc}]\n",
		"data/stories/test.jsonl": `{"text": "The miller walked to the bridge before the rain came."}
{"text": "A young clerk forgot the blue door and told nobody."}
{"text": "My neighbour painted a broken scale."}
`,
	} {
		w.write(name, text)
	}
	return w
}

// TestContinuationsAreCompared: a cell has what an evaluation of its variant has beside the unpruned model, bit for bit.
func TestContinuationsAreCompared(t *testing.T) {
	w := continuingWorld(t)
	r := w.run(continuing, "out")
	if len(r.Cells) != 2*(3+2+1) {
		t.Fatalf("there are %d cells", len(r.Cells))
	}
	set, err := task.Load([]string{"mixed"}, task.LoadOptions{Include: []string{w.dir}})
	if err != nil {
		t.Fatal(err)
	}
	one := func(pattern string) string {
		t.Helper()
		found, _ := filepath.Glob(w.at(pattern))
		if len(found) != 1 {
			t.Fatalf("%s: there are %v", pattern, found)
		}
		return found[0]
	}
	// The adapters of the whole and of the pruned model, by what was trained.
	adapters := map[int]string{}
	found, _ := filepath.Glob(w.at("out/healed/m-q-*"))
	for _, dir := range found {
		p, err := heal.ReadPEFT(dir)
		if err != nil {
			t.Fatal(err)
		}
		adapters[16-len(p.Modules)/3] = dir
	}
	for _, c := range r.Cells {
		what := fmt.Sprintf("%s without %d layers, healing %s", c.Task, c.N, c.Healing)
		dir, adapter, drop := w.at("m"), "", c.Drop
		switch c.Healing {
		case "tail":
			dir, drop = one("out/healed/m-tail-*/model"), nil
		case "q":
			if adapter, drop = adapters[c.N], nil; c.N > 0 {
				dir = one("out/pruned/m-without-11-14-*")
			}
		}
		v := w.evaluate(set, dir, adapter, drop, nil)
		compared := c.N > 0 || c.Healing != sweep.Unhealed
		if compared {
			w.evaluate(set, w.at("m"), "", nil, v)
		}
		// What was stored before cells were compared has another id.
		data, err := os.ReadFile(w.at("out/cells/" + c.ID + ".json"))
		if err != nil || strings.Contains(string(data), `"beside": "unpruned"`) != compared {
			t.Errorf("%s: the inputs are %s (%v)", what, data, err)
		}
		same := func(name string, got []sweep.Metric, want task.Result) {
			if len(got) != len(want.Metrics) {
				t.Errorf("%s, %s: %d metrics, want %d", what, name, len(got), len(want.Metrics))
				return
			}
			agrees := false
			for i, m := range want.Metrics {
				if g := got[i]; g.Metric != m.Metric || g.Filter != m.Filter || g.Value != m.Value || g.Stderr != nil && *g.Stderr != m.Stderr {
					t.Errorf("%s, %s: %+v, want %+v", what, name, g, m)
				}
				agrees = agrees || m.Metric == "agreement"
			}
			if name != "capitals" && agrees != compared {
				t.Errorf("%s, %s: a score beside the unpruned model: %t", what, name, agrees)
			}
		}
		for _, e := range v.Tasks {
			if c.Task == e.Task.Name {
				same(c.Task, c.Metrics, e.Total)
			}
			for _, p := range c.Parts {
				if p.Task == e.Task.Name {
					same(p.Task, p.Metrics, e.Total)
				}
			}
		}
		if c.Task == "mixed" {
			same("mixed", c.Metrics, v.Groups[0])
			if len(c.Parts) != 2 {
				t.Errorf("%s: %d parts", what, len(c.Parts))
			}
		}
	}
	if left, _ := filepath.Glob(w.at("out/work/*")); len(left) > 0 {
		t.Errorf("%v are left", left)
	}
}

// TestContinuationsStopped: neither stopping nor sharing the work changes what continuations are compared with.
func TestContinuationsStopped(t *testing.T) {
	w := continuingWorld(t)
	text := strings.Replace(continuing, "keep_checkpoints: true\n", "", 1)
	alone := w.run(text, "alone")
	check := func(what string, r *sweep.Result) {
		t.Helper()
		if r == nil || !reflect.DeepEqual(bare(r).Cells, bare(alone).Cells) {
			t.Errorf("%s: another result", what)
		}
		for _, left := range []string{"/work/*", "/claims/*"} {
			if found, _ := filepath.Glob(w.at(what + left)); len(found) > 0 {
				t.Errorf("%v are left", found)
			}
		}
	}
	check("alone", alone)
	for stop := 1; ; stop++ {
		ctx, cancel := context.WithCancel(t.Context())
		o := w.options("stopped")
		calls := 0
		o.Report = func(sweep.Progress) {
			if calls++; calls == stop {
				cancel()
			}
		}
		r, err := sweep.Run(ctx, w.spec(text), o)
		cancel()
		if err == nil {
			check("stopped", r)
			break
		}
		if !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
	results := make([]*sweep.Result, 3)
	var all sync.WaitGroup
	for i := range results {
		o, spec := w.options("shared"), w.spec(text)
		all.Go(func() {
			var err error
			if results[i], err = sweep.Run(t.Context(), spec, o); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for _, r := range results {
		check("shared", r)
	}
}

// TestContinuedOnce: the unpruned model writes its continuations of a task once, whatever is compared with them.
func TestContinuedOnce(t *testing.T) {
	w := continuingWorld(t)
	o := w.options("out")
	generated := map[string]int{}
	stage := ""
	o.Report = func(p sweep.Progress) {
		if now := p.Stage + " " + p.What; now != stage && p.Stage == "generate" && strings.Contains(p.What, "unpruned") {
			generated[p.What]++
			stage = now
		}
	}
	if _, err := sweep.Run(t.Context(), w.spec(continuing), o); err != nil {
		t.Fatal(err)
	}
	if want := map[string]int{"m unpruned, story": 1, "m unpruned, mixed": 1}; !reflect.DeepEqual(generated, want) {
		t.Errorf("generated are %v, want %v", generated, want)
	}
}
