package decoder_test

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"maps"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"shallow/checkpoint"
	"shallow/compute/cpu"
	"shallow/decoder"
)

// stored is a tensor as a shard holds it.
type stored struct {
	DType string
	Shape []int
	data  []byte
}

// readWeights reads all shards of a directory.
func readWeights(t testing.TB, dir string) map[string]stored {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "model*.safetensors"))
	if err != nil || len(files) == 0 {
		t.Fatal("no shards in", dir, err)
	}
	all := map[string]stored{}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		n := 8 + binary.LittleEndian.Uint64(data)
		var header map[string]json.RawMessage
		if err := json.Unmarshal(data[8:n], &header); err != nil {
			t.Fatal(err)
		}
		delete(header, "__metadata__")
		for name, raw := range header {
			var h struct {
				DType   string
				Shape   []int
				Offsets [2]uint64 `json:"data_offsets"`
			}
			if err := json.Unmarshal(raw, &h); err != nil {
				t.Fatal(err)
			}
			all[name] = stored{h.DType, h.Shape, slices.Clone(data[n+h.Offsets[0] : n+h.Offsets[1]])}
		}
	}
	return all
}

func readConfig(t testing.TB, dir string) map[string]any {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	config := map[string]any{}
	if err := json.Unmarshal(data, &config); err != nil {
		t.Fatal(err)
	}
	return config
}

// writeModel writes a checkpoint of one shard and gives its directory.
func writeModel(t testing.TB, config map[string]any, weights map[string]stored) string {
	t.Helper()
	dir := t.TempDir()
	text, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	header := map[string]any{}
	var data []byte
	for _, name := range slices.Sorted(maps.Keys(weights)) {
		w := weights[name]
		header[name] = map[string]any{"dtype": w.DType, "shape": w.Shape, "data_offsets": []int{len(data), len(data) + len(w.data)}}
		data = append(data, w.data...)
	}
	head, err := json.Marshal(header)
	if err != nil {
		t.Fatal(err)
	}
	file := append(binary.LittleEndian.AppendUint64(nil, uint64(len(head))), head...)
	for name, content := range map[string][]byte{"config.json": text, "model.safetensors": append(file, data...)} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestShardedEqualsSingle(t *testing.T) {
	e := readExpected(t, "llama-plain")
	m := openModel(t, e.dir, 2, decoder.Options{})
	want, g := runStates(t, m, e.sequences(), nil)
	single := openModel(t, writeModel(t, readConfig(t, e.dir), readWeights(t, e.dir)), 2, decoder.Options{})
	got, sg := runStates(t, single, e.sequences(), nil)
	for i := range want {
		sameBits(t, "states", got[i], want[i])
	}
	sameBits(t, "logits", allLogits(t, single, sg), allLogits(t, m, g))
}

var layerTensor = regexp.MustCompile(`^model\.layers\.(\d+)\.`)

// withoutLayers renumbers the tensors of layers that are kept.
func withoutLayers(weights map[string]stored, lo, hi int) map[string]stored {
	out := map[string]stored{}
	for name, w := range weights {
		if at := layerTensor.FindStringSubmatch(name); at != nil {
			i, _ := strconv.Atoi(at[1])
			if i >= lo && i < hi {
				continue
			}
			if i >= hi {
				name = "model.layers." + strconv.Itoa(i-hi+lo) + "." + name[len(at[0]):]
			}
		}
		out[name] = w
	}
	return out
}

func TestSkippingIsProvedAndDisproved(t *testing.T) {
	for _, p := range []decoder.Precision{decoder.Auto, decoder.Float32} {
		e := readExpected(t, "qwen2")
		m := openModel(t, e.dir, 2, decoder.Options{Precision: p})
		config := readConfig(t, e.dir)
		config["num_hidden_layers"] = 4
		config["max_window_layers"] = 2
		weights := withoutLayers(readWeights(t, e.dir), 2, 4)
		pruned := func() *decoder.Model {
			return openModel(t, writeModel(t, config, weights), 2, decoder.Options{Precision: p, Pack: true})
		}
		if err := decoder.Skipping(t.Context(), m, pruned(), []int{2, 3}, e.sequences()); err != nil {
			t.Error(err)
		}
		for drop, want := range map[int]string{1: "behind layer 1 of the pruned checkpoint", 3: "3 layers"} {
			err := decoder.Skipping(t.Context(), m, pruned(), span(drop, 4)[:min(2, 4-drop)], e.sequences())
			if drop == 3 {
				want = "5 layers are kept, the pruned checkpoint has 4"
			}
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("dropping from %d: %v, want %q", drop, err, want)
			}
		}
		// The window would move to the wrong layers.
		config["max_window_layers"] = 3
		if err := decoder.Skipping(t.Context(), m, pruned(), []int{2, 3}, e.sequences()); err == nil {
			t.Error("a window in the wrong layer was not noticed")
		}
		config["max_window_layers"] = 2
		weights["lm_head.weight"].data[7] ^= 1
		if err := decoder.Skipping(t.Context(), m, pruned(), []int{2, 3}, e.sequences()); err == nil || !strings.Contains(err.Error(), "logit") {
			t.Errorf("a flipped bit of the head: %v", err)
		}
	}
}

func TestNonFiniteWeightIsNamed(t *testing.T) {
	for _, name := range []string{"llama-plain", "llama-bias", "llama-gqa-tied"} { // bfloat16, float16, float32
		e := readExpected(t, name)
		weights := readWeights(t, e.dir)
		bad := weights["model.layers.2.mlp.up_proj.weight"]
		switch bad.DType {
		case "BF16":
			binary.LittleEndian.PutUint16(bad.data[6:], 0x7fc0)
		case "F16":
			binary.LittleEndian.PutUint16(bad.data[6:], 0x7e00)
		case "F32":
			binary.LittleEndian.PutUint32(bad.data[8:], math.Float32bits(float32(math.NaN())))
		}
		m := openModel(t, writeModel(t, readConfig(t, e.dir), weights), 2, decoder.Options{})
		g, err := m.Start(e.sequences())
		if err != nil {
			t.Fatal(err)
		}
		defer g.Close()
		for l, err := range m.Layers(nil) {
			if err != nil {
				t.Fatal(err)
			}
			g.Forward(l)
			err := g.Finite(l.Index)
			if l.Index < 2 {
				if err != nil {
					t.Errorf("%s: layer %d: %v", name, l.Index, err)
				}
				continue
			}
			var n *decoder.NonFiniteError
			if !errors.As(err, &n) || n.Layer != 2 || n.Sequence != 0 || n.Tensor != "model.layers.2.mlp.up_proj.weight" || n.File != "model.safetensors" {
				t.Errorf("%s: %v", name, err)
			}
			break
		}
	}
}

// States that are not finite are equal in original and pruned, and prove nothing.
func TestNonFiniteWeightsProveNothing(t *testing.T) {
	e := readExpected(t, "llama-plain")
	for layer, name := range map[int]string{-1: "model.embed_tokens.weight", 4: "model.layers.4.self_attn.o_proj.weight", 6: "model.norm.weight"} {
		weights, config := readWeights(t, e.dir), readConfig(t, e.dir)
		for row := 0; row < len(weights[name].data); row += 96 { // every token has one
			binary.LittleEndian.PutUint16(weights[name].data[row:], 0x7f80)
		}
		m := openModel(t, writeModel(t, config, weights), 2, decoder.Options{})
		config["num_hidden_layers"] = 5
		pruned := openModel(t, writeModel(t, config, withoutLayers(weights, 2, 3)), 2, decoder.Options{})
		var n *decoder.NonFiniteError
		if err := decoder.Skipping(t.Context(), m, pruned, []int{2}, e.sequences()); !errors.As(err, &n) || n.Layer != layer || n.Tensor != name {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTensorsThatDoNotFit(t *testing.T) {
	e := readExpected(t, "llama-gqa-tied")
	for _, c := range []struct {
		name   string
		change func(config map[string]any, weights map[string]stored)
		want   []string
	}{
		{"missing", func(_ map[string]any, w map[string]stored) { delete(w, "model.layers.3.self_attn.k_proj.weight") },
			[]string{`"model.layers.3.self_attn.k_proj.weight"`, "[48 40]", "missing"}},
		{"shape", func(_ map[string]any, w map[string]stored) {
			n := w["model.norm.weight"]
			n.Shape, n.data = []int{39}, n.data[:39*4]
			w["model.norm.weight"] = n
		}, []string{"model.safetensors", `"model.norm.weight"`, "[39]", "[40]"}},
		{"config", func(c map[string]any, _ map[string]stored) { c["intermediate_size"] = 105 },
			[]string{"mlp.gate_proj.weight", "[104 40]", "[105 40]"}},
		{"type", func(_ map[string]any, w map[string]stored) {
			n := w["model.norm.weight"]
			n.DType = "I32"
			w["model.norm.weight"] = n
		}, []string{`"model.norm.weight"`, "I32", "not supported"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			config, weights := readConfig(t, e.dir), readWeights(t, e.dir)
			c.change(config, weights)
			dev, err := cpu.New(cpu.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer dev.Close()
			ck, err := checkpoint.Open(writeModel(t, config, weights))
			if err != nil {
				t.Fatal(err)
			}
			defer ck.Close()
			_, err = decoder.Open(dev, ck, decoder.Options{})
			if err == nil {
				t.Fatal("opened")
			}
			for _, w := range c.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("%v does not say %s", err, w)
				}
			}
		})
	}
}

// The text tower of a multimodal checkpoint has its config in text_config, its tensors behind one prefix or another, and
// towers of other kinds beside it.
func TestTextTowerOfAMultimodalCheckpoint(t *testing.T) {
	e := readExpected(t, "gemma3_text")
	m := openModel(t, e.dir, 2, decoder.Options{})
	_, g := runStates(t, m, e.sequences(), nil)
	want := allLogits(t, m, g)
	for _, base := range []string{"language_model.model.", "model.language_model."} {
		weights := map[string]stored{"vision_tower.vision_model.encoder.layers.0.mlp.fc1.weight": {"F32", []int{1, 2}, make([]byte, 8)}}
		for name, w := range readWeights(t, e.dir) {
			weights[base+strings.TrimPrefix(name, "model.")] = w
		}
		text := readConfig(t, e.dir)
		config := map[string]any{"model_type": "gemma3", "text_config": text, "vision_config": map[string]any{"num_hidden_layers": 27}}
		whole := openModel(t, writeModel(t, config, weights), 2, decoder.Options{})
		_, g := runStates(t, whole, e.sequences(), nil)
		sameBits(t, base+" logits", allLogits(t, whole, g), want)
	}
}
