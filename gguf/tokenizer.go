package gguf

import (
	"fmt"
	"math"

	"shallow/tokenizer"
)

// Tokenizer makes the tokenizer of the metadata tokenizer.ggml.*.
func (f *File) Tokenizer() (*tokenizer.Tokenizer, error) {
	g := tokenizer.GGUF{
		Model: f.text("model"), Pre: f.text("pre"), Tokens: f.texts("tokens"), Merges: f.texts("merges"),
		BOS: f.id("bos"), EOS: f.id("eos"), Unknown: f.id("unknown"),
		AddBOS: f.flag("add_bos_token"), AddEOS: f.flag("add_eos_token"),
		AddSpacePrefix: f.flag("add_space_prefix"), RemoveExtraWhitespaces: f.flag("remove_extra_whitespaces"),
	}
	if g.Model == "" {
		return nil, fmt.Errorf("gguf: %s has no tokenizer: give token ids instead of texts", f.Path)
	}
	types, _ := f.ggml("token_type").Ints()
	for _, n := range types {
		g.Types = append(g.Types, int32(max(min(n, math.MaxInt32), math.MinInt32)))
	}
	scores, _ := f.ggml("scores").Floats()
	for _, s := range scores {
		g.Scores = append(g.Scores, float32(s))
	}
	charsmap, _ := f.ggml("precompiled_charsmap").Ints()
	for _, b := range charsmap {
		g.PrecompiledCharsmap = append(g.PrecompiledCharsmap, byte(b))
	}
	t, err := tokenizer.FromGGUF(g)
	if err != nil {
		return nil, fmt.Errorf("gguf: %s: %w", f.Path, err)
	}
	return t, nil
}

// ggml is a piece of the tokenizer's metadata, the zero Entry where there is none.
func (f *File) ggml(name string) Entry {
	e, _ := f.Find("tokenizer.ggml." + name)
	return e
}

func (f *File) text(name string) string {
	s, _ := f.ggml(name).Text()
	return s
}

func (f *File) texts(name string) []string {
	list, _ := f.ggml(name).Texts()
	return list
}

func (f *File) flag(name string) *bool {
	n, ok := f.ggml(name).Int()
	if !ok {
		return nil
	}
	v := n != 0
	return &v
}

func (f *File) id(name string) int {
	n, ok := f.ggml(name + "_token_id").Int()
	if !ok || n < 0 || n > math.MaxInt32 {
		return -1
	}
	return int(n)
}
