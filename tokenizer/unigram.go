package tokenizer

import (
	"fmt"
	"math"
	"unicode/utf8"
)

// unigram is the Unigram language model: of all ways to spell a text by pieces the one with the largest sum of scores.
type unigram struct {
	vocab    vocabulary
	scores   []float64
	unknown  int32 // the id for characters without a piece, or -1
	fallback bool  // unknown characters become their bytes
	bytes    [256]int32
	trie     trie
	total    int // bytes of the pieces in trie
	unkScore float64
	single   bool // sums are rounded to float32, as SentencePiece's own
}

const unkPenalty = 10 // how much worse than the worst piece an unknown character is; SentencePiece's constant

func newUnigram(f modelFile) (*unigram, error) {
	if f.Vocab.scores == nil {
		return nil, fmt.Errorf("model Unigram: vocab is not a list of pieces with scores")
	}
	vocab, err := newVocabulary(f.Vocab)
	if err != nil {
		return nil, err
	}
	m := &unigram{vocab: vocab, scores: f.Vocab.scores, unknown: -1, fallback: f.ByteFallback, bytes: vocab.byteIDs()}
	if f.UnkID == nil {
		return nil, fmt.Errorf("model Unigram without unk_id is not supported")
	}
	if *f.UnkID < 0 || *f.UnkID >= len(vocab.pieces) {
		return nil, fmt.Errorf("unk_id %d is out of range for %d pieces", *f.UnkID, len(vocab.pieces))
	}
	m.unknown = int32(*f.UnkID)
	least := math.Inf(1)
	for id, score := range m.scores {
		if math.IsNaN(score) || math.IsInf(score, 0) {
			return nil, fmt.Errorf("vocab: score of %q is not finite", vocab.pieces[id])
		}
		least = min(least, score)
		if err := m.spell(id); err != nil {
			return nil, err
		}
	}
	m.unkScore = least - unkPenalty
	return m, nil
}

// spell lets texts be spelled with a piece.
func (m *unigram) spell(id int) error {
	piece := m.vocab.pieces[id]
	if m.total += len(piece); m.total > maxTrie {
		return fmt.Errorf("vocab: the pieces have more than %d bytes together", maxTrie)
	}
	if piece != "" {
		m.trie.add(piece, int32(id))
	}
	return nil
}

// node is the best path that ends at a place of the text.
type node struct {
	score float64
	start int // where its last piece starts
	id    int32
	set   bool
}

func (n *node) offer(score float64, start int, id int32) {
	if !n.set || score > n.score {
		*n = node{score, start, id, true}
	}
}

// sum is the score of a path and one more piece.
func (m *unigram) sum(path, piece float64) float64 {
	if m.single {
		return float64(float32(path + piece))
	}
	return path + piece
}

// encode appends the ids of the best path through the piece.
func (m *unigram) encode(e *encoder, s string) error {
	if cap(e.nodes) < len(s)+1 {
		e.nodes = make([]node, len(s)+1)
	}
	nodes := e.nodes[:len(s)+1]
	clear(nodes)
	for at := 0; at < len(s); {
		_, n := utf8.DecodeRuneInString(s[at:])
		here, single := nodes[at].score, false
		m.trie.prefixes(s[at:], func(id int32, length int) {
			nodes[at+length].offer(m.sum(here, m.scores[id]), at, id)
			single = single || length == n
		})
		if !single {
			nodes[at+n].offer(m.sum(here, m.unkScore), at, m.unknown)
		}
		at += n
	}
	m.trace(e, s, nodes)
	return nil
}

// trace follows the best path back; unknown characters in a row are one unknown piece.
func (m *unigram) trace(e *encoder, s string, nodes []node) {
	first := len(e.ids)
	for end := len(s); end > 0; {
		n := nodes[end]
		start := n.start
		if n.id != m.unknown {
			e.ids = append(e.ids, int(n.id))
			end = start
			continue
		}
		for start > 0 && nodes[start].id == m.unknown {
			start = nodes[start].start
		}
		m.unknownPiece(e, s[start:end])
		end = start
	}
	for i, j := first, len(e.ids)-1; i < j; i, j = i+1, j-1 {
		e.ids[i], e.ids[j] = e.ids[j], e.ids[i]
	}
}

// unknownPiece appends what stands for s, last byte first.
func (m *unigram) unknownPiece(e *encoder, s string) {
	if id, ok := m.vocab.ids[s]; ok && !m.single {
		e.ids = append(e.ids, int(id))
		return
	}
	complete := m.fallback
	for i := 0; complete && i < len(s); i++ {
		complete = m.bytes[s[i]] >= 0
	}
	if !complete {
		e.ids = append(e.ids, int(m.unknown))
		return
	}
	for i := len(s) - 1; i >= 0; i-- {
		e.ids = append(e.ids, int(m.bytes[s[i]]))
	}
}
