package residual_test

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"shallow/checkpoint"
	"shallow/compute/cpu"
	"shallow/decoder"
	"shallow/internal/residual"
	"shallow/internal/shared"
)

// TestFamilies writes the file that the reference has, for the whole model and with layers skipped.
func TestFamilies(t *testing.T) {
	for _, family := range shared.Families(t) {
		t.Run(family, func(t *testing.T) {
			dir := shared.Family(t, family)
			want := read(t, filepath.Join(dir, "expected.safetensors"))
			var sequences [][]int
			for {
				ids, ok := want[fmt.Sprintf("ids.%d", len(sequences))]
				if !ok {
					break
				}
				sequences = append(sequences, ids.ids())
			}
			m := open(t, dir)
			got := write(t, m, sequences, residual.Options{Logits: true})
			for s := range sequences {
				for _, kind := range []string{"ids", "states", "logits"} {
					name := fmt.Sprintf("%s.%d", kind, s)
					compare(t, name, got[name], want[name])
				}
			}
			if len(got) != 3*len(sequences) {
				t.Errorf("the file has %d tensors, want %d", len(got), 3*len(sequences))
			}

			skips := 0
			for name := range want {
				var a, b, s int
				if n, _ := fmt.Sscanf(name, "skip.%d-%d.logits.%d", &a, &b, &s); n != 3 || s != len(sequences)-1 {
					continue
				}
				skips++
				var skip []int
				for l := a; l < b; l++ {
					skip = append(skip, l)
				}
				got := write(t, m, sequences, residual.Options{Logits: true, Skip: skip})
				for s := range sequences {
					compare(t, fmt.Sprintf("skip.%d-%d.logits.%d", a, b, s), got[fmt.Sprintf("logits.%d", s)], want[fmt.Sprintf("skip.%d-%d.logits.%d", a, b, s)])
				}
				if rows := got["states.0"].Shape[0]; rows != m.Spec.L-(b-a)+1 {
					t.Errorf("without [%d, %d) there are %d rows of states, want %d", a, b, rows, m.Spec.L-(b-a)+1)
				}
			}
			if skips == 0 {
				t.Error("the reference has no skips")
			}
		})
	}
}

func TestWithoutLogits(t *testing.T) {
	m := open(t, shared.Dir(t, "reference", "families", "llama-gqa-tied"))
	var size int64
	got := write(t, m, [][]int{{1, 2, 3}}, residual.Options{Size: func(n int64) { size = n }})
	if _, ok := got["logits.0"]; ok || len(got) != 2 {
		t.Errorf("the file has %d tensors, want ids and states", len(got))
	}
	if want := int64(3*8 + 4*6*3*40); size < want || size > want+1000 {
		t.Errorf("the size was announced as %d, the tensors have %d", size, want)
	}
}

func TestNothingLeftBehind(t *testing.T) {
	m := open(t, shared.Dir(t, "reference", "families", "llama-gqa-tied"))
	stopped, stop := context.WithCancel(context.Background())
	stop()
	for _, c := range []struct {
		ctx       context.Context
		sequences [][]int
		want      string
	}{
		{stopped, [][]int{{1, 2, 3}}, "canceled"},
		{context.Background(), nil, "no sequences"},
		{context.Background(), [][]int{{1, 999999}}, "vocabulary"},
	} {
		dir := t.TempDir()
		err := residual.Write(c.ctx, m, c.sequences, filepath.Join(dir, "states.safetensors"), residual.Options{})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v, want %q", c.sequences, err, c.want)
		}
		if entries, _ := os.ReadDir(dir); len(entries) > 0 {
			t.Errorf("%v: %v was left behind", c.sequences, entries)
		}
	}
}

func write(t *testing.T, m *decoder.Model, sequences [][]int, o residual.Options) map[string]tensor {
	t.Helper()
	name := filepath.Join(t.TempDir(), "states.safetensors")
	if err := residual.Write(context.Background(), m, sequences, name, o); err != nil {
		t.Fatal(err)
	}
	return read(t, name)
}

// tensor is a tensor of a file that the tests trust.
type tensor struct {
	DType   string
	Shape   []int
	Offsets [2]int64 `json:"data_offsets"`
	data    []byte
}

func (t tensor) ids() []int {
	var ids []int
	for i := 0; i < len(t.data); i += 8 {
		ids = append(ids, int(binary.LittleEndian.Uint64(t.data[i:])))
	}
	return ids
}

func (t tensor) values() []float64 {
	var vs []float64
	for i := 0; i < len(t.data); i += 4 {
		vs = append(vs, float64(math.Float32frombits(binary.LittleEndian.Uint32(t.data[i:]))))
	}
	return vs
}

func read(t *testing.T, name string) map[string]tensor {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	body := 8 + int64(binary.LittleEndian.Uint64(data))
	tensors := map[string]tensor{}
	if err := json.Unmarshal(data[8:body], &tensors); err != nil {
		t.Fatal(err)
	}
	for name, x := range tensors {
		x.data = data[body+x.Offsets[0] : body+x.Offsets[1]]
		tensors[name] = x
	}
	delete(tensors, "__metadata__")
	return tensors
}

// compare allows 1e-4 of the largest value, and no difference between ids.
func compare(t *testing.T, name string, got, want tensor) {
	t.Helper()
	if got.DType != want.DType || fmt.Sprint(got.Shape) != fmt.Sprint(want.Shape) {
		t.Errorf("%s is %s %v, want %s %v", name, got.DType, got.Shape, want.DType, want.Shape)
		return
	}
	if got.DType == "I64" {
		if fmt.Sprint(got.ids()) != fmt.Sprint(want.ids()) {
			t.Errorf("%s is %v, want %v", name, got.ids(), want.ids())
		}
		return
	}
	var worst, largest float64
	g := got.values()
	for i, v := range want.values() {
		worst, largest = max(worst, math.Abs(g[i]-v)), max(largest, math.Abs(v))
	}
	if !(worst <= 1e-4*largest) {
		t.Errorf("%s differs by %v of the largest value", name, worst/largest)
	}
}

func open(t *testing.T, dir string) *decoder.Model {
	t.Helper()
	dev, err := cpu.New(cpu.Options{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(dev.Close)
	c, err := checkpoint.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	m, err := decoder.Open(dev, c, decoder.Options{Precision: decoder.Float32, Pack: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m
}
