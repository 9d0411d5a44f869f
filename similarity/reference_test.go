package similarity_test

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"shallow/checkpoint"
	"shallow/compute/cpu"
	"shallow/decoder"
	"shallow/internal/shared"
	"shallow/similarity"
	"shallow/tokenizer"
)

func TestFamilies(t *testing.T) {
	for _, family := range shared.Families(t) {
		t.Run(family, func(t *testing.T) {
			dir := shared.Family(t, family)
			var want struct {
				L         int
				Distances map[string][]float64
			}
			readJSON(t, filepath.Join(dir, "expected.json"), &want)
			m := open(t, dir, 2)
			got, err := similarity.Measure(context.Background(), m, sequences(t, dir), similarity.Options{Influence: similarity.Full})
			if err != nil {
				t.Fatal(err)
			}
			compareDistances(t, got, want.L, want.Distances)
		})
	}
}

// TestStories repeats all that the reference says about a trained model and 80 stories.
func TestStories(t *testing.T) {
	dir := shared.Dir(t, "reference", "models", "stories260K")
	var want struct {
		AngularDistance  map[string][]float64 `json:"angular_distance"`
		BlockInfluence   []float64            `json:"block_influence"`
		LossWithoutBlock map[string]float64   `json:"loss_with_block_skipped"`
		LossWithoutLayer []float64            `json:"loss_with_layer_skipped"`
	}
	readJSON(t, filepath.Join(dir, "expected.json"), &want)
	stories := stories(t)
	m := open(t, dir, 2)
	got, err := similarity.Measure(context.Background(), m, stories, similarity.Options{Influence: similarity.Full})
	if err != nil {
		t.Fatal(err)
	}
	compareDistances(t, got, 5, want.AngularDistance)
	for l, v := range got.Influence.Layers {
		if math.Abs(v-want.BlockInfluence[l]) > 1e-5 {
			t.Errorf("block influence of layer %d is %v, want %v", l, v, want.BlockInfluence[l])
		}
	}
	for n := 1; n <= 4; n++ {
		var starts []int
		for l := 5 - n; l >= 0; l-- {
			starts = append(starts, l)
		}
		losses, err := similarity.Losses(context.Background(), m, stories, n, starts, similarity.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for i, l := range starts {
			loss := want.LossWithoutBlock[fmt.Sprintf("%d:%d", l, l+n)]
			if n == 1 {
				loss = want.LossWithoutLayer[l]
			}
			if math.Abs(losses[i]-loss) > 1e-3 {
				t.Errorf("loss without [%d, %d) is %v, want %v", l, l+n, losses[i], loss)
			}
		}
	}
}

// TestScopesAndGroups: what is not measured, how sequences are grouped and how many threads run changes no bit of the rest.
func TestScopesAndGroups(t *testing.T) {
	dir := shared.Dir(t, "reference", "families", "mistral-window")
	seqs := sequences(t, dir)
	full, err := similarity.Measure(context.Background(), open(t, dir, 2), seqs, similarity.Options{Influence: similarity.Full})
	if err != nil {
		t.Fatal(err)
	}
	for _, scope := range []similarity.Scope{similarity.Most, similarity.Off} {
		got, err := similarity.Measure(context.Background(), open(t, dir, 1), seqs, similarity.Options{Influence: scope, Memory: tight(t, dir, seqs, scope)})
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got.Distances, full.Distances) {
			t.Errorf("influence %s: distances %v, want the bits of %v", scope, got.Distances, full.Distances)
		}
		if scope == similarity.Most && !reflect.DeepEqual(got.Influence.Layers, full.Influence.Layers[:full.Layers-1]) {
			t.Errorf("influence %v, want the first of %v", got.Influence.Layers, full.Influence.Layers)
		}
	}
}

// tight is the least memory, within a step, in which a measurement runs: one sequence a group.
func tight(t *testing.T, dir string, seqs [][]int, scope similarity.Scope) int64 {
	t.Helper()
	for memory := int64(1) << 16; memory < 1<<30; memory += memory / 16 {
		_, err := similarity.Measure(context.Background(), open(t, dir, 1), seqs, similarity.Options{Influence: scope, Memory: memory})
		if err == nil {
			return memory
		}
		if !strings.Contains(err.Error(), "--memory") {
			t.Fatal(err)
		}
	}
	t.Fatal("no memory is enough")
	return 0
}

// TestResume: a run that is stopped after its first group and started again ends with the bytes of one that was not.
func TestResume(t *testing.T) {
	dir := shared.Dir(t, "reference", "families", "qwen3")
	seqs := sequences(t, dir)
	for len(seqs) < 3*17 { // more than one group's rows
		seqs = append(seqs, long(seqs[2], 1000))
	}
	want, err := similarity.Measure(context.Background(), open(t, dir, 2), seqs, similarity.Options{})
	if err != nil {
		t.Fatal(err)
	}

	journal := filepath.Join(t.TempDir(), "measure.journal")
	ctx, stop := context.WithCancel(context.Background())
	var total int64
	_, err = similarity.Measure(ctx, open(t, dir, 2), seqs, similarity.Options{Journal: journal, Progress: func(done, all int64) {
		if total = all; done > all/2 {
			stop()
		}
	}})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("the stopped run: %v", err)
	}
	if _, err := os.Stat(journal); err != nil {
		t.Fatal("the stopped run left no journal: ", err)
	}
	var first int64 = -1
	got, err := similarity.Measure(context.Background(), open(t, dir, 1), seqs, similarity.Options{Journal: journal, Progress: func(done, all int64) {
		if first < 0 {
			first = done
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	if first < total/4 {
		t.Errorf("the second run began at %d of %d", first, total)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("resumed: %+v\nwant %+v", got, want)
	}
	var calls int
	again, err := similarity.Measure(context.Background(), open(t, dir, 1), seqs, similarity.Options{Journal: journal, Progress: func(done, all int64) {
		if calls++; done != all {
			t.Errorf("after the end a third run begins at %d of %d", done, all)
		}
	}})
	if err != nil || calls != 1 || !reflect.DeepEqual(again, want) {
		t.Errorf("after the end: %+v, %v, in %d steps", again, err, calls)
	}
}

// TestForeignJournal: a journal of other tokens, or a damaged one, is not gone on with.
func TestForeignJournal(t *testing.T) {
	dir := shared.Dir(t, "reference", "families", "qwen3")
	seqs := sequences(t, dir)
	want, err := similarity.Measure(context.Background(), open(t, dir, 2), seqs, similarity.Options{})
	if err != nil {
		t.Fatal(err)
	}
	journal := filepath.Join(t.TempDir(), "measure.journal")
	for _, data := range []string{`{"key":"other","sequences":[]}`, `{"key":`, `null`, `{"key":"","sequences":[{"distances":[[9]]}]}`} {
		if err := os.WriteFile(journal, []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
		got, err := similarity.Measure(context.Background(), open(t, dir, 2), seqs, similarity.Options{Journal: journal})
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("after the journal %s: %+v, %v", data, got, err)
		}
	}
}

func TestRefuses(t *testing.T) {
	dir := shared.Dir(t, "reference", "families", "llama-gqa-tied")
	m := open(t, dir, 1)
	ctx := context.Background()
	for _, c := range []struct {
		sequences [][]int
		o         similarity.Options
		want      string
	}{
		{nil, similarity.Options{}, "no sequences"},
		{[][]int{{1}, {}}, similarity.Options{}, "empty"},
		{[][]int{{1, 100000}}, similarity.Options{}, "vocabulary"},
		{[][]int{{1, 2}}, similarity.Options{Memory: 1000}, "--memory"},
	} {
		if _, err := similarity.Measure(ctx, m, c.sequences, c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v, want %q", c.sequences, err, c.want)
		}
	}
	if _, err := similarity.Losses(ctx, m, [][]int{{1}, {2}}, 1, []int{0}, similarity.Options{}); err == nil || !strings.Contains(err.Error(), "second token") {
		t.Errorf("losses of single tokens: %v", err)
	}
	if _, err := similarity.Losses(ctx, m, [][]int{{1, 2}}, 3, []int{3}, similarity.Options{}); err == nil || !strings.Contains(err.Error(), "start at 3") {
		t.Errorf("losses without layers that are not there: %v", err)
	}
}

// TestLossesSkip: branches that share a trunk lose, bit for bit, what each candidate alone loses.
func TestLossesSkip(t *testing.T) {
	dir := shared.Dir(t, "reference", "families", "qwen2")
	seqs := sequences(t, dir)
	m := open(t, dir, 2)
	starts := []int{3, 0, 4, 1}
	together, err := similarity.Losses(context.Background(), m, seqs, 2, starts, similarity.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i, l := range starts {
		alone, err := similarity.Losses(context.Background(), m, seqs, 2, []int{l}, similarity.Options{})
		if err != nil || alone[0] != together[i] {
			t.Errorf("without [%d, %d): %v together, %v alone, %v", l, l+2, together[i], alone, err)
		}
	}
}

func compareDistances(t *testing.T, got *similarity.Distances, layers int, want map[string][]float64) {
	t.Helper()
	if got.Layers != layers || len(got.Distances) != layers {
		t.Fatalf("%d layers in %d rows, want %d", got.Layers, len(got.Distances), layers)
	}
	for n := 1; n <= layers; n++ {
		row := want[strconv.Itoa(n)]
		if len(got.Distances[n-1]) != len(row) {
			t.Fatalf("n = %d has %d starts, want %d", n, len(got.Distances[n-1]), len(row))
		}
		for l, v := range row {
			if math.Abs(got.Distances[n-1][l]-v) > 1e-5 {
				t.Errorf("d(%d, %d) = %v, want %v", l, n, got.Distances[n-1][l], v)
			}
		}
	}
}

// open opens a checkpoint for products in float32.
func open(t *testing.T, dir string, threads int) *decoder.Model {
	t.Helper()
	dev, err := cpu.New(cpu.Options{Threads: threads})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(dev.Close)
	c, err := checkpoint.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	m, err := decoder.Open(dev, c, decoder.Options{Precision: decoder.Float32, Pack: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m
}

// sequences reads ids.0, ids.1, … of a case's expected.safetensors.
func sequences(t *testing.T, dir string) [][]int {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "expected.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	body := 8 + binary.LittleEndian.Uint64(data)
	var header map[string]struct {
		Offsets [2]uint64 `json:"data_offsets"`
	}
	if err := json.Unmarshal(data[8:body], &header); err != nil {
		t.Fatal(err)
	}
	var seqs [][]int
	for {
		at, ok := header[fmt.Sprintf("ids.%d", len(seqs))]
		if !ok {
			return seqs
		}
		var ids []int
		for i := at.Offsets[0]; i < at.Offsets[1]; i += 8 {
			ids = append(ids, int(binary.LittleEndian.Uint64(data[body+i:])))
		}
		seqs = append(seqs, ids)
	}
}

func readJSON(t *testing.T, name string, v any) {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, v); err != nil {
		t.Fatal(err)
	}
}

// long repeats a sequence up to a length.
func long(ids []int, length int) []int {
	var out []int
	for len(out) < length {
		out = append(out, ids[len(out)%len(ids)])
	}
	return out
}

// stories are the first 80 stories as the reference reads them: one newline between paragraphs, BOS, at most 512 tokens.
func stories(t *testing.T) [][]int {
	t.Helper()
	tok, err := tokenizer.Open(shared.Dir(t, "reference", "models", "stories260K"))
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(shared.Dir(t, "data", "text", "tinystories", "derived-cased-stories.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var seqs [][]int
	dec := json.NewDecoder(f)
	for len(seqs) < 80 {
		var story struct{ Text string }
		if err := dec.Decode(&story); err != nil {
			t.Fatal(err)
		}
		ids := tok.Encode(strings.ReplaceAll(story.Text, "\n\n", "\n"), true)
		seqs = append(seqs, ids[:min(512, len(ids))])
	}
	return seqs
}

// TestBrokenWeight: a weight that is not finite is found at its layer, with influence and without.
func TestBrokenWeight(t *testing.T) {
	source := shared.Dir(t, "reference", "families", "llama-gqa-tied")
	dir := t.TempDir()
	for _, name := range []string{"config.json", "model.safetensors"} {
		data, err := os.ReadFile(filepath.Join(source, name))
		if err != nil {
			t.Fatal(err)
		}
		if name == "model.safetensors" {
			body := 8 + binary.LittleEndian.Uint64(data)
			var header map[string]struct {
				Offsets [2]uint64 `json:"data_offsets"`
			}
			if err := json.Unmarshal(data[8:body], &header); err != nil {
				t.Fatal(err)
			}
			at := body + header["model.layers.2.mlp.down_proj.weight"].Offsets[0]
			binary.LittleEndian.PutUint32(data[at:], math.Float32bits(float32(math.NaN())))
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	m := open(t, dir, 1)
	for _, scope := range []similarity.Scope{similarity.Off, similarity.Full} {
		_, err := similarity.Measure(context.Background(), m, [][]int{{1, 2}, {3, 4}}, similarity.Options{Influence: scope})
		if err == nil || !strings.Contains(err.Error(), `tensor "model.layers.2.mlp.down_proj.weight" holds a value that is not finite`) {
			t.Errorf("influence %s: %v", scope, err)
		}
	}
	if _, err := similarity.Losses(context.Background(), m, [][]int{{1, 2}}, 1, []int{0}, similarity.Options{}); err == nil {
		t.Error("the loss of a broken model is accepted")
	}
}
