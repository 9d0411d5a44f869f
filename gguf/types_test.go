package gguf

import (
	"encoding/json"
	"os"
	"testing"
)

// TestTypes compares the table with that of llama.cpp's gguf package, GGML_QUANT_SIZES.
func TestTypes(t *testing.T) {
	data, err := os.ReadFile("testdata/sizes.json")
	if err != nil {
		t.Fatal(err)
	}
	var sizes map[string][3]int64 // number, elements and bytes of a block
	if err := json.Unmarshal(data, &sizes); err != nil {
		t.Fatal(err)
	}
	if len(sizes) != len(types) {
		t.Errorf("%d types, the gguf package knows %d", len(types), len(sizes))
	}
	for name, want := range sizes {
		b := types[Type(want[0])]
		if b.name != name || b.elements != want[1] || b.bytes != want[2] {
			t.Errorf("type %d is %+v, want %s %v", want[0], b, name, want)
		}
	}
}

func TestBytes(t *testing.T) {
	for _, c := range []struct {
		kind Type
		dims []int64
		want int64 // -1 for an error
	}{
		{F32, []int64{3, 2}, 24},
		{F32, nil, 4},
		{F16, []int64{0, 5}, 0},
		{Q8_0, []int64{64, 3}, 204},
		{Q8_0, []int64{33, 32}, -1},
		{Q8_0, []int64{32, 1 << 62}, -1},
		{F32, []int64{1 << 32, 1 << 31}, -1},
		{F32, []int64{1 << 62}, -1},
		{F32, []int64{-1}, -1},
		{12, []int64{256, 2}, 288},
		{99, []int64{256}, -1},
	} {
		got, err := c.kind.bytes(c.dims)
		if err != nil {
			got = -1
		}
		if got != c.want {
			t.Errorf("%v %v has %d bytes (%v), want %d", c.kind, c.dims, got, err, c.want)
		}
	}
}
