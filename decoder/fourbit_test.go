package decoder_test

import (
	"path/filepath"
	"testing"

	"shallow/decoder"
	"shallow/internal/shared"
)

// TestFourBitCheckpoints runs directories that transformers wrote with bitsandbytes.
func TestFourBitCheckpoints(t *testing.T) {
	for name, bound := range map[string]float64{
		"tiny-llama-double-f32":  tolerance,
		"tiny-llama-single-bf16": 1e-2, // there the reference rounds each weight to bfloat16 after decoding it, which is not done here
	} {
		dir := shared.Dir(t, "reference", "nf4", name)
		want := readSafetensors(t, filepath.Join(dir, "expected.safetensors"))
		for _, pack := range []bool{false, true} {
			m := openModel(t, dir, 2, decoder.Options{Precision: decoder.Float32, Pack: pack})
			_, g := runStates(t, m, [][]int{want["ids"].ids()}, nil)
			if d := deviation(t, allLogits(t, m, g), want["logits"].floats()); d > bound {
				t.Errorf("%s, packed %v: logits differ by %.2g", name, pack, d)
			}
		}
	}
}
