package cpu_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"testing"

	"shallow/checkpoint"
	"shallow/compute"
	"shallow/compute/cpu"
	"shallow/internal/shared"
)

// trainingPart is a file of the parts of training as PyTorch has them.
type trainingPart struct {
	t    *testing.T
	file *checkpoint.Checkpoint
}

func openPart(t *testing.T, name string) trainingPart {
	t.Helper()
	file, err := checkpoint.OpenFile(shared.Dir(t, "reference", "lora", "parts"), name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	return trainingPart{t, file}
}

func (p trainingPart) floats(name string) []float32 {
	p.t.Helper()
	x, ok := p.file.Tensor(name)
	if !ok || x.DType != checkpoint.F32 {
		p.t.Fatalf("%s: %v", name, x)
	}
	out := make([]float32, x.Elements())
	for i := range out {
		out[i] = math.Float32frombits(binary.LittleEndian.Uint32(x.Bytes()[4*i:]))
	}
	return out
}

// steps is how many float32 lie between two numbers.
func steps(a, b float32) int64 {
	order := func(x float32) int64 {
		b := int64(math.Float32bits(x))
		if b < 1<<31 {
			return b
		}
		return 1<<31 - b
	}
	return max(order(a)-order(b), order(b)-order(a))
}

// unit is a unit in the last place of x.
func unit(x float32) float64 {
	x = float32(math.Abs(float64(x)))
	return float64(math.Nextafter32(x, float32(math.Inf(1))) - x)
}

// furthest is the largest difference of two slices in units in the last place of the largest element.
func furthest(got, want []float32) (worst float64) {
	largest := float32(0)
	for _, v := range want {
		largest = max(largest, v, -v)
	}
	for i, w := range want {
		worst = max(worst, math.Abs(float64(got[i])-float64(w))/unit(largest))
	}
	return worst
}

// eachLevel runs a test on a device of every level.
func eachLevel(t *testing.T, test func(t *testing.T, dev *cpu.Device)) {
	for _, level := range cpu.Levels() {
		t.Run(level.String(), func(t *testing.T) {
			dev, err := cpu.New(cpu.Options{Threads: 2, Level: level})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(dev.Close)
			test(t, dev)
		})
	}
}

func upload(dev *cpu.Device, rows int, x []float32) compute.Tensor {
	t := dev.New(compute.Float32, rows, len(x)/rows)
	dev.Upload(t, compute.Bytes(x))
	return t
}

func download(t *testing.T, dev *cpu.Device, x compute.Tensor) []float32 {
	t.Helper()
	out := make([]float32, x.Rows*x.Cols)
	if err := dev.Download(compute.Bytes(out), x); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestAdamWReference follows PyTorch's AdamW for 30 steps of gradients over six decades. Moments are equal; parameters within 3 units in
// the last place of the largest number they have been on the way, and but one or two within 2: PyTorch's square root is not the nearest float32
// for one in five.
func TestAdamWReference(t *testing.T) {
	part := openPart(t, "adamw.safetensors")
	start, gradients := part.floats("start"), part.floats("gradients")
	n := len(start)
	eachLevel(t, func(t *testing.T, dev *cpu.Device) {
		for label, decay := range map[string]float64{"decay_0": 0, "decay_0.1": 0.1} {
			want := part.floats(label + ".parameters")
			p, m, v := upload(dev, 7, start), dev.New(compute.Float32, 7, n/7), dev.New(compute.Float32, 7, n/7)
			beyond := 0
			sizes := make([]float32, n)
			for i, v := range start {
				sizes[i] = max(v, -v)
			}
			for step := range len(gradients) / n {
				dev.AdamW(p, m, v, upload(dev, 7, gradients[step*n:(step+1)*n]), 1,
					compute.AdamWStep{T: step + 1, Rate: 1e-2, Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, Decay: decay})
				for i, got := range download(t, dev, p) {
					w := want[step*n+i]
					sizes[i] = max(sizes[i], w, -w)
					off := math.Abs(float64(got)-float64(w)) / unit(sizes[i])
					if off > 2 {
						beyond++
					}
					if off > 3 || beyond > 2 {
						t.Fatalf("%s: element %d after step %d is %v, want %v: %d steps away", label, i, step+1, got, w, steps(got, w))
					}
				}
			}
			for name, moment := range map[string]compute.Tensor{"exp_avg": m, "exp_avg_sq": v} {
				for i, got := range download(t, dev, moment) {
					if w := part.floats(label + "." + name)[i]; got != w {
						t.Errorf("%s: %s[%d] is %v, want %v", label, name, i, got, w)
					}
				}
			}
		}
	})
}

// TestClipReference takes the joint norm of three gradients and clips them to 1.
func TestClipReference(t *testing.T) {
	part := openPart(t, "clip.safetensors")
	eachLevel(t, func(t *testing.T, dev *cpu.Device) {
		for c := range 3 {
			var squares float64
			var gradients []compute.Tensor
			for g := range 3 {
				x := upload(dev, 1, part.floats(fmt.Sprintf("%d.gradient.%d", c, g)))
				sum, err := dev.SumSquares(x)
				if err != nil {
					t.Fatal(err)
				}
				squares += sum
				gradients = append(gradients, x)
			}
			norm := math.Sqrt(squares)
			if want := part.floats(fmt.Sprintf("%d.norm", c))[0]; steps(float32(norm), want) > 2 {
				t.Errorf("case %d: a norm of %v, want %v", c, norm, want)
			}
			for g, x := range gradients {
				dev.Scale(x, float32(min(1, 1/(norm+1e-6))))
				for i, got := range download(t, dev, x) {
					if want := part.floats(fmt.Sprintf("%d.clipped.%d", c, g))[i]; steps(got, want) > 2 {
						t.Errorf("case %d, gradient %d: element %d is %v, want %v", c, g, i, got, want)
					}
				}
			}
		}
	})
}

// TestLossReference holds losses to PyTorch's by 2 units in the last place, and gradients to float64's by 2 units of the largest: PyTorch's
// own are up to 2.5 away from those.
func TestLossReference(t *testing.T) {
	part := openPart(t, "losses.safetensors")
	student, teacher := part.floats("student_logits"), part.floats("teacher_logits")
	ids, _ := part.file.Tensor("targets")
	targets := make([]int32, ids.Elements())
	counted := 0
	for i := range targets {
		targets[i] = int32(int64(binary.LittleEndian.Uint64(ids.Bytes()[8*i:])))
		if targets[i] >= 0 {
			counted++
		}
	}
	n := len(targets)
	mean := func(x []float32, n int) float32 {
		sum := 0.0
		for _, v := range x {
			sum += float64(v)
		}
		return float32(sum / float64(n))
	}
	weights := func(dev *cpu.Device, n, count int) compute.Tensor {
		w := make([]float32, n)
		for i := range w {
			w[i] = 1 / float32(count)
		}
		return upload(dev, n, w)
	}
	check := func(t *testing.T, dev *cpu.Device, name string, loss float32, gradient compute.Tensor, exact []float32) {
		t.Helper()
		if want := part.floats(name + ".loss")[0]; steps(loss, want) > 2 {
			t.Errorf("%s: a loss of %v, want %v: %d steps away", name, loss, want, steps(loss, want))
		}
		got := download(t, dev, gradient)
		if worst := furthest(got, exact); worst > 2 {
			t.Errorf("%s: a gradient is %.1f units in the last place away from float64's", name, worst)
		}
		if worst := furthest(got, part.floats(name+".grad")); worst > 4 {
			t.Errorf("%s: a gradient is %.1f units in the last place away", name, worst)
		}
	}
	vocabulary := len(student) / n
	probabilities := func(logits []float32, row int, temperature float64) []float64 {
		out, sum := make([]float64, vocabulary), 0.0
		for j := range out {
			out[j] = math.Exp(float64(logits[row*vocabulary+j]) / temperature)
			sum += out[j]
		}
		for j := range out {
			out[j] /= sum
		}
		return out
	}
	certain, divergent := make([]float32, len(student)), map[float32][]float32{1: make([]float32, len(student)), 2: make([]float32, len(student))}
	for i, target := range targets {
		for j, q := range probabilities(student, i, 1) {
			if int32(j) == target {
				q--
			}
			if target >= 0 {
				certain[i*vocabulary+j] = float32(q / float64(counted))
			}
		}
		for temperature, gradient := range divergent {
			p := probabilities(teacher, i, float64(temperature))
			for j, q := range probabilities(student, i, float64(temperature)) {
				gradient[i*vocabulary+j] = float32((q - p[j]) / float64(temperature) / float64(n))
			}
		}
	}
	eachLevel(t, func(t *testing.T, dev *cpu.Device) {
		loss, logits, at := dev.New(compute.Float32, n, 1), upload(dev, n, student), dev.New(compute.Int32, n, 1)
		dev.Upload(at, compute.Bytes(targets))
		dev.CrossEntropy(loss, logits, at)
		dev.CrossEntropyBackward(logits, at, weights(dev, n, counted))
		check(t, dev, "cross_entropy", mean(download(t, dev, loss), counted), logits, certain)
		for _, temperature := range []float32{1, 2} {
			logits := upload(dev, n, student)
			dev.Divergence(loss, logits, upload(dev, n, teacher), weights(dev, n, n), temperature)
			check(t, dev, fmt.Sprintf("kl_temperature_%v", temperature), mean(download(t, dev, loss), n), logits, divergent[temperature])
		}
	})
}
