package decoder_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"shallow/compute"
	"shallow/decoder"
	"shallow/internal/shared"
)

var loraFamilies = []string{"llama", "mistral", "qwen2", "qwen3", "phi", "phi3", "gemma2", "gemma3_text", "olmo2", "smollm3"}

// readAdapters reads a PEFT directory.
func readAdapters(t testing.TB, m *decoder.Model, dir string) []*decoder.Adapter {
	t.Helper()
	var config struct {
		R     int
		Alpha float32 `json:"lora_alpha"`
	}
	text, err := os.ReadFile(filepath.Join(dir, "adapter_config.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &config); err != nil {
		t.Fatal(err)
	}
	upload := func(x tensor) compute.Tensor {
		to := m.Device.New(compute.Float32, x.shape[0], x.shape[1])
		m.Device.Upload(to, x.data)
		return to
	}
	var adapters []*decoder.Adapter
	tensors := readSafetensors(t, filepath.Join(dir, "adapter_model.safetensors"))
	for name, x := range tensors {
		module, ok := strings.CutSuffix(strings.TrimPrefix(name, "base_model.model."), ".lora_A.weight")
		if !ok {
			continue
		}
		a := &decoder.Adapter{Name: module, Scale: config.Alpha / float32(config.R), A: upload(x)}
		a.B = upload(tensors[strings.Replace(name, "lora_A", "lora_B", 1)])
		a.DA, a.DB = m.Device.New(compute.Float32, a.A.Rows, a.A.Cols), m.Device.New(compute.Float32, a.B.Rows, a.B.Cols)
		adapters = append(adapters, a)
	}
	return adapters
}

func TestAdapterGradients(t *testing.T) {
	for _, family := range loraFamilies {
		for _, targets := range []string{"mlp", "all"} {
			for _, kept := range []int{0, 2, 9} {
				t.Run(fmt.Sprintf("%s/%s/%d", family, targets, kept), func(t *testing.T) {
					dir := shared.Dir(t, "reference", "lora", family)
					want := readSafetensors(t, filepath.Join(dir, "expected.safetensors"))
					m := openModel(t, dir, 2, decoder.Options{Precision: decoder.Float32})
					adapters := readAdapters(t, m, filepath.Join(dir, "adapter-"+targets))
					training, err := m.Train(adapters, nil, decoder.TrainingRoom{Rows: 40, Kept: kept}, 1)
					if err != nil {
						t.Fatal(err)
					}
					defer training.Release()
					b := paddedBatch(want)
					loss, err := training.Accumulate(t.Context(), b)
					if err != nil {
						t.Fatal(err)
					}
					if w := float64(want[targets+".loss"].floats()[0]); math.Abs(loss-w) > 1e-5 {
						t.Errorf("loss %.7f, want %.7f", loss, w)
					}
					if len(adapters) == 0 {
						t.Fatal("no adapters")
					}
					for _, a := range adapters {
						for part, g := range map[string]compute.Tensor{"A": a.DA, "B": a.DB} {
							name := fmt.Sprintf("%s.grad.base_model.model.%s.lora_%s.weight", targets, a.Name, part)
							x, ok := want[name]
							if !ok {
								t.Fatalf("the reference has no %s", name)
							}
							if d := deviation(t, download(t, m, g), x.floats()); d > 1e-4 {
								t.Errorf("%s differs by %.2g", name, d)
							}
						}
					}
				})
			}
		}
	}
}

func TestParameterGradients(t *testing.T) {
	for _, family := range loraFamilies {
		t.Run(family, func(t *testing.T) {
			dir := shared.Dir(t, "reference", "lora", family)
			want := readSafetensors(t, filepath.Join(dir, "expected.safetensors"))
			m := openModel(t, dir, 2, decoder.Options{Precision: decoder.Float32})
			parameters, err := m.Parameters(func(string) bool { return true })
			if err != nil {
				t.Fatal(err)
			}
			training, err := m.Train(nil, parameters, decoder.TrainingRoom{Rows: 27, Kept: 3}, 1)
			if err != nil {
				t.Fatal(err)
			}
			defer training.Release()
			loss, err := training.Accumulate(t.Context(), paddedBatch(want))
			if err != nil {
				t.Fatal(err)
			}
			if w := float64(want["full.loss"].floats()[0]); math.Abs(loss-w) > 1e-5 {
				t.Errorf("loss %.7f, want %.7f", loss, w)
			}
			worst, count := 0.0, 0
			for _, p := range parameters {
				x, ok := want["full.grad."+p.Name]
				if !ok {
					t.Fatalf("the reference has no gradient of %s", p.Name)
				}
				d := deviation(t, download(t, m, p.Gradient), x.floats())
				if d > 1e-4 {
					t.Errorf("%s differs by %.2g", p.Name, d)
				}
				worst = max(worst, d)
				count++
			}
			t.Logf("%d gradients, largest deviation %.2g", count, worst)
			for name := range want {
				if strings.HasPrefix(name, "full.grad.") {
					count--
				}
			}
			if count != 0 {
				t.Errorf("%d gradients more than the reference has", count)
			}
		})
	}
}

// paddedBatch is the sequences of a padded batch, each predicting its next tokens.
func paddedBatch(tensors map[string]tensor) decoder.Batch {
	ids, mask, labels := tensors["input_ids"].ids(), tensors["attention_mask"].ids(), tensors["labels"].ids()
	shape := tensors["input_ids"].shape
	var b decoder.Batch
	count := 0
	for s := range shape[0] {
		var seq []int
		var targets []int32
		for i := range shape[1] {
			at := s*shape[1] + i
			if mask[at] == 0 {
				continue
			}
			seq = append(seq, ids[at])
			target := int32(-1)
			if i+1 < shape[1] && labels[at+1] >= 0 {
				target = int32(labels[at+1])
				count++
			}
			targets = append(targets, target)
		}
		b.Sequences, b.Targets = append(b.Sequences, seq), append(b.Targets, targets)
	}
	b.Weight = 1 / float32(count)
	return b
}
