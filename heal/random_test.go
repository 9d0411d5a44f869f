package heal

import (
	"path/filepath"
	"testing"

	"shallow/compute/cpu"
	"shallow/decoder"
)

// randomModel writes a Llama of 16 layers with random weights of float32, as a training from scratch begins with, and gives its
// directory.
func randomModel(t testing.TB, seed uint64) string {
	t.Helper()
	dev, err := cpu.New(cpu.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer dev.Close()
	c, err := decoder.Blank(beginning(t, map[string]any{
		"hidden_size": 128, "intermediate_size": 384, "num_hidden_layers": 16, "vocab_size": 258, "tie_word_embeddings": false, "torch_dtype": "float32",
		"initializer_range": 0.05,
	}))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	m, err := decoder.Open(dev, c, decoder.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	o := Options{Method: Full, FromScratch: true, Seed: seed}
	trainee, err := o.newTrainee(m)
	if err != nil {
		t.Fatal(err)
	}
	defer trainee.release(dev)
	dir := t.TempDir()
	if err := trainee.writeModel(t.Context(), m, dir, ""); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, modelFolder)
}
