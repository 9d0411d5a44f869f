package decoder_test

import (
	"testing"

	"shallow/compute"
	"shallow/decoder"
)

// A batch that leaves layers out has the loss and the gradients of a model without them, and none for what it left out.
func TestSkippedLayersAreNotThere(t *testing.T) {
	e := readExpected(t, "llama-plain")
	whole := openModel(t, e.dir, 2, decoder.Options{Precision: decoder.Float32})
	config := readConfig(t, e.dir)
	config["num_hidden_layers"] = whole.Spec.L - 2
	pruned := openModel(t, writeModel(t, config, withoutLayers(readWeights(t, e.dir), 1, 3)), 2, decoder.Options{Precision: decoder.Float32})
	var b decoder.Batch
	rows := 0
	for _, seq := range e.sequences() {
		targets := make([]int32, len(seq))
		for i := range targets {
			targets[i] = int32((7*i + 1) % whole.Spec.V)
		}
		b.Sequences, b.Targets, b.Weight = append(b.Sequences, seq), append(b.Targets, targets), 0.1
		rows += len(seq)
	}
	train := func(m *decoder.Model, kept int, b decoder.Batch) (float64, map[string][]float32) {
		parameters, err := m.Parameters(func(string) bool { return true })
		if err != nil {
			t.Fatal(err)
		}
		training, err := m.Train(nil, parameters, decoder.TrainingRoom{Rows: rows, Kept: kept}, 1)
		if err != nil {
			t.Fatal(err)
		}
		defer training.Release()
		loss, err := training.Accumulate(t.Context(), b)
		if err != nil {
			t.Fatal(err)
		}
		gradients := map[string][]float32{}
		for _, p := range parameters {
			gradients[p.Name] = download(t, m, p.Gradient)
			for _, x := range []compute.Tensor{p.Value, p.Gradient} {
				m.Device.Release(x.Memory)
			}
		}
		return loss, gradients
	}
	want, wanted := train(pruned, 9, b)
	b.Skip = []int{1, 2}
	for _, kept := range []int{9, 1} {
		got, gradients := train(whole, kept, b)
		if got != want {
			t.Errorf("loss %v, want %v", got, want)
		}
		there := map[string]stored{}
		for name := range gradients {
			there[name] = stored{DType: name} // carries the name that it had
		}
		for name, x := range withoutLayers(there, 1, 3) {
			sameBits(t, name, gradients[x.DType], wanted[name])
			delete(gradients, x.DType)
		}
		for name, g := range gradients {
			sameBits(t, name+", which was left out,", g, make([]float32, len(g)))
		}
	}
}
