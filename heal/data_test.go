package heal

import (
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// texts are documents of one id each, repeated as often as lengths say, from first on.
func texts(first int, lengths ...int) []Document {
	documents := make([]Document, len(lengths))
	for i, n := range lengths {
		documents[i].IDs = slices.Repeat([]int{first + i}, n)
	}
	return documents
}

func newData(t testing.TB, o DataOptions, sources ...Source) *Data {
	t.Helper()
	d, err := NewData(sources, o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func one(documents ...Document) Source { return Source{Name: "c", Documents: documents} }

func TestRows(t *testing.T) {
	pair := Document{[]int{1, 2, 3, 4, 5}, 3}
	for name, c := range map[string]struct {
		o    DataOptions
		in   []Document
		want []Row
	}{
		"documents": {DataOptions{Length: 3}, []Document{{[]int{1, 2}, 0}, {[]int{3, 4, 5, 6}, 0}}, []Row{
			{[]int{1, 2}, []int32{2, -1}, nil}, {[]int{3, 4, 5}, []int32{4, 5, -1}, nil}, {[]int{1, 2}, []int32{2, -1}, nil}}},
		"nothing to predict": {DataOptions{Length: 3, CompletionWeight: 1}, []Document{{}, {[]int{9}, 0}, {[]int{1, 2, 3, 4}, 3}, {[]int{7, 8}, 0}}, []Row{
			{[]int{7, 8}, []int32{8, -1}, nil}}},
		"the completion": {DataOptions{Length: 9, CompletionWeight: 1}, []Document{pair}, []Row{
			{[]int{1, 2, 3, 4, 5}, []int32{-1, -1, 4, 5, -1}, nil}}},
		"the prompt": {DataOptions{Length: 9, PromptWeight: 1}, []Document{pair}, []Row{
			{[]int{1, 2, 3, 4, 5}, []int32{2, 3, -1, -1, -1}, nil}}},
		"both": {DataOptions{Length: 4, PromptWeight: 0.25, CompletionWeight: 2}, []Document{pair}, []Row{
			{[]int{1, 2, 3, 4}, []int32{2, 3, 4, -1}, []float32{0.25, 0.25, 2, 0}}}},
		"packed": {DataOptions{Length: 4, Pack: true, End: []int{0}}, []Document{{[]int{1, 2}, 0}, {[]int{3, 4, 5, 0}, 0}}, []Row{
			{[]int{1, 2, 0, 3}, []int32{2, 0, 3, -1}, nil}, {[]int{4, 5, 0, 1}, []int32{5, 0, 1, -1}, nil}, {[]int{2, 0, 3, 4}, []int32{0, 3, 4, -1}, nil}}},
		"packed, no end": {DataOptions{Length: 5, Pack: true}, []Document{{[]int{1}, 0}, {[]int{2, 3}, 0}}, []Row{
			{[]int{1, 2, 3, 1, 2}, []int32{2, 3, 1, 2, -1}, nil}, {[]int{3, 1, 2, 3, 1}, []int32{1, 2, 3, 1, -1}, nil}}},
		"packed pairs": {DataOptions{Length: 4, Pack: true, End: []int{0}, CompletionWeight: 0.5}, []Document{{[]int{1, 2, 3}, 2}, {[]int{4}, 0}}, []Row{
			{[]int{1, 2, 3, 0}, []int32{-1, 3, 0, -1}, []float32{0, 0.5, 0.5, 0}}, {[]int{4, 0, 1, 2}, []int32{0, -1, -1, -1}, nil}}},
		"a long prompt": {DataOptions{Length: 2, Pack: true, CompletionWeight: 1}, []Document{{[]int{1, 2, 3, 4, 5, 6}, 5}}, []Row{
			{[]int{5, 6}, []int32{6, -1}, nil}, {[]int{5, 6}, []int32{6, -1}, nil}}},
	} {
		d := newData(t, c.o, one(c.in...))
		got := d.Next(len(c.want))
		for i, row := range got {
			if !reflect.DeepEqual(row.IDs, c.want[i].IDs) || !reflect.DeepEqual(row.Targets, c.want[i].Targets) ||
				!slices.EqualFunc(predictedWeights(row), predictedWeights(c.want[i]), func(a, b float32) bool { return a == b }) {
				t.Errorf("%s: row %d is %v, want %v", name, i, row, c.want[i])
			}
		}
	}
}

// predictedWeights are what the targets of a row count, in order.
func predictedWeights(r Row) (ws []float32) {
	for i, target := range r.Targets {
		if target >= 0 && r.Weights != nil {
			ws = append(ws, r.Weights[i])
		}
	}
	return ws
}

func TestPredicted(t *testing.T) {
	for _, c := range []struct {
		row  Row
		want float64
	}{
		{Row{}, 0},
		{Row{[]int{1, 2}, []int32{2, -1}, nil}, 1},
		{Row{[]int{1, 2, 3}, []int32{0, 3, -1}, []float32{0.25, 2, 9}}, 2.25},
	} {
		if got := c.row.Predicted(); got != c.want {
			t.Errorf("%v predicts %v, want %v", c.row, got, c.want)
		}
	}
}

func TestDataRefuses(t *testing.T) {
	good := one(texts(1, 4, 4)...)
	inf, nan := math.Inf(1), math.NaN()
	for _, c := range []struct {
		o       DataOptions
		sources []Source
		want    string
	}{
		{DataOptions{Length: 1}, []Source{good}, "rows of 1 tokens"},
		{DataOptions{Length: 4, End: []int{1, 2}}, []Source{good}, "want one token"},
		{DataOptions{Length: 4, End: []int{-1}}, []Source{good}, "want one token"},
		{DataOptions{Length: 4, PromptWeight: -1}, []Source{good}, "a weight of -1"},
		{DataOptions{Length: 4, CompletionWeight: nan}, []Source{good}, "a weight of NaN"},
		{DataOptions{Length: 4, CompletionWeight: inf}, []Source{good}, "a weight of +Inf"},
		{DataOptions{Length: 4}, nil, "stage 1 has no corpus"},
		{DataOptions{Length: 4}, []Source{{Name: "c"}}, "c: no document has a token to predict"},
		{DataOptions{Length: 4}, []Source{one(texts(1, 1, 1)...)}, "no document has a token to predict"},
		{DataOptions{Length: 4, Pack: true, PromptWeight: 1}, []Source{one(Document{[]int{1, 2}, 1})}, ""},
		{DataOptions{Length: 4, Pack: true}, []Source{one(Document{[]int{1, 2}, 1})}, "no document has a token to predict"},
		{DataOptions{Length: 4}, []Source{one(Document{[]int{1, -2}, 0})}, "document 0: token 1 is -2"},
		{DataOptions{Length: 4}, []Source{one(Document{[]int{1, 1 << 31}, 0})}, "document 0: token 1 is 2147483648"},
		{DataOptions{Length: 4}, []Source{one(Document{[]int{1, 2}, 3})}, "document 0 has a prompt of 3 of its 2 tokens"},
		{DataOptions{Length: 4}, []Source{one(Document{[]int{1, 2}, -1})}, "a prompt of -1"},
		{DataOptions{Length: 4}, []Source{good, good}, "c: no weight beside the other"},
		{DataOptions{Length: 4}, []Source{{Name: "c", Weight: nan, Documents: good.Documents}}, "c: weight NaN"},
		{DataOptions{Length: 4}, []Source{{Name: "c", Weight: inf, Documents: good.Documents}}, "c: weight +Inf"},
		{DataOptions{Length: 4}, []Source{{Name: "c", Stage: 1, Documents: good.Documents}}, "c is of stage 2 of 1"},
		{DataOptions{Length: 4, Stages: []float64{1, 0}}, []Source{good}, "stage 2 has a share of 0"},
		{DataOptions{Length: 4, Stages: []float64{1, 1}}, []Source{good}, "stage 2 has no corpus"},
		{DataOptions{Length: 4, Held: -1}, []Source{good}, "-1 documents held out"},
		{DataOptions{Length: 4, Held: 2}, []Source{good}, "2 documents are to be held out for validation and there are 2"},
		{DataOptions{Length: 4, Held: 1}, []Source{{"a", 1, 0, texts(1, 4)}, {"b", 1, 0, texts(2, 4)}}, "all of its documents are held out"},
		{DataOptions{Length: 4, Held: 1, Validation: texts(7, 4)}, []Source{good}, "choose one"},
		{DataOptions{Length: 4, Validation: texts(7, 1)}, []Source{good}, "validation: no document has a token"},
	} {
		_, err := NewData(c.sources, c.o)
		if c.want == "" && err == nil {
			continue
		}
		if err == nil || c.want == "" || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.o, err, c.want)
		}
		if strings.Contains(c.want, "to predict") && !errors.Is(err, ErrNothingToPredict) {
			t.Errorf("%v is not ErrNothingToPredict", err)
		}
	}
}

// TestEpochs takes every document once an epoch, in another order each time, or in the same without shuffling.
func TestEpochs(t *testing.T) {
	const n, epochs = 50, 4
	var lengths []int
	for range n {
		lengths = append(lengths, 3)
	}
	for _, shuffle := range []bool{true, false} {
		d := newData(t, DataOptions{Length: 8, Shuffle: shuffle, Seed: 7}, one(texts(0, lengths...)...))
		orders := map[string]bool{}
		for range epochs {
			var order []int
			for _, row := range d.Next(n) {
				order = append(order, row.IDs[0])
			}
			sorted := slices.Sorted(slices.Values(order))
			for i, id := range sorted {
				if id != i {
					t.Fatalf("shuffle %v: an epoch takes %v", shuffle, order)
				}
			}
			if !shuffle && !slices.Equal(order, sorted) {
				t.Errorf("not shuffled, but %v", order)
			}
			key, _ := json.Marshal(order)
			orders[string(key)] = true
		}
		if want := map[bool]int{true: epochs, false: 1}[shuffle]; len(orders) != want {
			t.Errorf("shuffle %v: %d orders in %d epochs, want %d", shuffle, len(orders), epochs, want)
		}
	}
}

// TestPermutationIsUniform counts how often each order of three documents comes; chi-squared of 5 degrees of freedom is
// above 20.5 once in a thousand.
func TestPermutationIsUniform(t *testing.T) {
	counts := map[[3]int32]float64{}
	const n = 6000
	for epoch := range uint64(n) {
		counts[[3]int32(permutation(3, 1, 2, epoch))]++
	}
	chi := 0.0
	for _, c := range counts {
		chi += (c - n/6.) * (c - n/6.) / (n / 6.)
	}
	if len(counts) != 6 || chi > 20.5 {
		t.Errorf("orders come %v times: chi-squared %v", counts, chi)
	}
}

// TestSeekRestores goes on from every cursor, stored as JSON, with other data of the same documents.
func TestSeekRestores(t *testing.T) {
	sources := []Source{{"a", 0.7, 0, texts(0, 3, 9, 5, 2)}, {"b", 0.3, 0, texts(10, 4, 4, 13)}, {"c", 0, 1, texts(20, 6, 3)}}
	for _, o := range []DataOptions{
		{Length: 8, Seed: 3, Stages: []float64{3, 1}},
		{Length: 8, Seed: 3, Stages: []float64{3, 1}, Shuffle: true},
		{Length: 7, Seed: 3, Stages: []float64{3, 1}, Shuffle: true, Pack: true, End: []int{99}},
		{Length: 7, Seed: 3, Stages: []float64{3, 1}, Shuffle: true, Held: 2},
	} {
		const rows = 60
		make := func() *Data {
			d := newData(t, o, sources...)
			if err := d.SetRows(rows); err != nil {
				t.Fatal(err)
			}
			return d
		}
		want := make().Next(rows + 5)
		for at := range rows {
			d := make()
			d.Next(at)
			stored, err := json.Marshal(d.Cursor())
			if err != nil {
				t.Fatal(err)
			}
			other := make()
			other.Next(rows - at) // elsewhere
			var c Cursor
			if err := json.Unmarshal(stored, &c); err != nil {
				t.Fatal(err)
			}
			if err := other.Seek(c); err != nil {
				t.Fatal(err)
			}
			if got := slices.Concat(other.Next(2), other.Next(rows+5-at-2)); !reflect.DeepEqual(got, want[at:]) {
				t.Fatalf("%+v: from row %d on rows differ", o, at)
			}
		}
	}
}

func TestSeekRefuses(t *testing.T) {
	o := DataOptions{Length: 4, Pack: true, End: []int{9}}
	d := newData(t, o, one(texts(1, 4, 2)...))
	d.Next(1)
	good := d.Cursor()
	for name, change := range map[string]func(c *Cursor){
		"other data":        func(c *Cursor) { c.Data = "x" },
		"no places":         func(c *Cursor) { c.Places = nil },
		"row":               func(c *Cursor) { c.Row = -1 },
		"epoch":             func(c *Cursor) { c.Places[0].Epoch = -1 },
		"document":          func(c *Cursor) { c.Places[0].Document = 2 },
		"negative document": func(c *Cursor) { c.Places[0].Document = -1 },
		"token":             func(c *Cursor) { c.Places[0] = Place{0, 1, 3} },
		"negative token":    func(c *Cursor) { c.Places[0].Token = -1 },
	} {
		c := good
		c.Places = slices.Clone(c.Places)
		change(&c)
		if err := d.Seek(c); err == nil || !reflect.DeepEqual(d.Cursor(), good) {
			t.Errorf("%s: %v, and then %+v", name, err, d.Cursor())
		}
	}
	for name, other := range map[string]*Data{
		"seed":      newData(t, DataOptions{Length: 4, Pack: true, End: []int{9}, Seed: 1}, one(texts(1, 4, 2)...)),
		"length":    newData(t, DataOptions{Length: 5, Pack: true, End: []int{9}}, one(texts(1, 4, 2)...)),
		"documents": newData(t, o, one(texts(1, 4, 3)...)),
		"one more":  newData(t, o, one(texts(1, 4, 2, 2)...)),
		"prompt":    newData(t, DataOptions{Length: 4, Pack: true, End: []int{9}, CompletionWeight: 1}, one(texts(1, 4, 2)...)),
	} {
		if err := other.Seek(good); err == nil {
			t.Errorf("data with another %s go on", name)
		}
	}
	if err := newData(t, o, Source{Name: "moved/c", Weight: 3, Documents: texts(1, 4, 2)}).Seek(good); err != nil {
		t.Errorf("a lone corpus of another name and weight: %v", err)
	}
}

// TestMixture compares the shares of rows with the weights, within four standard deviations, and stages with their shares.
func TestMixture(t *testing.T) {
	d := newData(t, DataOptions{Length: 4, Seed: 5, Shuffle: true, Stages: []float64{75, 25}},
		Source{"a", 7, 0, texts(0, 4)}, Source{"b", 2, 0, texts(1, 4, 4)}, Source{"c", 1, 0, texts(3, 4)},
		Source{"d", 0, 1, texts(4, 4)})
	const rows = 4000
	if err := d.SetRows(rows); err != nil {
		t.Fatal(err)
	}
	counts := make([]float64, 5)
	for i, row := range d.Next(rows + 10) {
		if id := row.IDs[0]; (id == 4) != (i >= 3000) {
			t.Fatalf("row %d is of document %d", i, id)
		}
		if i < 3000 {
			counts[row.IDs[0]]++
		}
	}
	for i, p := range []float64{0.7, 0.1, 0.1, 0.1} {
		if n := counts[i]; math.Abs(n-3000*p) > 4*math.Sqrt(3000*p*(1-p)) {
			t.Errorf("document %d came %v times, want about %v", i, n, 3000*p)
		}
	}
	if want := 4.0; math.Abs(d.TokensPerRow()-want) > 1e-12 {
		t.Errorf("%v tokens a row, want %v", d.TokensPerRow(), want)
	}
}

func TestSetRowsNeedsOneAStage(t *testing.T) {
	d := newData(t, DataOptions{Length: 4, Stages: []float64{99, 1}}, Source{"a", 0, 0, texts(0, 4)}, Source{"b", 0, 1, texts(1, 4)})
	if err := d.SetRows(20); err == nil || !strings.Contains(err.Error(), "stage 2 gets none of 20 rows") {
		t.Errorf("%v", err)
	}
	if err := d.SetRows(100); err != nil {
		t.Error(err)
	}
}

func TestTokensPerRow(t *testing.T) {
	a, b := Source{"a", 3, 0, texts(0, 2, 20)}, Source{"b", 1, 0, texts(2, 6)}
	c := Source{"c", 0, 1, texts(3, 5)}
	if got, want := newData(t, DataOptions{Length: 8, End: []int{7}, Stages: []float64{1, 3}}, a, b, c).TokensPerRow(), 0.25*(0.75*5+0.25*6)+0.75*5; math.Abs(got-want) > 1e-12 {
		t.Errorf("%v tokens a row, want %v", got, want)
	}
	if got := newData(t, DataOptions{Length: 8, Pack: true}, a, b).TokensPerRow(); got != 8 {
		t.Errorf("%v tokens a packed row, want 8", got)
	}
}

// TestHeldIsNeverTrainedOn looks for held documents, and copies of them, among the rows.
func TestHeldIsNeverTrainedOn(t *testing.T) {
	var lengths []int
	for i := range 40 {
		lengths = append(lengths, 3+i%5)
	}
	documents := texts(0, lengths...)
	a, b := Source{"a", 1, 0, documents}, Source{"b", 1, 0, slices.Clone(documents[20:])}
	slices.Reverse(b.Documents)
	for _, pack := range []bool{false, true} {
		o := DataOptions{Length: 6, Held: 10, Seed: 1, Shuffle: true, Pack: pack}
		d := newData(t, o, a, b)
		held := map[int]bool{}
		for _, row := range d.Held(0) {
			for _, id := range row.IDs {
				held[id] = true
			}
		}
		if len(held) != 10 {
			t.Errorf("pack %v: %d documents are held out, want 10", pack, len(held))
		}
		for _, row := range d.Next(400) {
			for _, id := range row.IDs {
				if held[id] {
					t.Fatalf("pack %v: document %d is held out and trained on", pack, id)
				}
			}
		}
		if first := d.Held(3); !reflect.DeepEqual(first, d.Held(0)[:3]) {
			t.Errorf("pack %v: the first held rows are %v", pack, first)
		}
		if again := newData(t, DataOptions{Length: 6, Held: 10, Seed: 2, Pack: pack}, b, a); !reflect.DeepEqual(again.Held(0), d.Held(0)) {
			t.Errorf("pack %v: another seed and order hold out others", pack)
		}
	}
	d := newData(t, DataOptions{Length: 4, Validation: texts(50, 3, 9)}, a)
	if got, want := d.Held(0), []Row{{[]int{50, 50, 50}, []int32{50, 50, -1}, nil}, {[]int{51, 51, 51, 51}, []int32{51, 51, 51, -1}, nil}}; !reflect.DeepEqual(got, want) || d.Documents() != 40 {
		t.Errorf("validated on %v, trained on %d documents", got, d.Documents())
	}
}
