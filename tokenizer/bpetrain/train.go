// Package bpetrain learns a byte-level BPE tokenizer from texts.
//
//	v, err := bpetrain.Train(texts, bpetrain.Options{Size: 1024, Begin: "<s>", End: "</s>"})
//	os.WriteFile("tokenizer.json", v.JSON(), 0o644)
//
// Texts are cut into words as GPT-2 does; the symbols of a word are its bytes at first. The pair of symbols that stands side by
// side most often becomes a symbol, again and again, until there are as many as are wanted. Where two pairs are as frequent, the
// one whose symbols have the smaller ids is taken, as in Hugging Face's tokenizers, so that both learn the same from the same
// texts. Source: Sennrich, Haddow and Birch, arXiv 1508.07909.
package bpetrain

import (
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"

	"shallow/tokenizer"
)

// Options say what is learned.
type Options struct {
	Size  int    // symbols in all: the two special ones, the 256 bytes and what is merged
	Begin string // the token that stands before each text
	End   string // the token that ends a text
}

// Vocabulary is what was learned.
type Vocabulary struct {
	Pieces []string    // by id, in the letters of the byte-level alphabet
	Merges [][2]string // in the order in which they were learned
}

// special is how many tokens stand before the bytes: begin and end.
const special = 2

// Train learns a vocabulary. It is smaller than o.Size where the texts have no more pairs.
func Train(texts iter.Seq[string], o Options) (*Vocabulary, error) {
	if o.Size < special+256 {
		return nil, fmt.Errorf("bpetrain: a size of %d: %d is the least, for two special tokens and all bytes", o.Size, special+256)
	}
	if o.Begin == "" || o.End == "" || o.Begin == o.End {
		return nil, errors.New("bpetrain: a text's begin and end need a token each")
	}
	counts := map[string]int{}
	for text := range texts {
		for piece := range tokenizer.Pieces(text) {
			counts[piece]++
		}
	}
	v := &Vocabulary{Pieces: append([]string{o.Begin, o.End}, alphabet...)}
	t := newTrainer(v, counts)
	for len(v.Pieces) < o.Size && t.merge() {
	}
	return v, nil
}

// pair is two symbols side by side.
type pair struct{ left, right int }

// word is a piece of the texts.
type word struct {
	symbols []int
	count   int
}

// trainer counts pairs, and knows the words that have them.
type trainer struct {
	*Vocabulary
	ids   map[string]int
	words []word
	count map[pair]int
	where map[pair]map[int]bool
}

func newTrainer(v *Vocabulary, counts map[string]int) *trainer {
	t := &trainer{Vocabulary: v, ids: map[string]int{}, count: map[pair]int{}, where: map[pair]map[int]bool{}}
	for id, piece := range v.Pieces {
		t.ids[piece] = id
	}
	for _, text := range slices.Sorted(maps.Keys(counts)) {
		w := word{count: counts[text]}
		for i := range len(text) {
			w.symbols = append(w.symbols, t.ids[letters[text[i]]])
		}
		t.words = append(t.words, w)
		t.add(len(t.words)-1, 1)
	}
	return t
}

// add counts a word's pairs, or with sign −1 takes them out again.
func (t *trainer) add(number, sign int) {
	w := t.words[number]
	for i := 1; i < len(w.symbols); i++ {
		p := pair{w.symbols[i-1], w.symbols[i]}
		t.count[p] += sign * w.count
		if t.where[p] == nil {
			t.where[p] = map[int]bool{}
		}
		t.where[p][number] = true
		if t.count[p] == 0 {
			delete(t.count, p)
			delete(t.where, p)
		}
	}
}

// merge makes the most frequent pair a symbol; false if no pair is left.
func (t *trainer) merge() bool {
	best, most := pair{}, 0
	for p, n := range t.count {
		if n > most || n == most && (p.left < best.left || p.left == best.left && p.right < best.right) {
			best, most = p, n
		}
	}
	if most == 0 {
		return false
	}
	left, right := t.Pieces[best.left], t.Pieces[best.right]
	t.Merges = append(t.Merges, [2]string{left, right})
	id, known := t.ids[left+right]
	if !known {
		id = len(t.Pieces)
		t.Pieces = append(t.Pieces, left+right)
		t.ids[left+right] = id
	}
	for number := range t.where[best] {
		t.add(number, -1)
		t.words[number].join(best, id)
		t.add(number, 1)
	}
	return true
}

// join puts id for each of a word's pairs, from the left.
func (w *word) join(p pair, id int) {
	kept := w.symbols[:0]
	for i := 0; i < len(w.symbols); i++ {
		if i+1 < len(w.symbols) && w.symbols[i] == p.left && w.symbols[i+1] == p.right {
			kept = append(kept, id)
			i++
			continue
		}
		kept = append(kept, w.symbols[i])
	}
	w.symbols = kept
}
