package prune_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"shallow/checkpoint"
	"shallow/compute"
	"shallow/compute/cpu"
	"shallow/decoder"
	"shallow/internal/randommodel"
	"shallow/internal/shared"
	"shallow/plan"
	"shallow/prune"
)

func device(t *testing.T) *cpu.Device {
	dev, err := cpu.New(cpu.Options{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(dev.Close)
	return dev
}

func open(t *testing.T, dir string) *checkpoint.Checkpoint {
	t.Helper()
	c, err := checkpoint.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// model writes the random model of 16 layers.
func model(t *testing.T) string {
	dir := filepath.Join(t.TempDir(), "model")
	if err := randommodel.Write(dir, 1); err != nil {
		t.Fatal(err)
	}
	return dir
}

func explicit(t *testing.T, layers int, list string) *plan.Plan {
	t.Helper()
	p, err := plan.Explicit(layers, list)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// untouched fails if anything but keep is in a directory.
func untouched(t *testing.T, dir string, keep ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if name := e.Name(); !strings.Contains(strings.Join(keep, " "), name) {
			t.Errorf("%s was left behind", name)
		}
	}
}

// TestReferenceFamilies prunes the reference's checkpoints and compares the logits of the result with those that the
// reference computed for the skipped layers.
func TestReferenceFamilies(t *testing.T) {
	for _, family := range []string{
		"llama-plain", "llama-gqa-tied", "llama-bias", "llama-rope-llama3", "llama-rope-linear", "llama-rope-dynamic",
		"llama-rope-yarn", "mistral-window", "mistral-nowindow", "qwen2", "qwen3",
	} {
		t.Run(family, func(t *testing.T) {
			dir := shared.Dir(t, "reference", "families", family)
			text, err := os.ReadFile(filepath.Join(dir, "expected.json"))
			if err != nil {
				t.Fatal(err)
			}
			var e struct {
				L     int
				Skips []plan.Range
			}
			if err := json.Unmarshal(text, &e); err != nil {
				t.Fatal(err)
			}
			for _, skip := range e.Skips {
				out := filepath.Join(t.TempDir(), "out")
				source := open(t, dir)
				p := explicit(t, e.L, strings.ReplaceAll(strings.Trim(skip.String(), "[)"), ", ", ":"))
				r, err := prune.Prune(t.Context(), source, prune.Options{Output: out, Plan: p, Device: device(t), ShardSize: 100_000})
				if err != nil {
					t.Fatalf("%v: %v", skip, err)
				}
				if r.Proof == nil || r.Kept != e.L-p.N {
					t.Errorf("%v: %+v", skip, r)
				}
				compareLogits(t, dir, out, skip)
			}
		})
	}
}

func compareLogits(t *testing.T, dir, out string, skip plan.Range) {
	t.Helper()
	want := safetensors(t, filepath.Join(dir, "expected.safetensors"))
	m, err := decoder.Open(device(t), open(t, out), decoder.Options{Precision: decoder.Float32})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	for _, s := range []string{"0", "1", "2"} {
		var ids []int
		for at := want["ids."+s]; len(at) > 0; at = at[8:] {
			ids = append(ids, int(at[0])|int(at[1])<<8)
		}
		g, err := m.Start([][]int{ids})
		if err != nil {
			t.Fatal(err)
		}
		for layer, err := range m.Layers(nil) {
			if err != nil {
				t.Fatal(err)
			}
			g.Forward(layer)
		}
		head := m.Head()
		got, err := g.Logits(head, nil)
		if err != nil {
			t.Fatal(err)
		}
		head.Release()
		g.Close()
		reference := make([]float32, len(got))
		if n := copy(compute.Bytes(reference), want[skipName(skip)+s]); n != 4*len(got) {
			t.Fatalf("%d logits, the reference has %d bytes", len(got), n)
		}
		var largest, apart float64
		for i := range got {
			largest = max(largest, math.Abs(float64(reference[i])))
			apart = max(apart, math.Abs(float64(got[i])-float64(reference[i])))
		}
		if !(apart <= 1e-4*largest) {
			t.Errorf("skip %v, sequence %s: logits are %.1e of the largest apart", skip, s, apart/largest)
		}
	}
}

func skipName(r plan.Range) string {
	return "skip." + strings.ReplaceAll(strings.Trim(r.String(), "[)"), ", ", "-") + ".logits."
}

// safetensors reads a trusted file, independently of package checkpoint.
func safetensors(t *testing.T, path string) map[string][]byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	n := 8 + (int(data[0]) | int(data[1])<<8 | int(data[2])<<16)
	var header map[string]struct {
		Offsets [2]int `json:"data_offsets"`
	}
	if err := json.Unmarshal(data[8:n], &header); err != nil {
		t.Fatal(err)
	}
	tensors := map[string][]byte{}
	for name, h := range header {
		tensors[name] = data[n+h.Offsets[0] : n+h.Offsets[1]]
	}
	return tensors
}

func TestEveryTensorAndFileComesAlong(t *testing.T) {
	dir := model(t)
	for name, text := range map[string]string{
		"generation_config.json": "{}", "modeling_own.py": "pass", "chat_template.jinja": "{{ x }}",
		"pytorch_model.bin": "old weights", "other.safetensors": "not in the index",
		"README.md": "---\nlicense: mit\n---\n# The original\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "onnx"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(dir, "generation_config.json"), filepath.Join(dir, "linked.json")); err != nil {
		t.Fatal(err)
	}
	source := open(t, dir)
	out := filepath.Join(t.TempDir(), "out")
	r, err := prune.Prune(t.Context(), source, prune.Options{
		Output: out, Plan: explicit(t, 16, "3:5,9"), Tool: "shallow test", ShardSize: 300_000, Device: device(t)})
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(r.LeftOut, " "); got != "onnx/ other.safetensors pytorch_model.bin" {
		t.Errorf("left out: %s", got)
	}
	pruned := open(t, out)
	if pruned.Config.Layers() != 13 {
		t.Errorf("%d layers", pruned.Config.Layers())
	}
	kept := []int{0, 1, 2, 5, 6, 7, 8, 10, 11, 12, 13, 14, 15}
	layout, err := pruned.Layout()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := len(pruned.Names()), len(source.Names())-3*9; got != want {
		t.Errorf("%d tensors, want %d", got, want)
	}
	for _, name := range pruned.Names() {
		from := name
		if l, _, ok := layout.Split(name); ok {
			from = layout.Rename(name, kept[l])
		}
		a, _ := source.Tensor(from)
		b, _ := pruned.Tensor(name)
		if !bytes.Equal(a.Bytes(), b.Bytes()) || a.DType != b.DType {
			t.Errorf("%s is not %s", name, from)
		}
	}
	for _, name := range []string{"generation_config.json", "modeling_own.py", "chat_template.jinja", "tokenizer.json", "linked.json", "plan.json"} {
		if info, err := os.Lstat(filepath.Join(out, name)); err != nil || !info.Mode().IsRegular() {
			t.Errorf("%s: %v", name, err)
		}
	}
	card, err := os.ReadFile(filepath.Join(out, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"---\nlicense: mit\n---\n\n# model with 13 of 16 layers", "| [3, 5), [9, 10): 3 4 9 |", "| proved |", "# The original"} {
		if !strings.Contains(string(card), want) {
			t.Errorf("the card lacks %q:\n%s", want, card)
		}
	}
}

func TestRefuses(t *testing.T) {
	dir := model(t)
	source := open(t, dir)
	for _, c := range []struct {
		name string
		plan func() *plan.Plan
		want string
	}{
		{"another depth", func() *plan.Plan { return explicit(t, 12, "3:5") }, "for a model of 12 layers"},
		{"another model", func() *plan.Plan { p := explicit(t, 16, "3"); p.Model.ConfigHash = "00"; return p }, "make a plan for this model"},
		{"all layers", func() *plan.Plan { p := explicit(t, 16, "3"); p.N, p.Drop = 16, make([]int, 16); return p }, "prune:"},
	} {
		parent := t.TempDir()
		_, err := prune.Prune(t.Context(), source, prune.Options{Output: filepath.Join(parent, "out"), Plan: c.plan(), Device: device(t)})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
		untouched(t, parent)
	}
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "precious"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	o := prune.Options{Output: full, Plan: explicit(t, 16, "3"), Device: device(t)}
	if _, err := prune.Prune(t.Context(), source, o); err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("a full directory: %v", err)
	}
	untouched(t, full, "precious")
	o.Force = true
	if _, err := prune.Prune(t.Context(), source, o); err != nil {
		t.Errorf("--force: %v", err)
	}
}

// TestOutputIsNotTheSource holds that --force never removes the model that is pruned.
func TestOutputIsNotTheSource(t *testing.T) {
	dir := model(t)
	source := open(t, dir)
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	for _, out := range []string{dir, filepath.Dir(dir), link} {
		_, err := prune.Prune(t.Context(), source, prune.Options{Output: out, Plan: explicit(t, 16, "3"), Device: device(t), Force: true})
		if err == nil || !strings.Contains(err.Error(), "holds what is pruned") {
			t.Errorf("%s: %v", out, err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, checkpoint.SingleFile)); err != nil {
		t.Error(err)
	}
	untouched(t, filepath.Dir(dir), "model")
}

// TestUnknownFamily needs --unproved, and says so in the card.
func TestUnknownFamily(t *testing.T) {
	dir := model(t)
	config, err := os.ReadFile(filepath.Join(dir, "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	config = bytes.Replace(config, []byte(`"llama"`), []byte(`"unheard-of"`), 1)
	if err := os.WriteFile(filepath.Join(dir, "config.json"), config, 0o600); err != nil {
		t.Fatal(err)
	}
	source := open(t, dir)
	parent := t.TempDir()
	o := prune.Options{Output: filepath.Join(parent, "out"), Plan: explicit(t, 16, "3:5"), Device: device(t)}
	if _, err := prune.Prune(t.Context(), source, o); err == nil || !strings.Contains(err.Error(), "unheard-of") || !strings.Contains(err.Error(), "--unproved") {
		t.Errorf("%v", err)
	}
	untouched(t, parent)
	o.Unproved = true
	r, err := prune.Prune(t.Context(), source, o)
	if err != nil || r.Proof != nil || !strings.Contains(r.Reason, "unheard-of") || r.Hash == "" {
		t.Fatalf("%+v, %v", r, err)
	}
	card, err := os.ReadFile(filepath.Join(o.Output, "README.md"))
	if err != nil || !strings.Contains(string(card), "not proved") {
		t.Errorf("%s, %v", card, err)
	}
}

// TestStopped ends the context in every stage: nothing must be left.
func TestStopped(t *testing.T) {
	source := open(t, model(t))
	for _, stop := range []string{"copy", "hash", "prove"} {
		ctx, cancel := context.WithCancel(t.Context())
		parent := t.TempDir()
		_, err := prune.Prune(ctx, source, prune.Options{
			Output: filepath.Join(parent, "out"), Plan: explicit(t, 16, "3:5"), Device: device(t),
			Progress: func(stage string, done, total int64) {
				if stage == stop {
					cancel()
				}
			},
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("stopped in %s: %v", stop, err)
		}
		untouched(t, parent)
		cancel()
	}
}

// TestNotANumber holds that a NaN weight is named, and nothing left.
func TestNotANumber(t *testing.T) {
	dir := model(t)
	path := filepath.Join(dir, checkpoint.SingleFile)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	copy(data[len(data)-4:], []byte{0, 0, 0xc0, 0x7f})
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	parent := t.TempDir()
	_, err = prune.Prune(t.Context(), open(t, dir), prune.Options{Output: filepath.Join(parent, "out"), Plan: explicit(t, 16, "3:5"), Device: device(t)})
	if err == nil || !strings.Contains(err.Error(), `model.safetensors: tensor "model.layers.15.mlp.down_proj.weight"`) {
		t.Errorf("%v", err)
	}
	untouched(t, parent)
}
