package gguf

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestSurgery holds the rules, row by row, against what llama.cpp reads: wanted metadata, or the words of a refusal.
func TestSurgery(t *testing.T) {
	ints := func(key string, values ...int64) func(*testing.T, *File) {
		return func(t *testing.T, f *File) {
			e, ok := f.Find(key)
			got, list := e.Ints()
			if n, whole := e.Int(); whole {
				got, list = []int64{n}, true
			}
			if !ok || !list || !slices.Equal(got, values) {
				t.Errorf("%s is %v (%v), want %v", key, got, ok, values)
			}
		}
	}
	absent := func(key string) func(*testing.T, *File) {
		return func(t *testing.T, f *File) {
			if _, ok := f.Find(key); ok {
				t.Errorf("%s is there", key)
			}
		}
	}
	type checks = []func(*testing.T, *File)
	window := func(arch string) Entry { return u32(arch+".attention.sliding_window", 128) }
	for _, c := range []struct {
		name   string
		arch   string
		layers int
		keys   []Entry
		drop   []int
		want   checks
		refuse string
	}{
		{"uniform", "llama", 6, nil, []int{2, 3}, checks{ints("llama.block_count", 4)}, ""},
		{"a quantised Mixtral", "llama", 6, []Entry{u32("llama.expert_count", 8)}, []int{0}, checks{ints("llama.block_count", 5)}, ""},
		{"lists", "deci", 4, []Entry{u32s("deci.attention.head_count_kv", 1, 2, 3, 4), u32s("deci.feed_forward_length", 5, 6, 7, 8)}, []int{1, 2},
			checks{ints("deci.attention.head_count_kv", 1, 4), ints("deci.feed_forward_length", 5, 8)}, ""},
		{"lists without an architecture", "apertus", 3, []Entry{u32s("xielu.beta", 1, 2, 3)}, []int{0}, checks{ints("xielu.beta", 2, 3)}, ""},
		{"no list of layers", "qwen2vl", 4, []Entry{u32s("qwen2vl.rope.dimension_sections", 8, 12, 12, 0)}, []int{1}, checks{ints("qwen2vl.rope.dimension_sections", 8, 12, 12, 0)}, ""},
		{"no list of layers of the tokenizer", "llama", 4, []Entry{u32s("tokenizer.ggml.token_type", 1, 2, 3, 4)}, []int{1}, checks{ints("tokenizer.ggml.token_type", 1, 2, 3, 4)}, ""},
		{"an unknown list of layers", "llama", 4, []Entry{u32s("llama.novel", 1, 2, 3, 4)}, []int{1}, nil, "llama.novel has as many elements as there are layers"},
		{"an unknown list", "llama", 4, []Entry{u32s("llama.novel", 1, 2, 3)}, []int{1}, checks{ints("llama.novel", 1, 2, 3)}, ""},
		{"a list of the wrong length", "llama", 4, []Entry{u32s("llama.attention.head_count", 1, 2, 3)}, []int{1}, nil, "3 elements"},
		{"a list of texts", "llama", 2, []Entry{texts("llama.attention.head_count", "a", "b")}, []int{1}, nil, "2 elements of string"},

		{"layers that predict further", "glm4moe", 5, []Entry{u32("glm4moe.nextn_predict_layers", 1), u32("glm4moe.leading_dense_block_count", 2), u32s("glm4moe.expert_feed_forward_length", 1, 2, 3, 4, 5)}, []int{1, 2},
			checks{ints("glm4moe.block_count", 3), ints("glm4moe.nextn_predict_layers", 1), ints("glm4moe.leading_dense_block_count", 1), ints("glm4moe.expert_feed_forward_length", 1, 4, 5)}, ""},
		{"dense layers first", "deepseek", 4, []Entry{u32("deepseek.leading_dense_block_count", 1)}, []int{1, 2}, checks{ints("deepseek.leading_dense_block_count", 1)}, ""},
		{"images enter", "qwen3vl", 6, []Entry{u32("qwen3vl.n_deepstack_layers", 3)}, []int{2, 3}, nil, "none of them can go"},
		{"images enter before", "qwen3vl", 6, []Entry{u32("qwen3vl.n_deepstack_layers", 3)}, []int{3, 4}, checks{ints("qwen3vl.n_deepstack_layers", 3)}, ""},

		{"windows kept", "gemma2", 8, nil, []int{3, 4}, checks{absent("gemma2.attention.sliding_window_pattern")}, ""},
		{"windows listed", "gemma2", 6, nil, []int{3}, checks{ints("gemma2.attention.sliding_window_pattern", 1, 0, 1, 1, 0)}, ""},
		{"the end of a period may go", "gemma2", 6, nil, []int{5}, checks{absent("gemma2.attention.sliding_window_pattern")}, ""},
		{"windows by a period", "olmo2", 6, []Entry{window("olmo2"), u32("olmo2.attention.sliding_window_pattern", 3)}, []int{0}, checks{ints("olmo2.attention.sliding_window_pattern", 1, 0, 1, 1, 0)}, ""},
		{"windows of none", "olmo2", 6, nil, []int{0}, checks{absent("olmo2.attention.sliding_window_pattern")}, ""},
		{"windows in a list", "olmo2", 4, []Entry{window("olmo2"), flags("olmo2.attention.sliding_window_pattern", []bool{true, true, true, false})}, []int{1}, checks{ints("olmo2.attention.sliding_window_pattern", 1, 1, 0)}, ""},
		{"full layers first", "cohere2moe", 8, nil, []int{1}, checks{ints("cohere2moe.attention.sliding_window_pattern", 0, 1, 1, 0, 1, 1, 1)}, ""},
		{"all windows", "gemma3", 8, []Entry{window("gemma3"), u32("gemma3.attention.sliding_window_pattern", 1)}, []int{3}, checks{ints("gemma3.attention.sliding_window_pattern", 1)}, ""},
		{"a period where none is known", "llama", 4, []Entry{u32("llama.attention.sliding_window_pattern", 2)}, []int{1}, nil, "not known"},

		{"recurrent layers listed", "qwen3next", 8, []Entry{u32("qwen3next.full_attention_interval", 4)}, []int{1}, checks{ints("qwen3next.attention.recurrent_layers", 1, 1, 0, 1, 1, 1, 0), ints("qwen3next.full_attention_interval", 4)}, ""},
		{"recurrent layers kept", "qwen35", 8, nil, []int{2, 3, 4, 5}, checks{absent("qwen35.attention.recurrent_layers")}, ""},
		{"recurrent layers in a list", "qwen35", 4, []Entry{flags("qwen35.attention.recurrent_layers", []bool{true, true, true, false})}, []int{1}, checks{ints("qwen35.attention.recurrent_layers", 1, 1, 0)}, ""},

		{"no rotary positions kept", "smollm3", 12, nil, []int{2, 3, 4, 5}, checks{ints("smollm3.block_count", 8)}, ""},
		{"no rotary positions broken", "smollm3", 12, nil, []int{2, 3, 4}, nil, "--layers 2:6 keeps the period"},
		{"no rotary positions without windows", "afmoe", 8, nil, []int{2}, nil, "no rotary positions"},
		{"rotary positions without windows", "smallthinker", 8, nil, []int{2}, checks{ints("smallthinker.block_count", 7)}, ""},
		{"no rotary positions at the end", "llama4", 8, []Entry{u32("llama4.attention.sliding_window", 0)}, []int{7}, nil, "it must stay"},
		{"rotary positions before the end", "llama4", 8, []Entry{u32("llama4.attention.sliding_window", 0)}, []int{6}, checks{ints("llama4.block_count", 7)}, ""},
		{"experts in every second layer", "llama4", 12, []Entry{u32("llama4.interleave_moe_layer_step", 2)}, []int{2, 3}, nil, "every 4. layer of a llama4 has no rotary positions"},
		{"experts in every second layer of another", "ernie4_5-moe", 8, []Entry{u32("ernie4_5-moe.interleave_moe_layer_step", 2)}, []int{2}, nil, "--layers 2:4 keeps the period"},
		{"experts in every layer", "ernie4_5-moe", 8, []Entry{u32("ernie4_5-moe.interleave_moe_layer_step", 1)}, []int{2}, checks{ints("ernie4_5-moe.block_count", 7)}, ""},
		{"an absurd period", "ernie4_5-moe", 8, []Entry{u32("ernie4_5-moe.interleave_moe_layer_step", 1<<31)}, []int{2}, nil, "no period"},

		{"shared keys and values", "gemma4", 10, []Entry{u32("gemma4.attention.shared_kv_layers", 4)}, []int{1, 2, 8}, checks{ints("gemma4.attention.shared_kv_layers", 3)}, ""},
		{"what is shared", "gemma4", 10, []Entry{u32("gemma4.attention.shared_kv_layers", 4)}, []int{5}, nil, "layers 4 and 5"},
		{"a number that is a sign", "gemma2", 46, []Entry{u32("gemma2.embedding_length", 4608), u32("gemma2.attention.head_count", 32), u32("gemma2.attention.key_length", 128)}, []int{1, 2}, nil, "scales attention by the number of heads"},
		{"a sign of nothing", "gemma2", 46, []Entry{u32("gemma2.embedding_length", 4096), u32("gemma2.attention.head_count", 32), u32("gemma2.attention.key_length", 128)}, []int{1, 2}, checks{ints("gemma2.block_count", 44)}, ""},
		{"to a number that is a sign", "deepseek2", 61, nil, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, nil, "lite"},
		{"residuals", "minicpm", 4, nil, []int{1}, checks{func(t *testing.T, f *File) {
			if e, _ := f.Find("minicpm.residual_scale"); len(e.data) != 4 {
				t.Error("no residual_scale")
			} else if v, _ := e.Float(); v < 0.699 || v > 0.701 {
				t.Errorf("residual_scale is %g, want 1.4/√4", v)
			}
		}}, ""},
		{"residuals that are said", "minicpm", 4, []Entry{f32("minicpm.residual_scale", 0.5)}, []int{1}, checks{func(t *testing.T, f *File) {
			if e, _ := f.Find("minicpm.residual_scale"); e.Kind != Float32 || e.data[3] != 0x3f {
				t.Errorf("residual_scale is %v", e)
			}
		}}, ""},
		{"by the number of layers", "baichuan", 4, nil, []int{1}, nil, "number of layers"},
		{"numbers of layers", "llama", 4, []Entry{u32s("llama.target_layers", 1, 2)}, []int{1}, nil, "by their numbers"},
		{"unknown", "novel", 4, nil, []int{1}, nil, `not known here; --unproved`},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBuilder(c.arch, c.layers).add(c.keys...).layers(c.layers)
			f := b.open(t)
			s, err := f.shape()
			if err != nil {
				t.Fatal(err)
			}
			metadata, notes, err := operate(f, s, c.drop, false)
			if c.refuse != "" {
				if err == nil || !strings.Contains(err.Error(), c.refuse) {
					t.Errorf("%v, want %q", err, c.refuse)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got := &File{Metadata: metadata, keys: map[string]int{}}
			for i, e := range metadata {
				got.keys[e.Key] = i
			}
			for _, check := range c.want {
				check(t, got)
			}
			if len(notes) == 0 {
				t.Error("no note")
			}
			// Keys that are not touched keep their bytes and places.
			for i, e := range f.Metadata {
				if metadata[i].Key != e.Key {
					t.Fatalf("key %d is %s, was %s", i, metadata[i].Key, e.Key)
				}
				if !equal(metadata[i], e) && !slices.ContainsFunc(notes, func(n string) bool { return strings.HasPrefix(n, e.Key+" ") }) {
					t.Errorf("%s changed without a word", e.Key)
				}
			}
		})
	}
}

func TestShape(t *testing.T) {
	for name, c := range map[string]struct {
		b    *builder
		want string
	}{
		"no architecture":  {&builder{version: 3, alignment: 32}, "general.architecture is missing"},
		"no block_count":   {(&builder{version: 3, alignment: 32}).add(text("general.architecture", "llama")), "llama.block_count is missing"},
		"absurd":           {newBuilder("llama", 1<<20), "llama.block_count is missing or not"},
		"an adapter":       {newBuilder("llama", 2).add(text("general.type", "adapter")), `general.type is "adapter"`},
		"a part":           {newBuilder("llama", 2).add(u32("split.count", 3)), "llama-gguf-split --merge"},
		"all predict":      {newBuilder("llama", 2).add(u32("llama.nextn_predict_layers", 2)), "nextn_predict_layers is 2 of 2"},
		"a part of one":    {newBuilder("llama", 2).add(u32("split.count", 1)), ""},
		"a model by type":  {newBuilder("llama", 2).add(text("general.type", "model")), ""},
		"as many as there": {newBuilder("llama", 512), ""},
	} {
		_, err := c.b.open(t).shape()
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func TestLayerOf(t *testing.T) {
	for name, want := range map[string]string{
		"blk.0.attn_q.weight":  "0 attn_q.weight true",
		"blk.10.a":             "10 a true",
		"blk.01.a":             "0  false",
		"blk.-1.a":             "0  false",
		"blk.x.a":              "0  false",
		"blk.3":                "0  false",
		"output.weight":        "0  false",
		"enc.blk.0.attn_q.bia": "0  false",
	} {
		layer, rest, ok := layerOf(name)
		if !ok {
			layer, rest = 0, ""
		}
		if got := fmt.Sprintf("%d %s %v", layer, rest, ok); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}
