package heal

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"shallow/checkpoint"
	"shallow/decoder"
	"shallow/internal/shared"
)

// TestMergedLogits merges the adapters of ten families and holds the logits of what comes out against those of PEFT's merge_and_unload.
func TestMergedLogits(t *testing.T) {
	for _, family := range []string{"llama", "mistral", "qwen2", "qwen3", "phi", "phi3", "gemma2", "gemma3_text", "olmo2", "smollm3"} {
		for _, targets := range []string{"mlp", "all"} {
			t.Run(family+"/"+targets, func(t *testing.T) {
				dir := shared.Dir(t, "reference", "lora", family)
				m := openModel(t, dir, 2, decoder.Options{Precision: decoder.Float32})
				p, err := ReadPEFT(filepath.Join(dir, "adapter-"+targets))
				if err != nil {
					t.Fatal(err)
				}
				out := filepath.Join(t.TempDir(), "merged")
				r, err := Merge(t.Context(), m, p, MergeOptions{Output: out})
				if err != nil {
					t.Fatal(err)
				}
				if r.Other != "nf4" || !(r.FromOther > r.Apart) {
					t.Errorf("%.2g from the adapter beside %q", r.FromOther, r.Other)
				}
				if r.Apart > 1e-5 || r.Rewritten != len(p.Modules) || r.Base != "stored" {
					t.Errorf("merged: %+v", r)
				}
				expected, err := checkpoint.OpenFile(dir, "expected.safetensors")
				if err != nil {
					t.Fatal(err)
				}
				defer expected.Close()
				ids, _ := expected.Tensor("input_ids")
				want, ok := expected.Tensor(targets + ".merged_logits")
				if !ok {
					t.Fatal("the reference has no merged logits")
				}
				var sequence []int
				for _, id := range int64s(ids)[:want.Shape[0]] { // the first is the longest
					sequence = append(sequence, int(id))
				}
				merged := openModel(t, out, 2, decoder.Options{Precision: decoder.Float32})
				got, err := logits(t.Context(), merged, [][]int{sequence})
				if err != nil {
					t.Fatal(err)
				}
				reference, err := floats(want)
				if err != nil {
					t.Fatal(err)
				}
				if d := apart(got, reference); d > 1e-4 || len(got) != len(reference) {
					t.Errorf("logits differ by %.2g", d)
				}
			})
		}
	}
}

// TestMergeIntoNF4 merges into what 4 bits leave of the weights: the model that was trained, so logits are the same.
func TestMergeIntoNF4(t *testing.T) {
	for _, family := range []string{"llama", "phi3"} {
		dir := shared.Dir(t, "reference", "lora", family)
		p, err := ReadPEFT(filepath.Join(dir, "adapter-mlp"))
		if err != nil {
			t.Fatal(err)
		}
		m := openModel(t, dir, 2, decoder.Options{Precision: decoder.Float32, Base: decoder.NF4})
		r, err := Merge(t.Context(), m, p, MergeOptions{Output: filepath.Join(t.TempDir(), "merged")})
		if err != nil {
			t.Fatal(err)
		}
		if r.Apart > 1e-5 || r.Base != "nf4" || r.Rewritten != len(modules(m.Spec)) {
			t.Errorf("%s: %+v", family, r)
		}
	}
}

func TestHalves(t *testing.T) {
	for h := range 1 << 16 {
		bits := uint16(h)
		wide := []byte{byte(bits), byte(bits >> 8)}
		for _, kind := range []checkpoint.DType{checkpoint.F16, checkpoint.BF16} {
			x, err := widen(wide, kind)
			if err != nil {
				t.Fatal(err)
			}
			if x[0] != x[0] {
				continue
			}
			again, err := narrow(x, kind)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(again, wide) {
				t.Fatalf("%s %#04x is %g and then %#x", kind, bits, x[0], again)
			}
		}
	}
	for _, c := range []struct {
		kind checkpoint.DType
		in   float32
		want uint16
	}{
		{checkpoint.F16, 1 + 0x1p-11, 0x3c00},   // a tie goes to the even one
		{checkpoint.F16, 1 + 3*0x1p-11, 0x3c02}, // here that is above
		{checkpoint.F16, 65519, 0x7bff},
		{checkpoint.F16, 65520, 0x7c00},
		{checkpoint.F16, 0x1p-25, 0},
		{checkpoint.F16, 0x1.8p-25, 1},
		{checkpoint.F16, -0x1.ff8p-15, 0x83ff},
		{checkpoint.F16, -0x1.ffcp-15, 0x8400},
		{checkpoint.BF16, 1 + 0x1p-8, 0x3f80},
		{checkpoint.BF16, 1 + 3*0x1p-8, 0x3f82},
		{checkpoint.BF16, 3.4e38, 0x7f80},
	} {
		got, err := narrow([]float32{c.in}, c.kind)
		if err != nil {
			t.Fatal(err)
		}
		if bits := uint16(got[0]) | uint16(got[1])<<8; bits != c.want {
			t.Errorf("%g as %s is %#04x, want %#04x", c.in, c.kind, bits, c.want)
		}
	}
	if _, err := narrow([]float32{1}, checkpoint.U8); err == nil || !strings.Contains(err.Error(), "U8") {
		t.Errorf("U8: %v", err)
	}
}

func TestMergeRefusesWhatIsStoredInFourBits(t *testing.T) {
	m := openModel(t, shared.Dir(t, "reference", "nf4", "tiny-llama-double-f32"), 1, decoder.Options{Precision: decoder.Float32})
	some, err := chosen(modules(m.Spec), "mlp")
	if err != nil {
		t.Fatal(err)
	}
	p := &PEFT{Rank: 2, Alpha: 2}
	for _, x := range some {
		p.Modules = append(p.Modules, newAdapter(x, 2, 2, 1))
	}
	out := filepath.Join(t.TempDir(), "out")
	if _, err := Merge(t.Context(), m, p, MergeOptions{Output: out}); err == nil || !strings.Contains(err.Error(), "stored in 4 bits") {
		t.Error(err)
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("something was written")
	}
}
