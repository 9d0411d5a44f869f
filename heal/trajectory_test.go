package heal

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"shallow/checkpoint"
	"shallow/compute/cpu"
	"shallow/decoder"
	"shallow/internal/shared"
)

// openModel opens a checkpoint on a device of so many threads.
func openModel(t testing.TB, dir string, threads int, o decoder.Options) *decoder.Model {
	t.Helper()
	device, err := cpu.New(cpu.Options{Threads: threads})
	if err != nil {
		t.Fatal(err)
	}
	c, err := checkpoint.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	m, err := decoder.Open(device, c, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		m.Close()
		c.Close()
		device.Close()
	})
	return m
}

// int64s are the numbers of a stored tensor.
func int64s(t checkpoint.Tensor) []int64 {
	out := make([]int64, t.Elements())
	for i := range out {
		out[i] = int64(binary.LittleEndian.Uint64(t.Bytes()[8*i:]))
	}
	return out
}

// trajectory is a reference run: its data, the adapter at its start, and the file.
type trajectory struct {
	*checkpoint.Checkpoint
	documents []Document
	init      *PEFT
}

func readTrajectory(t testing.TB, dir string) *trajectory {
	t.Helper()
	c, err := checkpoint.OpenFile(dir, "trajectory.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	r := &trajectory{Checkpoint: c, init: &PEFT{Rank: 4, Alpha: 8}}
	ids, _ := c.Tensor("ids")
	lengths, _ := c.Tensor("lengths")
	longest := ids.Shape[3]
	all := int64s(ids)
	for i, n := range int64s(lengths) {
		var d Document
		for _, id := range all[i*longest : i*longest+int(n)] {
			d.IDs = append(d.IDs, int(id))
		}
		r.documents = append(r.documents, d)
	}
	for _, name := range c.Names() {
		stem, ok := strings.CutSuffix(name, ".lora_A.weight")
		if module, init := strings.CutPrefix(stem, "init."+peftPrefix); ok && init {
			a, b := r.floats(t, name), r.floats(t, stem+".lora_B.weight")
			r.init.Modules = append(r.init.Modules, LowRank{Module: module, Rank: 4, Alpha: 8, In: len(a) / 4, Out: len(b) / 4, A: a, B: b})
		}
	}
	return r
}

func (r *trajectory) floats(t testing.TB, name string) []float32 {
	t.Helper()
	x, ok := r.Tensor(name)
	if !ok {
		t.Fatalf("the reference has no %s", name)
	}
	out, err := floats(x)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// readLog reads log.jsonl.
func readLog(t testing.TB, dir string) []Line {
	t.Helper()
	f, err := os.Open(filepath.Join(dir, logFile))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var lines []Line
	for s := bufio.NewScanner(f); s.Scan(); {
		var l Line
		if err := json.Unmarshal(s.Bytes(), &l); err != nil {
			t.Fatalf("%q: %v", s.Text(), err)
		}
		lines = append(lines, l)
	}
	return lines
}

// TestTrajectory holds twenty steps against those of PEFT and transformers.
func TestTrajectory(t *testing.T) {
	for _, base := range []struct {
		name      string
		options   decoder.Options
		tolerance float64
	}{
		{"f32", decoder.Options{Precision: decoder.Float32}, 1e-4},
		{"nf4", decoder.Options{Base: decoder.NF4}, 1e-3}, // auto: the weights are stored in float32
	} {
		for _, family := range []string{"llama", "mistral", "phi", "gemma2"} {
			t.Run(base.name+"/"+family, func(t *testing.T) {
				dir := shared.Dir(t, "reference", "lora", family)
				want := readTrajectory(t, dir)
				m := openModel(t, dir, 2, base.options)
				init, out := t.TempDir(), t.TempDir()
				same := func(name string) string { return name }
				if err := want.init.Write(init, same, nil, false); err != nil {
					t.Fatal(err)
				}
				data, err := NewData([]Source{{Name: "trajectory", Documents: want.documents}}, DataOptions{Length: 12, CompletionWeight: 1})
				if err != nil {
					t.Fatal(err)
				}
				if _, err := Run(t.Context(), m, data, nil, Options{
					Output: out, Init: init, Budget: Budget{Steps: 20}, Batch: 2, Accumulate: 2, Peak: 1e-3, Warmup: 5, Clip: 1, Length: 12,
				}); err != nil {
					t.Fatal(err)
				}
				lines := readLog(t, out)
				if len(lines) != 20 {
					t.Fatalf("%d lines in the log, want 20", len(lines))
				}
				losses, norms := want.floats(t, base.name+".loss"), want.floats(t, base.name+".grad_norm")
				rates, _ := want.Tensor(base.name + ".lr")
				worstLoss, worstNorm := 0.0, 0.0
				for i, l := range lines {
					worstLoss = max(worstLoss, math.Abs(l.Loss-float64(losses[i])))
					worstNorm = max(worstNorm, math.Abs(l.Norm-float64(norms[i]))/float64(norms[i]))
					if rate := math.Float64frombits(uint64(binary.LittleEndian.Uint64(rates.Bytes()[8*i:]))); math.Abs(l.Rate-rate) > 1e-14 || l.Step != i+1 {
						t.Errorf("line %d has step %d and rate %g, want %g", i, l.Step, l.Rate, rate)
					}
				}
				got, err := ReadPEFT(out)
				if err != nil {
					t.Fatal(err)
				}
				worstFinal := 0.0
				if len(got.Modules) != len(want.init.Modules) {
					t.Fatalf("%d modules, want %d", len(got.Modules), len(want.init.Modules))
				}
				for _, x := range got.Modules {
					stem := base.name + ".final." + peftPrefix + x.Module
					worstFinal = max(worstFinal, apart(x.A, want.floats(t, stem+".lora_A.weight")), apart(x.B, want.floats(t, stem+".lora_B.weight")))
				}
				t.Logf("losses differ by %.2g, norms by %.2g, adapters by %.2g", worstLoss, worstNorm, worstFinal)
				if worstLoss > base.tolerance || worstNorm > base.tolerance || worstFinal > base.tolerance {
					t.Errorf("want all within %g", base.tolerance)
				}
			})
		}
	}
}

// apart is the largest difference as a share of the largest value.
func apart(got, want []float32) float64 {
	var most, largest float64
	for i, w := range want {
		most = max(most, math.Abs(float64(got[i])-float64(w)))
		largest = max(largest, math.Abs(float64(w)))
	}
	return most / largest
}
