package sweep_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"shallow/checkpoint"
	"shallow/compute/cpu"
	"shallow/dataset"
	"shallow/decoder"
	"shallow/eval"
	"shallow/eval/task"
	"shallow/generate"
	"shallow/heal"
	"shallow/internal/randommodel"
	"shallow/sweep"
	"shallow/tokenizer"
)

// world is a folder with a small model, texts and tasks.
type world struct {
	t   *testing.T
	dir string
}

var files = map[string]string{
	"capitals.yaml": `
task: capitals
dataset_path: capitals
test_split: test
fewshot_split: train
fewshot_config: {sampler: first_n}
num_fewshot: 1
output_type: multiple_choice
doc_to_text: "The capital of {{country}} is"
doc_to_choice: "{{towns}}"
doc_to_target: right
metric_list: [{metric: acc}, {metric: acc_norm}]
metadata: {version: 1}
`,
	"sums.yaml": `
task: sums
dataset_path: sums
test_split: test
output_type: generate_until
doc_to_text: "{{question}} ="
doc_to_target: answer
generation_kwargs: {until: ["\n"], max_gen_toks: 4}
metric_list: [{metric: exact_match}]
metadata: {version: 1}
`,
	"both.yaml": `
group: both
task: [capitals, towns]
aggregate_metric_list: [{metric: acc}]
`,
	"towns.yaml": `
include: capitals.yaml
task: towns
num_fewshot: 0
`,
	"data/capitals/test.jsonl": `{"country": "Gorland", "towns": ["Gor", "Lund"], "right": 1}
{"country": "Vale", "towns": ["Vale Town", "Mere"], "right": 0}
{"country": "Ost", "towns": ["Sand", "Fell"], "right": 1}
`,
	"data/capitals/train.jsonl": `{"country": "Norland", "towns": ["Nor", "Sud"], "right": 0}
`,
	"data/sums/test.csv": "question,answer\n1 + 1,2\n2 + 2,4\n",
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t, t.TempDir()}
	if err := randommodel.Write(w.at("m"), 1); err != nil {
		t.Fatal(err)
	}
	if err := randommodel.WriteCorpus(w.at("texts.jsonl"), 1); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		w.write(name, text)
	}
	return w
}

func (w *world) at(name string) string { return filepath.Join(w.dir, filepath.FromSlash(name)) }

func (w *world) write(name, text string) {
	w.t.Helper()
	if err := os.MkdirAll(filepath.Dir(w.at(name)), 0o777); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(w.at(name), []byte(text), 0o666); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) spec(text string) *sweep.Spec {
	w.t.Helper()
	s, err := sweep.ParseSpec(w.at("grid.yaml"), []byte(text))
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

func (w *world) options(out string) sweep.Options {
	w.t.Helper()
	device, err := cpu.New(cpu.Options{Threads: 1})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { device.Close() })
	return sweep.Options{Output: w.at(out), Tool: "test", Device: device, Kernels: device.Level().String(), Beat: 100 * time.Millisecond}
}

func (w *world) run(text, out string) *sweep.Result {
	w.t.Helper()
	r, err := sweep.Run(w.t.Context(), w.spec(text), w.options(out))
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// evaluate scores a checkpoint, with an adapter if one is named and without some layers, as a sweep should. judge may be nil.
func (w *world) evaluate(set *task.Set, dir, adapter string, drop []int, judge *eval.Evaluation) *eval.Evaluation {
	w.t.Helper()
	tok, err := tokenizer.Open(w.at("m"))
	if err != nil {
		w.t.Fatal(err)
	}
	c, err := checkpoint.Open(dir)
	if err != nil {
		w.t.Fatal(err)
	}
	defer c.Close()
	m, err := decoder.Open(w.options("x").Device, c, decoder.Options{Pack: true})
	if err != nil {
		w.t.Fatal(err)
	}
	defer m.Close()
	if adapter != "" {
		_, release, err := heal.Use(m, adapter)
		if err != nil {
			w.t.Fatal(err)
		}
		defer release()
	}
	v, err := eval.Run(w.t.Context(), m, set, eval.Options{
		Rows: dataset.Open([]string{w.at("data")}, nil), Tokenizer: tok, Ends: generate.Ends(c), Drop: drop, Bootstrap: 100000, Judge: judge,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return v
}

const grid = `
models: m
strategies: [similarity, deepest]
drop: [1, 2, 4]
corpus: {files: texts.jsonl, samples: 2, length: 16}
healing:
 - none
 - {name: q, corpus: texts.jsonl, steps: 1, batch: 1, accumulate: 1, length: 12, rank: 2, base: float32, drop: 4}
 - {name: tail, corpus: texts.jsonl, method: tail, steps: 1, batch: 1, accumulate: 1, length: 12, base: float32, drop: 4, strategies: deepest}
tasks: [capitals.yaml, sums.yaml]
data: data
`

// bare is a result without what the runs cost.
func bare(r *sweep.Result) *sweep.Result {
	c := *r
	c.Cells = slices.Clone(r.Cells)
	for i := range c.Cells {
		x := &c.Cells[i]
		x.Seconds, x.TokensPerSecond, x.PeakMemory, x.HealSeconds = 0, 0, 0, 0
	}
	return &c
}
