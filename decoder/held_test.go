package decoder_test

import (
	"encoding/binary"
	"math"
	"strings"
	"testing"

	"shallow/decoder"
	"shallow/internal/shared"
)

// TestHeldIsStored reads every matrix of every family's layers as the layers hold it: parts of fused tensors, of one head after
// another and turned ones come back to where the file has them.
func TestHeldIsStored(t *testing.T) {
	matrices := 0
	for _, family := range shared.Families(t) {
		m := openModel(t, shared.Family(t, family), 1, decoder.Options{})
		for i := range m.Spec.L {
			for _, w := range m.Spec.LayerWeights(i) {
				stored, _ := m.Checkpoint.Tensor(w.Name)
				if w.Rows == 0 {
					continue
				}
				got, err := m.Held(w.Name)
				if err != nil {
					t.Fatalf("%s: %v", family, err)
				}
				matrices++
				if stored.DType != "F32" {
					continue
				}
				for j, v := range got {
					if want := binary.LittleEndian.Uint32(stored.Bytes()[4*j:]); math.Float32bits(v) != want {
						t.Fatalf("%s: element %d of %s is %g, stored is %g", family, j, w.Name, v, math.Float32frombits(want))
					}
				}
			}
		}
		if _, err := m.Held("nothing"); err == nil || !strings.Contains(err.Error(), `"nothing"`) {
			t.Errorf("%s: a tensor that is not there: %v", family, err)
		}
		if _, err := m.Held(m.Spec.EmbeddingWeight().Name); err == nil {
			t.Errorf("%s: the embedding is taken for a layer's", family)
		}
	}
	if matrices < 100 {
		t.Errorf("only %d matrices", matrices)
	}
}
