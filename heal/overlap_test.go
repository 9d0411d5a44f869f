package heal

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
)

// prose is n tokens that no other seed gives.
func prose(seed uint64, n int) []int {
	r := rand.New(rand.NewPCG(seed, 0))
	ids := make([]int, n)
	for i := range ids {
		ids[i] = r.IntN(30000)
	}
	return ids
}

// overlapsPlainly is what overlap finds, by comparing everything with everything.
func overlapsPlainly(d *Data, others []Document) (documents, met int) {
	seen := map[int]bool{}
	for _, s := range d.sources {
		for _, x := range s.documents {
			found := false
			for i, other := range others {
				n := min(len(other.IDs), 13)
				for a := 0; n >= 8 && a+n <= len(other.IDs); a++ {
					for b := 0; b+n <= len(x.ids); b++ {
						if slices.EqualFunc(other.IDs[a:a+n], x.ids[b:b+n], func(p int, q int32) bool { return p == int(q) }) {
							found, seen[i] = true, true
						}
					}
				}
			}
			if found {
				documents++
			}
		}
	}
	return documents, len(seen)
}

func TestOverlap(t *testing.T) {
	question, short, tiny := prose(1, 30), prose(2, 9), prose(3, 7)
	documents := []Document{
		{slices.Concat(prose(10, 50), question[5:18], prose(11, 50)), 0}, // 13 tokens of it
		{slices.Concat(prose(12, 50), question[5:17], prose(13, 50)), 0}, // 12
		{slices.Concat(question, prose(14, 5)), 0},                       // all of it
		{slices.Concat(prose(15, 3), short), 0},
		{slices.Concat(prose(16, 3), short[1:]), 0},
		{slices.Concat(tiny, tiny, tiny), 0},
		{[]int{5}, 0}, // dropped: numbers stay
		{slices.Concat(prose(17, 100), question[:14]), 0},
	}
	d := newData(t, DataOptions{Length: 200}, Source{Name: "web", Documents: documents})
	others := []Document{{prose(4, 40), 0}, {tiny, 0}, {question, 0}, {short, 0}}
	got := d.Overlap(others, 10)
	want := Overlaps{4, 2, []Overlap{{"web", 2, 2, 18}, {"web", 7, 2, 2}, {"web", 0, 2, 1}, {"web", 3, 3, 1}}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	if n, met := overlapsPlainly(d, others); n != got.Documents || met != got.Others {
		t.Errorf("%d documents overlap with %d, by comparing all %d and %d", got.Documents, got.Others, n, met)
	}
	if got := d.Overlap(others, 1); !reflect.DeepEqual(got, Overlaps{4, 2, want.Worst[:1]}) {
		t.Errorf("the worst is %+v", got)
	}
	// What lies behind the end of a row is not trained on.
	if got := newData(t, DataOptions{Length: 60}, one(documents...)).Overlap(others, 0); got.Documents != 2 {
		t.Errorf("of rows of 60 tokens %d overlap, want 2", got.Documents)
	}
}

// TestOverlapPassesOverPhrases knows a phrase by how many documents have it.
func TestOverlapPassesOverPhrases(t *testing.T) {
	phrase := prose(1, 13)
	d := newData(t, DataOptions{Length: 200}, one(Document{phrase, 0}))
	var others []Document
	for i := range 11 {
		others = append(others, Document{slices.Concat(prose(uint64(100+i), 20), phrase, phrase), 0})
		if got, want := d.Overlap(others, 1).Documents, map[bool]int{true: 1, false: 0}[i < 10]; got != want {
			t.Errorf("a phrase of %d documents: %d overlaps, want %d", i+1, got, want)
		}
	}
}

func TestHeldOverlap(t *testing.T) {
	shared := prose(1, 20)
	var documents []Document
	for i := range 20 {
		documents = append(documents, Document{slices.Concat(prose(uint64(10+i), 10), shared), 0})
	}
	d := newData(t, DataOptions{Length: 50, Held: 5}, one(documents...))
	if got := d.HeldOverlap(3); got.Documents != 15 || got.Others < 1 || len(got.Worst) != 3 {
		t.Errorf("%+v", got)
	}
	if got := newData(t, DataOptions{Length: 50}, one(documents...)).HeldOverlap(3); got.Documents != 0 {
		t.Errorf("nothing is held out, but %+v", got)
	}
}

// TestGramsAreBounded finds copied documents in a sample, and one that repeats itself does not take the room of others.
func TestGramsAreBounded(t *testing.T) {
	const limit = 500
	documents := [][]int32{slices.Repeat([]int32{7}, 10000)}
	for i := range 40 {
		var ids []int32
		for _, id := range prose(uint64(i), 200) {
			ids = append(ids, int32(id))
		}
		documents = append(documents, ids)
	}
	g := newGrams(documents, limit)
	if len(g.hashes) > limit || len(g.hashes) < limit/8 {
		t.Errorf("%d hashes, want no more than %d and not many fewer", len(g.hashes), limit)
	}
	found := 0
	for i, ids := range documents[1:] {
		met := false
		g.each(ids, func(of int32) {
			if int(of) != i+1 {
				t.Errorf("document %d is met in %d", of, i+1)
			}
			met = true
		})
		if met {
			found++
		}
	}
	if found < 38 {
		t.Errorf("%d of 40 copies are found", found)
	}
}

func FuzzOverlap(f *testing.F) {
	f.Add([]byte("abcdefghijklmnopqrstuvwxyz"), []byte("xxabcdefghijklmyy"), uint8(9))
	f.Add([]byte("aaaaaaaaaaaaaaaaaaaaa"), []byte("aaaaaaaab"), uint8(8))
	f.Fuzz(func(t *testing.T, text, other []byte, cut uint8) {
		if len(text) < 2 || len(text) > 200 || len(other) > 200 {
			return
		}
		doc := func(b []byte) (x Document) {
			for _, c := range b {
				x.IDs = append(x.IDs, int(c))
			}
			return x
		}
		at := min(int(cut), len(other))
		others := []Document{doc(other[:at]), doc(other[at:])}
		d := newData(t, DataOptions{Length: 1000}, one(doc(text)))
		got := d.Overlap(others, 5)
		if n, _ := overlapsPlainly(d, others); got.Documents != n {
			t.Errorf("%d documents overlap, by comparing all %d", got.Documents, n)
		}
	})
}
