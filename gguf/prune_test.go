package gguf

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"shallow/compute/cpu"
	"shallow/plan"
)

// pruneFile cuts layers out of a file and opens the result.
func pruneFile(t *testing.T, f *File, layers string, o PruneOptions) (*File, error) {
	t.Helper()
	s, err := f.shape()
	if err != nil {
		t.Fatal(err)
	}
	if o.Plan, err = plan.Explicit(s.layers, layers); err != nil {
		t.Fatal(err)
	}
	if o.Output == "" {
		o.Output = filepath.Join(t.TempDir(), "out.gguf")
	}
	device, err := cpu.New(cpu.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer device.Close()
	o.Device = device
	r, err := Prune(t.Context(), f, o)
	if err != nil {
		return nil, err
	}
	out, err := Open(r.Output)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { out.Close() })
	return out, nil
}

// contents are a tensor's bytes.
func contents(t *testing.T, f *File, tensor Tensor) []byte {
	t.Helper()
	data := make([]byte, tensor.Length)
	if _, err := f.file.ReadAt(data, tensor.Offset); err != nil {
		t.Fatal(err)
	}
	return data
}

// TestPrune looks for every tensor of every type where it should be, and for every byte of it.
func TestPrune(t *testing.T) {
	types, err := Open("testdata/types.gguf")
	if err != nil {
		t.Fatal(err)
	}
	defer types.Close()
	old := newBuilder("qwen2", 4).layers(4).tensor("blk.3.of_tomorrow", 77, 3).tensor("blk.0.of_tomorrow", 77, 3)
	old.version = 2
	for name, f := range map[string]*File{"types": types, "an unknown type": old.open(t)} {
		out, err := pruneFile(t, f, "1:3", PruneOptions{})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if out.Version != f.Version || out.Alignment != f.Alignment {
			t.Errorf("%s: version %d, alignment %d", name, out.Version, out.Alignment)
		}
		found := map[string]Tensor{}
		for _, tensor := range out.Tensors {
			found[tensor.Name] = tensor
		}
		kept := 0
		for _, from := range f.Tensors {
			as := from.Name
			switch {
			case strings.HasPrefix(as, "blk.1.") || strings.HasPrefix(as, "blk.2."):
				continue
			case strings.HasPrefix(as, "blk.3."):
				as = "blk.1." + strings.TrimPrefix(as, "blk.3.")
			}
			kept++
			to, ok := found[as]
			if !ok || to.Type != from.Type || !slices.Equal(to.Dims, from.Dims) || to.Offset%f.Alignment != 0 {
				t.Fatalf("%s: %q is %+v, was %+v", name, as, to, from)
			}
			to.Length = from.Length
			if !bytes.Equal(contents(t, f, from), contents(t, out, to)) {
				t.Errorf("%s: the bytes of %q differ", name, as)
			}
		}
		if len(found) != kept {
			t.Errorf("%s: %d tensors, want %d", name, len(found), kept)
		}
		e, _ := out.Find("shallow.plan")
		if text, _ := e.Text(); !strings.Contains(text, `"drop":[1,2]`) {
			t.Errorf("%s: shallow.plan is %q", name, text)
		}
	}
}

// TestPruneTwice keeps the first plan beside the second, and proves both cuts where the model can be run.
func TestPruneTwice(t *testing.T) {
	for _, name := range []string{"llama-f16", "qwen3-q8_0"} {
		f, err := Open("testdata/" + name + ".gguf")
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		once, err := pruneFile(t, f, "4:5", PruneOptions{})
		if err != nil {
			t.Fatal(err)
		}
		twice, err := pruneFile(t, once, "0,2", PruneOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for key, want := range map[string]string{"shallow.plan": `"drop":[4]`, "shallow.plan.2": `"drop":[0,2]`} {
			e, _ := twice.Find(key)
			if text, _ := e.Text(); !strings.Contains(text, want) {
				t.Errorf("%s: %s is %q", name, key, text)
			}
		}
		if s, err := twice.shape(); err != nil || s.layers != 3 {
			t.Errorf("%s: %+v, %v", name, s, err)
		}
	}
}

// TestProof demands a proof by logits for every type that is computed.
func TestProof(t *testing.T) {
	device, err := cpu.New(cpu.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer device.Close()
	for _, name := range []string{"llama-f16", "qwen3-q8_0"} {
		f, err := Open("testdata/" + name + ".gguf")
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		p, err := plan.Explicit(6, "2:4")
		if err != nil {
			t.Fatal(err)
		}
		stages := map[string]bool{}
		r, err := Prune(t.Context(), f, PruneOptions{
			Output: filepath.Join(t.TempDir(), "out.gguf"), Plan: p, Device: device,
			Progress: func(stage string, done, total int64) {
				stages[stage] = true
				if done > total || total <= 0 {
					t.Errorf("%s: %d of %d", stage, done, total)
				}
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		if r.Proof == nil || r.Proof.Logits == 0 || r.Reason != "" {
			t.Errorf("%s: not proved: %s", name, r.Reason)
		}
		if r.Kept != 4 || r.Layers != 6 || len(r.Hash) != 64 || !stages["copy"] || !stages["hash"] || !stages["prove"] {
			t.Errorf("%s: %+v, stages %v", name, r, stages)
		}
	}
}

// TestNothingLeft stops in every stage, and lets the output be refused: nothing of it may be there afterwards.
func TestNothingLeft(t *testing.T) {
	f, err := Open("testdata/llama-f16.gguf")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	device, err := cpu.New(cpu.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer device.Close()
	p, err := plan.Explicit(6, "2:4")
	if err != nil {
		t.Fatal(err)
	}
	for _, stage := range []string{"", "copy", "hash", "prove"} {
		dir := t.TempDir()
		ctx, stop := context.WithCancel(t.Context())
		if stage == "" {
			stop()
		}
		_, err := Prune(ctx, f, PruneOptions{
			Output: filepath.Join(dir, "out.gguf"), Plan: p, Device: device,
			Progress: func(at string, _, _ int64) {
				if at == stage {
					stop()
				}
			},
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("stopped in %q: %v", stage, err)
		}
		left, err := os.ReadDir(dir)
		if err != nil || len(left) > 0 {
			t.Errorf("stopped in %q: %v is left (%v)", stage, left, err)
		}
		stop()
	}
}

func TestRefused(t *testing.T) {
	f := newBuilder("llama", 4).layers(4).open(t)
	dir := t.TempDir()
	there := filepath.Join(dir, "there.gguf")
	if err := os.WriteFile(there, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		f    *File
		o    PruneOptions
		want string
	}{
		{f, PruneOptions{Output: there}, "there already"},
		{f, PruneOptions{Output: dir, Force: true}, "is a directory"},
		{f, PruneOptions{Output: f.Path, Force: true}, "is the file that is pruned"},
		{f, PruneOptions{Output: filepath.Join(dir, "no", "out.gguf")}, "no such file"},
		{newBuilder("llama", 4).layers(3).open(t), PruneOptions{}, "layer 3 has no tensors"},
		{newBuilder("llama", 4).layers(5).open(t), PruneOptions{}, "belongs to none of the 4 layers"},
		{newBuilder("novel", 4).layers(4).open(t), PruneOptions{}, "--unproved"},
	} {
		if _, err := pruneFile(t, c.f, "1", c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
	if data, err := os.ReadFile(there); err != nil || string(data) != "old" {
		t.Errorf("%s holds %q (%v)", there, data, err)
	}
	if _, err := pruneFile(t, f, "1", PruneOptions{Output: there, Force: true}); err != nil {
		t.Error(err)
	}
	if _, err := pruneFile(t, newBuilder("novel", 4).layers(4).open(t), "1", PruneOptions{Unproved: true}); err != nil {
		t.Error(err)
	}
}
