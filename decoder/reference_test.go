package decoder_test

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"shallow/checkpoint"
	"shallow/compute"
	"shallow/compute/cpu"
	"shallow/decoder"
	"shallow/internal/shared"
)

// expected is a case of the reference: expected.json and the tensors of expected.safetensors.
type expected struct {
	dir     string
	Lengths []int
	Skips   [][2]int
	Greedy  []int
	Loss    float64
	tensors map[string]tensor
}

type tensor struct {
	shape []int
	data  []byte
}

func (t tensor) floats() []float32 {
	fs := make([]float32, len(t.data)/4)
	for i := range fs {
		fs[i] = math.Float32frombits(binary.LittleEndian.Uint32(t.data[4*i:]))
	}
	return fs
}

func (t tensor) ids() []int {
	ids := make([]int, len(t.data)/8)
	for i := range ids {
		ids[i] = int(binary.LittleEndian.Uint64(t.data[8*i:]))
	}
	return ids
}

// readSafetensors reads a file of trusted tensors, independently of package checkpoint.
func readSafetensors(t testing.TB, path string) map[string]tensor {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	n := 8 + binary.LittleEndian.Uint64(data)
	var header map[string]json.RawMessage
	if err := json.Unmarshal(data[8:n], &header); err != nil {
		t.Fatal(err)
	}
	out := map[string]tensor{}
	for name, raw := range header {
		var h struct {
			Shape   []int
			Offsets [2]uint64 `json:"data_offsets"`
		}
		if name == "__metadata__" {
			continue
		}
		if err := json.Unmarshal(raw, &h); err != nil {
			t.Fatal(err)
		}
		out[name] = tensor{h.Shape, data[n+h.Offsets[0] : n+h.Offsets[1]]}
	}
	return out
}

func readExpected(t testing.TB, name string) *expected {
	t.Helper()
	e := &expected{dir: shared.Family(t, name)}
	data, err := os.ReadFile(filepath.Join(e.dir, "expected.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, e); err != nil {
		t.Fatal(err)
	}
	e.tensors = readSafetensors(t, filepath.Join(e.dir, "expected.safetensors"))
	return e
}

func (e *expected) sequences() [][]int {
	var seqs [][]int
	for s := range e.Lengths {
		seqs = append(seqs, e.tensors["ids."+string(rune('0'+s))].ids())
	}
	return seqs
}

// openModel opens a checkpoint directory on a device of its own.
func openModel(t testing.TB, dir string, threads int, o decoder.Options) *decoder.Model {
	t.Helper()
	dev, err := cpu.New(cpu.Options{Threads: threads})
	if err != nil {
		t.Fatal(err)
	}
	c, err := checkpoint.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	m, err := decoder.Open(dev, c, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		m.Close()
		c.Close()
		dev.Close()
	})
	return m
}

// download copies a float32 tensor to the host.
func download(t testing.TB, m *decoder.Model, x compute.Tensor) []float32 {
	t.Helper()
	out := make([]float32, x.Rows*x.Cols)
	if err := m.Device.Download(compute.Bytes(out), x); err != nil {
		t.Fatal(err)
	}
	return out
}

// runStates gives the residual stream [L'+1, N, D] of a group at every boundary of the layers that are kept.
func runStates(t testing.TB, m *decoder.Model, sequences [][]int, drop []int) (states [][]float32, g *decoder.Group) {
	t.Helper()
	g, err := m.Start(sequences)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	states = append(states, download(t, m, g.X()))
	for l, err := range m.Layers(drop) {
		if err != nil {
			t.Fatal(err)
		}
		g.Forward(l)
		states = append(states, download(t, m, g.X()))
	}
	return states, g
}

func allLogits(t testing.TB, m *decoder.Model, g *decoder.Group) []float32 {
	t.Helper()
	h := m.Head()
	defer h.Release()
	logits, err := g.Logits(h, nil)
	if err != nil {
		t.Fatal(err)
	}
	return logits
}

// deviation is the largest difference as a share of the largest value of want.
func deviation(t testing.TB, got, want []float32) float64 {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d values, want %d", len(got), len(want))
	}
	var diff, top float64
	for i := range got {
		d := math.Abs(float64(got[i]) - float64(want[i]))
		if math.IsNaN(d) {
			t.Fatalf("value %d is %g, want %g", i, got[i], want[i])
		}
		diff, top = max(diff, d), max(top, math.Abs(float64(want[i])))
	}
	return diff / top
}

func sameBits(t testing.TB, what string, got, want []float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d values, want %d", what, len(got), len(want))
	}
	for i := range got {
		if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
			t.Fatalf("%s: value %d is %g, want %g bit for bit", what, i, got[i], want[i])
		}
	}
}

func span(lo, hi int) []int {
	var is []int
	for i := lo; i < hi; i++ {
		is = append(is, i)
	}
	return is
}

func argmax(logits []float32) int {
	best := 0
	for i, v := range logits {
		if v > logits[best] {
			best = i
		}
	}
	return best
}
