package gguf

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"os"
	"slices"
	"strings"
	"testing"

	"shallow/checkpoint"
)

// TestValues reads metadata of every kind from a file that llama.cpp's gguf package wrote.
func TestValues(t *testing.T) {
	f, err := Open("testdata/types.gguf")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if f.Version != 3 || f.Alignment != 64 {
		t.Errorf("version %d, alignment %d", f.Version, f.Alignment)
	}
	for _, kind := range []string{"uint8", "int8", "uint16", "int16", "int32", "uint64", "int64"} {
		e, _ := f.Find("other." + kind)
		if n, ok := e.Int(); !ok || n != 7 {
			t.Errorf("%s is %d, %v", e.Key, n, ok)
		}
	}
	for _, kind := range []string{"float32", "float64", "uint8"} {
		e, _ := f.Find("other." + kind)
		if v, ok := e.Float(); !ok || v != 7 {
			t.Errorf("%s is %g, %v", e.Key, v, ok)
		}
	}
	e, _ := f.Find("other.bool")
	if n, ok := e.Int(); !ok || n != 1 {
		t.Errorf("%s is %d, %v", e.Key, n, ok)
	}
	if _, ok := e.Float(); ok {
		t.Error("a truth value is a number")
	}
	e, _ = f.Find("other.text")
	if s, ok := e.Text(); !ok || s != "naïve — 表" {
		t.Errorf("%s is %q, %v", e.Key, s, ok)
	}
	e, _ = f.Find("other.texts")
	if s, ok := e.Texts(); !ok || !slices.Equal(s, []string{"a", "", "ä"}) {
		t.Errorf("%s is %q, %v", e.Key, s, ok)
	}
	e, _ = f.Find("other.floats")
	if s, ok := e.Floats(); !ok || !slices.Equal(s, []float64{0.5, -1.5}) {
		t.Errorf("%s is %v, %v", e.Key, s, ok)
	}
	e, _ = f.Find("llama.attention.head_count")
	if s, ok := e.Ints(); !ok || !slices.Equal(s, []int64{1, 2, 3, 4}) {
		t.Errorf("%s is %v, %v", e.Key, s, ok)
	}
	if e, ok := f.Find("no.such.key"); ok {
		t.Errorf("found %v", e)
	}
	if _, ok := (Entry{}).Int(); ok {
		t.Error("the zero Entry is a number")
	}
}

// TestEncode writes what was read and compares every byte.
func TestEncode(t *testing.T) {
	for _, name := range []string{"testdata/types.gguf", "testdata/llama-f16.gguf", "testdata/qwen3-q8_0.gguf"} {
		f, err := Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		want, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var moves []move
		for _, tensor := range f.Tensors {
			moves = append(moves, move{from: tensor, name: tensor.Name})
		}
		size, _ := arrange(moves, f.Alignment)
		head := encode(f.Version, f.Alignment, f.Metadata, moves)
		if !bytes.HasPrefix(want, head) {
			t.Errorf("%s: the header differs", name)
		}
		if int64(len(head))+size != int64(len(want)) {
			t.Errorf("%s: has %d bytes, %d would be written", name, len(want), int64(len(head))+size)
		}
	}
}

// TestOffsets gives a tensor of a type that is not known the bytes up to the next.
func TestOffsets(t *testing.T) {
	f, err := parse(newBuilder("llama", 1).tensor("a", 99, 7, 3).tensor("b", F32, 2).tensor("c", 98, 1).bytes())
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []int64{32, 8, 32} {
		if f.Tensors[i].Length != want {
			t.Errorf("tensor %s has %d bytes, want %d", f.Tensors[i].Name, f.Tensors[i].Length, want)
		}
	}
}

// TestHostile holds the reader against files that lie.
func TestHostile(t *testing.T) {
	good := newBuilder("llama", 2).layers(2).bytes()
	change := func(at int, with ...byte) []byte {
		data := slices.Clone(good)
		copy(data[at:], with)
		return data
	}
	big := binary.LittleEndian.AppendUint64(nil, 1<<40)
	huge := binary.LittleEndian.AppendUint64(nil, 1<<63)
	array := func(of Kind, count uint64) []byte {
		b := append([]byte(magic), 3, 0, 0, 0)
		b = binary.LittleEndian.AppendUint64(b, 0)
		b = binary.LittleEndian.AppendUint64(b, 1)
		b = append(binary.LittleEndian.AppendUint64(b, 1), 'k')
		b = binary.LittleEndian.AppendUint32(b, uint32(Array))
		b = binary.LittleEndian.AppendUint32(b, uint32(of))
		return append(binary.LittleEndian.AppendUint64(b, count), make([]byte, 64)...)
	}
	placed := func(edit func(ts []Tensor)) []byte {
		b := newBuilder("llama", 2).layers(2)
		edit(b.tensors)
		return b.bytes()
	}
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"empty":                {nil, "to follow byte 0"},
		"magic":                {change(0, 'G', 'G', 'M', 'L'), "no GGUF file"},
		"version 1":            {change(4, 1), "version 1"},
		"version 4":            {change(4, 4), "version 4"},
		"big-endian":           {change(4, 0, 0, 0, 3), "big-endian"},
		"tensors":              {change(8, big...), "do not fit"},
		"metadata":             {change(16, big...), "do not fit"},
		"key length":           {change(24, big...), "a name of"},
		"key length 2^63":      {change(24, huge...), "a name of"},
		"kind":                 {change(32+20, 13), "does not have"},
		"string length":        {change(32+24, big...), "to follow"},
		"string length 2^63":   {change(32+24, huge...), "to follow"},
		"truncated":            {good[:len(good)-40], "past the file's end"},
		"truncated header":     {good[:220], "to follow"},
		"array of arrays":      {array(Array, 1), "an array of array"},
		"array of nothing":     {array(77, 1), "an array of kind 77"},
		"array of many":        {array(Uint64, 1<<60), "do not fit"},
		"array of many texts":  {array(String, 100), "do not fit"},
		"array of a long text": {append(array(String, 1)[:49], bytes.Repeat([]byte{255}, 64)...), "to follow"},
		"overlap":              {placed(func(ts []Tensor) { ts[2].Offset = ts[1].Offset }), "within tensor"},
		"unaligned":            {placed(func(ts []Tensor) { ts[1].Offset++ }), "no multiple of 32"},
		"past the end":         {placed(func(ts []Tensor) { ts[1].Offset = 1 << 50 }), "past the file's end"},
		"overflow":             {placed(func(ts []Tensor) { ts[1].Offset = 1<<63 - 32 }), "past the file's end"},
		"negative":             {placed(func(ts []Tensor) { ts[1].Offset = -32 }), "past any file's end"},
		"huge":                 {placed(func(ts []Tensor) { ts[0].Dims = []int64{1 << 40, 1 << 40} }), "too large"},
		"negative dimension":   {placed(func(ts []Tensor) { ts[0].Dims = []int64{-4} }), "negative"},
		"rank":                 {placed(func(ts []Tensor) { ts[0].Dims = []int64{1, 1, 1, 1, 1} }), "5 dimensions"},
		"blocks":               {placed(func(ts []Tensor) { ts[1].Dims = []int64{255} }), "packs together"},
		"twice":                {placed(func(ts []Tensor) { ts[1].Name = ts[0].Name }), "is there twice"},
		"no name":              {placed(func(ts []Tensor) { ts[1].Name = "" }), "is empty"},
		"key twice":            {newBuilder("llama", 1).add(u32("llama.block_count", 1)).bytes(), "is there twice"},
		"no key":               {newBuilder("llama", 1).add(u32("", 1)).bytes(), "the key is empty"},
		"alignment":            {newBuilder("llama", 1).add(u32("general.alignment", 24)).bytes(), "power of two"},
		"alignment 0":          {newBuilder("llama", 1).add(u32("general.alignment", 0)).bytes(), "power of two"},
		"alignment of text":    {newBuilder("llama", 1).add(text("general.alignment", "32")).bytes(), "power of two"},
	} {
		_, err := parse(c.data)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if _, err := parse(good); err != nil {
		t.Error(err)
	}
}

// TestVersion2 reads a file of the version before.
func TestVersion2(t *testing.T) {
	b := newBuilder("llama", 2).layers(2)
	b.version = 2
	f, err := parse(b.bytes())
	if err != nil || f.Version != 2 {
		t.Fatalf("%v", err)
	}
}

// FuzzRead wants an error or a file whose tensors lie within it and beside one another.
func FuzzRead(f *testing.F) {
	f.Add(newBuilder("llama", 2).layers(2).bytes())
	f.Add(newBuilder("llama", 1).add(texts("a", "b", "c"), u32s("d", 1, 2), u32("general.alignment", 1)).tensor("x", 99, 5).bytes())
	for arch := range families {
		f.Add(newBuilder(arch, 2).add(u32(arch+".embedding_length", 8), u32(arch+".context_length", 8), u32(arch+".feed_forward_length", 8),
			u32(arch+".attention.head_count", 2), f32(arch+".attention.layer_norm_rms_epsilon", 1e-5), f32(arch+".attention.scale", 1),
			u32(arch+".attention.sliding_window", 4), text(arch+".rope.scaling.type", "yarn")).tensor("blk.1.attn_q.weight", F32, 8, 8).bytes())
	}
	for _, name := range []string{"testdata/types.gguf"} {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := parse(data)
		if err != nil {
			return
		}
		ts := slices.Clone(file.Tensors)
		slices.SortStableFunc(ts, func(a, b Tensor) int { return cmp.Or(cmp.Compare(a.Offset, b.Offset), cmp.Compare(a.Length, b.Length)) })
		var end int64
		for _, tensor := range ts {
			if tensor.Length < 0 || tensor.Offset < end || tensor.Offset+tensor.Length > int64(len(data)) {
				t.Fatalf("tensor %q is bytes %d to %d of %d", tensor.Name, tensor.Offset, tensor.Offset+tensor.Length, len(data))
			}
			end = tensor.Offset + tensor.Length
		}
		for _, e := range file.Metadata {
			e.Int()
			e.Float()
			e.Text()
			e.Ints()
			e.Floats()
			e.Texts()
		}
		if s, err := file.shape(); err == nil {
			if family, ok := families[s.arch]; ok {
				_, _ = file.parts(s, family)
				if config, err := file.config(s, family); err == nil {
					if _, err := checkpoint.ParseConfig(config); err != nil {
						t.Fatalf("config.json cannot be read: %v", err)
					}
				}
			}
			// Whatever the metadata say, pruning them ends in an error or in metadata that are read again.
			if s.layers < 2 {
				return
			}
			metadata, _, err := operate(file, s, []int{0}, true)
			if err != nil {
				return
			}
			again, err := parse(encode(3, file.Alignment, metadata, nil))
			if err != nil || !slices.EqualFunc(again.Metadata, metadata, equal) {
				t.Fatalf("the metadata are not read back: %v", err)
			}
		}
	})
}
