package decoder_test

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
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

// TestGradientsAreDerivatives goes along and against the gradient of every trained tensor of every family: the loss must change
// by the gradient's length.
func TestGradientsAreDerivatives(t *testing.T) {
	for _, name := range shared.Families(t) {
		t.Run(name, func(t *testing.T) {
			e := readExpected(t, name)
			m := openModel(t, e.dir, 2, decoder.Options{Precision: decoder.Float32})
			parameters, err := m.Parameters(func(string) bool { return true })
			var unsupported *decoder.UnsupportedError
			if errors.As(err, &unsupported) {
				t.Skip(err)
			}
			if err != nil {
				t.Fatal(err)
			}
			b := decoder.Batch{Sequences: e.sequences()[1:]}
			for _, seq := range b.Sequences {
				var targets []int32
				for _, id := range seq[1:] {
					targets = append(targets, int32(id))
				}
				b.Targets = append(b.Targets, append(targets, -1))
				b.Weight += 1 / float32(len(seq)-1) / 2
			}
			training, err := m.Train(nil, parameters, decoder.TrainingRoom{Rows: 200, Kept: 2}, 1)
			if err != nil {
				t.Fatal(err)
			}
			defer training.Release()
			if _, err := training.Accumulate(t.Context(), b); err != nil {
				t.Fatal(err)
			}
			for _, p := range parameters {
				g := download(t, m, p.Gradient)
				var squares float64
				for _, v := range g {
					squares += float64(v) * float64(v)
				}
				length := math.Sqrt(squares)
				if length < 1e-3 {
					continue // the loss does not change by more than its rounding; biases of keys have no gradient at all
				}
				value := download(t, m, p.Value)
				step := 4e-3
				if m.Spec.Experts.Count > 0 {
					step = 2e-4 // further on, another expert may be chosen, and the loss jumps
				}
				at := func(shift float64) float64 {
					moved := make([]float32, len(value))
					for i, v := range value {
						moved[i] = v + float32(shift*float64(g[i])/length)
					}
					m.Device.Upload(p.Value, compute.Bytes(moved))
					loss, err := training.Loss(t.Context(), b)
					if err != nil {
						t.Fatal(err)
					}
					return loss
				}
				got := (8*(at(step)-at(-step)) - (at(2*step) - at(-2*step))) / (12 * step)
				m.Device.Upload(p.Value, compute.Bytes(value))
				if math.Abs(got-length) > 0.02*length+1e-5/step {
					t.Errorf("%s: the loss changes by %.5g a step along its gradient, whose length is %.5g", p.Name, got, length)
				}
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

// TestAdaptedLogits runs models with adapters layer by layer and token by token.
func TestAdaptedLogits(t *testing.T) {
	for _, family := range loraFamilies {
		for _, targets := range []string{"mlp", "all"} {
			t.Run(family+"/"+targets, func(t *testing.T) {
				dir := shared.Dir(t, "reference", "lora", family)
				want := readSafetensors(t, filepath.Join(dir, "expected.safetensors"))
				m := openModel(t, dir, 2, decoder.Options{Precision: decoder.Float32, Pack: true})
				if err := m.Adapt(readAdapters(t, m, filepath.Join(dir, "adapter-"+targets))); err != nil {
					t.Fatal(err)
				}
				b := paddedBatch(want)
				_, g := runStates(t, m, b.Sequences, nil)
				logits, reference := allLogits(t, m, g), want[targets+".logits"].floats()
				for s, seq := range b.Sequences {
					lo := g.Offsets()[s] * m.Spec.V
					at := s * len(b.Sequences[0]) * m.Spec.V
					n := len(seq) * m.Spec.V
					if d := deviation(t, logits[lo:lo+n], reference[at:at+n]); d > tolerance {
						t.Errorf("sequence %d: logits differ by %.2g", s, d)
					}
				}
				stack, err := m.Resident(nil, false)
				if err != nil {
					t.Fatal(err)
				}
				defer stack.Release()
				session, err := stack.NewSession(decoder.Room{Length: 20})
				if err != nil {
					t.Fatal(err)
				}
				defer session.Release()
				seq, _ := session.Open()
				for i, id := range b.Sequences[0] {
					row := feed(t, session, decoder.Step{Sequence: seq, IDs: []int{id}})[0]
					sameBits(t, "cached logits", row, logits[i*m.Spec.V:(i+1)*m.Spec.V])
				}
			})
		}
	}
}

// TestTrajectories takes the reference's twenty optimizer steps with its own batches: losses and final adapters.
func TestTrajectories(t *testing.T) {
	for _, family := range []string{"llama", "mistral", "phi", "gemma2"} {
		for _, run := range []struct {
			name      string
			base      decoder.Base
			tolerance float64
		}{{"f32", decoder.Stored, 1e-4}, {"nf4", decoder.NF4, 1e-3}} {
			t.Run(family+"/"+run.name, func(t *testing.T) {
				dir := shared.Dir(t, "reference", "lora", family)
				want := readSafetensors(t, filepath.Join(dir, "trajectory.safetensors"))
				m := openModel(t, dir, 2, decoder.Options{Precision: decoder.Float32, Base: run.base})
				adapters := initialAdapters(m, want)
				training, err := m.Train(adapters, nil, decoder.TrainingRoom{Rows: 24, Kept: 9}, 1)
				if err != nil {
					t.Fatal(err)
				}
				defer training.Release()
				optimize := newOptimizer(t, m, adapters)
				losses, rates := want[run.name+".loss"].floats(), want[run.name+".lr"].doubles()
				for step := range 20 {
					loss := 0.0
					for _, b := range stepBatches(want, step) {
						l, err := training.Accumulate(t.Context(), b)
						if err != nil {
							t.Fatal(err)
						}
						loss += l
					}
					if d := math.Abs(loss - float64(losses[step])); d > run.tolerance {
						t.Errorf("step %d: loss %.6f, want %.6f", step, loss, losses[step])
					}
					norm := optimize(rates[step], step)
					if w := float64(want[run.name+".grad_norm"].floats()[step]); math.Abs(norm-w) > run.tolerance*w {
						t.Errorf("step %d: gradient norm %.6f, want %.6f", step, norm, w)
					}
				}
				for _, a := range adapters {
					for part, x := range map[string]compute.Tensor{"A": a.A, "B": a.B} {
						name := fmt.Sprintf("%s.final.base_model.model.%s.lora_%s.weight", run.name, a.Name, part)
						if d := deviation(t, download(t, m, x), want[name].floats()); d > run.tolerance {
							t.Errorf("%s differs by %.2g", name, d)
						}
					}
				}
			})
		}
	}
}

func (t tensor) doubles() []float64 {
	fs := make([]float64, len(t.data)/8)
	for i := range fs {
		fs[i] = math.Float64frombits(binary.LittleEndian.Uint64(t.data[8*i:]))
	}
	return fs
}

// initialAdapters are those that a trajectory starts from: rank 4, scale 2.
func initialAdapters(m *decoder.Model, tensors map[string]tensor) []*decoder.Adapter {
	upload := func(x tensor) compute.Tensor {
		to := m.Device.New(compute.Float32, x.shape[0], x.shape[1])
		m.Device.Upload(to, x.data)
		return to
	}
	var adapters []*decoder.Adapter
	for _, name := range slices.Sorted(maps.Keys(tensors)) {
		module, ok := strings.CutSuffix(strings.TrimPrefix(name, "init.base_model.model."), ".lora_A.weight")
		if !ok || !strings.HasPrefix(name, "init.") {
			continue
		}
		a := &decoder.Adapter{Name: module, Scale: 2, A: upload(tensors[name]), B: upload(tensors[strings.Replace(name, "lora_A", "lora_B", 1)])}
		a.DA, a.DB = m.Device.New(compute.Float32, a.A.Rows, a.A.Cols), m.Device.New(compute.Float32, a.B.Rows, a.B.Cols)
		adapters = append(adapters, a)
	}
	return adapters
}

// stepBatches are the two micro-batches of a step of a trajectory.
func stepBatches(tensors map[string]tensor, step int) []decoder.Batch {
	ids, lengths := tensors["ids"].ids(), tensors["lengths"].ids()
	var batches []decoder.Batch
	predicted := 0
	for micro := range 2 {
		var b decoder.Batch
		for row := range 2 {
			at := (step*2+micro)*2 + row
			seq := ids[at*12:][:lengths[at]]
			var targets []int32
			for _, id := range seq[1:] {
				targets = append(targets, int32(id))
				predicted++
			}
			b.Sequences, b.Targets = append(b.Sequences, seq), append(b.Targets, append(targets, -1))
		}
		batches = append(batches, b)
	}
	for i := range batches {
		batches[i].Weight = 1 / float32(predicted)
	}
	return batches
}

// newOptimizer gives a function that takes adapters one step on, clipped to a norm of 1, and gives the norm before.
func newOptimizer(t *testing.T, m *decoder.Model, adapters []*decoder.Adapter) func(rate float64, step int) float64 {
	g := m.Device.(compute.Gradients)
	var values, gradients, first, second []compute.Tensor
	for _, a := range adapters {
		values, gradients = append(values, a.A, a.B), append(gradients, a.DA, a.DB)
	}
	for _, v := range values {
		first, second = append(first, m.Device.New(compute.Float32, v.Rows, v.Cols)), append(second, m.Device.New(compute.Float32, v.Rows, v.Cols))
	}
	return func(rate float64, step int) float64 {
		var sum float64
		for _, x := range gradients {
			s, err := g.SumSquares(x)
			if err != nil {
				t.Fatal(err)
			}
			sum += s
		}
		norm := math.Sqrt(sum)
		clip := float32(min(1, 1/(norm+1e-6)))
		for i, v := range values {
			g.AdamW(v, first[i], second[i], gradients[i], clip, compute.AdamWStep{T: step + 1, Rate: rate, Beta1: 0.9, Beta2: 0.999, Eps: 1e-8})
			m.Device.Scale(gradients[i], 0)
		}
		return norm
	}
}
